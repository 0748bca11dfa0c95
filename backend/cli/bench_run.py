"""Runs the rows of a benchmark as ordinary jobs of a studio."""

from __future__ import annotations

import contextlib
import json
import math
import time
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from backend.cli.console import complain
from backend.errors import EngineUnreachable, JobCancelled, StudioError, from_os_error
from backend.jobs.job import DONE, TERMINAL
from backend.jobs.views import JobView
from backend.notices import words
from backend.stopping import StopSignal
from backend.studio import Studio
from workflows.modes.registry import MODES

OWNER = "benchmark-of-this-machine"
START_SECONDS = 900.0  # for a ComfyUI that the studio starts, with many custom nodes on a network volume
ADOPT_SECONDS = 12.0  # for one that already runs
LOOK_SECONDS = 0.05
SEED = 1000
SOUND_RATE = 16_000  # Hz


class Job(Protocol):
    """What a row of a benchmark asks for."""

    @property
    def mode(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def values(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Run:
    """One finished job. `seconds`: from Generate to the finished file; `stages`: seconds of its stages."""

    seconds: float
    frames: int
    stages: Mapping[str, float]
    evaluations: int
    width: int
    height: int


class Runner:
    """`folder`: for the input files. A signal ends its waits with KeyboardInterrupt."""

    def __init__(self, studio: Studio, folder: Path, stop: StopSignal) -> None:
        self.studio, self.folder, self._stop = studio, folder, stop
        self._seed = SEED
        self._made: list[JobView] = []

    def wait_for_engine(self) -> None:
        """Waits until the engine answers. Raises EngineUnreachable when it does not in time."""
        most = START_SECONDS if self.studio.servers.choice.start else ADOPT_SECONDS
        end = time.monotonic() + most
        while self.studio.status() == "starting" and time.monotonic() < end:
            self._stop.check()
            time.sleep(LOOK_SECONDS)
        if self.studio.status() == "starting":
            info = self.studio.engines()[0]
            if info.fault is not None:
                complain(words(info.fault))
            raise EngineUnreachable.of(
                "server_silent", engine="ComfyUI", address=info.address, detail=words(info.error)
            )

    def once(self, row: Job) -> Run:
        """Makes one job. Each has a new seed, so that no result comes from a cache. Raises StudioError."""
        self._seed += 1
        files = media(row, self.folder, self.studio.decoder.frames_to_video)
        began = time.monotonic()
        job = self.studio.submit(OWNER, row.mode, {**row.values, "seed": self._seed}, files)
        self._made.append(job)
        try:
            while self.studio.progress(job.id, job.key).status not in TERMINAL:
                self._stop.check()
                time.sleep(LOOK_SECONDS)
            took = time.monotonic() - began
        except BaseException:
            with contextlib.suppress(StudioError):
                self.studio.cancel(job.id, job.key)
            raise
        done = self.studio.job(job.id, job.key)
        if done.status != DONE:
            raise StudioError.from_dict(done.error) if done.error else JobCancelled.of("cancelled")
        stored = self.studio.store.get(job.id)
        stages = {name: round(value, 3) for name, value in (stored.timings if stored else {}).items()}
        evaluations = stored.evaluations if stored else 0
        return Run(took, done.frames, stages, evaluations, done.width, done.height)

    def clean_up(self) -> None:
        """Removes the results, including ComfyUI's copies."""
        for job in self._made:
            with contextlib.suppress(StudioError):
                self.studio.delete(OWNER, job.id, job.key)


def driving_frames(frames: int) -> int:
    """Frames of the driving video of a row: WAN makes 4 n + 1."""
    return 4 * (frames // 4) + 1


def media(row: Job, folder: Path, to_video: Callable[..., object]) -> Mapping[str, Path]:
    """Creates the input files of a row once: a picture of its size, a sound, a driving video."""
    files: dict[str, Path] = {}
    if "image" in MODES[row.mode].media:
        files["image"] = folder / f"picture-{row.width}x{row.height}.png"
        if not files["image"].exists():
            _picture(row.width, row.height, 0).save(files["image"])
    if row.mode == "sound_to_video":
        files["audio"] = folder / f"sound-{row.frames}.wav"
        _sound(files["audio"], row.frames / 16)
    if row.mode == "animate":
        files["video"] = folder / f"driving-{row.width}x{row.height}-{row.frames}.mkv"
        if not files["video"].exists():
            pictures = []
            for number in range(driving_frames(row.frames)):
                pictures.append(folder / f"driving-{number:03}.png")
                _picture(row.width, row.height, 8 * number).save(pictures[-1])
            to_video(pictures, files["video"], fps=16.0)
    return files


def _picture(width: int, height: int, shift: int) -> Image.Image:
    """A radial gradient, shifted to the right by `shift` pixels."""
    tile = Image.radial_gradient("L").resize((width, height))
    moved = Image.new("L", (width, height))
    for left in (shift % width - width, shift % width):
        moved.paste(tile, (left, 0))
    return Image.merge("RGB", (moved, tile, moved.transpose(Image.Transpose.FLIP_TOP_BOTTOM)))


def _sound(path: Path, seconds: float) -> None:
    """Writes a 220 Hz tone whose volume oscillates twice a second."""
    count = round(seconds * SOUND_RATE)
    samples = bytearray()
    for n in range(count):
        level = 0.3 + 0.3 * math.sin(2 * math.pi * 2 * n / SOUND_RATE)
        value = round(32_000 * level * math.sin(2 * math.pi * 220 * n / SOUND_RATE))
        samples += value.to_bytes(2, "little", signed=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SOUND_RATE)
        file.writeframes(bytes(samples))


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Writes a file atomically. Raises DiskFull or StoreError."""
    part = path.with_name(path.name + ".part")
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise from_os_error(error, "path_not_written", path=str(path), reason=str(error.strerror)) from error
