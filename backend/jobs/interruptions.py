"""Handles a run that raised an error: the job fails, is retried, or is left to another server."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from backend.engines.base import Engine
from backend.errors import (
    BadInput,
    EngineDiskFull,
    EngineError,
    EngineHung,
    EngineLost,
    EngineUnreachable,
    InternalError,
    MissingModel,
    MissingNode,
    PromptGone,
    StoreClosed,
    StudioError,
)
from backend.jobs.cancellations import PromptsToStop
from backend.jobs.execution import Execution
from backend.jobs.job import CANCELLED, FAILED, QUEUED, RUNNING, Job, Status
from backend.jobs.live import LiveJob
from backend.jobs.obstacles import Obstacles
from backend.jobs.recovery import restarted
from backend.jobs.refusals import Refusals
from backend.jobs.store import Store
from workflows.compile import Compiled

log = logging.getLogger("wan.jobs")

MAX_LOSSES = 2  # engines lost in a row while running a job before it fails


@dataclass
class Lane:
    """The scheduler's state of an engine's lane. `held`: models of its last job; `idle`: it waits for a job;
    `facts`: the models and nodes that its server last reported."""

    engine: Engine
    held: frozenset[str] = frozenset()
    idle: bool = False
    address: str = ""
    facts: tuple[object, object] = (None, None)


class Refused(Exception):
    """This server cannot run the job, and has not started it."""

    def __init__(self, error: StudioError) -> None:
        self.error = error


class End(Protocol):
    """Writes the final state of a job."""

    def __call__(self, job: Job, status: Status, error: StudioError | None = None) -> None: ...


def compiled_for(execution: Execution, job: Job, engine: Engine) -> Compiled:
    """The job compiled for this server. Raises Refused when the server cannot run it."""
    try:
        return execution.compile_job(job, engine)
    except (EngineLost, EngineUnreachable):
        raise
    except (BadInput, EngineError) as error:
        raise Refused(error) from error


class Interruptions:
    """Methods are called on the lane's thread. Each either ends the job and returns None, or returns the job
    to put back into the queue."""

    def __init__(
        self,
        store: Store,
        to_stop: PromptsToStop,
        obstacles: Obstacles,
        refusals: Refusals,
        lock: threading.Condition,
        *,
        end: End,
        reason: Callable[[Lane, StudioError], StudioError],
        states: Callable[[], Mapping[str, str]],
        is_closing: Callable[[], bool],
    ) -> None:
        """`lock` guards the refusals. `reason` says why an engine was lost; `states`: of each server."""
        self._store, self._to_stop, self._obstacles = store, to_stop, obstacles
        self._refusals, self._lock = refusals, lock
        self._end, self._reason, self._states, self._is_closing = end, reason, states, is_closing

    def leave_behind(self, lane: Lane, job: Job) -> Job:
        """A prompt of this job on another server of ours must not go on: it is stopped there, or as soon as
        that server answers again."""
        if not job.prompt_id or job.server == lane.address or not self._to_stop.drives(job.server):
            return job
        self._to_stop.stop_soon(job)
        return restarted(replace(job, prompt_id="", remote="", server=""))

    def after(self, lane: Lane, job: Job, live: LiveJob, error: StudioError) -> Job | None:
        """Handles an error that the run raised."""
        lost = isinstance(error, EngineLost | EngineUnreachable)
        if live.cancelled:
            if isinstance(error, EngineHung):
                self._reason(lane, error)
            self._to_stop.add(job)
            self._end(job, CANCELLED)
            return None
        # A closing studio has closed components already, which raises errors that say nothing of the job.
        if self._is_closing() and (lost or isinstance(error, InternalError | StoreClosed)):
            log.info("job %s: left to its engine", job.id)
            with contextlib.suppress(StudioError):  # it is RUNNING on disk then, which the next start knows
                self._store.save(_waits(job))
            return None
        if not lost and self._obstacles.delays(job.id, error, lane.engine.info()):
            log.warning("job %s: waiting: %s %s", job.id, error.message, error.detail)
            if isinstance(error, EngineDiskFull):  # its prompt has failed: the next server posts a new one
                job = replace(job, prompt_id="", remote="", server="")
            return _waits(replace(job, attempts=max(0, job.attempts - 1)))
        if isinstance(error, MissingModel | MissingNode):
            return self.refused(lane, job, live, error)
        if not lost:
            self._end(job, FAILED, error)
            return None
        return self._after_loss(lane, job, error)

    def _after_loss(self, lane: Lane, job: Job, error: StudioError) -> Job | None:
        lane.held = frozenset()
        reason = self._reason(lane, error)
        if reason is not error or isinstance(error, PromptGone):  # the engine was restarted
            had = bool(job.prompt_id)
            job = replace(job, prompt_id="", remote="", server="")
            job = restarted(job) if had else job
        job = replace(job, losses=job.losses + 1)
        if job.losses >= MAX_LOSSES:
            self._to_stop.add(job)
            self._end(job, FAILED, reason)
            return None
        with self._lock:
            self._refusals.ask_all_again(job.id)
        log.warning("job %s: %s %s; retrying", job.id, reason.message, reason.detail)
        return _waits(job)

    def refused(self, lane: Lane, job: Job, live: LiveJob, error: StudioError) -> Job | None:
        """Leaves the job to another server that may be able to run it; ends it when there is none."""
        if live.cancelled:
            return self.after(lane, job, live, error)
        now = time.monotonic()
        with self._lock:
            self._refusals.note(job.id, lane.address, error, now)
            outlook = self._refusals.outlook(job.id, self._states(), now)
        if outlook.error is not None:
            self._to_stop.add(job)
            self._end(job, FAILED, error)
            return None
        log.info("job %s: left to another server: %s", job.id, error.message)
        lane.held = frozenset()
        if job.status == RUNNING:
            job = replace(job, attempts=max(0, job.attempts - 1))
        if job.server == lane.address:  # else another server may still run it
            job = replace(job, prompt_id="", remote="", server="")
        return _waits(job)


def _waits(job: Job) -> Job:
    return job if job.status == QUEUED else job.moved(QUEUED, started=None)
