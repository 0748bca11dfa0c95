"""Disk quota: how much each owner's jobs may use, checked when a job is submitted and when the disk is full.

Room for a new job is made by removing old clips of its own owner, or the job is refused; other owners never
lose a clip for it. All owners without a finished clip share one limit, because a token costs nothing to make.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from backend.errors import DiskFull, OverQuota, StudioError
from backend.jobs import folders as files
from backend.jobs.job import DONE, TERMINAL, Job, JobSummary
from backend.storage import retention_policy
from backend.storage.disk_usage import NO_OWNER, DiskUsage, JobUsage
from backend.storage.retention_policy import Disk
from backend.storage.shared_files import Identity, SharedFiles

log = logging.getLogger("wan.storage")

EVERY_JOB = 1_000_000
DRAFTS = "drafts of "
"""Before an owner's id: the entry of their drafts among those of the jobs."""


class Jobs(Protocol):
    """The methods of the job database that the quota uses."""

    def get(self, job_id: str) -> Job | None: ...
    def of_owner(self, owner: str, limit: int) -> list[Job]: ...
    def unfinished(self) -> list[Job]: ...
    def summaries(self) -> list[JobSummary]: ...


@dataclass(frozen=True)
class Limits:
    """`days`: how long an ended job is kept; `percent`: how full the disk may be before clips are removed;
    `owner_bytes`: what one owner's jobs may use, 0 for an equal share of the room for clips."""

    days: float
    percent: float
    owner_bytes: int = 0


class Quota:
    """The quota of one data folder's owners. Methods may be called from any thread."""

    def __init__(
        self,
        jobs: Jobs,
        data_dir: Path,
        limits: Limits,
        *,
        wall: Callable[[], float],
        disk: Callable[[Path], Disk],
        temporary: Callable[[], int] = lambda: 0,
        drafts: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        """`temporary`: bytes on the same disk of files that are not clips and are removed in time, such as
        uploads: no clip is removed for them. `drafts`: owner -> bytes of the files of unsent forms, which
        count like jobs. The calls may be slow."""
        self._jobs, self._limits = jobs, limits
        self._data_dir, self._jobs_dir = data_dir, data_dir / "jobs"
        self._wall, self._disk, self._temporary, self._drafts = wall, disk, temporary, drafts
        self._lock = threading.RLock()
        self._usage: DiskUsage | None = None
        self._reserved: dict[str, list[str]] = {}  # job being submitted -> clips to remove for it
        self._ended: list[str] = []
        self._shared = SharedFiles()
        self._originals: dict[str, frozenset[Identity]] = {}  # job -> its originals

    # -- submitting a job -----------------------------------------------------------------

    def reserve(self, job_id: str, owner: str, need: int, field: str = "") -> None:
        """Reserves `need` bytes for a job before its files are written, or changes its reservation.

        `field`: the parameter that needs most of it. Raises OverQuota, DiskFull.
        """
        with self._lock:
            usage = self._current()
            self._cancel(usage, job_id)
            written = self._measure(usage, job_id)
            chosen = self._clips_to_remove(usage, owner, need, written, field)
            for clip, entry in chosen.items():
                usage.put(clip, replace(entry, bytes=0))
            self._reserved[job_id] = list(chosen)
            usage.put(job_id, JobUsage(owner, max(need, written), written, open=True))

    def check(self, owner: str, need: int) -> None:
        """Raises OverQuota or DiskFull if no room can be made for `need` more bytes of an owner; changes
        nothing."""
        with self._lock:
            self._clips_to_remove(self._current(), owner, need, 0, "")

    def release(self, job_id: str) -> None:
        """Cancels the reservation of a job that was not submitted and whose folder is removed."""
        with self._lock:
            if self._usage is not None:
                self._cancel(self._usage, job_id)

    def commit(self, job_id: str) -> list[str]:
        """Ends the reservation of a job that is stored. Returns the ids of its owner's clips to remove for
        it."""
        with self._lock:
            usage = self._current()
            entry = usage.get(job_id)
            if entry is not None:
                written = self._measure(usage, job_id)
                usage.put(job_id, replace(entry, bytes=max(entry.bytes, written), written=written))
            return self._reserved.pop(job_id, [])

    def forget(self, job_id: str) -> None:
        """Drops a removed job."""
        with self._lock:
            if self._usage is not None:
                self._usage.pop(job_id)
                self._note(self._usage, job_id, files.Folder(self._jobs_dir / job_id))

    def remeasure(self, job_id: str) -> None:
        """Counts an ended job again after files of it were removed."""
        with self._lock:
            entry = self._usage.get(job_id) if self._usage is not None else None
            if self._usage is not None and entry is not None:
                size = self._measure(self._usage, job_id)
                self._usage.put(job_id, replace(entry, bytes=min(entry.bytes, size), written=size))

    # -- files of unsent forms ------------------------------------------------------------

    def admit(self, owner: str, need: int) -> None:
        """Checks `need` more bytes for an owner's drafts; no clip is removed for them. Raises OverQuota,
        DiskFull."""
        with self._lock:
            check = self._check(self._current(), owner, need, 0)
            if check is not None and check.bytes_to_free:
                raise check.refusal("")

    def count_drafts(self, owner: str, size: int) -> None:
        """Counts `size` bytes for an owner's drafts from now on."""
        with self._lock:
            if self._usage is not None:
                self._usage.put(DRAFTS + owner, JobUsage(owner, size, size))

    # -- the limits -----------------------------------------------------------------------

    def _check(self, usage: DiskUsage, owner: str, need: int, written: int) -> _LimitCheck | None:
        """The limits for `need` more bytes of an owner; None while the disk cannot be measured. `written`:
        how many of them are on the disk already."""
        try:
            disk = self._disk(self._data_dir)
        except OSError:
            return None
        if not disk.total:
            return None
        ours, percent = usage.written + written, self._limits.percent
        check = _LimitCheck(usage, self._limits, owner, need, retention_policy.room(disk, ours, percent))
        if check.bytes_to_free:
            disk = Disk(disk.total, disk.free + self._temporary())
            check = _LimitCheck(usage, self._limits, owner, need, retention_policy.room(disk, ours, percent))
        return check

    def _clips_to_remove(
        self, usage: DiskUsage, owner: str, need: int, written: int, field: str
    ) -> dict[str, JobUsage]:
        """The owner's clips to remove for `need` more bytes. Raises OverQuota, DiskFull."""
        check = self._check(usage, owner, need, written)
        if check is None or not check.bytes_to_free:
            return {}
        sizes = usage.sizes()
        mine = self._jobs.of_owner(owner, EVERY_JOB)
        removed = retention_policy.to_remove(mine, sizes, check.bytes_to_free, self._wall())
        if need > check.limit or sum(sizes[job.id] for job in removed) < check.bytes_to_free:
            raise check.refusal(field)
        found = {job.id: usage.get(job.id) for job in removed}
        return {job_id: entry for job_id, entry in found.items() if entry is not None}

    def _cancel(self, usage: DiskUsage, job_id: str) -> None:
        """Cancels a job's reservation; the clips chosen for removal count again."""
        for clip in self._reserved.pop(job_id, []):
            entry = usage.get(clip)
            if entry is not None:
                usage.put(clip, replace(entry, bytes=entry.written))
        usage.pop(job_id)

    # -- measuring ------------------------------------------------------------------------

    def refresh(self) -> DiskUsage:
        """Measures every job's folder, and the drafts. Submits are possible meanwhile, except before the
        first result."""
        with self._lock:
            before = self._usage or DiskUsage()
            before.touched.clear()
        found, drafts = files.folders(self._jobs_dir), self._drafts()
        rows = {row.id: row for row in self._jobs.summaries()}
        with self._lock:
            chosen = {clip for clips in self._reserved.values() for clip in clips}
            usage = DiskUsage()
            self._shared, self._originals = SharedFiles(), {}
            for job_id, folder in found.items():
                if job_id not in before.touched:
                    self._note(usage, job_id, folder)
            for job_id in before.touched:
                self._note(usage, job_id, files.measured(self._jobs_dir / job_id))
            for job_id in found.keys() | self._reserved.keys() | before.touched:
                known = before.get(job_id)
                if job_id in before.touched:
                    entry = known
                else:
                    entry = self._entry(job_id, found.get(job_id), rows.get(job_id), known)
                if entry is not None:
                    usage.put(job_id, replace(entry, bytes=0) if job_id in chosen else entry)
            for owner, size in drafts.items():
                if DRAFTS + owner not in before.touched:
                    usage.put(DRAFTS + owner, JobUsage(owner, size, size))
            self._usage = usage
            return usage

    def _entry(
        self, job_id: str, folder: files.Folder | None, row: JobSummary | None, known: JobUsage | None
    ) -> JobUsage:
        """A job's usage, from its folder, its record and its usage before."""
        written = folder.bytes - self._shared.repeated(job_id, folder.inputs) if folder is not None else 0
        if known is not None and job_id in self._reserved:
            return replace(known, written=written, bytes=max(written, known.bytes))
        if row is None:
            return JobUsage(NO_OWNER, written, written)
        if row.status not in TERMINAL:
            expected = known.bytes if known is not None and known.open else 0
            return JobUsage(row.owner, max(written, expected), written, open=True)
        if known is not None and known.open:
            self._ended.append(job_id)
        return JobUsage(row.owner, written, written, done=row.status == DONE)

    def ended(self) -> list[str]:
        """Ids of jobs that have ended since the last call."""
        with self._lock:
            self._current()
            found, self._ended = self._ended, []
            return found

    def _current(self) -> DiskUsage:
        """The usage of all jobs, after measuring again those that have ended."""
        usage = self._usage if self._usage is not None else self.refresh()
        if waiting := usage.open - self._reserved.keys():
            for job_id in waiting - {job.id for job in self._jobs.unfinished()}:
                job = self._jobs.get(job_id)
                if job is None:
                    usage.pop(job_id)
                    continue
                size = self._measure(usage, job_id)
                usage.put(job_id, JobUsage(job.owner, size, size, done=job.status == DONE))
                self._ended.append(job_id)
        return usage

    def _measure(self, usage: DiskUsage, job_id: str) -> int:
        """Bytes of a job's folder, without files that count for another job."""
        folder = files.measured(self._jobs_dir / job_id)
        self._note(usage, job_id, folder)
        return folder.bytes - self._shared.repeated(job_id, folder.inputs)

    def _note(self, usage: DiskUsage, job_id: str, folder: files.Folder) -> None:
        """Notes which input files a job holds; files that it no longer holds count for the next holder."""
        for other, size in self._shared.update(job_id, folder.inputs).items():
            entry = usage.get(other)
            if entry is not None:
                usage.put(other, replace(entry, bytes=entry.bytes + size, written=entry.written + size))
        self._originals.pop(job_id, None)
        if folder.originals:
            self._originals[job_id] = folder.originals

    # -- originals to drop ----------------------------------------------------------------

    def originals_in_the_way(self, job_id: str, owner: str, need: int) -> list[str]:
        """The owner's jobs whose originals have to be dropped so that a new job of `need` bytes fits, or as
        many as there are."""
        with self._lock:
            usage = self._current()
            entry = usage.get(job_id)
            more = need - (entry.bytes if entry is not None else 0)
            check = self._check(usage, owner, more, 0)
            if check is None or not check.bytes_to_free:
                return []
            mine = [row for row in self._jobs.summaries() if row.owner == owner]
            chosen = retention_policy.to_remove(
                mine, self._original_sizes(), check.bytes_to_free, self._wall()
            )
            return [row.id for row in chosen]

    def excess_originals(self) -> list[str]:
        """Jobs whose originals are dropped now, before any clip is removed: those of an owner over their
        limit, then, while the disk is too full, of the owner who uses most. Measures every job's folder."""
        with self._lock:
            usage, rows, now = self.refresh(), self._jobs.summaries(), self._wall()
            used, sizes = dict(usage.used), self._original_sizes()
        found: dict[str, None] = {}
        if most := self._limits.owner_bytes:
            for owner in [one for one, size in used.items() if size > most and one != NO_OWNER]:
                mine = [row for row in rows if row.owner == owner]
                for row in retention_policy.to_remove(mine, sizes, used[owner] - most, now):
                    found[row.id] = None
        if self.too_full():
            for row in retention_policy.to_remove(rows, sizes, self._over(usage.written, 0), now, used):
                found[row.id] = None
        return list(found)

    def _original_sizes(self) -> dict[str, int]:
        """Job -> bytes of its originals that count for it."""
        return {job_id: self._shared.counted(job_id, held) for job_id, held in self._originals.items()}

    # -- clips to remove ------------------------------------------------------------------

    def too_full(self) -> bool:
        """Whether the disk is fuller than the limit."""
        try:
            return self._disk(self._data_dir).percent > self._limits.percent
        except OSError:
            return False

    def excess(self) -> list[tuple[JobSummary, str]]:
        """Clips to remove now, each with the reason for the log: those over an owner's limit, then, while the
        disk is too full, the oldest of the owner who uses most. Measures every job's folder."""
        with self._lock:
            usage, rows, now = self.refresh(), self._jobs.summaries(), self._wall()
            used, sizes = dict(usage.used), usage.sizes()
        removed: dict[str, tuple[JobSummary, str]] = {}
        if most := self._limits.owner_bytes:
            for owner in [one for one, size in used.items() if size > most and one != NO_OWNER]:
                mine = [row for row in rows if row.owner == owner]
                for row in retention_policy.to_remove(mine, sizes, used[owner] - most, now):
                    removed[row.id] = (row, f"its owner's videos use more than {most / 1e6:.0f} MB")
                    used[owner] -= sizes[row.id]
        if self.too_full():
            left = [row for row in rows if row.id not in removed]
            freed = sum(sizes[job_id] for job_id in removed)
            for row in retention_policy.to_remove(left, sizes, self._over(usage.written, freed), now, used):
                removed[row.id] = (row, f"the disk is fuller than {self._limits.percent:g} %")
        return list(removed.values())

    def _over(self, written: int, freed: int) -> int:
        disk = self._disk(self._data_dir)
        cleared = Disk(disk.total, disk.free + self._temporary() + freed)
        need = retention_policy.excess_bytes(cleared, written - freed, self._limits.percent)
        if not need:
            log.info(
                "The disk is %.0f %% full, but clips use only %.1f GB: none is removed.",
                disk.percent,
                written / 1e9,
            )
        return need


class _LimitCheck:
    """The limits that `need` more bytes of an owner have to keep. `room`: bytes for the jobs of all
    owners."""

    def __init__(self, usage: DiskUsage, limits: Limits, owner: str, need: int, room: float) -> None:
        owners = usage.owners()
        self.need, self.used = need, usage.used[owner]
        self.all_owners = (usage.total, room)
        known = owner in owners
        group_bytes = self.used if known else usage.new_owners_bytes()
        share = retention_policy.fair_share(room, len(owners) + (not known), usage.total - group_bytes)
        self.limit = limits.owner_bytes or share
        self.new_owners = (0, math.inf) if known else (group_bytes, share)
        self.own = retention_policy.bytes_to_free(need, (self.used, self.limit), ())
        self.bytes_to_free = retention_policy.bytes_to_free(
            need, (self.used, self.limit), (self.all_owners, self.new_owners)
        )

    def refusal(self, field: str) -> StudioError:
        if self.need > self.all_owners[1]:
            return self._full(field)
        if self.need > self.limit:
            return OverQuota.of("video_over_quota", need=self.need, limit=self.limit, field=field)
        if self.own:
            return OverQuota.of(
                "own_quota_used", used=self.used, limit=self.limit, need=self.need, field=field
            )
        if self.new_owners[0] + self.need > self.new_owners[1]:
            return OverQuota.of("new_visitors_quota_used", field=field)
        return self._full(field)

    @staticmethod
    def _full(field: str) -> DiskFull:
        return DiskFull.of("no_room_for_video", field=field)
