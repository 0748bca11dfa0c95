"""The queue and its lanes: one lane (a thread) per engine, one job at a time in a lane.

Every change of a job's status goes through here and is on disk before anybody can see it; an end that
cannot be written (a full disk) is kept in memory and written when it can be. What the page polls (LiveJob)
is kept in memory.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from backend.engines.base import Engine
from backend.errors import (
    EngineLost,
    EngineUnreachable,
    InternalError,
    JobCancelled,
    QueueFull,
    StudioError,
)
from backend.events import Queued, Stage
from backend.execute import AGAIN, Compiler, Execution, LiveJob, stop_elsewhere
from backend.jobs import CANCELLED, DONE, FAILED, QUEUED, RUNNING, TERMINAL, Job
from backend.logs import about, prompts
from backend.media.probe import Decoder
from backend.parts import WORK
from backend.store import Store

log = logging.getLogger("wan.runner")

MAX_ATTEMPTS = 2  # a job that a lost app or engine interrupted is run at most this often
REMEMBERED = 500  # ended jobs whose last state, and last preview if they failed, stays in memory
IDLE_SECONDS = 1.0
REFRESH_SECONDS = 5.0


class Runner:
    """All jobs that wait or run. Methods may be called from any thread."""

    def __init__(
        self,
        store: Store,
        jobs_dir: Path,
        engines: tuple[Engine, ...],
        compile_job: Compiler,
        decoder: Decoder,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.engines = engines
        self.clock = clock
        self._execution = Execution(store, decoder, jobs_dir, compile_job, clock, self._save_running)
        self._changed = threading.Condition()
        self._queue: OrderedDict[str, Job] = OrderedDict()
        self._reserved: list[str] = []  # owners of jobs that are being written
        self._running: dict[str, Job] = {}
        self._live: OrderedDict[str, LiveJob] = OrderedDict()
        self._unsaved: dict[str, Job] = {}
        self._closing = False
        self._threads: list[threading.Thread] = []

    # -- the outside: submit, cancel, look ------------------------------------------------

    def start(self) -> None:
        """Takes up what an earlier process left, then starts the lanes.

        A job that was running keeps its prompt id: its lane looks whether the engine still has it.
        """
        for job in self.store.unfinished():
            if job.status == RUNNING:
                if job.attempts >= MAX_ATTEMPTS:
                    error = EngineLost("The studio was stopped twice while it worked on this video.")
                    self._end(job, FAILED, error)
                    continue
                job = job.moved(QUEUED, started=None)
                self.store.save(job)
            self._enqueue(job)
        for number, engine in enumerate(self.engines):
            thread = threading.Thread(target=self._lane, args=(engine,), name=f"lane-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def submit(self, job: Job, max_queued: int, max_of_owner: int) -> None:
        """Queues a job that is new: in the database first, then in line. Raises QueueFull."""
        with self._changed:
            owners = [*(waiting.owner for waiting in self._queue.values()), *self._reserved]
            if len(owners) >= max_queued:
                raise QueueFull(f"The queue is full: {max_queued} videos are waiting.")
            if owners.count(job.owner) >= max_of_owner:
                raise QueueFull(f"{max_of_owner} of your videos are waiting already, and that is the limit.")
            self._reserved.append(job.owner)
        try:
            self.store.add(job)
            self._enqueue(job)
        finally:
            with self._changed:
                self._reserved.remove(job.owner)

    def _enqueue(self, job: Job) -> None:
        with self._changed:
            self._queue[job.id] = job
            self._remember(LiveJob(job.id))
            self._place_all()
            self._changed.notify_all()

    def cancel(self, job_id: str) -> None:
        """Stops a job wherever it is; nothing happens to one that has ended."""
        with self._changed:
            job = self._queue.pop(job_id, None)
            live = self._live.get(job_id)
            if live is not None:
                live.cancelled = True
            running = self._running.get(job_id)
            if job is not None:
                self._place_all()
        if job is not None:
            self._end(job, CANCELLED)
            if job.prompt_id:  # left on an engine by an earlier run of the app
                threading.Thread(target=self._cancel_everywhere, args=(job.prompt_id,), daemon=True).start()
        elif running is not None and live is not None:
            with live.lock:
                live.tracker.feed(Stage(live.tracker.stage, "Cancelling"), time.monotonic())
            if live.engine is not None and live.prompt_id:
                threading.Thread(target=live.engine.cancel, args=(live.prompt_id,), daemon=True).start()

    def _cancel_everywhere(self, prompt_id: str) -> None:
        for engine in self.engines:
            engine.cancel(prompt_id)

    def live(self, job_id: str) -> LiveJob | None:
        """The in-memory state of a job, while it is remembered."""
        return self._live.get(job_id)

    def unsaved(self, job_id: str) -> Job | None:
        """A job whose end could not be written yet."""
        return self._unsaved.get(job_id)

    def forget(self, job_id: str) -> None:
        """Drops what is remembered of an ended job."""
        with self._changed:
            self._live.pop(job_id, None)
            self._unsaved.pop(job_id, None)

    def counts(self) -> tuple[int, int]:
        """(running, waiting)."""
        return len(self._running), len(self._queue)

    def current(self, owner: str) -> Job | None:
        """The owner's running job, else the first one in line."""
        with self._changed:
            mine = [job for job in (*self._running.values(), *self._queue.values()) if job.owner == owner]
        return mine[0] if mine else None

    def close(self) -> None:
        """Stops the lanes. What runs is left to its engine; the next start looks for it there."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for engine in self.engines:
            engine.close()
        for thread in self._threads:
            thread.join(timeout=5)

    # -- a lane ---------------------------------------------------------------------------

    def _lane(self, engine: Engine) -> None:
        while not self._closing:
            try:
                self._round(engine)
            except Exception:  # a lane that dies takes its engine with it until the next start
                log.exception("lane of %s: unexpected error", engine.info().address)
                time.sleep(IDLE_SECONDS)

    def _round(self, engine: Engine) -> None:
        """Looks how the engine is; then takes jobs until it is time to look again."""
        state = engine.refresh().state
        self._save_ends()
        until = time.monotonic() + (REFRESH_SECONDS if state == "ok" else IDLE_SECONDS / 2)
        while (left := until - time.monotonic()) > 0:
            with self._changed:
                if self._closing:
                    return
                job = self._take() if engine.info().state == "ok" else None
                if job is None:
                    self._changed.wait(min(IDLE_SECONDS, left))
                    continue
            with about(job.id, prompts(job.params)):
                self._run(engine, job)
            return

    def _take(self) -> Job | None:
        """The next job in line; it counts as running from now on. Called with the lock held."""
        if not self._queue:
            return None
        job_id, job = self._queue.popitem(last=False)
        self._running[job_id] = job
        live = self._live[job_id]
        with live.lock:
            live.tracker.feed(Queued(), time.monotonic())
        self._place_all()
        return job

    def _place_all(self) -> None:
        """Tells every waiting job its place. Called with the lock held."""
        now = time.monotonic()
        for place, job_id in enumerate(self._queue):
            live = self._live.get(job_id)
            if live is not None:
                with live.lock:
                    live.tracker.feed(Queued(ahead=place + len(self._running)), now)

    def _run(self, engine: Engine, job: Job) -> None:
        live = self._live[job.id]
        again: Job | None = None
        try:
            stop_elsewhere(self.engines, engine, job.prompt_id)
            self._end(self._execution.run(engine, job, live), DONE)
        except JobCancelled:
            self._end(self._running[job.id], CANCELLED)
        except StudioError as error:
            current = self._running[job.id]
            lost = isinstance(error, (EngineLost, EngineUnreachable))
            if live.cancelled:
                self._end(current, CANCELLED)
            elif lost and self._closing:
                log.info("job %s: left to its engine", job.id)
            elif lost and current.status == RUNNING and current.attempts < MAX_ATTEMPTS:
                log.warning("job %s: %s %s; it is started again", job.id, error.message, error.detail)
                again = current
            else:
                self._end(current, FAILED, error)
        except Exception as error:
            log.exception("job %s: unexpected error", job.id)
            problem = InternalError("Something went wrong in Wan Studio itself.", detail=repr(error))
            self._end(self._running[job.id], FAILED, problem)
        finally:
            with self._changed:
                self._running.pop(job.id, None)
                if again is not None:
                    self._back_in_line(again, live)
                self._place_all()
                self._changed.notify_all()

    def _back_in_line(self, job: Job, live: LiveJob) -> None:
        """The first in line again, after its engine was lost. Called with the lock held."""
        warnings = tuple(dict.fromkeys((*job.warnings, AGAIN)))
        job = job.moved(QUEUED, started=None, warnings=warnings)
        try:
            self.store.save(job)
        except StudioError as problem:
            log.error("job %s: could not be saved: %s", job.id, problem.message)
        with live.lock:
            live.tracker.requeue(time.monotonic())
        self._queue[job.id] = job
        self._queue.move_to_end(job.id, last=False)

    # -- endings --------------------------------------------------------------------------

    def _save_running(self, job: Job) -> None:
        self.store.save(job)
        with self._changed:
            self._running[job.id] = job

    def _end(self, job: Job, status: str, error: StudioError | None = None) -> None:
        data = error.to_dict() if error is not None else None
        if error is not None:
            log.warning("job %s: %s: %s %s", job.id, error.code, error.message, error.detail)
        job = job.moved(status, finished=self.clock(), error=data)
        shutil.rmtree(self._execution.jobs_dir / job.id / WORK, ignore_errors=True)
        try:
            self.store.save(job)
        except StudioError as problem:
            log.error("job %s: its end (%s) could not be saved yet: %s", job.id, status, problem.message)
            self._unsaved[job.id] = job
        with self._changed:
            live = self._live.get(job.id)
        if live is not None:
            with live.lock:
                live.tracker.end(status, time.monotonic(), data)
                if status != FAILED:
                    live.preview = None
        log.info("job %s: %s", job.id, status)

    def _save_ends(self) -> None:
        """Writes the ends that could not be written before."""
        for job_id, job in list(self._unsaved.items()):
            try:
                self.store.save(job)
            except StudioError:
                return
            self._unsaved.pop(job_id, None)

    def _remember(self, live: LiveJob) -> None:
        self._live[live.id] = live
        while len(self._live) > REMEMBERED:
            oldest = next((key for key, item in self._live.items() if item.tracker.status in TERMINAL), None)
            if oldest is None:
                return
            del self._live[oldest]
