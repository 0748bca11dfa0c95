"""Jobs made of jobs: a parent whose result is assembled from those of its children.

The children are jobs like any other: each of them is queued, runs, ends and is recovered. Their parent is not
queued. It runs while a child does, and when all have ended one thread assembles its result from those that
are done. Missing results are a warning; without any result the parent ends like its children.

A parent is written together with its children, so a restart finds both or neither. Its assembly reads only
finished files and writes the result under its final name in one step, so one that was interrupted is begun
again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from backend import requester
from backend.errors import (
    BadMedia,
    DiskFull,
    InternalError,
    JobCancelled,
    MediaBusy,
    NoOutput,
    ShuttingDown,
    StudioError,
)
from backend.jobs import recipes, results, set_values, waiting_clip
from backend.jobs.active import ActiveJobs
from backend.jobs.assembly import assemble, write_graphs
from backend.jobs.folders import remove_below
from backend.jobs.group_progress import GroupLive
from backend.jobs.input_files import link_all
from backend.jobs.job import CANCELLED, DONE, EXTENSION, FAILED, QUEUED, RUNNING, TERMINAL, Job, Status
from backend.jobs.layout import INPUTS, ORIGINALS, WORK, WORKFLOW, result_name
from backend.jobs.limits import Limits
from backend.jobs.live import LiveJob
from backend.jobs.parent_outcome import summed, without_result
from backend.jobs.parts import GRAPH
from backend.jobs.store import Store
from backend.media.decoder import Decoder
from workflows.modes.registry import makes_still

log = logging.getLogger("wan.jobs")

LOOK_SECONDS = 5.0
"""How often parents are looked at without a reason: a child's end that was missed is found then."""


@dataclass
class _Open:
    """A parent that has not ended, and its children as they were submitted. `not_before`: monotonic seconds
    until which its assembly waits after a failure that may pass."""

    parent: Job
    live: GroupLive
    children: tuple[Job, ...] = field(default=())
    not_before: float = 0.0


class Chains:
    """The parents of a scheduler that have not ended. Methods may be called from any thread."""

    def __init__(
        self,
        store: Store,
        decoder: Decoder,
        jobs_dir: Path,
        active: ActiveJobs,
        clock: Callable[[], float],
        limits: Limits,
        recipes: bool = True,
    ) -> None:
        """`clock`: unix seconds; `recipes`: whether results carry their recipe."""
        self._store, self._decoder, self._jobs_dir = store, decoder, jobs_dir
        self._active, self._clock, self._limits = active, clock, limits
        self._recipes = recipes
        self._lock = threading.Lock()  # guards _open; never held while the disk is written
        self._writing = threading.Lock()  # held while a parent's state is written, and while it is taken out
        self._open: dict[str, _Open] = {}
        self._assembling = ""
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        active.on_end.append(self._ended)

    def start(self) -> None:
        """Starts the thread that assembles."""
        self._thread = threading.Thread(target=self._loop, name="chains", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread soon; an assembly that it interrupts is begun again after the next start."""
        self._wake.set()

    def join(self, seconds: float) -> bool:
        """Waits for the thread to end; False if it has not in time."""
        if self._thread is None:
            return True
        self._thread.join(timeout=seconds)
        return not self._thread.is_alive()

    # -- parents --------------------------------------------------------------------------

    def add(self, parent: Job, children: Sequence[Job]) -> None:
        """Follows a parent whose record and children are on disk, and whose children are queued."""
        lives = [self._active.live(child.id) or _ended_live(child) for child in children]
        live = GroupLive(parent.id, members=tuple(lives), assembly=parent.assembly)
        with self._active.changed:
            self._active.remember(live)
        with self._lock:
            self._open[parent.id] = _Open(parent, live, tuple(children))
        self._wake.set()

    def recover(self, parents: Sequence[Job]) -> None:
        """Follows the parents that an earlier process left. Raises StoreError."""
        found = self._store.children(*(parent.id for parent in parents))
        for parent in parents:
            self.add(parent, found[parent.id])

    def parent(self, job_id: str) -> Job | None:
        """A parent that has not ended (memory)."""
        with self._lock:
            entry = self._open.get(job_id)
            return entry.parent if entry is not None else None

    def children(self, job_id: str) -> tuple[Job, ...] | None:
        """The children of a parent that has not ended, with the status that is known of them (memory); None
        for any other job."""
        with self._lock:
            entry = self._open.get(job_id)
        if entry is None:
            return None
        lives = {live.id: live for live in entry.live.members}
        return tuple(replace(child, status=lives[child.id].tracker.status) for child in entry.children)

    def cancel(self, parent_id: str) -> bool:
        """Ends a parent whose request to cancel is on disk; False for a job that is not one of them. Its
        children are cancelled by the caller."""
        with self._writing:
            with self._lock:
                entry = self._open.get(parent_id)
                if entry is None:
                    return False
                entry.live.cancelled = True
                if self._assembling == parent_id:
                    return True  # its thread ends it
                del self._open[parent_id]
            self._active.end(entry.parent, CANCELLED)
        return True

    def _ended(self, job: Job) -> None:
        """A job has ended: its parent may be next."""
        if job.parent:
            self._wake.set()

    # -- the thread -----------------------------------------------------------------------

    def _loop(self) -> None:
        while not self._active.closing:
            self._wake.clear()
            with self._lock:
                entries = list(self._open.values())
            for entry in entries:
                if self._active.closing:
                    return
                try:
                    self._look(entry)
                except StudioError as error:
                    log.warning("job %s: %s", entry.parent.id, error.message)
                except Exception:  # without the thread no parent would ever end
                    log.exception("job %s: unexpected error", entry.parent.id)
                    self._end(entry, FAILED, InternalError.of("unexpected"))
            self._wake.wait(self._pause())

    def _pause(self) -> float:
        """Seconds until the next look, unless a child ends before."""
        with self._lock:
            delayed = [entry.not_before for entry in self._open.values() if entry.not_before]
        return min([LOOK_SECONDS, *(max(0.01, moment - time.monotonic()) for moment in delayed)])

    def _look(self, entry: _Open) -> None:
        """Assembles a parent whose children have all ended; notes that it runs once one has begun."""
        if self._active.obstacles.evicted or self._store.lost() is not None:
            return  # whether files exist is unknown while the data folder is absent or held by another studio
        children = [
            self._active.ends.unsaved(child.id) or child
            for child in self._store.children(entry.parent.id)[entry.parent.id]
        ]
        entry.parent = waiting_clip.with_inputs(entry.parent, self._store)
        if all(child.status in TERMINAL for child in children):
            if time.monotonic() >= entry.not_before:
                self._assemble(entry, children)
        elif entry.parent.status == QUEUED and any(child.status != QUEUED for child in children):
            self._save(entry, entry.parent.moved(RUNNING, started=self._clock()))

    def _save(self, entry: _Open, parent: Job) -> None:
        """Writes a parent's state, unless it has ended meanwhile."""
        with self._writing:
            if self.parent(parent.id) is not None:
                self._store.save(parent)
                entry.parent = parent

    def _assemble(self, entry: _Open, children: Sequence[Job]) -> None:
        with self._lock:
            if self._open.get(entry.parent.id) is not entry:
                return
            self._assembling = entry.parent.id
        try:
            self._run(entry, children)
        except ShuttingDown:
            return
        except JobCancelled:
            self._end(entry, CANCELLED)
        except (DiskFull, MediaBusy) as error:
            entry.not_before = time.monotonic() + self._limits.room
            entry.live.waits_for(error.notice)
            log.warning("job %s: waits: %s", entry.parent.id, error.message)
        except StudioError as error:
            self._end(entry, FAILED, error)
        finally:
            with self._lock:
                self._assembling = ""

    def _run(self, entry: _Open, children: Sequence[Job]) -> None:
        done = [child for child in children if child.status == DONE and self._result(child).is_file()]
        if not done:
            return self._end(entry, *without_result(entry.parent, children))
        if entry.parent.status == QUEUED:
            self._save(entry, entry.parent.moved(RUNNING, started=self._clock()))
        began = time.monotonic()
        parent, live = entry.parent, entry.live

        def check(share: float = 0.0) -> None:
            if live.cancelled:
                raise JobCancelled.of("cancelled")
            if self._active.closing:
                raise ShuttingDown.of("closing")
            live.assembled(share)

        check()
        with requester.job(parent.owner, check):
            result = self._jobs_dir / parent.id / result_name(parent.mode)
            result.parent.mkdir(parents=True, exist_ok=True)
            try:
                files = [self._result(child) for child in done]
                parent = assemble(self._decoder, parent, files, result, check)
            except MediaBusy:
                raise
            except BadMedia as error:
                done = self._readable(done, check)
                if not done:
                    raise NoOutput.of("children_unreadable", detail=error.detail) from error
                files = [self._result(child) for child in done]
                parent = assemble(self._decoder, parent, files, result, check)
            made = results.measured(self._decoder, parent, result, makes_still(parent.mode))
            if parent.assembly == EXTENSION:
                graphs = [result.parent / (part.file + GRAPH) for part in parent.parts]
            else:
                graphs = [self._jobs_dir / child.id / WORKFLOW for child in done]
            write_graphs(result.parent, graphs)
            made = self._with_inputs(made, done[0])
            made = summed(made, done, children, time.monotonic() - began)
            recipe = set_values.narrowed(made, children)
            recipes.finish(self._decoder, recipe, result, done, recipes=self._recipes)
        self._end(entry, DONE, None, replace(made, size=result.stat().st_size))

    def _readable(self, children: Sequence[Job], check: Callable[[], None]) -> list[Job]:
        """The children whose results can be decoded to their end."""
        found = []
        work = self._jobs_dir / children[0].parent / WORK
        work.mkdir(parents=True, exist_ok=True)
        for child in children:
            check()
            try:
                if makes_still(child.mode):
                    self._decoder.picture(self._result(child))
                else:
                    self._decoder.frame(self._result(child), work / "frame")
                found.append(child)
            except MediaBusy:
                raise
            except BadMedia as error:
                log.warning("job %s: its result is left out: %s", child.id, error.message)
        return found

    def _with_inputs(self, parent: Job, child: Job) -> Job:
        """The parent with the inputs of a child, where they did not exist yet when it was submitted."""
        if not parent.awaited or child.awaited:
            return parent
        for name in (INPUTS, ORIGINALS):
            remove_below(self._jobs_dir / parent.id, name)
        try:
            link_all(self._jobs_dir / child.id, self._jobs_dir / parent.id)
        except OSError as error:
            log.warning("job %s: its inputs are not stored: %s", parent.id, error)
            return parent
        return replace(parent, inputs=dict(child.inputs))

    def _result(self, job: Job) -> Path:
        return self._jobs_dir / job.id / result_name(job.mode)

    def _end(
        self, entry: _Open, status: Status, error: StudioError | None = None, job: Job | None = None
    ) -> None:
        """Writes a parent's end, once."""
        with self._writing:
            with self._lock:
                if self._open.pop(entry.parent.id, None) is None:
                    return
            self._active.end(job or entry.parent, status, error)


def _ended_live(child: Job) -> LiveJob:
    """The state of a child that ended in an earlier run of the app."""
    live = LiveJob(child.id)
    live.tracker.end(child.status, 0.0, child.error)
    return live
