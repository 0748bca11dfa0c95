"""Which jobs go, and how much an owner may add. Pure: jobs, sizes and times in, jobs and bytes out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from backend.jobs.job import TERMINAL
from backend.storage.clock import dated

DAY = 86_400.0
FRESH_SECONDS = 3600.0
"""A clip that ended less than this ago is never removed to make room: its creator may not have seen it."""
OWN_SHARE = 0.1
"""Clips may always take this much of the room that models and the rest leave: a disk that is full of
models does not cost the clips, whose removal would help little."""
SPARE_SHARE = 0.1
"""This much of the room for clips belongs to no owner's share, so that a newcomer finds some."""
GIVE_UP = 2
"""Whoever is over their share gives up this many bytes of their oldest clips for each new one, at most."""


class Ended(Protocol):
    """What is asked of a job here."""

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


AJob = TypeVar("AJob", bound=Ended)


@dataclass(frozen=True)
class Disk:
    """Bytes of the file system that holds the data folder."""

    total: int
    free: int

    @property
    def percent(self) -> float:
        return 100.0 * (self.total - self.free) / self.total if self.total else 0.0


# -- by age ---------------------------------------------------------------------------------------


def too_old(jobs: Iterable[AJob], now: float, keep_days: float) -> list[AJob]:
    """Ended longer ago than `keep_days`, not pinned; oldest first."""
    found = [
        job for job in jobs if _may_go(job) and dated(job.finished, now) and _end(job) < now - keep_days * DAY
    ]
    return sorted(found, key=_end)


# -- by room --------------------------------------------------------------------------------------


def room(disk: Disk, ours: int, percent: float) -> float:
    """How many bytes all jobs together may take so that the disk is not fuller than `percent`, but never less
    than OWN_SHARE of what everything else leaves. `ours`: what they take now."""
    over = (disk.total - disk.free) - percent / 100 * disk.total
    return max(ours - over, OWN_SHARE * (disk.free + ours))


def bytes_over(disk: Disk, ours: int, percent: float) -> int:
    """How much of `ours` (bytes of all jobs) has to go; 0 when nothing has to."""
    return max(0, int(ours - room(disk, ours, percent)))


def level(used: Iterable[int], total: float) -> float:
    """The most bytes that one owner can have when `total` is shared out: who uses less keeps all of it, and
    the others get the same. `used`: bytes of each owner."""
    left, waiting = max(0.0, total), sorted(used)
    for number, size in enumerate(waiting):
        each = left / (len(waiting) - number)
        if size >= each:
            return each
        left -= size
    return float("inf")


def too_much(
    jobs: Iterable[AJob],
    sizes: Mapping[str, int],
    need: int,
    now: float,
    used: Mapping[str, int] | None = None,
) -> Sequence[AJob]:
    """Ended, unpinned jobs that together have `need` bytes, or all that may go for it.

    Each is the oldest of the owner who has most at that moment. An owner who has no more than an equal part
    of what is to stay loses nothing, even when those who have more cannot give any. `used`: bytes of each
    owner, with what cannot go; only these jobs when not given.
    """
    queues: dict[str, list[AJob]] = defaultdict(list)
    for job in sorted(jobs, key=_end, reverse=True):
        if _may_go(job) and _end(job) <= now - FRESH_SECONDS and sizes.get(job.id, 0) > 0:
            queues[job.owner].append(job)
    held = dict(used or {})
    for owner, queue in queues.items():
        held.setdefault(owner, sum(sizes[job.id] for job in queue))
    limit = level(held.values(), sum(held.values()) - need)
    found: list[AJob] = []
    while need > 0:
        able = [owner for owner, queue in queues.items() if queue]
        most = max(able, key=lambda owner: held[owner], default="")
        if not able or held[most] <= limit:
            break
        job = queues[most].pop()
        found.append(job)
        held[most] -= sizes[job.id]
        need -= sizes[job.id]
    return found


# -- what an owner may add ------------------------------------------------------------------------


def fair_share(room: float, owners: int, others: int) -> float:
    """How much of the room for clips one of so many owners may fill: an equal part, or half of what the
    others leave, if that is more. `others`: bytes that they take."""
    return max((1 - SPARE_SHARE) * room / max(1, owners), (room - others) / 2)


def to_give_up(need: int, own: tuple[int, float], shared: Iterable[tuple[int, float]]) -> int:
    """Bytes of their own that an owner has to give up for a job of `need` bytes; 0 when it fits.

    `own`, `shared`: (bytes taken, limit) of the owner alone, and together with others. What is over a shared
    limit already is not this owner's to make good: then they may not add to it.
    """
    bytes_over = min(own[0] + need - own[1], GIVE_UP * need)
    for taken, limit in shared:
        bytes_over = max(bytes_over, min(taken + need - limit, need))
    return max(0, int(-(-bytes_over // 1)))


def _may_go(job: Ended) -> bool:
    return job.status in TERMINAL and not job.pinned and job.finished is not None


def _end(job: Ended) -> float:
    return job.finished if job.finished is not None else float("inf")
