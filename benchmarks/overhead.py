"""Time from submit to result: through the studio and with a raw WebSocket client, same server, same graph.

The raw client does the least a client can: upload the picture, post the graph, read the socket to the
end, fetch the file. Runs alternate, each with a new seed, so caching and noise meet both alike.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import requests
import websocket
from PIL import Image

from backend.jobs.job import TERMINAL
from backend.settings.model import Settings
from backend.studio import Studio
from tests.support.demo_server import start_demo

OWNER = "benchmark-owner-0001"


def raw(url: str, graph: dict, picture: Path, folder: Path) -> float:
    """Seconds from the start of the upload to the file on disk."""
    client = uuid.uuid4().hex
    began = time.perf_counter()
    with requests.Session() as http, picture.open("rb") as file:
        loader = next(n for n in graph.values() if n["class_type"] == "LoadImage")
        subfolder, _, name = loader["inputs"]["image"].rpartition("/")
        http.post(
            f"{url}/upload/image",
            files={"image": (name, file)},
            data={"subfolder": subfolder, "overwrite": "true"},
        ).raise_for_status()
        socket = websocket.create_connection(f"{url.replace('http', 'ws', 1)}/ws?clientId={client}")
        body = {"prompt": graph, "client_id": client}
        answer = http.post(f"{url}/prompt", json=body)
        answer.raise_for_status()
        prompt_id = answer.json()["prompt_id"]
        output: dict = {}
        while True:
            frame = socket.recv()
            if not isinstance(frame, str):
                continue
            event = json.loads(frame)
            data = event.get("data", {})
            if data.get("prompt_id") != prompt_id:
                continue
            if event["type"] == "executed":
                output = data["output"]["images"][0]
            elif event["type"] == "execution_success":
                break
            elif event["type"] in ("execution_error", "execution_interrupted"):
                raise RuntimeError(data)
        socket.close()
        with (
            http.get(f"{url}/view", params=output, stream=True) as result,
            (folder / "raw.mp4").open("wb") as to,
        ):
            for piece in result.iter_content(1 << 16):
                to.write(piece)
    return time.perf_counter() - began


def through_studio(studio: Studio, values: dict, picture: Path) -> tuple[float, str]:
    """Seconds from submit to the job's end, and its id."""
    began = time.perf_counter()
    job = studio.submit(OWNER, "image_to_video", values, {"image": picture})
    while (snapshot := studio.progress(job.id, job.key)).status not in TERMINAL:
        time.sleep(0.002)
    took = time.perf_counter() - began
    if snapshot.status != "done":
        raise RuntimeError(snapshot.error)
    return took, job.id


@contextlib.contextmanager
def server(url: str, step_seconds: float) -> Iterator[str]:
    if url:
        yield url
    else:
        with start_demo(step_seconds=step_seconds) as demo:
            yield demo.url


def measure(url: str, step_seconds: float, values: dict, runs: int) -> None:
    with server(url, step_seconds) as address, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture = folder / "picture.png"
        Image.effect_noise((1280, 720), 40).convert("RGB").save(picture)
        settings = Settings.from_env({"COMFYUI_URL": address, "WAN_DATA_DIR": str(folder / "data")}, folder)
        studio = Studio(settings)
        studio.start()
        try:
            while studio.status() != "ok":
                time.sleep(0.05)
            _, job_id = through_studio(studio, {**values, "seed": 1}, picture)  # warm-up, and the graph
            graph = json.loads((settings.jobs_dir / job_id / "workflow.json").read_text())
            used = settings.jobs_dir / job_id / "inputs" / "image"
            ours, theirs = [], []
            for number in range(runs):
                for node in graph.values():
                    if "noise_seed" in node["inputs"]:
                        node["inputs"]["noise_seed"] = 1000 + number
                    if "filename_prefix" in node["inputs"]:
                        node["inputs"]["filename_prefix"] = f"wan-studio/raw-{number}"
                theirs.append(raw(address, graph, used, folder))
                ours.append(through_studio(studio, {**values, "seed": 2000 + number}, picture)[0])
        finally:
            studio.close()
    a, b = statistics.median(ours), statistics.median(theirs)
    ratio = statistics.median(x / y for x, y in zip(ours, theirs, strict=True))
    print(
        f"studio {a:.3f} s, raw {b:.3f} s, added {1000 * (a - b):.0f} ms, ratio {ratio:.3f}"
        f"  (median of {runs}; studio {min(ours):.3f}-{max(ours):.3f},"
        f" raw {min(theirs):.3f}-{max(theirs):.3f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="", help="a running ComfyUI (default: a demo engine of our own)")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    size = {"width": 64, "height": 64} if arguments.url else {"resolution": "draft"}
    print("short job:")
    measure(arguments.url, 0.05, {"prompt": "a", "seconds": 0.5, "speed": "fast", **size}, arguments.runs)
    print("long job (about 10 s on the demo engine):")
    steps = {"steps": 100} if arguments.url else {"steps": 20}
    measure(
        arguments.url, 0.45, {"prompt": "a", "seconds": 1.0, **steps, **size}, max(2, arguments.runs // 2)
    )


if __name__ == "__main__":
    main()
