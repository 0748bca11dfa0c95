"""Keeps the data folder in order: what is old, too much, or left behind by a kill goes; the rest stays.

Never touched: a job that waits or runs, a pinned job, a file outside of the data folder other than our own
copies in the folders of a ComfyUI on this machine and in the page's cache. Every step can be cut short at any
moment and is made good by the next pass.
"""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from backend.errors import StudioError
from backend.jobs import folders as files
from backend.jobs.job import CANCELLED, DONE, FAILED, TERMINAL, Job
from backend.storage import engine_copies, policy
from backend.storage.clock import BORN, Trust, dated
from backend.storage.engine_copies import Place
from backend.storage.policy import DAY, Disk
from backend.storage.quota import Jobs, Limits, Quota

log = logging.getLogger("wan.storage")

TICK_SECONDS = 60.0
PASS_SECONDS = 3600.0
FULL_SECONDS = 600.0  # between passes while the disk is fuller than it may be
ORPHAN_SECONDS = 3600.0
FAILED_DAYS = 1.0  # what a failed job wrote in ComfyUI may be all that there is of it
STRANGER_DAYS = 7.0  # outputs of jobs that we do not know: of another studio on the same ComfyUI, or deleted
INPUT_DAYS = 7.0
CLOCK = "clock"


class Records(Jobs, Protocol):
    """What is needed of the job database."""

    def delete(self, job_id: str) -> None: ...
    def ended_before(self, moment: float) -> list[Job]: ...
    def setting(self, name: str) -> str: ...
    def set_setting(self, name: str, value: str) -> None: ...


class Keeper:
    """One data folder's order. Methods may be called from any thread; one of them works at a time."""

    def __init__(
        self,
        records: Records,
        data_dir: Path,
        limits: Limits,
        *,
        places: Callable[[], Sequence[Place]] = tuple,
        cache: Callable[[], Path | None] = lambda: None,
        forget: Callable[[str], None] = lambda _: None,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        disk: Callable[[Path], Disk] | None = None,
    ) -> None:
        """`cache`: where the page keeps copies for clients; `forget`: the queue drops a job."""
        self.records, self.data_dir, self.limits = records, data_dir, limits
        self.jobs_dir = data_dir / "jobs"
        self._cache, self._places, self._forget = cache, places, forget
        self._wall, self._steady = wall, steady
        self.quota = Quota(records, data_dir, limits, wall=wall, disk=disk or _disk_of, passing=self._passing)
        self._lock = threading.RLock()
        self._trust: Trust | None = None
        self._looked = 0.0
        self._orphans: dict[str, float] = {}  # id -> when first seen, by the steady clock

    def run(self, closing: threading.Event) -> None:
        """Works until `closing` is set: a look every minute, a pass every hour, or sooner on a full disk."""
        last = -math.inf
        while not closing.is_set():
            self._quietly(self.tidy)
            since = self._steady() - last
            if since >= PASS_SECONDS or (since >= FULL_SECONDS and self.quota.too_full()):
                self.all()
                last = self._steady()
            closing.wait(TICK_SECONDS)

    def all(self) -> None:
        """One whole pass. Never raises: each step is for itself."""
        for step in (
            self.finish_removals, self.by_age, self.inputs_of_ended, self.by_room, self.orphans,
            self.half_written, self.leftovers,
        ):  # fmt: skip
            self._quietly(step)

    def _quietly(self, step: Callable[[], object]) -> None:
        try:
            step()
        except StudioError as error:
            log.warning("housekeeping: %s", error.message)
        except Exception:  # a mistake here must not end the thread, nor the other steps
            log.exception("housekeeping: unexpected error")

    # -- removing one job -----------------------------------------------------------------

    def remove(self, job: Job) -> None:
        """Record, folder, ComfyUI's copies and the page's. Raises StoreError, DiskFull; the next pass then
        goes on with it. The files go first: a full disk may not let the database write."""
        with self._lock:
            grave = files.bury(self.jobs_dir / job.id)
            self._finish(job.id, job, grave)
            self._forget(job.id)
            self.quota.forget(job.id)

    def finish_removals(self) -> None:
        """Goes on with removals that were cut short."""
        with self._lock:
            for job_id, grave in files.graves(self.jobs_dir):
                job = self.records.get(job_id)
                if job is None or job.status in TERMINAL:
                    self._finish(job_id, job, grave)
                    self._forget(job_id)

    def _finish(self, job_id: str, job: Job | None, grave: Path | None) -> None:
        places = self._places()
        for owner, path, _ in engine_copies.of_jobs((p.input for p in places), (p.output for p in places)):
            if owner == job_id:
                files.unlink(path)
        folder = grave or self.jobs_dir / job_id
        names = files.names_of(folder, job.inputs.values() if job is not None else ())
        self._remove_inputs(names)
        name = f"wan-{job.mode.replace('_', '-')}-{job_id[:8]}" if job is not None else ""
        same = files.identities(folder)
        if name or same:
            engine_copies.remove_cached(self._cache(), name or job_id, same)
        try:
            if grave is not None:
                files.empty(grave)
        except OSError as error:
            log.warning("job %s: some of its files could not be removed: %s", job_id, error)
            return  # its record stays with them, and the next pass tries again
        self.records.delete(job_id)
        if grave is not None:
            with contextlib.suppress(OSError):
                grave.rmdir()

    def _in_use(self) -> set[str]:
        """Names of ComfyUI inputs that waiting and running jobs read."""
        return {
            name
            for job in self.records.unfinished()
            for name in files.names_of(self.jobs_dir / job.id, job.inputs.values())
        }

    # -- what goes by itself --------------------------------------------------------------

    def trust(self) -> bool:
        """Whether the clock may be believed about ages; to be asked once in a pass."""
        with self._lock:
            now, steady = self._wall(), self._steady()
            first = self._trust is None
            before = Trust.read(self.records.setting(CLOCK), now) if self._trust is None else self._trust
            self._trust = before.looked(now, 0.0 if first else steady - self._looked)
            self._looked = steady
            if self._trust.wait > before.wait:
                log.warning(
                    "The clock has moved by %.0f days since it was last looked at: nothing is removed for its"
                    " age until Wan Studio has run for another day.",
                    (now - before.seen) / DAY,
                )
            self.records.set_setting(CLOCK, self._trust.text())
            return self._trust.believed

    def by_age(self) -> None:
        """What ended longer ago than may be kept."""
        if not self.trust():
            return
        now = self._wall()
        for job in policy.too_old(
            self.records.ended_before(now - self.limits.days * DAY), now, self.limits.days
        ):
            self._remove_again(job.id, f"older than {self.limits.days:g} days")

    def _remove_again(self, job_id: str, why: str) -> None:
        """Removes a job unless it was pinned since the list was made."""
        with self._lock:
            now = self.records.get(job_id)
            if now is not None and not now.pinned:
                log.info("job %s: removed, %s", job_id, why)
                self.remove(now)

    def by_room(self) -> None:
        """Clips over their owner's limit; while the disk is too full, the oldest of whoever has most."""
        for job, why in self.quota.excess():
            self._remove_again(job.id, why)

    def reserve(self, job_id: str, owner: str, need: int, field: str = "") -> None:
        """Keeps `need` bytes for a job. Raises OverQuota, DiskFull, with the field that takes most."""
        self.quota.reserve(job_id, owner, need, field)

    def release(self, job_id: str) -> None:
        """Gives back what was kept for a job that was not submitted."""
        self.quota.release(job_id)

    def submitted(self, job_id: str) -> None:
        """A job is stored: the clips of its owner go that have to make room for it. Never raises."""

        def make_room() -> None:
            for clip in self.quota.commit(job_id):
                self._remove_again(clip, "a new video of its owner takes its room")

        self._quietly(make_room)

    def inputs_of_ended(self) -> None:
        """What cancelled jobs were to be made from, and failed ones a day later."""
        jobs = {job.id: job for job in self.records.summaries()}
        believed = self._trust is not None and self._trust.believed
        before = self._wall() - FAILED_DAYS * DAY
        for job_id, folder in files.folders(self.jobs_dir).items():
            job = jobs.get(job_id)
            if job is None or not folder.more:
                continue
            old = believed and dated(job.finished, self._wall()) and (job.finished or 0.0) < before
            if job.status == CANCELLED or (job.status == FAILED and old and not job.pinned):
                log.info("job %s: what it was made from is removed", job_id)
                files.clear(folder.path)
                self._clear_inputs(job_id)

    def _clear_inputs(self, job_id: str) -> None:
        """ComfyUI's copies of what this job was made from, as far as no other job needs them."""
        with self._lock:
            job = self.records.get(job_id)
            names = files.names_of(self.jobs_dir / job_id, job.inputs.values() if job is not None else ())
            self._remove_inputs(names)

    def _remove_inputs(self, names: set[str]) -> None:
        names = names - self._in_use()
        for place in self._places():
            for path in engine_copies.named_inputs(place.input, names):
                files.unlink(path)

    def _passing(self) -> int:
        """Bytes on the disk of the data folder that are no clips and go by themselves."""
        return engine_copies.passing(self._places(), self._cache(), self.data_dir)

    def orphans(self) -> None:
        """Folders without a record: of a submit that was killed. One with a finished video stays as long as
        a clip does: somebody may have moved the database away."""
        found = files.folders(self.jobs_dir)
        steady, now = self._steady(), self._wall()
        without = {job_id for job_id in found if self.records.get(job_id) is None}
        new = without - self._orphans.keys()
        self._orphans = {job_id: self._orphans.get(job_id, steady) for job_id in without}
        for job_id in sorted(without):
            folder = found[job_id]
            if folder.result:
                believed = self._trust is not None and self._trust.believed
                if not (believed and BORN < folder.changed < now - self.limits.days * DAY):
                    if job_id in new:
                        log.info("job %s: a video without a record; it stays for now", job_id)
                    continue
            elif steady - self._orphans[job_id] < ORPHAN_SECONDS:  # it may be a submit that goes on
                continue
            log.info("job %s: a folder without a record, removed", job_id)
            with self._lock:
                self._finish(job_id, None, files.bury(folder.path))
            self.quota.forget(job_id)

    def half_written(self) -> None:
        """Files of ended jobs that were being written when something was killed, and finished parts that
        were to go with the job's end; a failed one keeps those for another try."""
        found = files.folders(self.jobs_dir)
        for job_id, folder in found.items():
            bench = folder.path / files.BENCH
            job = self.records.get(job_id) if folder.parts or bench.is_dir() else None
            if job is not None and job.status in TERMINAL:
                for path in folder.parts:
                    files.unlink(path, folder.path)
                if job.status != FAILED or not job.part:
                    files.remove_below(folder.path, files.BENCH)

    # -- ComfyUI's folders ----------------------------------------------------------------

    def tidy(self) -> None:
        """Outputs and tails in ComfyUI's folders of jobs that have ended: their results are here. And what
        cancelled ones were made from."""
        self._copies(strangers=False)
        for job_id in self.quota.ended():
            job = self.records.get(job_id)
            if job is not None and job.status == CANCELLED:
                self._clear_inputs(job_id)

    def leftovers(self) -> None:
        """Outputs of jobs that nobody knows any more, and inputs that nobody has used for a while."""
        if self._trust is None or not self._trust.believed:
            return
        with self._lock:
            self._copies(strangers=True)
            in_use, before = self._in_use(), self._wall() - INPUT_DAYS * DAY
            for place in self._places():
                for path in engine_copies.unused_inputs(place.input, in_use, before):
                    if files.unlink(path):
                        log.debug("ComfyUI's copy %s: unused for %g days, removed", path.name, INPUT_DAYS)

    def _copies(self, strangers: bool) -> None:
        places, now = self._places(), self._wall()
        known: dict[str, Job | None] = {}
        for job_id, path, changed in engine_copies.of_jobs(
            (p.input for p in places), (p.output for p in places)
        ):
            if job_id not in known:
                known[job_id] = self.records.get(job_id)
            job, age = known[job_id], now - changed
            if job is None:
                gone = strangers and age > STRANGER_DAYS * DAY
            elif job.status in (DONE, CANCELLED):
                gone = True
            else:
                gone = job.status in TERMINAL and age > FAILED_DAYS * DAY
            if gone:
                files.unlink(path)


def _disk_of(folder: Path) -> Disk:
    usage = shutil.disk_usage(folder)
    return Disk(usage.total, usage.free)
