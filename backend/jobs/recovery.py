"""Recovery at start: what becomes of jobs that an earlier process left queued or running.

- A queued job waits again, in its order.
- A running job is queued again, before all others. Its prompt id was on disk before the engine had it, so
  its lane asks that engine for the prompt first and adopts it while it is there; only a prompt that is gone
  is posted again, under a new id. Finished segments are not drawn again while their plan is the same.
- A job whose cancellation was requested ends as cancelled without being queued.
- A job that waits for the result of another one continues to wait, unless it waits for itself.
"""

from __future__ import annotations

import logging
from collections.abc import Container
from dataclasses import dataclass, replace

from backend.engines.base import Engine
from backend.errors import LostTooOften, StudioError
from backend.jobs.awaited import circular
from backend.jobs.job import QUEUED, RUNNING, Job
from backend.jobs.segments import Segments
from backend.jobs.store import Store
from workflows.notice import notice

log = logging.getLogger("wan.jobs")

AGAIN = notice("restarted")

MAX_POSTS = 3  # a segment that the end of the app interrupted is begun again at most twice


@dataclass(frozen=True)
class Recovered:
    """A job that waits again. `interrupted`: an engine may still have its prompt."""

    job: Job
    interrupted: bool


@dataclass(frozen=True)
class Unfinished:
    """The jobs of an earlier process, oldest first; `cancelled`: those that end without being queued;
    `parents`: those that wait for their children; `circular`: those that wait for themselves, which fail."""

    queued: tuple[Recovered, ...]
    cancelled: tuple[Job, ...]
    parents: tuple[Job, ...] = ()
    circular: tuple[Job, ...] = ()


def unfinished(store: Store, present: Container[str]) -> Unfinished:
    """The jobs to recover. `present`: ids of jobs that this process has queued already.

    A status that cannot be written now is logged; the job's next change writes it. Raises StoreError.
    """
    queued: list[Recovered] = []
    cancelled: list[Job] = []
    parents: list[Job] = []
    for job in store.unfinished():
        if job.cancel_requested is not None:
            cancelled.append(job)
        elif job.assembly:
            parents.append(_queued_again(store, job))
        elif job.id not in present:
            interrupted = job.status == RUNNING or bool(job.prompt_id)
            queued.append(Recovered(_queued_again(store, job), interrupted))
    found = circular([entry.job for entry in queued if entry.job.awaited], (entry.job for entry in queued))
    return Unfinished(
        tuple(entry for entry in queued if entry.job.id not in found),
        tuple(cancelled),
        tuple(parents),
        tuple(entry.job for entry in queued if entry.job.id in found),
    )


def _queued_again(store: Store, job: Job) -> Job:
    if job.status != RUNNING:
        return job
    job = job.moved(QUEUED, started=None)
    try:
        store.save(job)
    except StudioError as error:
        log.error("job %s: could not be saved: %s", job.id, error.message)
    return job


def resume_point(engine: Engine, job: Job, segments: Segments) -> tuple[Job, int]:
    """The job, and the index of the first segment to run.

    Segments that an earlier run finished are kept if this engine would draw the same ones. Otherwise the job
    starts again with a warning, and a prompt of the old plan is cancelled. Raises DiskFull.
    """
    finished = segments.reuse(job.segments_done)
    if finished == job.segments_done:
        return job, finished
    if job.prompt_id:
        engine.cancel(job.prompt_id, job.remote)
    fresh = replace(job, segments_done=0, attempts=0, prompt_id="", remote="", server="")
    return restarted(fresh), 0


def restarted(job: Job) -> Job:
    """The job with the warning that it was started again."""
    return replace(job, warnings=tuple(dict.fromkeys((*job.warnings, AGAIN))))


def another_attempt(job: Job) -> Job:
    """Counts one more attempt at the current segment. Raises LostTooOften."""
    if job.attempts >= MAX_POSTS:
        raise LostTooOften.of("started_too_often", count=MAX_POSTS)
    return replace(job, attempts=job.attempts + 1)
