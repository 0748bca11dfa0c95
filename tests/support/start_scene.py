"""A scenario for start.sh in its own network namespace, where ports 7860 and 8188 are free.

`python -m tests.support.start_scene SCENE FOLDER` runs it; its last line of output is the result as JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from tests.support.paths import ROOT
from tests.support.processes import marked
from tests.support.waiting import until

URL = "http://127.0.0.1:7860"
CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x20000
SECONDS = 120.0

SLEEPY = """
import os, sys, time
from pathlib import Path
here = Path(__file__).parent
print("pretending to import torch", flush=True)
while not (here / "go").exists():
    time.sleep(0.1)
port = sys.argv[sys.argv.index("--port") + 1]
(here / "arguments").write_text("\\n".join(sys.argv))
os.execv(sys.executable, [sys.executable, "-m", "backend.engines.demo", "--port", port,
                          "--dir", str(here / "demo"), "--step-seconds", "0"])
"""
STUBBORN = """
import signal, sys, time
if "--help" in sys.argv:
    sys.exit()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("not listening", flush=True)
while True:
    time.sleep(1)
"""


def own_network() -> None:
    """Also creates a mount namespace. Raises OSError if that is not permitted."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET | CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class Started:
    """start.sh as a process, with an environment variable by which its descendants are found."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.mark = f"scene-{os.getpid()}-{time.monotonic_ns()}"
        self.log = folder / "start.log"
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("WAN_", "COMFYUI_", "GRADIO_", "RUNPOD_"))
        }
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [str(ROOT / "start.sh")],
                cwd="/",
                env={
                    **kept, "PYTHON": sys.executable, "WAN_DATA_DIR": str(folder / "data"),
                    "GRADIO_TEMP_DIR": str(folder / "uploads"), "HOME": str(folder), "SCENE": self.mark,
                    "PYTHONPATH": str(ROOT), **env,
                },
                stdout=out,
                stderr=subprocess.STDOUT,
            )  # fmt: skip

    def health(self) -> dict[str, Any] | None:
        try:
            with urllib.request.urlopen(f"{URL}/healthz", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None

    def wait(self, what: Callable[[], Any]) -> Any:
        found = until(lambda: what() or self.process.poll() is not None, SECONDS, self.log.read_text)
        if found is True and self.process.poll() is not None:
            raise RuntimeError(f"it ended before it came to that: {self.log.read_text()}")
        return found

    def stop(self) -> dict[str, Any]:
        """Sends SIGTERM to the main process, as a container runtime does."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(60)
        finally:
            self.process.kill()
        return {"status": status, "left": self.left()}

    def left(self) -> list[str]:
        """The command lines of the processes that it started and that still run."""
        found = []
        for process in marked(self.mark):
            with contextlib.suppress(psutil.Error):
                found.append(" ".join(process.cmdline()))
        return found


def client() -> Any:
    from gradio_client import Client

    return Client(URL, verbose=False, headers={"X-Wan-Owner": "scene-owner-0123456789"})


def submit(studio: Any, folder: Path) -> dict[str, Any]:
    from gradio_client import handle_file

    picture = folder / "picture.png"
    Image.new("RGB", (640, 480), "navy").save(picture)
    _, job = studio.predict(
        image=handle_file(str(picture)), prompt="it moves", seconds=1, speed="fast", resolution="draft",
        wait=False, api_name="/image_to_video",
    )  # fmt: skip
    return job


def job_of(studio: Any, job: dict[str, Any]) -> dict[str, Any]:
    return studio.predict(id=job["id"], key=job["key"], api_name="/job")


def starting(folder: Path) -> dict[str, Any]:
    """ComfyUI starts slowly: the page accepts a job, which runs once ComfyUI responds."""
    comfyui = folder / "ComfyUI"
    comfyui.mkdir()
    (comfyui / "main.py").write_text(SLEEPY)
    app = Started(folder, COMFYUI_DIR=str(comfyui), COMFYUI_PYTHON=sys.executable)
    first = app.wait(app.health)
    studio = client()
    job = submit(studio, folder)
    waiting = app.health()
    time.sleep(1)
    still = job_of(studio, job)["status"]
    (comfyui / "go").touch()
    done = app.wait(lambda: (j := job_of(studio, job))["status"] in ("done", "failed") and j)
    return {
        "first": first, "waiting": waiting, "still": still, "done": done["status"],
        "last": app.health(), "arguments": (comfyui / "arguments").read_text().split("\n"),
        "log": app.log.read_text(), **app.stop(),
    }  # fmt: skip


def pod(folder: Path) -> dict[str, Any]:
    """A RunPod pod: a volume at /workspace with a ComfyUI that RunPod's script starts later."""
    volume = Path("/workspace")
    made = not volume.exists()
    volume.mkdir(exist_ok=True)
    try:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(volume)], check=True)
        comfyui = volume / "runpod-slim" / "ComfyUI"
        (comfyui / "models").mkdir(parents=True)
        (comfyui / "main.py").write_text("raise SystemExit('a second one was started')")
        (volume / "models" / "vae").mkdir(parents=True)
        app = Started(folder, RUNPOD_POD_ID="abc123", WAN_DATA_DIR="", COMFYUI_WAIT_SECONDS="300")
        first = app.wait(app.health)
        studio = client()
        job = submit(studio, folder)
        command = [sys.executable, "-m", "backend.engines.demo", "--port", "8188", "--step-seconds", "0"]
        theirs = subprocess.Popen(
            [*command, "--dir", str(folder / "demo")], cwd=ROOT, stdout=subprocess.DEVNULL
        )
        try:
            done = app.wait(lambda: (j := job_of(studio, job))["status"] in ("done", "failed") and j)
            seen = {
                "first": first, "done": done["status"],
                "paths": (comfyui / "extra_model_paths.yaml").read_text(),
                "videos": [str(path) for path in volume.rglob("*.mp4")], **app.stop(),
                "theirs_runs": theirs.poll() is None, "log": app.log.read_text(),
            }  # fmt: skip
        finally:
            theirs.kill()
            theirs.wait()
        return seen
    finally:
        subprocess.run(["umount", str(volume)], check=False)
        if made:
            volume.rmdir()


def stubborn(folder: Path) -> dict[str, Any]:
    """Three ComfyUI processes that ignore SIGTERM."""
    comfyui = folder / "ComfyUI"
    comfyui.mkdir()
    (comfyui / "main.py").write_text(STUBBORN)
    app = Started(folder, COMFYUI_DIR=str(comfyui), COMFYUI_PYTHON=sys.executable, RUNPOD_GPU_COUNT="3")
    app.wait(app.health)
    app.wait(lambda: sum("main.py" in line for line in app.left()) == 3)
    return {**app.stop(), "log": app.log.read_text()}


def interrupted(folder: Path) -> dict[str, Any]:
    """Stopped during a job: the next start completes it."""
    slow = Started(folder, WAN_ENGINE="demo", WAN_DEMO_STEP_SECONDS="3")
    slow.wait(lambda: (slow.health() or {}).get("status") == "ok")
    studio = client()
    job = submit(studio, folder)
    slow.wait(lambda: job_of(studio, job)["status"] == "running")
    time.sleep(1)
    ended = slow.stop()
    again = Started(folder, WAN_ENGINE="demo", WAN_DEMO_STEP_SECONDS="0")
    again.wait(again.health)
    studio = client()
    done = again.wait(lambda: (j := job_of(studio, job))["status"] in ("done", "failed") and j)
    videos = [str(path) for path in (folder / "data").rglob("*.mp4")]
    return {
        "first": ended,
        "done": done["status"],
        "videos": len(videos),
        **again.stop(),
        "log": again.log.read_text(),
    }


def refused(folder: Path) -> dict[str, Any]:
    """Failing starts: a second instance on the same data, a port in use, a read-only volume."""
    first = Started(folder, WAN_ENGINE="demo")
    first.wait(first.health)
    seen: dict[str, Any] = {}

    def ends(name: str, **env: str) -> None:
        place = folder / name
        place.mkdir()
        app = Started(place, WAN_ENGINE="demo", **env)
        status = app.process.wait(SECONDS)
        seen[name] = {"status": status, "log": app.log.read_text(), "left": app.left()}

    data = str(folder / "data")
    ends("second", WAN_DATA_DIR=data, GRADIO_SERVER_PORT="7861")
    ends("port")
    seen["first"] = first.stop()
    subprocess.run(["mount", "--bind", data, data], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", data], check=True)
    ends("read_only", WAN_DATA_DIR=data)
    return seen


if __name__ == "__main__":
    own_network()
    seen = {
        "starting": starting,
        "pod": pod,
        "stubborn": stubborn,
        "interrupted": interrupted,
        "refused": refused,
    }[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps(seen))
