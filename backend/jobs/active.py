"""The jobs that wait or run, with the in-memory state of recent ones: shared by the scheduler and its lanes.

`changed` is the one lock of this state. It guards the queue, the running jobs, the live jobs and the
refusals, and it is notified when a lane may find a job to run.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from backend.engines.base import EngineInfo
from backend.errors import QueueFull, StudioError
from backend.events import Queued
from backend.jobs.endings import Ends
from backend.jobs.job import TERMINAL, Job, Status
from backend.jobs.limits import Limits
from backend.jobs.live import LiveJob
from backend.jobs.obstacles import Obstacles
from backend.jobs.queue import FairQueue, Waiting
from backend.jobs.reasons import Reasons
from backend.jobs.refusals import Refusals
from backend.jobs.store import Store
from workflows.notice import Notice

log = logging.getLogger("wan.jobs")

REMEMBERED = 500  # ended jobs whose last state, and last preview if they failed, stays in memory


class ActiveJobs:
    """Methods may be called from any thread unless they say that the lock must be held."""

    def __init__(
        self,
        store: Store,
        ends: Ends,
        infos: Callable[[], Sequence[EngineInfo]],
        limits: Limits,
        models_of: Callable[[Job], frozenset[str]],
    ) -> None:
        """`infos`: the state of the engine of each lane. `models_of`: the model files that a job loads."""
        self.changed = threading.Condition()
        self.queue = FairQueue()
        self.running: dict[str, Job] = {}
        self.refusals = Refusals(limits)
        self.obstacles = Obstacles(store, limits)
        self.reasons = Reasons(self.queue, self.refusals, self.obstacles, infos)
        self.ends = ends
        self.paused = False
        self.closing = False
        self._store, self._limits, self._models_of = store, limits, models_of
        self.on_end: list[Callable[[Job], None]] = []  # called after a job's end is written
        self._live: OrderedDict[str, LiveJob] = OrderedDict()
        self._reserved: list[str] = []  # owners of new jobs that are being written to disk

    # -- the queue ------------------------------------------------------------------------

    def check_places(self, owner: str, max_queued: int, max_of_owner: int, count: int = 1) -> None:
        """Raises QueueFull if there is no place in the queue for `count` more jobs of the owner."""
        with self.changed:
            owners = [*self.queue.owners(), *self._reserved]
        if len(owners) + count > max_queued:
            if count > 1:
                raise QueueFull.of("queue_full_for", count=max_queued, more=count)
            raise QueueFull.of("queue_full", count=max_queued)
        if owners.count(owner) + count > max_of_owner:
            if count > 1:
                raise QueueFull.of("own_too_many", count=max_of_owner, more=count)
            if max_of_owner == 1:
                raise QueueFull.of("own_one_waiting")
            raise QueueFull.of("own_many_waiting", count=max_of_owner)

    @contextmanager
    def reserved(self, owner: str, max_queued: int, max_of_owner: int, count: int = 1) -> Iterator[None]:
        """Counts `count` more waiting jobs of the owner while they are written to disk. Raises QueueFull."""
        with self.changed:
            self.check_places(owner, max_queued, max_of_owner, count)
            self._reserved += [owner] * count
        try:
            yield
        finally:
            with self.changed:
                for _ in range(count):
                    self._reserved.remove(owner)

    def enqueue(
        self,
        job: Job,
        *,
        first: bool = False,
        bound: str = "",
        announce: bool = True,
        awaits: Notice | None = None,
    ) -> None:
        """Adds a new or recovered job. `first`: before all others. `bound`: address of the server that may
        still have its prompt. `announce`: sends every waiting job its new position. `awaits`: what has to
        exist before a lane may take it."""
        entry = self._entry(job, first, bound)
        entry.awaits = awaits
        live = LiveJob(job.id)
        live.tracker.wait_because(awaits)
        with self.changed:
            self.queue.add(entry)
            self.remember(live)
            if announce:
                self.announce_positions()
            self.changed.notify_all()

    def let_take(self, job: Job) -> bool:
        """Marks a queued job as ready in its present form: lanes may take it. False when it is no longer
        queued."""
        models = self._models(job)
        with self.changed:
            if not self.queue.let_take(job, models):
                return False
            self._say(job.id, None)
            self.announce_positions()
            self.changed.notify_all()
        return True

    def hold(self, job_id: str, awaits: Notice) -> None:
        """Changes what a queued job waits for before a lane may take it."""
        with self.changed:
            self.queue.hold(job_id, awaits)
            self._say(job_id, awaits)

    def withdraw(self, job_id: str) -> Job | None:
        """Takes a job out of the queue without running it; None when it is not queued."""
        with self.changed:
            job = self.queue.remove(job_id)
            self.announce_positions()
        return job

    def _say(self, job_id: str, why: Notice | None) -> None:
        """Shows a waiting job what it waits for. The lock must be held."""
        if (live := self._live.get(job_id)) is not None:
            with live.lock:
                live.tracker.wait_because(why)

    def requeue(self, job: Job, live: LiveJob) -> bool:
        """Puts a running job back at the front of the queue; False if it was cancelled in the meantime."""
        job = replace(job, timings=live.timings())
        try:
            self._store.save(job)
        except StudioError as error:
            log.error("job %s: could not be saved: %s", job.id, error.message)
        entry = self._entry(job, True, job.server if job.prompt_id else "")
        with self.changed:
            self.running.pop(job.id, None)
            if live.cancelled:
                return False
            self.queue.add(entry)
            why = self.reasons.of_all() or self.reasons.of(job.id)[0]
            with live.lock:
                live.tracker.requeue(time.monotonic(), why)
        return True

    def _entry(self, job: Job, first: bool, bound: str) -> Waiting:
        return Waiting(job, self._models(job), first, bound, time.monotonic() + self._limits.bound)

    def _models(self, job: Job) -> frozenset[str]:
        try:
            return self._models_of(job)
        except Exception:  # the job may be of another version; its lane reports what is wrong with it
            log.exception("job %s: its model files are unknown", job.id)
            return frozenset()

    def running_per_owner(self) -> Counter[str]:
        """Owner -> number of running jobs. The lock must be held."""
        return Counter(job.owner for job in self.running.values())

    def waiting(self) -> list[Job]:
        """The waiting jobs in the order in which they run. The lock must be held."""
        return self.queue.order(self.running_per_owner())

    def announce_positions(self) -> None:
        """Sends every waiting job its position. The lock must be held."""
        now = time.monotonic()
        for position, job in enumerate(self.waiting()):
            live = self._live.get(job.id)
            if live is not None:
                with live.lock:
                    live.tracker.feed(Queued(ahead=position + len(self.running)), now)

    def released(self, job_id: str, *, ended: bool) -> None:
        """A lane is done with a job. `ended`: it no longer runs; otherwise another lane may have it."""
        with self.changed:
            if ended:
                self.running.pop(job_id, None)
            self.queue.prune(frozenset(self.running_per_owner()))
            self.announce_positions()
            self.changed.notify_all()

    def report_waiting(self) -> list[tuple[Job, StudioError]]:
        """Shows each waiting job why it waits besides for its turn. Removes from the queue, and returns with
        the reason, the jobs that no server can run."""
        common = self.reasons.of_all()
        hopeless: list[tuple[Job, StudioError]] = []
        with self.changed:
            for job in self.waiting():
                reason, error = self.reasons.of(job.id)
                if error is not None and not common:
                    self.queue.remove(job.id)
                    self.announce_positions()
                    hopeless.append((job, error))
                elif self.queue.awaits(job.id) is not None:
                    self._say(job.id, reason)
                else:
                    self._say(job.id, common or reason)
        return hopeless

    # -- one job --------------------------------------------------------------------------

    def live(self, job_id: str) -> LiveJob | None:
        """The in-memory state of a job, while it is remembered."""
        return self._live.get(job_id)

    def save_running(self, job: Job) -> None:
        """Writes a change of a running job to disk before it becomes visible. Raises StudioError."""
        self._store.save(job)
        with self.changed:
            self.running[job.id] = job

    def end(self, job: Job, status: Status, error: StudioError | None = None) -> None:
        """Writes a job's final state, or keeps it in memory until the disk takes it."""
        with self.changed:
            live = self._live.get(job.id)
            self.refusals.forget(job.id)
        self.obstacles.forget(job.id)
        self.ends.write(job, status, live, error)
        for ended in self.on_end:
            ended(job)

    def forget(self, job_id: str) -> None:
        """Drops the in-memory state of an ended job."""
        with self.changed:
            self._live.pop(job_id, None)
        self.ends.forget(job_id)

    def remember(self, live: LiveJob) -> None:
        """Keeps the in-memory state of a job. The lock must be held."""
        self._live[live.id] = live
        while len(self._live) > REMEMBERED:
            oldest = next((key for key, item in self._live.items() if item.tracker.status in TERMINAL), None)
            if oldest is None:
                return
            del self._live[oldest]
