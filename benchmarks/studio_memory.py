"""Memory of a whole studio while it animates five minutes of 4K: `python app.py` and its children together.

The studio runs on the demo engine, which is one of the children, and is used through its API: the
video is uploaded, probed, queued, cut into segments, rendered, joined and downloaded. A process that shares
pages with another counts its share of them (PSS), so that nothing is counted twice.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path

import psutil
import requests
from gradio_client import Client, handle_file
from PIL import Image

from backend.servers.ports import free_port
from benchmarks.media import five_minutes, three_hours

ROOT = Path(__file__).resolve().parents[1]
Sample = dict[str, float]
"""Role of a process -> MB"""


def tree(pid: int) -> list[psutil.Process]:
    """The process and its descendants."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def megabytes(process: psutil.Process) -> float:
    """Proportional set size; 0 for a process that has ended."""
    with contextlib.suppress(psutil.Error):
        return process.memory_full_info().pss / 1e6
    return 0.0


def name_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        words = process.cmdline()
        if "backend.media.child" in words:
            return "decoder"
        return "demo engine" if "backend.engines.demo" in words else "app"
    return "app"


class Watch:
    """Samples the process tree four times a second. `peak`: the sum; `then`: the roles' shares at that
    moment."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.peak, self.then = 0.0, Sample()
        self.highest = Sample()
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.25):
            now = Sample()
            for process in tree(self._pid):
                name = name_of(process)
                now[name] = now.get(name, 0.0) + megabytes(process)
            for name, size in now.items():
                self.highest[name] = max(self.highest.get(name, 0.0), size)
            if sum(now.values()) > self.peak:
                self.peak, self.then = sum(now.values()), now

    def lap(self) -> str:
        """The peak since the last lap, as text."""
        words = ", ".join(f"{name} {size:.0f}" for name, size in sorted(self.then.items()))
        alone = ", ".join(f"{name} {size:.0f}" for name, size in sorted(self.highest.items()))
        text = f"{self.peak:.0f} MB together ({words}); highest alone: {alone}"
        self.peak, self.then, self.highest = 0.0, Sample(), Sample()
        return text

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def wait_for(url: str, seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/healthz", timeout=2).json()["status"] == "ok":
                return
        time.sleep(0.5)
    raise RuntimeError("the studio did not start")


@contextlib.contextmanager
def app(folder: Path, port: int):  # type: ignore[no-untyped-def]
    environ = {
        **os.environ, "WAN_ENGINE": "demo", "WAN_DATA_DIR": str(folder / "data"), "WAN_MAX_UPLOAD_MB": "4000",
        "WAN_DEMO_STEP_SECONDS": "0.02", "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folder / "uploads"), "GRADIO_ANALYTICS_ENABLED": "False",
    }  # fmt: skip
    with (folder / "app.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="of the 4K video that are animated")
    parser.add_argument("--mix", action="store_true", help="Mix with the video as its own mask, not Move")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        maker = get_context("spawn").Process(target=five_minutes, args=(folder, "libx264", "yuv420p"))
        maker.start()
        maker.join()
        video, picture = folder / "libx264-long.mp4", folder / "picture.png"
        Image.effect_noise((832, 480), 40).convert("RGB").save(picture)
        print(f"5 minutes of 3840 x 2160 at 30 a second, {video.stat().st_size / 1e6:.0f} MB", flush=True)
        port = free_port()
        with app(folder, port) as process:
            url = f"http://127.0.0.1:{port}"
            wait_for(url)
            watch = Watch(process.pid)
            time.sleep(2)
            client = Client(url, verbose=False, download_files=str(folder / "made"))
            print(f"at rest: {watch.lap()}", flush=True)
            for path in three_hours(folder):
                began = time.perf_counter()
                try:
                    client.predict(handle_file(path), api_name="/sound_to_video")
                    said = "taken"
                except Exception as error:
                    said = str(error)
                print(
                    f"refusing {path.name}: {time.perf_counter() - began:.1f} s with sending "
                    f"{path.stat().st_size / 1e6:.0f} MB; {watch.lap()}: {said}",
                    flush=True,
                )
            began = time.perf_counter()
            more = {"method": "mix", "mask": handle_file(video)} if wanted.mix else {}
            result, job = client.predict(
                handle_file(picture), handle_file(video), seconds=wanted.seconds, speed="fast",
                steps=1, **more, api_name="/animate",
            )  # fmt: skip
            took = time.perf_counter() - began
            print(f"animated {wanted.seconds:g} s in {took:.0f} s: {job['status']}, {job['frames']} frames, "
                  f"{result}; {watch.lap()}", flush=True)  # fmt: skip
            watch.stop()


if __name__ == "__main__":
    main()
