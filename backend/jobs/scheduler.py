"""The queue and its lanes: one lane (a thread) per engine, one job at a time in a lane.

Every change of a job's status goes through here and is on disk before anybody can see it; an end that
cannot be written (a full disk) is kept in memory and written when it can be. What the page polls (LiveJob)
is kept in memory.

A job that is interrupted goes on. Its prompt id is on disk before the engine has it, so after a restart the
lane looks whether the engine still works on it or has finished it; only what is gone is posted again, under a
new id. Two engines lost in a row end a job; a full disk ends none: it waits until there is room.

A request to cancel is on disk before it is answered. From then on the job can end as cancelled only: a
restart ends it without taking it up, and its prompt is stopped as soon as its server answers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path

from backend.engines.base import Engine
from backend.errors import BadSettings, InternalError, JobCancelled, QueueFull, StudioError
from backend.events import Queued
from backend.jobs.cancellations import Strays
from backend.jobs.endings import Ends
from backend.jobs.execution import Compiler, Execution
from backend.jobs.interruptions import Interruptions, Lane, Refused, compiled_for
from backend.jobs.job import CANCELLED, DONE, FAILED, QUEUED, RUNNING, TERMINAL, Job
from backend.jobs.limits import Limits
from backend.jobs.live import LiveJob
from backend.jobs.obstacles import TAKEN, Obstacles
from backend.jobs.queue import Line, Waiting
from backend.jobs.reasons import Reasons
from backend.jobs.refusals import Refusals
from backend.jobs.store import Store
from backend.logs import job_context, prompt_texts
from backend.media.decoder import Decoder
from backend.notices import words

log = logging.getLogger("wan.jobs")

REMEMBERED = 500  # ended jobs whose last state, and last preview if they failed, stays in memory
IDLE_SECONDS = 1.0
REFRESH_SECONDS = 5.0
PAUSED = "paused"  # the name of the machine's setting

Recover = Callable[[Engine, StudioError], StudioError]
"""Told that an engine was lost; restarts it if it is ours, and says why it was lost."""


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
        models_of: Callable[[Job], frozenset[str]] = lambda job: frozenset(),
        recover: Recover = lambda engine, error: error,
        limits: Limits | None = None,
    ) -> None:
        """`models_of`: the model files that a job needs, for lanes that have them loaded; never raises."""
        self.store = store
        self.engines = engines
        self.clock = clock
        self._models_of, self._recover = models_of, recover
        self.limits = limits or Limits()
        self._execution = Execution(
            store, decoder, jobs_dir, compile_job, clock, self._save_running, self.limits.fetch
        )
        self._ends = Ends(store, jobs_dir, clock)
        self._changed = threading.Condition()
        self._line = Line()
        self._lanes = [Lane(engine, address=engine.info().address) for engine in engines]
        self._refusals = Refusals(self.limits)
        self._obstacles = Obstacles(store, self.limits)
        self._records = threading.Lock()  # while it is written which jobs wait, or are to be cancelled
        self._loaded = False  # what an earlier run left is in line
        self._reserved: list[str] = []  # owners of jobs that are being written
        self._running: dict[str, Job] = {}
        self._live: OrderedDict[str, LiveJob] = OrderedDict()
        self._strays = Strays(engines, store)
        self._reasons = Reasons(
            self._line, self._refusals, self._obstacles, lambda: [engine.info() for engine in engines]
        )
        self._interruptions = Interruptions(
            store, self._strays, self._obstacles, self._refusals, self._changed,
            end=self._end, reason=self._reason, states=self._reasons.states, is_closing=lambda: self._closing,
        )  # fmt: skip
        self._paused = store.setting(PAUSED) == "1"
        self._closing = False
        self._threads: list[threading.Thread] = []

    # -- the outside: submit, cancel, look ------------------------------------------------

    def start(self) -> None:
        """Takes up what an earlier process left, then starts the lanes."""
        self._strays.load()
        with self._records:
            for job in self.store.unfinished():
                if job.cancel_requested is not None:
                    self._cancel_left(job)
                elif job.id not in self._line:
                    self._take_up(job)
            self._loaded = True
        with self._changed:
            self._place_all()
        for number, lane in enumerate(self._lanes):
            thread = threading.Thread(target=self._work, args=(lane,), name=f"lane-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _take_up(self, job: Job) -> None:
        interrupted = job.status == RUNNING or bool(job.prompt_id)
        if job.status == RUNNING:
            job = job.moved(QUEUED, started=None)
            try:
                self.store.save(job)
            except StudioError as error:
                log.error("job %s: could not be saved: %s", job.id, error.message)
        self._enqueue(job, first=interrupted, tell=False)

    def _cancel_left(self, job: Job) -> None:
        """Ends a job that no lane has. Its prompt may be on an engine, from an earlier run of the app."""
        if job.prompt_id:
            self._strays.stop_anywhere(job)
        self._end(job, CANCELLED)

    def submit(self, job: Job, max_queued: int, max_of_owner: int) -> None:
        """Queues a job that is new: in the database first, then in line. Raises QueueFull, DiskFull, and
        BadSettings when another machine has the data folder."""
        if self._obstacles.evicted:
            hint = (
                "Use the page of that one, or set WAN_DATA_DIR to a folder of this one's own and start again."
            )
            raise BadSettings(words(TAKEN), hint)
        with self._changed:
            owners = [*self._line.owners(), *self._reserved]
            if len(owners) >= max_queued:
                raise QueueFull(f"The queue is full: {max_queued} videos are waiting.")
            if owners.count(job.owner) >= max_of_owner:
                raise QueueFull(f"You already have {max_of_owner} videos waiting, which is the limit.")
            self._reserved.append(job.owner)
        try:
            with self._records:
                self.store.add(job)
                self._enqueue(job)
        finally:
            with self._changed:
                self._reserved.remove(job.owner)

    def _enqueue(self, job: Job, first: bool = False, tell: bool = True) -> None:
        """`tell`: every waiting job its place, which is done once for many."""
        models = self._models(job)
        with self._changed:
            bound = job.server if job.prompt_id and self._strays.drives(job.server) else ""
            until = time.monotonic() + self.limits.bound
            self._line.add(Waiting(job, models, first, bound, until))
            self._remember(LiveJob(job.id))
            if tell:
                self._place_all()
            self._changed.notify_all()

    def _models(self, job: Job) -> frozenset[str]:
        try:
            return self._models_of(job)
        except Exception:  # of a job that another version wrote, perhaps: its lane says what is wrong with it
            log.exception("job %s: its models cannot be told", job.id)
            return frozenset()

    def cancel(self, job_id: str) -> None:
        """Stops a job wherever it is; nothing happens to one that has ended.

        The request is on disk when this returns. Raises DiskFull or StoreError when it cannot be written:
        then nothing has happened.
        """
        if self._ends.unsaved(job_id) is not None:
            return
        with self._records:
            if not self._request_cancel(job_id):
                return
            with self._changed:
                job = self._line.remove(job_id)
                live, running = self._live.get(job_id), self._running.get(job_id)
                if live is not None:
                    live.cancelled = True
                self._place_all()
            if running is None:
                left = job or self.store.get(job_id)
                if left is not None and left.status not in TERMINAL:
                    self._cancel_left(left)
                return
        if live is not None:
            live.stop()

    def _request_cancel(self, job_id: str) -> bool:
        try:
            return self.store.request_cancel(job_id, self.clock())
        except StudioError as error:
            log.warning("job %s: its cancel could not be saved: %s %s", job_id, error.message, error.detail)
            raise type(error)(f"This is not cancelled. {error.message}", error.hint) from error

    def pause(self, paused: bool) -> None:
        """While paused no job is begun; what an engine has goes on. Kept across restarts. Raises DiskFull."""
        self.store.set_setting(PAUSED, "1" if paused else "")
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def evict(self) -> None:
        """Another machine has the data folder now: no job is begun here any more."""
        self._obstacles.evicted = True

    def look_at_store(self) -> None:
        """Whether the data folder is still there; while it is not, no job is begun."""
        self._obstacles.look()

    @property
    def trouble(self) -> str:
        """Why no job can be begun although the engines work, in a sentence; "" while one can (memory)."""
        return words(TAKEN) if self._obstacles.evicted else self._obstacles.lost

    @property
    def paused(self) -> bool:
        """Whether the admin has paused the queue (memory)."""
        return self._paused

    def live(self, job_id: str) -> LiveJob | None:
        """The in-memory state of a job, while it is remembered."""
        return self._live.get(job_id)

    def unsaved(self, job_id: str) -> Job | None:
        """A job whose end could not be written yet."""
        return self._ends.unsaved(job_id)

    def forget(self, job_id: str) -> None:
        """Drops what is remembered of an ended job."""
        with self._changed:
            self._live.pop(job_id, None)
        self._ends.forget(job_id)

    def line(self) -> tuple[list[Job], list[Job]]:
        """(running, waiting in the order in which they are served), of everybody."""
        with self._changed:
            return list(self._running.values()), self._line.order(self._busy())

    def counts(self) -> tuple[int, int]:
        """(running, waiting)."""
        return len(self._running), len(self._line)

    def current(self, owner: str) -> Job | None:
        """The owner's running job, else the first one in line."""
        running, waiting = self.line()
        return next((job for job in (*running, *waiting) if job.owner == owner), None)

    def stop(self) -> None:
        """Begins nothing more. What runs is left to its engine; the next start looks for it there."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def close(self) -> None:
        """Stops the lanes, too."""
        self.stop()
        for engine in self.engines:
            engine.close()
        self.join()

    def join(self) -> bool:
        """Waits for the lanes to end; whether all have."""
        until = time.monotonic() + self.limits.close
        for thread in self._threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    # -- a lane ---------------------------------------------------------------------------

    def _work(self, lane: Lane) -> None:
        while not self._closing:
            try:
                self._round(lane)
            except Exception:  # a lane that dies takes its engine with it until the next start
                log.exception("lane of %s: unexpected error", lane.address)
                time.sleep(IDLE_SECONDS)

    def _round(self, lane: Lane) -> None:
        """Looks how the engine is; then takes jobs until it is time to look again."""
        info = lane.engine.refresh()
        lane.address = info.address
        if info.state == "ok":
            self._strays.stop_at(lane.engine)
        else:
            lane.held = frozenset()
        facts = (info.models, lane.engine.known_contract())
        if facts[0] != lane.facts[0] or facts[1] is not lane.facts[1]:
            with self._changed:
                self._refusals.facts_changed(lane.address)
        lane.facts = facts
        self.look_at_store()
        self._ends.write_late()
        self._say_why_they_wait()
        until = time.monotonic() + (REFRESH_SECONDS if info.state == "ok" else IDLE_SECONDS / 2)
        while (left := until - time.monotonic()) > 0:
            with self._changed:
                if self._closing:
                    return
                job = self._take(lane)
                if job is None:
                    lane.idle = lane.engine.info().state == "ok"
                    self._changed.wait(min(IDLE_SECONDS, left))
                    lane.idle = False
                    continue
            with job_context(job.id, prompt_texts(job.params)):
                self._run(lane, job)
            return

    def _say_why_they_wait(self) -> None:
        """Waiting jobs are told when it is not only for their turn; those that no server can make end."""
        why = self._reasons.of_all()
        hopeless: list[tuple[Job, StudioError]] = []
        with self._changed:
            for job in self._line.order(self._busy()):
                reason, error = self._reasons.of(job.id)
                if error is not None and not why:
                    self._line.remove(job.id)
                    self._place_all()
                    hopeless.append((job, error))
                elif (live := self._live.get(job.id)) is not None:
                    with live.lock:
                        live.tracker.wait_because(why or reason)
        for job, error in hopeless:
            self._strays.add(job)
            self._end(job, FAILED, error)

    def _take(self, lane: Lane) -> Job | None:
        """The next job for this lane; it counts as running from now on. Called with the lock held."""
        now = time.monotonic()
        if self._obstacles.why() or lane.engine.info().state != "ok":
            return None
        idle = [(other.address, other.held) for other in self._lanes if other is not lane and other.idle]
        entry = self._line.take(
            self._busy(), lane=lane.address, held=lane.held, idle=idle, now=now,
            begun=self._paused, refused=self._refusals.holding(now),
        )  # fmt: skip
        if entry is None:
            return None
        lane.held = entry.models
        self._running[entry.job.id] = entry.job
        live = self._live[entry.job.id]
        with live.lock:
            live.tracker.feed(Queued(), now)
        self._place_all()
        return entry.job

    def _busy(self) -> Counter[str]:
        return Counter(job.owner for job in self._running.values())

    def _place_all(self) -> None:
        """Tells every waiting job its place. Called with the lock held."""
        now = time.monotonic()
        for place, job in enumerate(self._line.order(self._busy())):
            live = self._live.get(job.id)
            if live is not None:
                with live.lock:
                    live.tracker.feed(Queued(ahead=place + len(self._running)), now)

    def _run(self, lane: Lane, job: Job) -> None:
        live = self._live[job.id]
        again: Job | None = None
        try:
            compiled = compiled_for(self._execution, job, lane.engine)
            job = self._interruptions.leave_behind(lane, job)
            self._end(self._execution.run(lane.engine, job, live, compiled), DONE)
        except JobCancelled as stop:
            left = self._running[job.id]
            self._strays.add(left)  # of an earlier run, perhaps, and not followed again yet
            self._end(left, CANCELLED, None if live.cancelled else stop)
            if left.prompt_id:
                lane.engine.cancel(left.prompt_id, left.remote)
        except Refused as refusal:
            again = self._interruptions.refused(lane, self._running[job.id], live, refusal.error)
        except StudioError as error:
            again = self._interruptions.after(lane, self._running[job.id], live, error)
        except Exception as error:
            log.exception("job %s: unexpected error", job.id)
            problem = InternalError("Something went wrong in Wan Studio itself.", detail=repr(error))
            again = self._interruptions.after(lane, self._running[job.id], live, problem)
        finally:
            if again is not None:
                self._back_in_line(again, live)
            with self._changed:
                if again is None:  # else another lane may have it by now
                    self._running.pop(job.id, None)
                self._line.prune(frozenset(self._busy()))
                self._place_all()
                self._changed.notify_all()

    def _reason(self, lane: Lane, error: StudioError) -> StudioError:
        """What the keeper of the servers says of a loss; a mistake there costs no job."""
        try:
            return self._recover(lane.engine, error)
        except Exception:
            log.exception("lane of %s: unexpected error", lane.address)
            return error

    def _back_in_line(self, job: Job, live: LiveJob) -> None:
        """The first in line again, unless it was cancelled meanwhile."""
        try:
            self.store.save(job)
        except StudioError as problem:
            log.error("job %s: could not be saved: %s", job.id, problem.message)
        entry = Waiting(job, self._models(job), True, job.server if job.prompt_id else "")
        with self._changed:
            entry.bound_until = time.monotonic() + self.limits.bound
            self._running.pop(job.id, None)
            if not live.cancelled:
                self._line.add(entry)
                why = self._obstacles.why() or self._reasons.of(job.id)[0]
                with live.lock:
                    live.tracker.requeue(time.monotonic(), why)
                return
        self._strays.add(job)
        self._end(job, CANCELLED)

    # -- endings --------------------------------------------------------------------------

    def _save_running(self, job: Job) -> None:
        self.store.save(job)
        with self._changed:
            self._running[job.id] = job

    def _end(self, job: Job, status: str, error: StudioError | None = None) -> None:
        with self._changed:
            live = self._live.get(job.id)
            self._refusals.forget(job.id)
        self._obstacles.forget(job.id)
        self._ends.write(job, status, live, error)

    def _remember(self, live: LiveJob) -> None:
        self._live[live.id] = live
        while len(self._live) > REMEMBERED:
            oldest = next((key for key, item in self._live.items() if item.tracker.status in TERMINAL), None)
            if oldest is None:
                return
            del self._live[oldest]
