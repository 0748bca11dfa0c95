"""Jobs that wait for the results of other jobs.

Such a job is queued, so it counts and can be cancelled like the others, but no lane takes it. As soon as one
of the others is done, its result is linked into the folder of the waiting job. When all are there, the inputs
are made from them and written, and the job waits for its turn only. One that fails, is cancelled or is
deleted ends the jobs that wait for it.

What is on disk decides: an input without a file waits. So a restart begins again with what is not linked yet,
and nothing else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from backend import requester
from backend.errors import (
    BadMedia,
    DiskFull,
    InternalError,
    JobCancelled,
    MediaBusy,
    ShuttingDown,
    SourceFailed,
    StudioError,
    from_os_error,
)
from backend.jobs import folders, result_inputs, waiting_clip
from backend.jobs.active import ActiveJobs
from backend.jobs.job import CANCELLED, DONE, FAILED, Job, Status
from backend.jobs.layout import SOURCES
from backend.jobs.limits import Limits
from backend.jobs.store import Store
from workflows.notice import Notice

log = logging.getLogger("wan.jobs")

LOOK_SECONDS = 5.0
"""How often the waiting jobs are looked at without a reason: an end that was missed is found then."""

Complete = Callable[[Job], Job]
"""The job with the inputs that are made from the linked results, on disk. Raises StudioError, OSError."""


class AwaitedResults:
    """The waiting jobs of a scheduler. Methods may be called from any thread."""

    def __init__(
        self, store: Store, jobs_dir: Path, active: ActiveJobs, limits: Limits, complete: Complete
    ) -> None:
        self._store, self._jobs_dir, self._active = store, jobs_dir, active
        self._limits, self._complete = limits, complete
        self._lock = threading.Lock()  # guards _waiting
        self._linking = threading.RLock()  # held while results are linked, and before one is removed
        self._waiting: dict[str, Job] = {}
        self._not_before: dict[str, float] = {}  # job -> monotonic seconds of the next try
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        active.on_end.append(lambda job: self._wake.set())

    def start(self) -> None:
        """Starts the thread that links."""
        self._thread = threading.Thread(target=self._loop, name="results", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread soon."""
        self._wake.set()

    def join(self, seconds: float) -> bool:
        """Waits for the thread to end; False if it has not in time."""
        if self._thread is None:
            return True
        self._thread.join(timeout=seconds)
        return not self._thread.is_alive()

    def add(self, job: Job) -> None:
        """Follows a queued job that waits for results."""
        with self._lock:
            self._waiting[job.id] = job
        self._wake.set()

    def reason(self, job: Job, siblings: Sequence[Job] = ()) -> Notice:
        """What a job waits for. `siblings`: jobs that are on disk and maybe not read again. Raises
        StoreError."""
        known = {one.id: one for one in siblings}
        found = (known.get(one) or self._store.get(one) for one in job.awaited)
        return result_inputs.reason([one for one in found if one is not None])

    def link_before_removal(self, job_id: str) -> None:
        """Links the result of a job that is about to be removed into the folders of those that wait for it.
        Raises StoreError, DiskFull, InternalError: then it must not be removed."""
        with self._linking:
            for job in self._jobs():
                if job_id in job.awaited:
                    try:
                        self._link(job)
                    except OSError as error:
                        raise from_os_error(error) from error

    def _jobs(self) -> list[Job]:
        with self._lock:
            return list(self._waiting.values())

    # -- the thread -----------------------------------------------------------------------

    def _loop(self) -> None:
        while not self._active.closing:
            self._wake.clear()
            for job in self._jobs():
                if self._active.closing:
                    return
                if time.monotonic() < self._not_before.get(job.id, 0.0):
                    continue
                try:
                    self._look(job)
                except ShuttingDown:
                    return
                except StudioError as error:
                    log.warning("job %s: %s", job.id, error.message)
                except Exception:  # without the thread the job would wait for ever
                    log.exception("job %s: unexpected error", job.id)
                    self._end(job, FAILED, InternalError.of("unexpected"))
            self._wake.wait(self._pause())

    def _pause(self) -> float:
        """Seconds until the next look, unless a job ends before."""
        moments = [moment - time.monotonic() for moment in list(self._not_before.values())]
        return min([LOOK_SECONDS, *(max(0.01, left) for left in moments)])

    def _look(self, job: Job) -> None:
        """Links what is there; makes the inputs when all of it is."""
        with self._active.changed:
            queued = job.id in self._active.queue
        if not queued:
            return self._forget(job.id)
        if self._active.obstacles.evicted or self._store.lost() is not None:
            return  # nothing is known of files while the data folder is another's or is not there
        try:
            try:
                with self._linking:
                    left = self._link(job)
                if left:
                    return self._active.hold(job.id, result_inputs.reason(left))
                made = self._made(job)
            except OSError as error:
                raise from_os_error(error) from error
        except (DiskFull, MediaBusy) as error:
            self._not_before[job.id] = time.monotonic() + self._limits.room
            self._active.hold(job.id, error.notice)
            log.warning("job %s: waits: %s", job.id, error.message)
            return
        except JobCancelled:
            return self._forget(job.id)
        except SourceFailed as error:
            status: Status = CANCELLED if error.why.code == "source_cancelled" else FAILED
            return self._end(job, status, error)
        except StudioError as error:
            return self._end(job, FAILED, error)
        self._release(job, made)

    def _link(self, job: Job) -> list[Job]:
        """Links the results that are there, and what a joined video keeps of its clip. The jobs that have not
        ended yet. Raises SourceFailed, OSError, StoreError."""
        left: list[Job] = []
        folder = self._jobs_dir / job.id
        for field, item in job.inputs.items():
            if not item.waits or result_inputs.linked(folder, field).is_file():
                continue
            source = self._active.ends.unsaved(item.job) or self._store.get(item.job)
            if (failed := result_inputs.failure(source)) is not None:
                raise failed
            if source is None or source.status != DONE:
                left += [source] if source is not None else []
            else:
                result_inputs.link(source, self._jobs_dir, result_inputs.linked(folder, field))
        waiting_clip.keep(job, self._store, self._jobs_dir)
        return left

    def _made(self, job: Job) -> Job:
        """The job with its inputs. Raises StudioError, OSError."""
        live = self._active.live(job.id)

        def check() -> None:
            if live is not None and live.cancelled:
                raise JobCancelled.of("cancelled")
            if self._active.closing:
                raise ShuttingDown.of("closing")

        with requester.job(job.owner, check):
            try:
                return self._complete(job)
            except MediaBusy:
                raise
            except BadMedia as error:
                raise result_inputs.unreadable(error) from error

    def _release(self, job: Job, made: Job) -> None:
        """Writes the inputs, then lets lanes take the job. Raises StudioError: tried again later."""
        if not self._store.link_inputs(made):
            folders.clear(self._jobs_dir / job.id)  # it was cancelled meanwhile
            return self._forget(job.id)
        self._forget(job.id)
        folders.remove_below(self._jobs_dir / job.id, SOURCES)
        self._active.let_take(made)

    def _end(self, job: Job, status: Status, error: StudioError) -> None:
        """Ends a job that no lane has taken, unless it was cancelled meanwhile. One whose files are gone only
        because the data folder is, or that a closing studio could not read, is looked at again."""
        if self._active.closing or self._store.lost() is not None:
            return
        self._forget(job.id)
        withdrawn = self._active.withdraw(job.id)
        if withdrawn is not None:
            self._active.end(withdrawn, status, error)

    def _forget(self, job_id: str) -> None:
        with self._lock:
            self._waiting.pop(job_id, None)
        self._not_before.pop(job_id, None)


def circular(waiting: Iterable[Job], children: Iterable[Job] = ()) -> set[str]:
    """The ids of those of the waiting jobs that wait, directly or not, for themselves: only a changed
    database has such jobs. `children`: of parents that have not ended, which wait for them. Pure."""
    jobs = {job.id: job for job in waiting}
    needs: dict[str, set[str]] = {job.id: set(job.awaited) for job in jobs.values()}
    for child in children:
        needs.setdefault(child.parent, set()).add(child.id)
    found = set()
    for start in jobs:
        seen: set[str] = set()
        left = list(needs[start])
        while left:
            one = left.pop()
            if one not in seen:
                seen.add(one)
                left += needs.get(one, ())
        if start in seen:
            found.add(start)
    return found
