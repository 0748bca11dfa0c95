"""Writes a job's final state to the database before its watchers see it; retries while the disk is full."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from backend.errors import StudioError
from backend.jobs import folders
from backend.jobs.job import CANCELLED, FAILED, Job, Status
from backend.jobs.layout import POSTER, SOURCES, WORK, result_name
from backend.jobs.live import LiveJob
from backend.jobs.store import Store

log = logging.getLogger("wan.jobs")


class Ends:
    """Writes the final states of jobs. Methods may be called from any thread."""

    def __init__(self, store: Store, jobs_dir: Path, clock: Callable[[], float]) -> None:
        self._store, self._jobs_dir, self._clock = store, jobs_dir, clock
        self._unsaved: dict[str, Job] = {}

    def write(self, job: Job, status: Status, live: LiveJob | None, error: StudioError | None = None) -> None:
        """Saves the job as `status`, or as cancelled if requested meanwhile, then updates its tracker."""
        data = error.to_dict() if error is not None else None
        if error is not None:
            log.warning("job %s: %s: %s %s", job.id, error.code, error.message, error.detail)
        job = job.moved(status, finished=self._clock(), error=data)
        if live is not None and live.tracker.watch.begun:
            with live.lock:
                job = replace(job, timings=live.tracker.timings(time.monotonic()))
        try:
            job = self._save(job)
        except StudioError as problem:
            log.error("job %s: final state %s could not be saved yet: %s", job.id, status, problem.message)
            self._unsaved[job.id] = job
        status, data = job.status, job.error
        if job.id not in self._unsaved:
            self._clear(job)
        if live is not None:
            with live.lock:
                live.tracker.end(status, time.monotonic(), data)
                if status != FAILED:
                    live.preview = None
        log.info("job %s: %s", job.id, status)

    def _save(self, job: Job) -> Job:
        """Saves the final state. A cancel requested meanwhile takes precedence: the result is removed."""
        if self._store.save(job) is not False or job.status == CANCELLED:
            return job
        job = replace(job, status=CANCELLED, error=None, size=0)
        self._store.save(job)
        for name in (result_name(job.mode), POSTER):
            with contextlib.suppress(OSError):
                (self._jobs_dir / job.id / name).unlink(missing_ok=True)
        return job

    def write_late(self) -> None:
        """Retries the final states that could not be saved."""
        for job_id, job in list(self._unsaved.items()):
            try:
                job = self._save(job)
            except StudioError:
                return
            self._unsaved.pop(job_id, None)
            self._clear(job)

    def unsaved(self, job_id: str) -> Job | None:
        """A job whose final state is not saved yet; None if there is no such job."""
        return self._unsaved.get(job_id)

    def forget(self, job_id: str) -> None:
        """Drops the unsaved state of a deleted job."""
        self._unsaved.pop(job_id, None)

    def _clear(self, job: Job) -> None:
        """Removes finished segments, and for a cancelled job its inputs too. A failed job keeps both for a
        while, so that a retry continues after its last finished segment."""
        folder = self._jobs_dir / job.id
        if job.status == CANCELLED:
            folders.clear(folder)
            return
        folders.remove_below(folder, SOURCES)
        if job.status != FAILED or not job.segments_done:
            folders.remove_below(folder, WORK)
