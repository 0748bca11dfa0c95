"""Deletions that can be undone for a while: the job is hidden at once, its files are removed afterwards.

What is to be deleted and when is in the database, so a deletion also happens after a restart.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from backend.errors import NotFound, StudioError
from backend.jobs.job import Job
from backend.jobs.store import Store

log = logging.getLogger("wan.jobs")

MARGIN = 0.05  # seconds after the due time at which the timer wakes, so that nothing is due just after it


class Deletions:
    """The pending deletions of one data folder. Methods may be called from any thread."""

    def __init__(
        self, store: Store, remove: Callable[[Job], None], delay: float, clock: Callable[[], float]
    ) -> None:
        """`remove`: removes a job with its files; `delay`: seconds until then; `clock`: unix seconds."""
        self._store, self._remove, self._delay, self._clock = store, remove, delay, clock
        self._lock = threading.Lock()
        self._timers: list[threading.Timer] = []
        self._closed = False

    def request(self, job: Job) -> None:
        """Deletes an ended job after the delay, which a second request starts again. Raises NotFound when the
        job is being removed."""
        if not self._store.delete_later(job.id, self._clock() + self._delay):
            raise NotFound.of("video_gone")
        self._wake_in(self._delay + MARGIN)

    def undo(self, job_id: str) -> None:
        """Raises NotFound when the job is deleted already."""
        if not self._store.delete_later(job_id, None):
            raise NotFound.of("deleted_for_good")

    def run_due(self) -> None:
        """Removes the jobs whose time has come; one that cannot be removed is tried again by the next
        call. Raises StoreError."""
        due = self._store.next_deletion()
        if due is None:
            return
        now = self._clock()
        if due <= now:
            for job in self._store.due_deletions(now):
                try:
                    self._remove(job)
                    log.info("job %s: deleted by its owner", job.id)
                except StudioError as error:
                    log.warning("job %s: could not be deleted yet: %s", job.id, error.message)

    def _wake_in(self, seconds: float) -> None:
        """Runs what is due after these seconds. Every request has its own timer, because the clock may be
        set while one waits; housekeeping does what a timer missed."""
        with self._lock:
            if self._closed:
                return
            timer = threading.Timer(seconds, self._woken)
            timer.daemon = True
            self._timers = [*(one for one in self._timers if one.is_alive()), timer]
            timer.start()

    def _woken(self) -> None:
        with self._lock:
            if self._closed:
                return
        try:
            self.run_due()
        except StudioError as error:
            log.warning("deletions: %s", error.message)

    def close(self) -> None:
        """Removes nothing more; what is pending is deleted after the next start."""
        with self._lock:
            self._closed = True
            for timer in self._timers:
                timer.cancel()
