"""The scheduler: queues jobs, runs them in one lane per engine, cancels them, and reports on all of them.

Every change of a job's status is on disk before it becomes visible; a final state that cannot be written (a
full disk) is kept in memory and written when it can be. What the page polls (LiveJob) is kept in memory.

An interrupted job goes on. Its prompt id is on disk before the engine has it, so after a restart its lane
asks the engine for the prompt first (see recovery). Two engines lost in a row fail a job; a full disk fails
none: the job waits until there is room.

A request to cancel is on disk before it is answered. From then on the job can end as cancelled only: a
restart ends it without queueing it, and its prompt is stopped as soon as its server answers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from backend.engines.base import Engine
from backend.errors import BadSettings, SourceFailed, StudioError
from backend.jobs import recovery
from backend.jobs.active import ActiveJobs
from backend.jobs.awaited import AwaitedResults, Complete
from backend.jobs.cancellations import PromptsToStop
from backend.jobs.cards import CardOf, no_card
from backend.jobs.chains import Chains
from backend.jobs.endings import Ends
from backend.jobs.execution import Compiler, Execution
from backend.jobs.interruptions import Interruptions, Lane
from backend.jobs.job import CANCELLED, FAILED, TERMINAL, Job
from backend.jobs.lanes import LaneWorker
from backend.jobs.limits import Limits
from backend.jobs.live import LiveJob
from backend.jobs.obstacles import TAKEN
from backend.jobs.order import moved, places
from backend.jobs.store import Store
from backend.jobs.used_files import UsedFiles
from backend.media.decoder import Decoder
from backend.notices import words

log = logging.getLogger("wan.jobs")

PAUSED = "paused"
"""Name of the stored setting."""

Recover = Callable[[Engine, StudioError], StudioError]
"""Called when an engine was lost: restarts it if the studio started it, and returns why it was lost."""


class Scheduler:
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
        cards: CardOf = no_card,
        complete: Complete = lambda job: job,
        recipes: bool = True,
        used: UsedFiles | None = None,
    ) -> None:
        """`models_of`: the model files that a job needs, for lanes that have them loaded. `cards`: the
        measurements of an engine's GPU. `complete`: makes the inputs of a job that waited for results.
        `recipes`: whether results carry their recipe, for which `used` hashes their files."""
        self.store, self.engines = store, engines
        self.clock, self._recover = clock, recover
        self.limits = limits or Limits()
        self._to_stop = PromptsToStop(engines, store)
        self._active = ActiveJobs(
            store,
            Ends(store, jobs_dir, clock),
            lambda: [engine.info() for engine in engines],
            self.limits,
            models_of,
        )
        self._active.paused = store.setting(PAUSED) == "1"
        self._execution = Execution(
            store, decoder, jobs_dir, compile_job, clock, self._active.save_running, self.limits.fetch, cards,
            recipes, used,
        )  # fmt: skip
        active = self._active
        interruptions = Interruptions(
            store, self._to_stop, active.obstacles, active.refusals, active.changed,
            end=active.end, reason=self._loss_reason, states=active.reasons.states,
            is_closing=lambda: active.closing,
        )  # fmt: skip
        lanes = [Lane(engine, address=engine.info().address) for engine in engines]
        self._workers = [
            LaneWorker(lane, lanes, active, self._execution, self._to_stop, interruptions) for lane in lanes
        ]
        self._chains = Chains(store, decoder, jobs_dir, active, clock, self.limits, recipes)
        self._awaited = AwaitedResults(store, jobs_dir, active, self.limits, complete)
        self._threads: list[threading.Thread] = []
        self._records = threading.Lock()  # held while it is written which jobs wait or are to be cancelled

    def _loss_reason(self, lane: Lane, error: StudioError) -> StudioError:
        """Why the lane's engine was lost; an unexpected error here fails no job."""
        try:
            return self._recover(lane.engine, error)
        except Exception:
            log.exception("lane of %s: unexpected error", lane.address)
            return error

    # -- start and stop -------------------------------------------------------------------

    def start(self) -> None:
        """Recovers what an earlier process left, then starts the lanes."""
        self._to_stop.load()
        active = self._active
        with self._records:
            if circles := self.store.separate_circles():
                log.error("jobs that are parts of themselves, now by themselves: %s", ", ".join(circles))
            left = recovery.unfinished(self.store, active.queue)
            for job in left.cancelled:
                self._end_cancelled(job)
            for job in left.circular:
                active.end(job, FAILED, SourceFailed.of("source_circular"))
            for entry in left.queued:
                self._enqueue(entry.job, first=entry.interrupted, announce=False)
            self._chains.recover(left.parents)
        with active.changed:
            active.announce_positions()
        self._chains.start()
        self._awaited.start()
        self._threads = [worker.start(f"lane-{number}") for number, worker in enumerate(self._workers)]

    def stop(self) -> None:
        """Starts no more jobs. Running prompts are left to their engines; the next start adopts them."""
        with self._active.changed:
            self._active.closing = True
            self._active.changed.notify_all()
        self._chains.stop()
        self._awaited.stop()

    def close(self) -> None:
        """Stops, closes the engines, and waits for the lanes to end."""
        self.stop()
        for engine in self.engines:
            engine.close()
        self.join()

    def join(self) -> bool:
        """Waits for the lanes to end; False if one has not ended in time."""
        until = time.monotonic() + self.limits.close
        for thread in self._threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        ended = self._chains.join(max(0.0, until - time.monotonic()))
        ended = self._awaited.join(max(0.0, until - time.monotonic())) and ended
        return ended and not any(thread.is_alive() for thread in self._threads)

    # -- changes --------------------------------------------------------------------------

    def submit(self, job: Job, max_queued: int, max_of_owner: int) -> None:
        """Writes a new job to disk, then queues it. Raises QueueFull, DiskFull, and BadSettings when another
        machine has the data folder."""
        self._check_data_folder()
        with self._active.reserved(job.owner, max_queued, max_of_owner), self._records:
            self.store.add(job)
            self._enqueue(job)

    def submit_children(
        self, parent: Job, children: Sequence[Job], max_queued: int, max_of_owner: int
    ) -> None:
        """Writes a parent and its new children to disk, all or none, then queues those of the children that
        are still to be made. Raises what `submit` raises."""
        self._check_data_folder()
        queued = [child for child in children if child.status not in TERMINAL]
        with self._active.reserved(parent.owner, max_queued, max_of_owner, len(queued)), self._records:
            self.store.add(parent, *children)
            for child in queued:
                self._enqueue(child, siblings=children)
            self._chains.add(parent, children)

    def check_room(self, owner: str, max_queued: int, max_of_owner: int, count: int = 1) -> None:
        """Raises what `submit` would raise for `count` more jobs of the owner."""
        self._check_data_folder()
        self._active.check_places(owner, max_queued, max_of_owner, count)

    def _check_data_folder(self) -> None:
        if self._active.obstacles.evicted:
            raise BadSettings.of("data_folder_taken_over")

    def _enqueue(
        self, job: Job, *, first: bool = False, announce: bool = True, siblings: Sequence[Job] = ()
    ) -> None:
        """`siblings`: jobs that were submitted together with it."""
        if job.awaited:
            why = self._awaited.reason(job, siblings)
            self._active.enqueue(job, announce=announce, awaits=why)
            return self._awaited.add(job)
        bound = job.server if job.prompt_id and self._to_stop.drives(job.server) else ""
        self._active.enqueue(job, first=first, bound=bound, announce=announce)

    def link_before_removal(self, job: Job) -> None:
        """Links the result of a job that is about to be removed into the folders of the jobs that wait for
        it. Raises StudioError: then it must not be removed."""
        self._awaited.link_before_removal(job.id)

    def cancel(self, job_id: str) -> None:
        """Stops a job in any state; an ended one stays as it is.

        The request is on disk when this returns. Raises DiskFull or StoreError when it cannot be written:
        then nothing has changed.
        """
        active = self._active
        if active.ends.unsaved(job_id) is not None:
            return
        parts = self._chains.children(job_id)
        with self._records:
            if not self._request_cancel(job_id):
                return
            if parts is not None:
                self._chains.cancel(job_id)
        if parts is None:
            return self._cancel_one(job_id)
        for part in reversed(parts):  # the running ones last, so that no lane takes another one meanwhile
            if part.status not in TERMINAL:
                self._cancel_one(part.id)

    def _cancel_one(self, job_id: str) -> None:
        """Stops a job whose request to cancel is on disk."""
        active = self._active
        with self._records:
            with active.changed:
                job = active.queue.remove(job_id)
                live, running = active.live(job_id), active.running.get(job_id)
                if live is not None:
                    live.cancelled = True
                active.announce_positions()
            if running is None:
                left = job or self.store.get(job_id)
                if left is not None and left.status not in TERMINAL:
                    self._end_cancelled(left)
                return
        if live is not None:
            live.stop()

    def _request_cancel(self, job_id: str) -> bool:
        try:
            return self.store.request_cancel(job_id, self.clock())
        except StudioError as error:
            log.warning("job %s: its cancel could not be saved: %s %s", job_id, error.message, error.detail)
            raise type(error).of("not_cancelled", reason=error.notice) from error

    def _end_cancelled(self, job: Job) -> None:
        """Ends a job that no lane runs. An engine may have its prompt, from an earlier run of the app."""
        if job.prompt_id:
            self._to_stop.stop_anywhere(job)
        self._active.end(job, CANCELLED)

    def movable(self, owner: str) -> list[Job]:
        """The waiting jobs of an owner id that `move` can move, in their order."""
        with self._active.changed:
            return self._active.queue.movable(owner)

    def move(self, job_id: str, owner: str, by: int) -> None:
        """Moves a waiting job by this many places among those of its owner; negative: earlier.

        The new order is on disk before it counts. A job that a lane takes meanwhile is not moved. Raises
        DiskFull or StoreError: then nothing has changed.
        """
        active = self._active
        with self._records:
            waiting = self.movable(owner)
            order = moved(waiting, job_id, by)
            if order == waiting:
                return
            dealt = places(order)
            self.store.set_places(dealt)
            with active.changed:
                active.queue.reorder(dealt)
                active.announce_positions()

    def pause(self, paused: bool) -> None:
        """While paused no job is started; running ones go on. Kept across restarts. Raises DiskFull."""
        self.store.set_setting(PAUSED, "1" if paused else "")
        with self._active.changed:
            self._active.paused = paused
            self._active.changed.notify_all()

    def evict(self) -> None:
        """Another machine has the data folder now: no job is started here any more."""
        self._active.obstacles.evicted = True

    def look_at_store(self) -> None:
        """Checks that the data folder is still there; while it is not, no job is started."""
        self._active.obstacles.look()

    def forget(self, job_id: str) -> None:
        """Drops the in-memory state of an ended job."""
        self._active.forget(job_id)

    def parent(self, job_id: str) -> Job | None:
        """A parent that has not ended (memory)."""
        return self._chains.parent(job_id)

    def children(self, job_id: str) -> tuple[Job, ...] | None:
        """The children of a parent that has not ended (memory); None for any other job."""
        return self._chains.children(job_id)

    # -- state (memory) -------------------------------------------------------------------

    @property
    def trouble(self) -> str:
        """Why no job can be started although the engines work, in a sentence; "" while one can."""
        obstacles = self._active.obstacles
        return words(TAKEN if obstacles.evicted else obstacles.lost)

    @property
    def full_disks(self) -> list[str]:
        """A sentence for each full disk that holds videos up."""
        return [words(each) for each in self._active.obstacles.full_disks()]

    @property
    def paused(self) -> bool:
        """Whether the admin has paused the queue."""
        return self._active.paused

    def live(self, job_id: str) -> LiveJob | None:
        """The in-memory state of a job, while it is remembered."""
        return self._active.live(job_id)

    def unsaved(self, job_id: str) -> Job | None:
        """A job whose final state could not be written yet."""
        return self._active.ends.unsaved(job_id)

    def line(self) -> tuple[list[Job], list[Job]]:
        """(running, waiting in the order in which they run), of all owners."""
        with self._active.changed:
            return list(self._active.running.values()), self._active.waiting()

    def counts(self) -> tuple[int, int]:
        """(running, waiting)."""
        return len(self._active.running), len(self._active.queue)

    def current(self, owner: str) -> Job | None:
        """The owner's running job, else the first of theirs in the queue."""
        running, waiting = self.line()
        return next((job for job in (*running, *waiting) if job.owner == owner), None)
