"""Estimates how long a job will take from jobs that the same engine has finished. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from backend.jobs.job import Job
from workflows.compile import Compiled

LATENT_SCALE = 8 * 8 * 4  # WAN's VAE: 8x in each direction of the picture, 4x in time


@dataclass(frozen=True)
class Workload:
    """What determines the time: model evaluations and the size of the video in latent cells."""

    evaluations: int
    width: int
    height: int
    frames: int

    @property
    def cells(self) -> float:
        return max(1.0, self.width * self.height * self.frames / LATENT_SCALE)


def stage_seconds(work: Workload, history: Iterable[Job]) -> dict[str, float]:
    """Seconds per stage (load, read, draw, finish, save); {} without history.

    Drawing scales with evaluations times cells, finishing and saving with cells; loading and reading take
    their median. Attention grows faster than the number of cells, so a much larger video is underestimated;
    only the five jobs of most similar size are used.
    """
    jobs = [job for job in history if "draw" in job.timings and job.evaluations and job.frames]
    if not jobs:
        return {}
    jobs.sort(key=lambda job: abs(_work(job).cells / work.cells - 1.0))
    jobs = jobs[:5]

    def middle(stage: str, scale: Mapping[str, float]) -> float:
        return median(job.timings.get(stage, 0.0) / scale[job.id] for job in jobs)

    one = {job.id: 1.0 for job in jobs}
    cells = {job.id: _work(job).cells for job in jobs}
    drawing = {job.id: _work(job).cells * job.evaluations for job in jobs}
    return {
        "load": middle("load", one),
        "read": middle("read", one),
        "draw": middle("draw", drawing) * work.cells * work.evaluations,
        "finish": middle("finish", cells) * work.cells,
        "save": middle("save", cells) * work.cells,
    }


def _work(job: Job) -> Workload:
    return Workload(job.evaluations, job.width, job.height, job.frames)


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
