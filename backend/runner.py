"""The queue and its lanes: one lane (a thread) per engine, one job at a time in a lane.

Every change of a job's status goes through here and is on disk before anybody can see it; an end that
cannot be written (a full disk) is kept in memory and written when it can be. What the page polls (LiveJob)
is kept in memory.

A job that is interrupted goes on. Its prompt id is on disk before the engine has it, so after a restart the
lane looks whether the engine still works on it or has finished it; only what is gone is posted again, under a
new id. Two engines lost in a row end a job; a full disk ends none: it waits until there is room.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backend.ends import Ends
from backend.engines.base import Engine, EngineInfo
from backend.errors import (
    BadSettings,
    DiskFull,
    EngineHung,
    EngineLost,
    EngineUnreachable,
    InternalError,
    JobCancelled,
    MissingModel,
    MissingNode,
    PromptGone,
    QueueFull,
    StudioError,
)
from backend.events import Queued, Stage
from backend.execute import AGAIN, Compiler, Execution, LiveJob
from backend.jobs import CANCELLED, DONE, FAILED, QUEUED, RUNNING, TERMINAL, Job
from backend.line import Line, Waiting
from backend.logs import about, prompts
from backend.media.probe import Decoder
from backend.store import Store, StoreBusy
from backend.strays import Strays

log = logging.getLogger("wan.runner")

MAX_LOSSES = 2  # engines lost in a row while they worked on a job; then it fails
REMEMBERED = 500  # ended jobs whose last state, and last preview if they failed, stays in memory
IDLE_SECONDS = 1.0
REFRESH_SECONDS = 5.0
ROOM_SECONDS = 15.0  # after a full disk, until a job is tried again
BOUND_SECONDS = 60.0  # how long a job is kept for the server that may still have its prompt
CLOSE_SECONDS = 5.0
PAUSED = "paused"  # the name of the machine's setting
FULL = "The disk is full. This goes on when there is room."
HELD = "Another program holds the job database. This goes on when it lets go."
TAKEN = "Another machine has taken over the data folder."

Recover = Callable[[Engine, StudioError], StudioError]
"""Told that an engine was lost; restarts it if it is ours, and says why it was lost."""


@dataclass
class _Lane:
    """What the runner knows of an engine's lane. `held`: models of its last job; `idle`: it waits."""

    engine: Engine
    held: frozenset[str] = frozenset()
    idle: bool = False
    address: str = ""


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
    ) -> None:
        """`models_of`: the model files that a job needs, for lanes that have them loaded; never raises."""
        self.store = store
        self.engines = engines
        self.clock = clock
        self._models_of, self._recover = models_of, recover
        self._execution = Execution(store, decoder, jobs_dir, compile_job, clock, self._save_running)
        self._ends = Ends(store, jobs_dir, clock)
        self._changed = threading.Condition()
        self._line = Line()
        self._lanes = [_Lane(engine, address=engine.info().address) for engine in engines]
        self._refused: dict[str, set[str]] = {}  # job -> servers that lack something for it
        self._reserved: list[str] = []  # owners of jobs that are being written
        self._running: dict[str, Job] = {}
        self._live: OrderedDict[str, LiveJob] = OrderedDict()
        self._strays = Strays(engines)
        self._paused = store.setting(PAUSED) == "1"
        self._room_at = 0.0  # monotonic; no job is taken before
        self._room_why = ""
        self._closing = False
        self._evicted = False
        self._threads: list[threading.Thread] = []

    # -- the outside: submit, cancel, look ------------------------------------------------

    def start(self) -> None:
        """Takes up what an earlier process left, then starts the lanes."""
        for job in self.store.unfinished():
            interrupted = job.status == RUNNING or bool(job.prompt_id)
            if job.status == RUNNING:
                job = job.moved(QUEUED, started=None)
                try:
                    self.store.save(job)
                except StudioError as error:
                    log.error("job %s: could not be saved: %s", job.id, error.message)
            self._enqueue(job, first=interrupted, tell=False)
        with self._changed:
            self._place_all()
        for number, lane in enumerate(self._lanes):
            thread = threading.Thread(target=self._work, args=(lane,), name=f"lane-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def submit(self, job: Job, max_queued: int, max_of_owner: int) -> None:
        """Queues a job that is new: in the database first, then in line. Raises QueueFull, DiskFull, and
        BadSettings when another machine has the data folder."""
        if self._evicted:
            hint = (
                "Use the page of that one, or set WAN_DATA_DIR to a folder of this one's own and start again."
            )
            raise BadSettings(TAKEN, hint)
        with self._changed:
            owners = [*self._line.owners(), *self._reserved]
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

    def _enqueue(self, job: Job, first: bool = False, tell: bool = True) -> None:
        """`tell`: every waiting job its place, which is done once for many."""
        models = self._models(job)
        with self._changed:
            bound = job.server if job.prompt_id and self._strays.drives(job.server) else ""
            until = time.monotonic() + BOUND_SECONDS
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
        """Stops a job wherever it is; nothing happens to one that has ended."""
        with self._changed:
            job = self._line.remove(job_id)
            live = self._live.get(job_id)
            if live is not None:
                live.cancelled = True
            running = self._running.get(job_id)
            if job is not None:
                self._place_all()
        if job is not None:
            self._end(job, CANCELLED)
            if job.prompt_id:  # left on an engine by an earlier run of the app, or one that was lost
                self._strays.stop_anywhere(job)
        elif running is not None and live is not None:
            with live.lock:
                live.tracker.feed(Stage(live.tracker.stage, "Cancelling"), time.monotonic())
            if live.engine is not None and live.prompt_id:
                threading.Thread(target=live.engine.cancel, args=(live.prompt_id,), daemon=True).start()

    def pause(self, paused: bool) -> None:
        """While paused no job is begun; what an engine has goes on. Kept across restarts. Raises DiskFull."""
        self.store.set_setting(PAUSED, "1" if paused else "")
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def evict(self) -> None:
        """Another machine has the data folder now: no job is begun here any more."""
        self._evicted = True

    @property
    def paused(self) -> bool:
        """Whether the machine's owner has paused the queue (memory)."""
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
        until = time.monotonic() + CLOSE_SECONDS
        for thread in self._threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))

    # -- a lane ---------------------------------------------------------------------------

    def _work(self, lane: _Lane) -> None:
        while not self._closing:
            try:
                self._round(lane)
            except Exception:  # a lane that dies takes its engine with it until the next start
                log.exception("lane of %s: unexpected error", lane.address)
                time.sleep(IDLE_SECONDS)

    def _round(self, lane: _Lane) -> None:
        """Looks how the engine is; then takes jobs until it is time to look again."""
        info = lane.engine.refresh()
        lane.address = info.address
        if info.state == "ok":
            self._strays.stop_at(lane.engine)
        else:
            lane.held = frozenset()
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
            with about(job.id, prompts(job.params)):
                self._run(lane, job)
            return

    def _say_why_they_wait(self) -> None:
        """Waiting jobs are told when it is not only for their turn."""
        infos = [lane.engine.info() for lane in self._lanes]
        why = ""
        if self._evicted:
            why = TAKEN
        elif time.monotonic() < self._room_at:
            why = self._room_why
        elif not any(info.state == "ok" for info in infos):
            why = silence(infos)
        with self._changed:
            for job in self._line.order(self._busy()):
                live = self._live.get(job.id)
                if live is not None:
                    with live.lock:
                        live.tracker.wait_because(why)

    def _take(self, lane: _Lane) -> Job | None:
        """The next job for this lane; it counts as running from now on. Called with the lock held."""
        now = time.monotonic()
        if self._evicted or now < self._room_at or lane.engine.info().state != "ok":
            return None
        idle = [(other.address, other.held) for other in self._lanes if other is not lane and other.idle]
        entry = self._line.take(
            self._busy(), lane=lane.address, held=lane.held, idle=idle, now=now,
            begun=self._paused, refused=self._refused,
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

    def _run(self, lane: _Lane, job: Job) -> None:
        live = self._live[job.id]
        again: Job | None = None
        try:
            job = self._leave_behind(lane, job)
            self._end(self._execution.run(lane.engine, job, live), DONE)
        except JobCancelled as stop:
            left = self._running[job.id]
            self._end(left, CANCELLED, None if live.cancelled else stop)
            if left.prompt_id:  # of an earlier run, perhaps, and not followed again yet
                self._strays.add(left)
                lane.engine.cancel(left.prompt_id, left.remote)
        except StudioError as error:
            again = self._interrupted(lane, self._running[job.id], live, error)
        except Exception as error:
            log.exception("job %s: unexpected error", job.id)
            problem = InternalError("Something went wrong in Wan Studio itself.", detail=repr(error))
            again = self._interrupted(lane, self._running[job.id], live, problem)
        finally:
            if again is not None:
                self._back_in_line(again, live)
            with self._changed:
                if again is None:  # else another lane may have it by now
                    self._running.pop(job.id, None)
                self._line.prune(frozenset(self._busy()))
                self._place_all()
                self._changed.notify_all()

    def _leave_behind(self, lane: _Lane, job: Job) -> Job:
        """A prompt of this job on another server of ours must not go on: it is stopped there, or as soon as
        that server answers again."""
        if not job.prompt_id or job.server == lane.address or not self._strays.drives(job.server):
            return job
        self._strays.stop_soon(job)
        return replace(
            job, prompt_id="", remote="", server="", warnings=tuple(dict.fromkeys((*job.warnings, AGAIN)))
        )

    def _interrupted(self, lane: _Lane, job: Job, live: LiveJob, error: StudioError) -> Job | None:
        """Ends the job, or returns it as it goes back in line."""
        lost = isinstance(error, (EngineLost, EngineUnreachable))
        if live.cancelled:
            if isinstance(error, EngineHung):
                self._reason(lane, error)
            self._end(job, CANCELLED)
            self._strays.add(job)
            return None
        if self._closing and (lost or isinstance(error, InternalError)):  # its parts are closed, too
            log.info("job %s: left to its engine", job.id)
            with contextlib.suppress(StudioError):  # it is RUNNING on disk then, which the next start knows
                self.store.save(self._waits(job))
            return None
        if isinstance(error, DiskFull | StoreBusy):
            log.warning("job %s: it waits: %s %s", job.id, error.message, error.detail)
            self._room_at = time.monotonic() + ROOM_SECONDS
            self._room_why = FULL if isinstance(error, DiskFull) else HELD
            return self._waits(replace(job, attempts=max(0, job.attempts - 1)))
        if isinstance(error, MissingModel | MissingNode) and self._another_can_try(lane, job):
            log.info("job %s: left to another server: %s", job.id, error.message)
            lane.held = frozenset()
            job = replace(job, attempts=max(0, job.attempts - 1), prompt_id="", remote="", server="")
            return self._waits(job)
        if not lost:
            self._end(job, FAILED, error)
            return None
        lane.held = frozenset()
        reason = self._reason(lane, error)
        if reason is not error or isinstance(error, PromptGone):  # the engine began anew
            again = (AGAIN,) if job.prompt_id else ()
            job = replace(job, prompt_id="", remote="", server="")
            job = replace(job, warnings=tuple(dict.fromkeys((*job.warnings, *again))))
        job = replace(job, losses=job.losses + 1)
        if job.losses >= MAX_LOSSES:
            self._end(job, FAILED, reason)
            self._strays.add(job)
            return None
        log.warning("job %s: %s %s; it is started again", job.id, reason.message, reason.detail)
        return self._waits(job)

    def _another_can_try(self, lane: _Lane, job: Job) -> bool:
        """What one server lacks another may have; each is asked once."""
        with self._changed:
            refused = self._refused.setdefault(job.id, set())
            refused.add(lane.address)
        return any(
            other.address not in refused and other.engine.info().state == "ok" for other in self._lanes
        )

    def _reason(self, lane: _Lane, error: StudioError) -> StudioError:
        """What the keeper of the servers says of a loss; a mistake there costs no job."""
        try:
            return self._recover(lane.engine, error)
        except Exception:
            log.exception("lane of %s: unexpected error", lane.address)
            return error

    @staticmethod
    def _waits(job: Job) -> Job:
        return job if job.status == QUEUED else job.moved(QUEUED, started=None)

    def _back_in_line(self, job: Job, live: LiveJob) -> None:
        """The first in line again, unless it was cancelled meanwhile."""
        try:
            self.store.save(job)
        except StudioError as problem:
            log.error("job %s: could not be saved: %s", job.id, problem.message)
        entry = Waiting(job, self._models(job), True, job.server if job.prompt_id else "")
        with self._changed:
            entry.bound_until = time.monotonic() + BOUND_SECONDS
            self._running.pop(job.id, None)
            if not live.cancelled:
                with live.lock:
                    why = self._room_why if time.monotonic() < self._room_at else ""
                    live.tracker.requeue(time.monotonic(), why)
                self._line.add(entry)
                return
        self._end(job, CANCELLED)
        self._strays.add(job)

    # -- endings --------------------------------------------------------------------------

    def _save_running(self, job: Job) -> None:
        self.store.save(job)
        with self._changed:
            self._running[job.id] = job

    def _end(self, job: Job, status: str, error: StudioError | None = None) -> None:
        with self._changed:
            live = self._live.get(job.id)
            self._refused.pop(job.id, None)
        self._ends.write(job, status, live, error)

    def _remember(self, live: LiveJob) -> None:
        self._live[live.id] = live
        while len(self._live) > REMEMBERED:
            oldest = next((key for key, item in self._live.items() if item.tracker.status in TERMINAL), None)
            if oldest is None:
                return
            del self._live[oldest]


def silence(infos: Sequence[EngineInfo]) -> str:
    """What a job waits for while no engine works; with the reason, where one is known in words."""
    name = "RunPod" if infos[0].kind == "runpod" else "ComfyUI"
    told = (info.error for info in infos if info.kind == "runpod" or (info.ours and info.state == "starting"))
    if why := next(filter(None, told), ""):
        return f"Waiting for {name}. {why}"
    starts = any(info.state == "starting" for info in infos)
    return f"Waiting for {name} to start" if starts else f"Waiting for {name}, which does not answer"
