"""Retention: removes jobs that are too old or take too much room, and files left behind by a killed process.

A parent and its children are removed together or not at all, by the end of the parent.

Never removed: a queued or running job, a pinned job, and files outside of the data folder, except for the
studio's copies in the folders of a ComfyUI on this machine and in the page's cache. Each step can be
interrupted at any moment; the next pass completes it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from backend.errors import StudioError
from backend.jobs import folders as files
from backend.jobs.job import CANCELLED, FAILED, TERMINAL, Job
from backend.jobs.layout import ORIGINALS, SOURCES, WORK
from backend.storage import drafts, engine_files, retention_policy
from backend.storage.age_clock import AgeClock, Settings
from backend.storage.clock_check import EARLIEST_END, plausible_end
from backend.storage.drafts import DraftLimits, Drafts
from backend.storage.engine_copies import FAILED_DAYS, EngineCopies
from backend.storage.engine_files import EngineFolders
from backend.storage.limit_check import Limits
from backend.storage.quota import Quota
from backend.storage.retention_policy import DAY, Disk
from backend.storage.usage_count import Jobs

log = logging.getLogger("wan.storage")

TICK_SECONDS = 60.0
PASS_SECONDS = 3600.0
FULL_SECONDS = 600.0  # between passes while the disk is fuller than the limit
ORPHAN_SECONDS = 3600.0
UPLOAD_DAYS = 1.0


class Records(Jobs, Settings, Protocol):
    """The methods of the job database that retention uses."""

    def delete(self, job_id: str) -> None: ...
    def set_inputs(self, job: Job) -> None: ...
    def ended_before(self, moment: float) -> list[Job]: ...
    def family(self, job_id: str) -> list[Job]: ...


class Retention:
    """Retention of one data folder. Methods may be called from any thread; a lock serialises removals."""

    def __init__(
        self,
        records: Records,
        data_dir: Path,
        limits: Limits,
        *,
        engine_folders: Callable[[], Sequence[EngineFolders]] = tuple,
        cache: Callable[[], Path | None] = lambda: None,
        sweep_uploads: Callable[[float], None] = lambda _: None,
        draft_limits: DraftLimits | None = None,
        forget: Callable[[str], None] = lambda _: None,
        before_removal: Callable[[Job], None] = lambda _: None,
        in_work: Callable[[str], bool] = lambda _: False,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        disk: Callable[[Path], Disk] | None = None,
    ) -> None:
        """`cache`: the folder of the page's copies for clients; `sweep_uploads`: removes uploads and those
        copies unless they changed since a moment (unix seconds); `forget`: drops a job from the queue;
        `before_removal`: saves what others need of a job; a StudioError that it raises keeps the job.
        `in_work`: whether files of an ended job are being made again."""
        self.records, self.data_dir, self.limits = records, data_dir, limits
        self.jobs_dir = data_dir / "jobs"
        self._cache, self._forget = cache, forget
        self._sweep_uploads, self._before_removal = sweep_uploads, before_removal
        self._in_work = in_work
        self._wall, self._steady = wall, steady
        self._lock = threading.RLock()
        self._copies = EngineCopies(records, self.jobs_dir, engine_folders, self._lock, wall)
        self.quota = Quota(
            records, data_dir, limits, wall=wall, disk=disk or _disk_of,
            temporary=lambda: engine_files.temporary_bytes(engine_folders(), cache(), data_dir),
            drafts=lambda: drafts.sizes(data_dir),
        )  # fmt: skip
        self.drafts = Drafts(data_dir, draft_limits or DraftLimits(), self.quota, wall=wall)
        self._clock = AgeClock(records, self._lock, wall, steady)
        self._orphans: dict[str, float] = {}  # id -> when first seen, by the monotonic clock

    def run(self, closing: threading.Event, each_tick: Callable[[], object] = lambda: None) -> None:
        """Runs until `closing` is set: outputs and `each_tick` every minute, a whole pass every hour, more
        often on a full disk."""
        last = -math.inf
        while not closing.is_set():
            self._logged(each_tick)
            self._logged(self.remove_ended_outputs)
            since = self._steady() - last
            if since >= PASS_SECONDS or (since >= FULL_SECONDS and self.quota.too_full()):
                self.run_once()
                last = self._steady()
            closing.wait(TICK_SECONDS)

    def run_once(self) -> None:
        """One whole pass. Never raises: an error in one step is logged and the next step runs."""
        for step in (
            self.finish_removals, self.remove_expired, self.remove_inputs_of_ended, self.make_room,
            self.remove_orphans, self.remove_partial_files, self.remove_stale_engine_files,
            self.remove_unused_uploads,
        ):  # fmt: skip
            self._logged(step)

    def _logged(self, step: Callable[[], object]) -> None:
        try:
            step()
        except StudioError as error:
            log.warning("retention: %s", error.message)
        except Exception:  # an error must end neither the thread nor the other steps
            log.exception("retention: unexpected error")

    # -- removing one job -----------------------------------------------------------------

    def remove(self, job: Job) -> None:
        """Removes a job's record, its folder, and the copies in ComfyUI's folders and in the page's cache.

        Files are removed first, because the database may be unable to write on a full disk. Raises
        StoreError, DiskFull; the next pass then completes the removal.
        """
        self._before_removal(job)
        with self._lock:
            renamed = files.mark_removed(self.jobs_dir / job.id)
            self._complete_removal(job.id, job, renamed)
            self._forget(job.id)
            self.quota.forget(job.id)

    def finish_removals(self) -> None:
        """Completes removals that were interrupted."""
        with self._lock:
            for job_id, renamed in files.interrupted_removals(self.jobs_dir):
                job = self.records.get(job_id)
                if job is None or job.status in TERMINAL:
                    self._complete_removal(job_id, job, renamed)
                    self._forget(job_id)

    def _complete_removal(self, job_id: str, job: Job | None, renamed: Path | None) -> None:
        """Removes a job's copies, files and record. `job`: None without a record; `renamed`: its folder under
        the name of a removed one, None without a folder."""
        self._copies.remove_outputs_of(job_id)
        folder = renamed or self.jobs_dir / job_id
        names = files.names_of(folder, job.inputs.values() if job is not None else ())
        self._copies.remove_inputs(names)
        name = f"wan-{job.mode.replace('_', '-')}-{job_id[:8]}" if job is not None else ""
        same = files.identities(folder)
        if name or same:
            engine_files.remove_cached(self._cache(), name or job_id, same)
        try:
            if renamed is not None:
                files.empty(renamed)
        except OSError as error:
            log.warning("job %s: some of its files could not be removed: %s", job_id, error)
            return  # the record stays as well, and the next pass tries again
        self.records.delete(job_id)
        if renamed is not None:
            with contextlib.suppress(OSError):
                renamed.rmdir()

    # -- removal by age and by room -------------------------------------------------------

    def remove_expired(self) -> None:
        """Removes jobs that ended longer ago than the limit of days."""
        if not self._clock.check():
            return
        now = self._wall()
        for job in retention_policy.expired(
            self.records.ended_before(now - self.limits.days * DAY), now, self.limits.days
        ):
            if (
                not job.parent or self.records.get(job.parent) is None
            ):  # otherwise it is removed with its parent
                self._remove_unpinned(job.id, f"older than {self.limits.days:g} days")

    def _remove_unpinned(self, job_id: str, why: str) -> None:
        """Removes a job with its whole family, unless one of them was pinned or has not ended. Does nothing
        when it was removed since the list was made."""
        with self._lock:
            found = self.records.family(job_id)
            if any(job.pinned or job.status not in TERMINAL for job in found):
                return
            for job in (
                *found[1:],
                *found[:1],
            ):  # the parent last: an interrupted removal is found again by it
                log.info("job %s: removed, %s", job.id, why)
                self.remove(job)

    def make_room(self) -> None:
        """Drops originals, then removes clips: over their owner's limit and, while the disk is too full, the
        oldest of the owner who uses most."""
        while sum(self._drop_originals(job_id) for job_id in self.quota.excess_originals()):
            pass  # a file that several jobs share is freed with its last link
        for job, why in self.quota.excess():
            self._remove_unpinned(job.id, why)

    def _drop_originals(self, job_id: str) -> bool:
        """Removes the uploads of an ended job, so that only the smaller copies of its pictures are left.

        Returns whether there were any; those of a pinned job stay.
        """
        with self._lock:
            job = self.records.get(job_id)
            if job is None or job.pinned or job.status not in TERMINAL:
                return False
            kept = {name for name, item in job.inputs.items() if item.upload.startswith(f"{ORIGINALS}/")}
            if not kept:
                return False
            log.info("job %s: the original pictures are dropped to make room", job_id)
            files.remove_below(self.jobs_dir / job_id, ORIGINALS)
            inputs = {
                name: replace(item, upload="") if name in kept else item for name, item in job.inputs.items()
            }
            self.records.set_inputs(replace(job, inputs=inputs))
            self.quota.remeasure(job_id)
            return True

    def reserve(self, job_id: str, owner: str, need: int, field: str = "") -> None:
        """Reserves `need` bytes for a job; `field`: the parameter that needs most. Raises OverQuota,
        DiskFull."""
        while sum(
            self._drop_originals(other) for other in self.quota.originals_in_the_way(job_id, owner, need)
        ):
            pass
        self.quota.reserve(job_id, owner, need, field)

    def check(self, owner: str, need: int) -> None:
        """Raises OverQuota or DiskFull if no room can be made for `need` more bytes of an owner."""
        self.quota.check(owner, need)

    def release(self, job_id: str) -> None:
        """Cancels the reservation of a job that was not submitted."""
        self.quota.release(job_id)

    def submitted(self, job_id: str) -> None:
        """A job is stored: removes the clips of its owner that were chosen to make room for it. Never
        raises."""

        def remove_chosen() -> None:
            for clip in self.quota.commit(job_id):
                self._remove_unpinned(clip, "a new video of its owner needs the room")

        self._logged(remove_chosen)

    def remove_inputs_of_ended(self) -> None:
        """Removes the input files of cancelled jobs, and of failed ones after FAILED_DAYS."""
        jobs = {job.id: job for job in self.records.summaries()}
        reliable = self._clock.reliable
        before = self._wall() - FAILED_DAYS * DAY
        for job_id, folder in files.folders(self.jobs_dir).items():
            job = jobs.get(job_id)
            if job is None or not folder.more:
                continue
            old = reliable and plausible_end(job.finished, self._wall()) and (job.finished or 0.0) < before
            if job.status == CANCELLED or (job.status == FAILED and old and not job.pinned):
                log.info("job %s: input files removed", job_id)
                files.clear(folder.path)
                self._copies.clear_inputs(job_id)

    def remove_orphans(self) -> None:
        """Removes job folders without a record, left by a submit that was killed. One with a finished video
        is kept as long as a clip, because the database may have been moved away; not if that is the video of
        a job with a record, which the submit had taken over."""
        found = files.folders(self.jobs_dir)
        steady, now = self._steady(), self._wall()
        without = {job_id for job_id in found if self.records.get(job_id) is None}
        new = without - self._orphans.keys()
        self._orphans = {job_id: self._orphans.get(job_id, steady) for job_id in without}
        named: set[tuple[int, int]] = set()
        if any(found[job_id].result for job_id in without):
            named = named.union(*(files.results(found[job_id].path) for job_id in found.keys() - without))
        for job_id in sorted(without):
            folder = found[job_id]
            if folder.result and not files.results(folder.path) <= named:
                oldest = now - self.limits.days * DAY
                if not (self._clock.reliable and EARLIEST_END < folder.changed < oldest):
                    if job_id in new:
                        log.info("job %s: the folder has a video but no record; kept for now", job_id)
                    continue
            elif steady - self._orphans[job_id] < ORPHAN_SECONDS:  # a submit may be in progress
                continue
            log.info("job %s: folder without a record removed", job_id)
            with self._lock:
                self._complete_removal(job_id, None, files.mark_removed(folder.path))
            self.quota.forget(job_id)

    def remove_partial_files(self) -> None:
        """Removes incomplete files of ended jobs, left by a killed process, and finished segments that should
        have been removed with the job's end. A failed job keeps its segments for a retry."""
        found = files.folders(self.jobs_dir)
        for job_id, folder in found.items():
            begun = any((folder.path / name).is_dir() for name in (WORK, SOURCES))
            job = self.records.get(job_id) if folder.unfinished or begun else None
            if job is not None and job.status in TERMINAL and not self._in_work(job_id):
                for path in folder.unfinished:
                    files.unlink(path, folder.path)
                files.remove_below(folder.path, SOURCES)
                if job.status != FAILED or not job.segments_done:
                    files.remove_below(folder.path, WORK)

    def remove_unused_uploads(self) -> None:
        """Removes uploads and copies for clients after UPLOAD_DAYS, and drafts that no page uses."""
        if self._clock.reliable:
            self._sweep_uploads(self._wall() - UPLOAD_DAYS * DAY)
            self.drafts.remove_expired()

    def remove_ended_outputs(self) -> None:
        """Removes outputs and tails of ended jobs from ComfyUI's folders, since their results are stored
        here, and the inputs of cancelled ones."""
        self._copies.remove_outputs()
        for job_id in self.quota.count.ended():
            job = self.records.get(job_id)
            if job is not None and job.status == CANCELLED:
                self._copies.clear_inputs(job_id)

    def remove_stale_engine_files(self) -> None:
        """Removes outputs of unknown jobs and unused inputs from ComfyUI's folders."""
        if self._clock.reliable:
            self._copies.remove_stale()


def _disk_of(folder: Path) -> Disk:
    usage = shutil.disk_usage(folder)
    return Disk(usage.total, usage.free)
