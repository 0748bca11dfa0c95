"""Disk quota: how much each owner's jobs may use, checked when a job is submitted and when the disk is full.

Room for a new job is made by removing old clips of its own owner, or the job is refused; other owners never
lose a clip for it. All owners without a finished clip share one limit, because a token costs nothing to make.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from backend.jobs import folders as files
from backend.storage import retention_policy
from backend.storage.disk_usage import NO_OWNER, DiskUsage, JobUsage
from backend.storage.families import Family, families, sizes_of
from backend.storage.limit_check import LimitCheck, Limits
from backend.storage.retention_policy import Disk
from backend.storage.usage_count import DRAFTS, Jobs, UsageCount

log = logging.getLogger("wan.storage")


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
        self.count = UsageCount(jobs, self._jobs_dir, drafts)
        self._wall, self._disk, self._temporary = wall, disk, temporary

    # -- submitting a job -----------------------------------------------------------------

    def reserve(self, job_id: str, owner: str, need: int, field: str = "") -> None:
        """Reserves `need` bytes for a job before its files are written, or changes its reservation.

        `field`: the parameter that needs most of it. Raises OverQuota, DiskFull.
        """
        with self.count.lock:
            usage = self.count.current()
            self._cancel(usage, job_id)
            written = self.count.measure(usage, job_id)
            chosen = self._clips_to_remove(usage, owner, need, written, field)
            for clip, entry in chosen.items():
                usage.put(clip, replace(entry, bytes=0))
            self.count.reserved[job_id] = list(chosen)
            usage.put(job_id, JobUsage(owner, max(need, written), written, open=True))

    def check(self, owner: str, need: int) -> None:
        """Raises OverQuota or DiskFull if no room can be made for `need` more bytes of an owner; changes
        nothing."""
        with self.count.lock:
            self._clips_to_remove(self.count.current(), owner, need, 0, "")

    def release(self, job_id: str) -> None:
        """Cancels the reservation of a job that was not submitted and whose folder is removed."""
        with self.count.lock:
            if self.count.known is not None:
                self._cancel(self.count.known, job_id)

    def commit(self, job_id: str) -> list[str]:
        """Ends the reservation of a job that is stored. Returns the ids of its owner's clips to remove for
        it."""
        with self.count.lock:
            usage = self.count.current()
            entry = usage.get(job_id)
            if entry is not None:
                written = self.count.measure(usage, job_id)
                usage.put(job_id, replace(entry, bytes=max(entry.bytes, written), written=written))
            return self.count.reserved.pop(job_id, [])

    def forget(self, job_id: str) -> None:
        """Drops a removed job."""
        with self.count.lock:
            if self.count.known is not None:
                self.count.known.pop(job_id)
                self.count.note(self.count.known, job_id, files.Folder(self._jobs_dir / job_id))

    def remeasure(self, job_id: str) -> None:
        """Counts an ended job again after files of it were removed."""
        with self.count.lock:
            entry = self.count.known.get(job_id) if self.count.known is not None else None
            if self.count.known is not None and entry is not None:
                size = self.count.measure(self.count.known, job_id)
                self.count.known.put(job_id, replace(entry, bytes=min(entry.bytes, size), written=size))

    # -- files of unsent forms ------------------------------------------------------------

    def admit(self, owner: str, need: int) -> None:
        """Checks `need` more bytes for an owner's drafts; no clip is removed for them. Raises OverQuota,
        DiskFull."""
        with self.count.lock:
            check = self._check(self.count.current(), owner, need, 0)
            if check is not None and check.bytes_to_free:
                raise check.refusal("", for_draft=True)

    def count_drafts(self, owner: str, size: int) -> None:
        """Counts `size` bytes for an owner's drafts from now on."""
        with self.count.lock:
            if self.count.known is not None:
                self.count.known.put(DRAFTS + owner, JobUsage(owner, size, size))

    # -- the limits -----------------------------------------------------------------------

    def _check(self, usage: DiskUsage, owner: str, need: int, written: int) -> LimitCheck | None:
        """The limits for `need` more bytes of an owner; None while the disk cannot be measured. `written`:
        how many of them are on the disk already."""
        try:
            disk = self._disk(self._data_dir)
        except OSError:
            return None
        if not disk.total:
            return None
        ours, percent = usage.written + written, self._limits.percent
        check = LimitCheck(usage, self._limits, owner, need, retention_policy.room(disk, ours, percent))
        if check.bytes_to_free:
            disk = Disk(disk.total, disk.free + self._temporary())
            check = LimitCheck(usage, self._limits, owner, need, retention_policy.room(disk, ours, percent))
        return check

    def _clips_to_remove(
        self, usage: DiskUsage, owner: str, need: int, written: int, field: str
    ) -> dict[str, JobUsage]:
        """The owner's clips to remove for `need` more bytes. Raises OverQuota, DiskFull."""
        check = self._check(usage, owner, need, written)
        if check is None or not check.bytes_to_free:
            return {}
        sizes = usage.sizes()
        mine = families(row for row in self._jobs.summaries() if row.owner == owner)
        whole = sizes_of(mine, sizes)
        removed = retention_policy.to_remove(mine, whole, check.bytes_to_free, self._wall())
        if need > check.limit or sum(whole[job.id] for job in removed) < check.bytes_to_free:
            raise check.refusal(field)
        found = {member: usage.get(member) for job in removed for member in job.members}
        return {job_id: entry for job_id, entry in found.items() if entry is not None}

    def _cancel(self, usage: DiskUsage, job_id: str) -> None:
        """Cancels a job's reservation; the clips chosen for removal count again."""
        for clip in self.count.reserved.pop(job_id, []):
            entry = usage.get(clip)
            if entry is not None:
                usage.put(clip, replace(entry, bytes=entry.written))
        usage.pop(job_id)

    # -- originals to drop ----------------------------------------------------------------

    def originals_in_the_way(self, job_id: str, owner: str, need: int) -> list[str]:
        """The owner's jobs whose originals have to be dropped so that a new job of `need` bytes fits, or as
        many as there are."""
        with self.count.lock:
            usage = self.count.current()
            entry = usage.get(job_id)
            more = need - (entry.bytes if entry is not None else 0)
            check = self._check(usage, owner, more, 0)
            if check is None or not check.bytes_to_free:
                return []
            mine = [row for row in self._jobs.summaries() if row.owner == owner]
            chosen = retention_policy.to_remove(
                mine, self.count.original_sizes(), check.bytes_to_free, self._wall()
            )
            return [row.id for row in chosen]

    def excess_originals(self) -> list[str]:
        """Jobs whose originals are dropped now, before any clip is removed: those of an owner over their
        limit, then, while the disk is too full, of the owner who uses most. Measures every job's folder."""
        with self.count.lock:
            usage, rows, now = self.count.refresh(), self._jobs.summaries(), self._wall()
            used, sizes = dict(usage.used), self.count.original_sizes()
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

    # -- clips to remove ------------------------------------------------------------------

    def too_full(self) -> bool:
        """Whether the disk is fuller than the limit."""
        try:
            return self._disk(self._data_dir).percent > self._limits.percent
        except OSError:
            return False

    def excess(self) -> list[tuple[Family, str]]:
        """Clips to remove now, each with its parts and the reason for the log: those over an owner's limit,
        then, while the disk is too full, the oldest of the owner who uses most. Measures every job's
        folder."""
        with self.count.lock:
            usage, rows, now = self.count.refresh(), families(self._jobs.summaries()), self._wall()
            used, sizes = dict(usage.used), sizes_of(rows, usage.sizes())
        removed: dict[str, tuple[Family, str]] = {}
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
