"""A scripted implementation of the engine interface, without processes or network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from backend.engines.base import EngineInfo, Prompt
from backend.errors import JobCancelled, PromptGone, from_os_error
from backend.events import Event, Output, Preview, Progress, Stage, Started
from workflows.graph.node_contract import Contract, recorded
from workflows.notice import notice


def write_video(path: Path, width: int, height: int, frames: int, fps: int = 16) -> None:
    """A small grey H.264 MP4."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            picture = np.full((height, width, 3), number % 255, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


class FakeEngine:
    """Runs every prompt through all stages without delay. `hold` blocks the sampling until it is set;
    `script` is called with the prompt at the start and may raise."""

    def __init__(self, address: str = "http://fake") -> None:
        self.address = address
        self.kind, self.state = "comfyui", "ok"
        self.fault = ""
        self.prompts: list[Prompt] = []
        self.cancelled: set[str] = set()
        self.resumed: list[str] = []
        self.known: set[str] = set()
        self.hold = threading.Event()
        self.hold.set()
        self.drawing = threading.Event()
        self.error: Exception | None = None
        self.outputs: tuple[Output, ...] = (Output("a.mp4", "wan-studio"),)
        self.fetch_error: Exception | None = None
        self.script: Callable[[Prompt, Callable[[Event], None]], None] | None = None
        self.size: tuple[int, int, int] | None = None
        self.closed = False

    def info(self) -> EngineInfo:
        return EngineInfo(
            self.kind, self.address, state=self.state, version="0.3.64", gpu="Fake GPU",
            error=notice("text", text=self.fault) if self.fault else None,
        )  # fmt: skip

    def refresh(self) -> EngineInfo:
        return self.info()

    def contract(self) -> Contract:
        return recorded()

    def known_contract(self) -> Contract | None:
        return recorded()

    def run(self, prompt: Prompt, on_event: Callable[[Event], None]) -> tuple[Output, ...]:
        self.prompts.append(prompt)
        assert all(path.is_file() for path in prompt.files.values())
        on_event(Started())
        on_event(Stage("load", "Loading the high-noise expert"))
        on_event(Stage("draw", "Generating"))
        on_event(Progress(1, prompt.sampling_steps))
        on_event(Preview(b"\xff\xd8preview"))
        if self.script is not None:
            self.script(prompt, on_event)
        self.drawing.set()
        while not self.hold.wait(0.01):
            if prompt.id in self.cancelled or self.closed:
                break
        self.drawing.clear()
        if prompt.id in self.cancelled:
            raise JobCancelled("Cancelled.")
        if self.error is not None:
            raise self.error
        on_event(Progress(prompt.sampling_steps, prompt.sampling_steps))
        on_event(Stage("save", "Saving"))
        return (*self.outputs, *_tail(prompt.graph))

    def resume(self, prompt: Prompt, on_event: Callable[[Event], None]) -> tuple[Output, ...]:
        self.resumed.append(prompt.id)
        if prompt.id not in self.known:
            raise PromptGone("ComfyUI was restarted and no longer knows of this job.")
        return self.run(prompt, on_event)

    def cancel(self, prompt_id: str, remote: str = "") -> None:
        self.cancelled.add(prompt_id)

    def fetch(self, output: Output, destination: Path) -> None:
        if self.fetch_error is not None:
            raise self.fetch_error
        graph = self.prompts[-1].graph
        sized = [n["inputs"] for n in graph.values() if "width" in n["inputs"]]
        node = next((each for each in sized if "length" in each), sized[0])
        width, height, frames = self.size or (node["width"], node["height"], _frames(graph))
        try:
            if "-tail" in output.filename:
                Image.new("RGB", (width, height), (90, 90, 90)).save(destination, format="PNG")
            else:
                write_video(destination, width, height, frames)
        except OSError as error:
            destination.unlink(missing_ok=True)
            raise from_os_error(error) from error

    def close(self) -> None:
        self.closed = True


def _frames(graph: Mapping[str, Any]) -> int:
    """The number of frames of the graph's video: of the last cut, else of the sampling."""
    video = next((n["inputs"]["images"][0] for n in graph.values() if n["class_type"] == "CreateVideo"), "")
    made = graph.get(video, {"inputs": {}})["inputs"]
    drawn = next(n["inputs"]["length"] for n in graph.values() if "length" in n["inputs"])
    return int(made.get("length", drawn))


def _tail(graph: Mapping[str, Any]) -> tuple[Output, ...]:
    """The frames that the graph passes to the next one."""
    for node in graph.values():
        if node["class_type"] == "SaveImage" and node["inputs"]["filename_prefix"].endswith("-tail"):
            count = graph[node["inputs"]["images"][0]]["inputs"]["length"]
            return tuple(Output(f"a-tail_{number:05}_.png", "wan-studio") for number in range(count))
    return ()
