"""Which jobs are removed, and how much an owner may add. Pure: no clock, no files."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from backend.jobs.job import TERMINAL
from backend.storage.clock_check import plausible_end

DAY = 86_400.0
PROTECTED_SECONDS = 3600.0
"""A clip is not removed to make room within this time after its end: its creator may not have seen it."""
CLIPS_MIN_SHARE = 0.1
"""The share of the space left by other files that clips may always use: on a disk full of models, removing
clips would free little."""
UNSHARED_SHARE = 0.1
"""The share of the room for clips that is in no owner's share, so that a new owner finds some."""
MAX_FREED_RATIO = 2
"""An owner above their share loses at most this many bytes of their oldest clips for each new byte."""


class EndedJob(Protocol):
    """The attributes of a job that the rules use."""

    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def finished(self) -> float | None: ...
    @property
    def pinned(self) -> bool: ...


AnyJob = TypeVar("AnyJob", bound=EndedJob)


@dataclass(frozen=True)
class Disk:
    """Bytes of the file system that holds the data folder."""

    total: int
    free: int

    @property
    def percent(self) -> float:
        return 100.0 * (self.total - self.free) / self.total if self.total else 0.0


# -- by age ---------------------------------------------------------------------------------------


def expired(jobs: Iterable[AnyJob], now: float, keep_days: float) -> list[AnyJob]:
    """Unpinned jobs that ended more than `keep_days` before `now`, oldest first."""
    found = [
        job
        for job in jobs
        if _removable(job) and plausible_end(job.finished, now) and _end(job) < now - keep_days * DAY
    ]
    return sorted(found, key=_end)


# -- by room --------------------------------------------------------------------------------------


def room(disk: Disk, ours: int, percent: float) -> float:
    """Bytes that all jobs together may use so that the disk is not fuller than `percent`, but at least
    CLIPS_MIN_SHARE of what other files leave. `ours`: bytes that jobs use now."""
    over = (disk.total - disk.free) - percent / 100 * disk.total
    return max(ours - over, CLIPS_MIN_SHARE * (disk.free + ours))


def excess_bytes(disk: Disk, ours: int, percent: float) -> int:
    """How much of `ours` (bytes of all jobs) has to be removed; 0 when the disk has room."""
    return max(0, int(ours - room(disk, ours, percent)))


def max_min_share(used: Iterable[int], total: float) -> float:
    """The max-min fair share of `total`: owners who use less keep all of it, the others get this many bytes
    each. `used`: bytes of each owner."""
    left, sizes = max(0.0, total), sorted(used)
    for number, size in enumerate(sizes):
        each = left / (len(sizes) - number)
        if size >= each:
            return each
        left -= size
    return float("inf")


def to_remove(
    jobs: Iterable[AnyJob],
    sizes: Mapping[str, int],
    need: int,
    now: float,
    used: Mapping[str, int] | None = None,
) -> Sequence[AnyJob]:
    """Ended, unpinned jobs of `need` bytes together, or as many as may be removed.

    Each is the oldest job of the owner who uses most at that moment. An owner below the fair share of what
    remains loses nothing, even when the jobs of those above it cannot be removed. `used`: bytes of each owner
    with jobs that cannot be removed; default: the bytes of `jobs`.
    """
    queues: dict[str, list[AnyJob]] = defaultdict(list)
    for job in sorted(jobs, key=_end, reverse=True):
        if _removable(job) and _end(job) <= now - PROTECTED_SECONDS and sizes.get(job.id, 0) > 0:
            queues[job.owner].append(job)
    held = dict(used or {})
    for owner, queue in queues.items():
        held.setdefault(owner, sum(sizes[job.id] for job in queue))
    limit = max_min_share(held.values(), sum(held.values()) - need)
    found: list[AnyJob] = []
    while need > 0:
        candidates = [owner for owner, queue in queues.items() if queue]
        most = max(candidates, key=lambda owner: held[owner], default="")
        if not candidates or held[most] <= limit:
            break
        job = queues[most].pop()
        found.append(job)
        held[most] -= sizes[job.id]
        need -= sizes[job.id]
    return found


# -- what an owner may add ------------------------------------------------------------------------


def fair_share(room: float, owners: int, others: int) -> float:
    """Bytes that one of `owners` owners may use: an equal part of the room for clips, or half of what the
    others leave free, whichever is more. `others`: bytes that they use."""
    return max((1 - UNSHARED_SHARE) * room / max(1, owners), (room - others) / 2)


def bytes_to_free(need: int, own: tuple[int, float], shared: Iterable[tuple[int, float]]) -> int:
    """Bytes of an owner's clips that have to be removed for a job of `need` bytes; 0 when it fits.

    `own`, `shared`: (bytes used, limit) of the owner alone, and together with others. An owner does not make
    up for what already exceeds a shared limit, but has to free as much as they add to it.
    """
    excess = min(own[0] + need - own[1], MAX_FREED_RATIO * need)
    for taken, limit in shared:
        excess = max(excess, min(taken + need - limit, need))
    return math.ceil(max(0, excess))


def _removable(job: EndedJob) -> bool:
    return job.status in TERMINAL and not job.pinned and job.finished is not None


def _end(job: EndedJob) -> float:
    return job.finished if job.finished is not None else float("inf")
