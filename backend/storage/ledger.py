"""How many bytes of the disk each owner's jobs take, or will take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

NOBODY = ""
"""The owner of folders that have no record."""


@dataclass(frozen=True)
class Entry:
    """One job. `bytes`: what counts against its owner; `written`: what is on the disk; `open`: it is being
    submitted, waits or runs; `done`: it is a finished clip."""

    owner: str
    bytes: int
    written: int
    open: bool = False
    done: bool = False


class Ledger:
    """Entries by job id, with their sums. Not thread-safe."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self.used: Counter[str] = Counter()
        self.clips: Counter[str] = Counter()
        self.open: set[str] = set()
        self.touched: set[str] = set()  # jobs that were put or popped since somebody cleared this
        self.total = 0
        self.written = 0

    def get(self, job_id: str) -> Entry | None:
        return self._entries.get(job_id)

    def put(self, job_id: str, entry: Entry) -> None:
        """Adds an entry, or replaces the one that the job has."""
        self.pop(job_id)
        self._entries[job_id] = entry
        self.touched.add(job_id)
        self._count(entry, 1)
        if entry.open:
            self.open.add(job_id)

    def pop(self, job_id: str) -> Entry | None:
        entry = self._entries.pop(job_id, None)
        self.touched.add(job_id)
        if entry is not None:
            self._count(entry, -1)
            self.open.discard(job_id)
        return entry

    def sizes(self) -> dict[str, int]:
        """Job id -> bytes on the disk, of jobs that count."""
        return {job_id: entry.written for job_id, entry in self._entries.items() if entry.bytes}

    def owners(self) -> list[str]:
        """Who has a finished clip."""
        return [owner for owner, clips in self.clips.items() if clips and owner != NOBODY]

    def newcomers(self) -> int:
        """Bytes of all who have no finished clip yet."""
        return sum(size for owner, size in self.used.items() if owner != NOBODY and not self.clips[owner])

    def _count(self, entry: Entry, sign: int) -> None:
        self.used[entry.owner] += sign * entry.bytes
        self.clips[entry.owner] += sign * int(entry.done)
        self.total += sign * entry.bytes
        self.written += sign * entry.written
        for counter in (self.used, self.clips):
            if not counter[entry.owner]:
                del counter[entry.owner]
