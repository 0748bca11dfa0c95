"""Estimates how long a job will take from jobs that the same engine has finished. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from backend.jobs.job import Job
from backend.jobs.stopwatch import AWAY
from workflows.compile import Compiled
from workflows.modes.registry import MODES

History = Callable[[str, str], Iterable[Job]]
"""(engine name, mode) -> the jobs that it has finished"""
LATENT_SCALE = 8 * 8 * 4  # WAN's VAE: 8x in each direction of the picture, 4x in time


@dataclass(frozen=True)
class Workload:
    """What determines the time: model evaluations and the size of the video in latent cells. `chunks`: a
    model evaluation is of one chunk of the video. `steps`: sampling steps of all chunks."""

    evaluations: int
    width: int
    height: int
    frames: int
    chunks: int = 1
    steps: int = 0

    @property
    def cells(self) -> float:
        return max(1.0, self.width * self.height * self.frames / LATENT_SCALE)

    def drawing(self, simulated: bool) -> float:
        """What the time of drawing is proportional to."""
        if simulated:
            return float(self.steps or self.evaluations)
        return self.evaluations * self.cells / self.chunks


def workload(compiled: Compiled) -> Workload:
    """That of a compiled job."""
    chunks = max((label.chunks for labels in compiled.labels for label in labels.values()), default=0)
    return Workload(
        compiled.evaluations, compiled.width, compiled.height, compiled.frames, max(1, chunks),
        compiled.sampling_steps,
    )  # fmt: skip


def history_of(history: History, engine: str, mode: str) -> Iterable[Job]:
    """The finished jobs that tell most about one of this mode on this engine: of the same mode; before there
    is any, of the other modes that make the same kind of file."""
    makes = MODES[mode].makes
    others = [name for name, spec in MODES.items() if name != mode and spec.makes == makes]
    found: Iterable[Job] = ()
    for name in (mode, *others):
        found = [job for job in history(engine, name) if _tells(job)]
        if found:
            break
    return found


def _tells(job: Job) -> bool:
    """Whether the timings of a job are complete: the studio saw all of its work."""
    return bool("draw" in job.timings and job.evaluations and job.frames and AWAY not in job.timings)


def stage_seconds(work: Workload, history: Iterable[Job]) -> dict[str, float]:
    """Seconds per stage (load, read, draw, finish, save) and of the studio's own work; {} without history.

    Drawing scales with evaluations times cells of a chunk, finishing and saving with cells, reading with
    chunks; loading takes its median. A simulated step takes the same whatever it draws. Attention grows
    faster than the number of cells, so a much larger video is underestimated; only the five jobs of most
    similar size are used.
    """
    jobs = [job for job in history if _tells(job)]
    if not jobs:
        return {}
    jobs.sort(key=lambda job: abs(_work(job).cells / work.cells - 1.0))
    jobs = jobs[:5]

    def middle(stage: str, scale: Mapping[str, float]) -> float:
        return median(job.timings.get(stage, 0.0) / scale[job.id] for job in jobs)

    one = {job.id: 1.0 for job in jobs}
    cells = {job.id: _work(job).cells for job in jobs}
    chunks = {job.id: float(_work(job).chunks) for job in jobs}
    simulated = all(job.demo for job in jobs)
    drawing = {job.id: _work(job).drawing(simulated) for job in jobs}
    return {
        "load": middle("load", one),
        "read": middle("read", chunks) * work.chunks,
        "draw": middle("draw", drawing) * work.drawing(simulated),
        "finish": middle("finish", cells) * work.cells,
        "save": middle("save", cells) * work.cells,
        "own": middle("own", chunks) * work.chunks,
    }


def _work(job: Job) -> Workload:
    chunks = max(1, MODES[job.mode].chunks(job.frames)) if job.mode in MODES else 1
    return Workload(job.evaluations, job.width, job.height, job.frames, chunks, chunks * job.steps)


def expected_bytes(compiled: Compiled) -> int:
    """An upper estimate of the size of the result."""
    pixels = compiled.width * compiled.height
    if compiled.still:
        return pixels * 3
    seconds = compiled.frames / compiled.fps if compiled.fps else 0.0
    return round(pixels * compiled.frames * BITS / 8 + seconds * SOUND_BYTES)


BITS = 0.2
"""Bits per pixel of each frame of H.264 as ComfyUI's SaveVideo writes it: more than most videos need."""
SOUND_BYTES = 32_000
"""Bytes per second of sound."""
