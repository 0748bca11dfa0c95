"""A lane: the thread of one engine, which runs one job at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from backend.errors import InternalError, JobCancelled, StudioError
from backend.events import Queued
from backend.jobs.active import ActiveJobs
from backend.jobs.cancellations import PromptsToStop
from backend.jobs.execution import Execution
from backend.jobs.interruptions import Interruptions, Lane, Refused, compiled_for
from backend.jobs.job import CANCELLED, DONE, FAILED, Job
from backend.jobs.live import LiveJob
from backend.logs import job_context, prompt_texts

log = logging.getLogger("wan.jobs")

IDLE_SECONDS = 1.0
REFRESH_SECONDS = 5.0


class LaneWorker:
    """Refreshes the state of its lane's engine and runs jobs from the queue on it until the studio closes."""

    def __init__(
        self,
        lane: Lane,
        lanes: Sequence[Lane],
        active: ActiveJobs,
        execution: Execution,
        to_stop: PromptsToStop,
        interruptions: Interruptions,
    ) -> None:
        """`lanes`: all of the scheduler, this one included."""
        self._lane, self._lanes = lane, lanes
        self._active, self._execution = active, execution
        self._to_stop, self._interruptions = to_stop, interruptions

    def start(self, name: str) -> threading.Thread:
        """Starts the thread."""
        thread = threading.Thread(target=self._loop, name=name, daemon=True)
        thread.start()
        return thread

    def _loop(self) -> None:
        while not self._active.closing:
            try:
                self._round()
            except Exception:  # without its lane an engine would stay unused until the next start
                log.exception("lane of %s: unexpected error", self._lane.address)
                time.sleep(IDLE_SECONDS)

    def _round(self) -> None:
        """Refreshes the engine's state, then waits for a job until the next refresh and runs it."""
        active, lane = self._active, self._lane
        self._refresh()
        active.obstacles.look()
        active.ends.write_late()
        for job, error in active.report_waiting():
            self._to_stop.add(job)
            active.end(job, FAILED, error)
        up = lane.engine.info().state == "ok"
        until = time.monotonic() + (REFRESH_SECONDS if up else IDLE_SECONDS / 2)
        taken = self._next_job(until)
        if taken is not None:
            with job_context(taken.id, prompt_texts(taken.params)):
                self._run(taken)

    def _refresh(self) -> None:
        """Updates what is known of the engine; refusals end when it reports other models or nodes."""
        lane = self._lane
        info = lane.engine.refresh()
        lane.address = info.address
        if info.state == "ok":
            self._to_stop.stop_at(lane.engine)
        else:
            lane.held = frozenset()
        facts = (info.models, lane.engine.known_contract())
        if facts[0] != lane.facts[0] or facts[1] is not lane.facts[1]:
            with self._active.changed:
                self._active.refusals.facts_changed(lane.address)
        lane.facts = facts

    def _next_job(self, until: float) -> Job | None:
        """The next job for this lane; None when there is none until then (monotonic seconds), or when the
        studio closes."""
        active, lane = self._active, self._lane
        while (left := until - time.monotonic()) > 0:
            with active.changed:
                if active.closing:
                    return None
                job = self._take()
                if job is not None:
                    return job
                lane.idle = self._can_take()
                active.changed.wait(min(IDLE_SECONDS, left))
                lane.idle = False
        return None

    def _can_take(self) -> bool:
        """Whether the engine works, and its disk is not known to be full."""
        info = self._lane.engine.info()
        return info.state == "ok" and not self._active.obstacles.servers.why(info.address, time.monotonic())

    def _take(self) -> Job | None:
        """Takes a job out of the queue; it counts as running from now on. The lock must be held."""
        active, lane, now = self._active, self._lane, time.monotonic()
        if active.obstacles.why() or not self._can_take():
            return None
        idle = [(other.address, other.held) for other in self._lanes if other is not lane and other.idle]
        entry = active.queue.take(
            active.running_per_owner(), lane=lane.address, held=lane.held, idle=idle, now=now,
            begun=active.paused, refused=active.refusals.holding(now),
        )  # fmt: skip
        if entry is None:
            return None
        job = entry.job
        lane.held = entry.models
        active.running[job.id] = job
        live = active.live(job.id)
        if live is not None:
            with live.lock:
                live.tracker.feed(Queued(), now)
        active.announce_positions()
        return job

    def _run(self, job: Job) -> None:
        live = self._active.live(job.id) or LiveJob(job.id)
        again: Job | None = None
        try:
            again = self._outcome(job, live)
        finally:
            requeued = again is not None and self._active.requeue(again, live)
            if again is not None and not requeued:
                self._to_stop.add(again)
                self._active.end(again, CANCELLED)
            self._active.released(job.id, ended=again is None)

    def _outcome(self, job: Job, live: LiveJob) -> Job | None:
        """Runs the job to its end: None when it has ended, the job when it is to wait again."""
        active, lane = self._active, self._lane
        try:
            compiled = compiled_for(self._execution, job, lane.engine)
            job = self._interruptions.leave_behind(lane, job)
            done = self._execution.run(lane.engine, job, live, compiled)
            active.obstacles.servers.has_room(lane.address)
            active.end(done, DONE)
        except JobCancelled as stop:
            left = active.running[job.id]
            self._to_stop.add(left)  # it may be of an earlier run and not adopted yet
            active.end(left, CANCELLED, None if live.cancelled else stop)
            if left.prompt_id:
                lane.engine.cancel(left.prompt_id, left.remote)
        except Refused as refusal:
            return self._interruptions.refused(lane, active.running[job.id], live, refusal.error)
        except StudioError as error:
            return self._interruptions.after(lane, active.running[job.id], live, error)
        except Exception as error:
            log.exception("job %s: unexpected error", job.id)
            problem = InternalError.of("unexpected", detail=repr(error))
            return self._interruptions.after(lane, active.running[job.id], live, problem)
        return None
