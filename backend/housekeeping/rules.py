"""Which jobs go. Pure: jobs, sizes and times come in, jobs come out, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from backend.housekeeping.clock import dated
from backend.jobs import TERMINAL, Job

DAY = 86_400.0
FRESH_SECONDS = 3600.0
"""A clip that ended less than this ago is never removed to make room: its creator may not have seen it."""
OWN_SHARE = 0.1
"""Clips may always take this much of the room that models and the rest leave: a disk that is full of
models does not cost the clips, whose removal would help little."""


@dataclass(frozen=True)
class Disk:
    """Bytes of the file system that holds the data folder."""

    total: int
    free: int

    @property
    def percent(self) -> float:
        return 100.0 * (self.total - self.free) / self.total if self.total else 0.0


def too_old(jobs: Iterable[Job], now: float, keep_days: float) -> list[Job]:
    """Ended longer ago than `keep_days`, not pinned."""
    found = [
        job for job in jobs if _may_go(job) and dated(job.finished, now) and _end(job) < now - keep_days * DAY
    ]
    return sorted(found, key=_end)


def bytes_over(disk: Disk, ours: int, percent: float) -> int:
    """How much of `ours` (bytes of all jobs) has to go: what lies over the limit, but never so much that
    less than OWN_SHARE of the room left by everything else would stay; 0 when nothing has to."""
    over = (disk.total - disk.free) - percent / 100 * disk.total
    allowed = ours - OWN_SHARE * (disk.free + ours)
    return max(0, int(min(over, allowed)))


def too_much(jobs: Iterable[Job], sizes: Mapping[str, int], need: int, now: float) -> Sequence[Job]:
    """The oldest ended, unpinned jobs that together have `need` bytes, or all there are."""
    if need <= 0:
        return []
    found: list[Job] = []
    for job in sorted(jobs, key=_end):
        if need <= 0:
            break
        if _may_go(job) and _end(job) <= now - FRESH_SECONDS and sizes.get(job.id, 0) > 0:
            found.append(job)
            need -= sizes[job.id]
    return found


def _may_go(job: Job) -> bool:
    return job.status in TERMINAL and not job.pinned and job.finished is not None


def _end(job: Job) -> float:
    return job.finished if job.finished is not None else float("inf")
