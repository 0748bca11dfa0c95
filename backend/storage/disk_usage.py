"""Bytes of the disk that each owner's jobs use or have reserved."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

NO_OWNER = ""
"""The owner of job folders without a record."""


@dataclass(frozen=True)
class JobUsage:
    """Usage of one job. `bytes`: counted against its owner; `written`: on the disk; `open`: it is being
    submitted, queued or running; `done`: it is a finished clip."""

    owner: str
    bytes: int
    written: int
    open: bool = False
    done: bool = False


class DiskUsage:
    """Usage by job id, with the sums of all and of each owner. Not thread-safe."""

    def __init__(self) -> None:
        self._entries: dict[str, JobUsage] = {}
        self.used: Counter[str] = Counter()
        self.clips: Counter[str] = Counter()
        self.open: set[str] = set()
        self.touched: set[str] = set()  # jobs that were put or popped since it was cleared
        self.total = 0
        self.written = 0

    def get(self, job_id: str) -> JobUsage | None:
        return self._entries.get(job_id)

    def put(self, job_id: str, entry: JobUsage) -> None:
        """Adds a job, or replaces its usage."""
        self.pop(job_id)
        self._entries[job_id] = entry
        self.touched.add(job_id)
        self._count(entry, 1)
        if entry.open:
            self.open.add(job_id)

    def pop(self, job_id: str) -> JobUsage | None:
        entry = self._entries.pop(job_id, None)
        self.touched.add(job_id)
        if entry is not None:
            self._count(entry, -1)
            self.open.discard(job_id)
        return entry

    def sizes(self) -> dict[str, int]:
        """Job id -> bytes on the disk, of jobs with counted bytes."""
        return {job_id: entry.written for job_id, entry in self._entries.items() if entry.bytes}

    def owners(self) -> list[str]:
        """Owners with a finished clip."""
        return [owner for owner, clips in self.clips.items() if clips and owner != NO_OWNER]

    def new_owners_bytes(self) -> int:
        """Bytes of all owners without a finished clip."""
        return sum(size for owner, size in self.used.items() if owner != NO_OWNER and not self.clips[owner])

    def _count(self, entry: JobUsage, sign: int) -> None:
        self.used[entry.owner] += sign * entry.bytes
        self.clips[entry.owner] += sign * int(entry.done)
        self.total += sign * entry.bytes
        self.written += sign * entry.written
        for counter in (self.used, self.clips):
            if not counter[entry.owner]:
                del counter[entry.owner]
