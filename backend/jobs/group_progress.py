"""The progress of a parent: that of its children together, then of its own assembly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backend.jobs.job import EXTENSION, RUNNING, TERMINAL, VARIATIONS
from backend.jobs.live import LiveJob
from backend.jobs.snapshot import Snapshot
from backend.notices import words
from workflows.notice import Notice, notice

ASSEMBLY_SHARE = 3.0
"""Percent of the bar that the assembly takes: seconds, after minutes of drawing."""
PREVIEWS = 1_000_000
"""More than the previews of one job, so that versions of two children differ."""


@dataclass
class GroupLive(LiveJob):
    """`members`: the in-memory states of the children. `share`: of the assembly, 0 to 1; None before it.
    `waits`: why the assembly waits. `assembly`: as Job has it."""

    members: tuple[LiveJob, ...] = ()
    assembly: str = VARIATIONS
    share: float | None = None
    waits: Notice | None = None
    best: float = 0.0

    def assembled(self, share: float) -> None:
        """The share of the assembly that is done."""
        self.share, self.waits = share, None

    def waits_for(self, why: Notice) -> None:
        """The assembly is tried again later."""
        self.share, self.waits = None, why

    def snapshot(self) -> Snapshot:
        """The progress at this moment."""
        own = super().snapshot()
        if own.status in TERMINAL:
            return own
        parts = [member.snapshot() for member in self.members]
        found = combined(own, parts, self.share, self.waits, self.assembly)
        current = _current(parts)
        if current is not None:
            found = replace(found, part=self.members[current].id)
        if current is not None and (preview := self.members[current].preview) is not None:
            self.preview = preview
            version = (current + 1) * PREVIEWS + parts[current].preview_version
            found = replace(found, preview_version=version)
        self.best = max(self.best, found.percent)
        return replace(found, percent=self.best)


def combined(
    own: Snapshot,
    parts: Sequence[Snapshot],
    share: float | None = None,
    waits: Notice | None = None,
    assembly: str = VARIATIONS,
) -> Snapshot:
    """One snapshot of a parent that has not ended. `own`: its own; `parts`: those of its children; `share`:
    of its assembly, None before it; `waits`: why that waits; `assembly`: what it makes."""
    if not parts:
        return own
    count = len(parts)
    ended = sum(part.status in TERMINAL for part in parts)
    done = sum(100.0 if part.status in TERMINAL else part.percent for part in parts) / count
    percent = (100.0 - ASSEMBLY_SHARE) * done / 100.0 + ASSEMBLY_SHARE * (share or 0.0)
    version = own.version + sum(part.version for part in parts) + round(1000 * (share or 0.0)) + bool(waits)
    elapsed = sum(part.elapsed for part in parts)
    current = _current(parts)
    segments = _segments(parts)
    if current is None:
        if ended < count:
            ahead = min(part.ahead for part in parts if part.status not in TERMINAL)
            model = next(part for part in parts if part.status not in TERMINAL)
            return replace(model, version=version, percent=min(99.0, percent), ahead=ahead, elapsed=elapsed,
                           segments=segments, preview_version=0)  # fmt: skip
        making = notice("joining_parts" if assembly == EXTENSION else "assembling_sheet")
        said = words(waits if waits is not None else making)
        return Snapshot(
            version=version, status=RUNNING, stage="save", text=said, percent=min(99.0, percent),
            segments=segments, elapsed=elapsed,
        )  # fmt: skip
    part = parts[current]
    left = None
    if part.remaining is not None:
        waiting = sum(one.status not in TERMINAL and one.status != RUNNING for one in parts)
        left = part.remaining + waiting * (part.elapsed + part.remaining)
    if assembly == EXTENSION:  # its only child reports the activity
        return replace(part, version=version, percent=min(99.0, percent), error=None)
    number = min(count, ended + 1)
    return replace(
        part, version=version, percent=min(99.0, percent), elapsed=elapsed, remaining=left, segments=segments,
        chunk=0, chunks=0, chunk_range=(0, 0), error=None,
        text=words(notice("drawing_variation", number=number, count=count)),
    )  # fmt: skip


def _current(parts: Sequence[Snapshot]) -> int | None:
    """The child that runs, the one that has come furthest; None when none does."""
    running = [index for index, part in enumerate(parts) if part.status == RUNNING]
    return max(running, key=lambda index: parts[index].percent, default=None)


def _segments(parts: Sequence[Snapshot]) -> tuple[tuple[str, float, float], ...]:
    """The bar's segments: the weights of the child that has most to tell, the mean of what is done."""
    model = max(parts, key=lambda part: (part.status == RUNNING, part.percent))
    found = []
    for index, (stage, weight, _) in enumerate(model.segments):
        shares = [
            1.0 if part.status in TERMINAL else part.segments[index][2] if index < len(part.segments) else 0.0
            for part in parts
        ]
        found.append((stage, weight, sum(shares) / len(shares)))
    return tuple(found)
