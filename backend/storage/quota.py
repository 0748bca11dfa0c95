"""How much of the disk each owner's videos may take: for a job that is submitted, and on a disk that is full.

What an owner adds is paid for with their own old clips or refused; it never costs anybody else a clip. All
owners without a finished clip count as one, because a token can be made up at no cost.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from backend.errors import DiskFull, OverQuota, StudioError
from backend.jobs import folders as files
from backend.jobs.job import DONE, TERMINAL, Job, JobSummary
from backend.storage import policy
from backend.storage.ledger import NOBODY, Entry, Ledger
from backend.storage.policy import Disk

log = logging.getLogger("wan.storage")

EVERY_JOB = 1_000_000


class Jobs(Protocol):
    """What is needed of the job database."""

    def get(self, job_id: str) -> Job | None: ...
    def of_owner(self, owner: str, limit: int) -> list[Job]: ...
    def unfinished(self) -> list[Job]: ...
    def summaries(self) -> list[JobSummary]: ...


@dataclass(frozen=True)
class Limits:
    """`days`: how long an ended job is kept; `percent`: how full the disk may be before clips go;
    `owner_bytes`: what one owner's videos may take, 0 for an equal share of the room for clips."""

    days: float
    percent: float
    owner_bytes: int = 0


class Quota:
    """The owners of one data folder. Methods may be called from any thread."""

    def __init__(
        self,
        jobs: Jobs,
        data_dir: Path,
        limits: Limits,
        *,
        wall: Callable[[], float],
        disk: Callable[[Path], Disk],
        passing: Callable[[], int] = lambda: 0,
    ) -> None:
        """`passing`: bytes on the same disk that go by themselves and are no clips, such as uploads: nobody
        loses a clip for them. It may take a while."""
        self._jobs, self._limits = jobs, limits
        self._data_dir, self._jobs_dir = data_dir, data_dir / "jobs"
        self._wall, self._disk, self._passing = wall, disk, passing
        self._lock = threading.RLock()
        self._ledger: Ledger | None = None
        self._reserved: dict[str, list[str]] = {}  # job being submitted -> clips that go for it
        self._ended: list[str] = []

    # -- a job that is submitted ----------------------------------------------------------

    def reserve(self, job_id: str, owner: str, need: int, field: str = "") -> None:
        """Sets `need` bytes aside for a job before it is written, or changes how many they are.

        `field`: the parameter that takes most of it. Raises OverQuota, DiskFull.
        """
        with self._lock:
            ledger = self._current()
            self._undo(ledger, job_id)
            written = files.measured(self._jobs_dir / job_id).bytes
            leaving = self._fit(ledger, owner, need, written, field)
            for clip, entry in leaving.items():
                ledger.put(clip, replace(entry, bytes=0))
            self._reserved[job_id] = list(leaving)
            ledger.put(job_id, Entry(owner, max(need, written), written, open=True))

    def release(self, job_id: str) -> None:
        """The job is not to be, and its folder is removed."""
        with self._lock:
            if self._ledger is not None:
                self._undo(self._ledger, job_id)

    def commit(self, job_id: str) -> list[str]:
        """The job is stored. Returns the ids of its owner's clips that go for it now."""
        with self._lock:
            ledger = self._current()
            entry = ledger.get(job_id)
            if entry is not None:
                written = files.measured(self._jobs_dir / job_id).bytes
                ledger.put(job_id, replace(entry, bytes=max(entry.bytes, written), written=written))
            return self._reserved.pop(job_id, [])

    def forget(self, job_id: str) -> None:
        """The job is removed."""
        with self._lock:
            if self._ledger is not None:
                self._ledger.pop(job_id)

    def _fit(self, ledger: Ledger, owner: str, need: int, written: int, field: str) -> dict[str, Entry]:
        """The owner's clips that have to go for `need` more bytes. Raises OverQuota, DiskFull."""
        try:
            disk = self._disk(self._data_dir)
        except OSError:
            return {}
        if not disk.total:
            return {}
        ours = ledger.written + written
        checks = _Checks(ledger, self._limits, owner, need, policy.room(disk, ours, self._limits.percent))
        if checks.to_give_up:
            disk = Disk(disk.total, disk.free + self._passing())
            checks = _Checks(ledger, self._limits, owner, need, policy.room(disk, ours, self._limits.percent))
        if not checks.to_give_up:
            return {}
        sizes = ledger.sizes()
        mine = self._jobs.of_owner(owner, EVERY_JOB)
        gone = policy.too_much(mine, sizes, checks.to_give_up, self._wall())
        if need > checks.limit or sum(sizes[job.id] for job in gone) < checks.to_give_up:
            raise checks.refusal(field)
        found = {job.id: ledger.get(job.id) for job in gone}
        return {job_id: entry for job_id, entry in found.items() if entry is not None}

    def _undo(self, ledger: Ledger, job_id: str) -> None:
        """The job's reservation away, and the clips back that were to go for it."""
        for clip in self._reserved.pop(job_id, []):
            entry = ledger.get(clip)
            if entry is not None:
                ledger.put(clip, replace(entry, bytes=entry.written))
        ledger.pop(job_id)

    # -- what is there --------------------------------------------------------------------

    def refresh(self) -> Ledger:
        """Measures every job's folder; submits go on meanwhile, once there is a ledger."""
        with self._lock:
            before = self._ledger or Ledger()
            before.touched.clear()
        found = files.folders(self._jobs_dir)
        rows = {row.id: row for row in self._jobs.summaries()}
        with self._lock:
            leaving = {clip for clips in self._reserved.values() for clip in clips}
            ledger = Ledger()
            for job_id in found.keys() | self._reserved.keys() | before.touched:
                known = before.get(job_id)
                if job_id in before.touched:
                    entry = known
                else:
                    entry = self._entry(job_id, found.get(job_id), rows.get(job_id), known)
                if entry is not None:
                    ledger.put(job_id, replace(entry, bytes=0) if job_id in leaving else entry)
            self._ledger = ledger
            return ledger

    def _entry(
        self, job_id: str, folder: files.Folder | None, row: JobSummary | None, known: Entry | None
    ) -> Entry:
        """What a job counts, by what its folder and its record are now and what was known of it."""
        written = folder.bytes if folder is not None else 0
        if known is not None and job_id in self._reserved:
            return replace(known, written=written, bytes=max(written, known.bytes))
        if row is None:
            return Entry(NOBODY, written, written)
        if row.status not in TERMINAL:
            expected = known.bytes if known is not None and known.open else 0
            return Entry(row.owner, max(written, expected), written, open=True)
        if known is not None and known.open:
            self._ended.append(job_id)
        return Entry(row.owner, written, written, done=row.status == DONE)

    def ended(self) -> list[str]:
        """Ids of jobs that have ended since this was asked last."""
        with self._lock:
            self._current()
            found, self._ended = self._ended, []
            return found

    def _current(self) -> Ledger:
        """The ledger, with what has ended meanwhile measured again."""
        ledger = self._ledger if self._ledger is not None else self.refresh()
        if waiting := ledger.open - self._reserved.keys():
            for job_id in waiting - {job.id for job in self._jobs.unfinished()}:
                job = self._jobs.get(job_id)
                if job is None:
                    ledger.pop(job_id)
                    continue
                size = files.measured(self._jobs_dir / job_id).bytes
                ledger.put(job_id, Entry(job.owner, size, size, done=job.status == DONE))
                self._ended.append(job_id)
        return ledger

    # -- what has to go -------------------------------------------------------------------

    def too_full(self) -> bool:
        """Whether the disk is fuller than it may be."""
        try:
            return self._disk(self._data_dir).percent > self._limits.percent
        except OSError:
            return False

    def excess(self) -> list[tuple[JobSummary, str]]:
        """The clips that have to go now, and why: those over an owner's own limit, then, while the disk is
        too full, the oldest of whoever has most. Measures every job's folder."""
        with self._lock:
            ledger, rows, now = self.refresh(), self._jobs.summaries(), self._wall()
            used, sizes = dict(ledger.used), ledger.sizes()
        gone: dict[str, tuple[JobSummary, str]] = {}
        if most := self._limits.owner_bytes:
            for owner in [one for one, size in used.items() if size > most and one != NOBODY]:
                mine = [row for row in rows if row.owner == owner]
                for row in policy.too_much(mine, sizes, used[owner] - most, now):
                    gone[row.id] = (row, f"its owner's videos take more than {most / 1e6:.0f} MB")
                    used[owner] -= sizes[row.id]
        if self.too_full():
            left = [row for row in rows if row.id not in gone]
            freed = sum(sizes[job_id] for job_id in gone)
            for row in policy.too_much(left, sizes, self._over(ledger.written, freed), now, used):
                gone[row.id] = (row, f"the disk is fuller than {self._limits.percent:g} %")
        return list(gone.values())

    def _over(self, written: int, freed: int) -> int:
        disk = self._disk(self._data_dir)
        cleared = Disk(disk.total, disk.free + self._passing() + freed)
        need = policy.bytes_over(cleared, written - freed, self._limits.percent)
        if not need:
            log.info(
                "The disk is %.0f %% full, and clips are only %.1f GB of it: none is removed.",
                disk.percent,
                written / 1e9,
            )
        return need


class _Checks:
    """What stands against `need` more bytes of an owner, in a room of so many bytes for all."""

    def __init__(self, ledger: Ledger, limits: Limits, owner: str, need: int, room: float) -> None:
        owners = ledger.owners()
        self.need, self.used = need, ledger.used[owner]
        self.everybody = (ledger.total, room)
        known = owner in owners
        party = self.used if known else ledger.newcomers()
        share = policy.fair_share(room, len(owners) + (not known), ledger.total - party)
        self.limit = limits.owner_bytes or share
        self.newcomers = (0, math.inf) if known else (party, share)
        self.own = policy.to_give_up(need, (self.used, self.limit), ())
        self.to_give_up = policy.to_give_up(need, (self.used, self.limit), (self.everybody, self.newcomers))

    def refusal(self, field: str) -> StudioError:
        if self.need > self.everybody[1]:
            return self._full(field)
        if self.need > self.limit:
            return OverQuota(
                f"This video needs {_megabytes(self.need)} on the disk, and one visitor may use"
                f" {_megabytes(self.limit)}.",
                "Use a smaller file or a shorter video.",
                field=field,
            )
        if self.own:
            return OverQuota(
                f"Your videos take {_megabytes(self.used)} of the {_megabytes(self.limit)} that you may use,"
                f" and this one needs {_megabytes(self.need)}.",
                field=field,
            )
        if self.newcomers[0] + self.need > self.newcomers[1]:
            return OverQuota(
                "The disk space for new visitors is taken.",
                "Try again in a few minutes, or use a smaller file.",
                field=field,
            )
        return self._full(field)

    @staticmethod
    def _full(field: str) -> DiskFull:
        return DiskFull(
            "The disk is full: there is no room for this video.",
            "Delete videos of yours in the Library, or give the machine more disk space.",
            field=field,
        )


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB"
