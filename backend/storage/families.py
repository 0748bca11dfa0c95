"""Treats a parent and its children as one unit, for the rules of retention. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from backend.jobs.job import QUEUED, TERMINAL, JobSummary, Status


@dataclass(frozen=True)
class Family:
    """A job with all of its descendants; `id`, `owner` and `finished` are those of the job itself. A family
    has ended when all of its jobs have, and is pinned when one of them is."""

    id: str
    owner: str
    status: Status
    finished: float | None
    pinned: bool
    members: tuple[str, ...] = ()

    def bytes(self, sizes: Mapping[str, int]) -> int:
        """Of all members. `sizes`: by job id."""
        return sum(sizes.get(member, 0) for member in self.members)


def families(rows: Iterable[JobSummary]) -> list[Family]:
    """Groups jobs into families, each job once: with its parent if that is among the rows, else alone."""
    known = {row.id: row for row in rows}
    members: dict[str, list[JobSummary]] = {}
    for row in known.values():
        members.setdefault(_top(row, known), []).append(row)
    return [_family(known[top], found) for top, found in members.items()]


def sizes_of(found: Iterable[Family], sizes: Mapping[str, int]) -> dict[str, int]:
    """Bytes by the id of each family. `sizes`: by job id."""
    return {one.id: one.bytes(sizes) for one in found}


def _top(row: JobSummary, known: Mapping[str, JobSummary]) -> str:
    """The id of the topmost parent; of jobs that are parts of each other the smallest id."""
    seen = [row.id]
    while row.parent in known:
        row = known[row.parent]
        if row.id in seen:
            return min(seen[seen.index(row.id) :])
        seen.append(row.id)
    return row.id


def _family(top: JobSummary, members: Sequence[JobSummary]) -> Family:
    ended = all(member.status in TERMINAL for member in members)
    return Family(
        top.id,
        top.owner,
        top.status if ended else QUEUED,
        top.finished,
        any(member.pinned for member in members),
        tuple(member.id for member in members),
    )
