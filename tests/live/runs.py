"""Jobs on a real ComfyUI for tests: their sources, running all graphs of one, looking at what came out."""

from __future__ import annotations

import math
import time
import uuid
import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from backend.engines.base import Prompt
from backend.engines.comfy.engine import ComfyEngine
from backend.events import Event, Progress
from backend.jobs.segments import Segments
from backend.media.decoder import Decoder, StoredMedia
from tests.live.table import Table
from workflows.catalog import load_catalog
from workflows.compile import Compiled, ServerFacts, compile
from workflows.graph.node_contract import check
from workflows.params.media import Media
from workflows.spec import ModeParams

SIZE = {"width": 64, "height": 64}
RATE, FPS = 16000, 16
AROUND = 20
"""Frames on each side of a seam that it is compared with."""

Pictures = np.ndarray


def seed() -> int:
    """A new one each time: ComfyUI keeps what it has drawn with an old one."""
    return uuid.uuid4().int % 2**50


def tone(path: Path, seconds: float) -> Media:
    """A tone that swells three times a second, as WAV."""
    t = np.arange(round(seconds * RATE)) / RATE
    samples = 0.4 * (0.5 + 0.5 * np.sin(6 * math.pi * t)) * np.sin(440 * math.pi * t)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return Media(path.name, seconds=seconds)


def film(path: Path, frames: int, sound: bool = True, shape: tuple[int, int] = (96, 64)) -> Media:
    """A square that walks to the right, on grey; with a tone."""
    width, height = shape
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        voice = container.add_stream("aac", rate=RATE, layout="mono") if sound else None
        for number in range(frames):
            picture = np.full((height, width, 3), 90, np.uint8)
            left = number % (width - 16)
            picture[20:50, left : left + 16] = (230, 200, 120)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        container.mux(stream.encode())
        if voice is not None:
            t = np.arange(frames * RATE // FPS) / RATE
            data = (0.3 * np.sin(440 * math.pi * t)).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(data, format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            container.mux(voice.encode(frame))
            container.mux(voice.encode())
    return Media(path.name, width, height, frames, FPS, frames / FPS, sound)


@dataclass(frozen=True)
class Made:
    """A finished job. steps: as they were reported, in order."""

    path: Path
    steps: list[int]
    seconds: float


@dataclass
class Bench:
    """Where the jobs of one test are run, and noted in the table."""

    engine: ComfyEngine
    decoder: Decoder
    folder: Path
    server: ServerFacts
    table: Table

    def compile(self, params: ModeParams) -> Compiled:
        return compile(params, load_catalog(), self.server, uuid.uuid4().hex)

    def run(self, compiled: Compiled, *sources: Path | StoredMedia) -> Made:
        """Runs all graphs of a job as the studio does. Sources go by their names."""
        contract = self.engine.contract()
        problems = [problem for graph in compiled.graphs for problem in check(graph, contract)]
        assert [p for p in problems if p.value not in compiled.inputs] == []  # those are sent later
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir()
        files = {s.name: s.path if isinstance(s, StoredMedia) else s for s in sources}
        segments = Segments(self.decoder, folder, files, compiled, "live")
        segments.reuse(0)
        events: list[Event] = []
        began = time.monotonic()
        for index, (graph, labels) in enumerate(zip(compiled.graphs, compiled.labels, strict=True)):
            read = segments.derive(index)
            assert set(read) <= set(compiled.inputs)
            prompt = Prompt(str(uuid.uuid4()), graph, labels, compiled.sampling_steps, read, index)
            segments.collect(self.engine, self.engine.run(prompt, events.append), index)
        segments.join(folder / "result")
        steps = [event.step for event in events if isinstance(event, Progress)]
        return Made(folder / "result", steps, time.monotonic() - began)

    def video(
        self, name: str, compiled: Compiled, *sources: Path | StoredMedia, sound: bool = True
    ) -> Pictures:
        """The pictures of a job's video, after its size, length, sound, steps and seams were looked at.

        `name`: what the table calls it."""
        made = self.run(compiled, *sources)
        pictures, heard = pictures_of(made.path), sound_seconds(made.path)
        seam = seams(pictures, compiled.kept)
        self.table.add(
            name,
            f"{len(compiled.graphs)}",
            f"{pictures.shape[2]} x {pictures.shape[1]}",
            f"{len(pictures)} of {compiled.frames}",
            f"{fps_of(made.path):g}",
            f"{len(pictures) / compiled.fps:.3f}",
            f"{heard:.3f}" if heard else "none",
            ", ".join(f"{share:.2f}" for share in seam) or "-",
            f"{made.seconds:.0f}",
        )
        assert pictures.shape == (compiled.frames, compiled.height, compiled.width, 3)
        assert fps_of(made.path) == compiled.fps
        assert made.steps == sorted(made.steps) and made.steps[-1] == compiled.sampling_steps
        length = compiled.frames / compiled.fps
        assert heard == pytest.approx(length if sound else 0.0, abs=0.1)
        assert not sound or heard > 0
        assert all(share > 0.25 for share in seam), "a frame is doubled at a seam"
        return pictures


def pictures_of(path: Path) -> Pictures:
    with av.open(str(path)) as container:
        rows = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(rows).astype(np.float32)


def fps_of(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.streams.video[0].average_rate or 0)


def sound_seconds(path: Path) -> float:
    """Length of the sound, 0.0 without one."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return 0.0
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def seams(pictures: Pictures, kept: tuple[int, ...]) -> list[float]:
    """For each seam: the least change between one of the four frames before it and one of the four after,
    as a share of what mostly changes from frame to frame around it. A doubled frame gives 0."""
    moves: Any = np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3))
    shares = []
    for seam in np.cumsum(kept)[:-1]:
        usual = float(np.median(moves[max(0, seam - AROUND) : seam + AROUND]))
        before, after = pictures[seam - 4 : seam], pictures[seam : seam + 4]
        least = min(float(np.abs(a - b).mean()) for a in before for b in after)
        shares.append(least / usual)
    return shares


def shift(one: Pictures, many: Pictures, frame: int, reach: int = 3) -> int:
    """By how many frames `many` is late beside `one` at a frame: 0 when it is the same moment."""
    window = slice(frame, frame + 12)
    found: dict[int, float] = {}
    for by in range(-reach, reach + 1):
        other = one[frame + by : frame + by + 12]
        found[by] = float(np.abs(many[window][: len(other)] - other).mean())
    return min(found, key=lambda by: found[by])
