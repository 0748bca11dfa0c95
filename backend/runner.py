"""Queue -> engine -> store -> watchers. One lane (a thread) per engine; a lane runs one job at a time.

Every change of a job's status goes through here and is on disk before anybody can see it. What the page
polls (LiveJob) is kept in memory.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from backend.engines.base import Engine, Prompt, engine_name
from backend.errors import (
    EngineLost,
    EngineUnreachable,
    InternalError,
    JobCancelled,
    StudioError,
    from_os_error,
)
from backend.estimate import Work, stage_seconds
from backend.events import Event, Preview, Queued, Stage, Started
from backend.jobs import CANCELLED, DONE, FAILED, QUEUED, RUNNING, TERMINAL, Job
from backend.media.probe import Decoder
from backend.parts import Parts
from backend.progress import Snapshot, Tracker
from backend.store import Store
from backend.views import result_name
from workflows.compile import Compiled

log = logging.getLogger("wan.runner")

MAX_ATTEMPTS = 2  # a job that a lost app or engine interrupted is run again at most this often
REMEMBERED = 2000  # ended jobs whose last state stays in memory
IDLE_SECONDS = 1.0
REFRESH_SECONDS = 5.0

RESULT, STILL, POSTER, WORKFLOW = "result.mp4", "result.png", "poster.jpg", "workflow.json"


class Compiler(Protocol):
    """Turns a job into graphs for this engine. Raises StudioError."""

    def __call__(self, job: Job, engine: Engine) -> Compiled: ...


@dataclass
class LiveJob:
    """A job as the watchers see it. `lock` guards tracker and preview."""

    id: str
    tracker: Tracker
    lock: threading.Lock = field(default_factory=threading.Lock)
    preview: tuple[bytes, str] | None = None
    prompt_id: str = ""
    cancelled: bool = False

    def snapshot(self) -> Snapshot:
        with self.lock:
            return self.tracker.snapshot(time.monotonic())


class Runner:
    """The queue and its lanes."""

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
        self.jobs_dir = jobs_dir
        self.engines = engines
        self.clock = clock
        self._compile = compile_job
        self._decoder = decoder
        self._changed = threading.Condition()
        self._queue: OrderedDict[str, Job] = OrderedDict()
        self._running: dict[str, Job] = {}
        self._live: OrderedDict[str, LiveJob] = OrderedDict()
        self._closing = False
        self._threads: list[threading.Thread] = []

    # -- the outside: submit, cancel, look ------------------------------------------------

    def start(self) -> None:
        """Takes up what an earlier process left, then starts the lanes."""
        for job in self.store.unfinished():
            if job.status == RUNNING:
                if job.attempts >= MAX_ATTEMPTS:
                    error = EngineLost("The studio was stopped twice while it worked on this video.")
                    self._end(job, FAILED, error)
                    continue
                job = job.moved(QUEUED, started=None, prompt_id="")
                note = "The studio was restarted, so this video was started again."
                job = replace(job, warnings=(*(w for w in job.warnings if w != note), note))
                self.store.save(job)
            self._enqueue(job)
        for number, engine in enumerate(self.engines):
            thread = threading.Thread(target=self._lane, args=(engine,), name=f"lane-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def submit(self, job: Job) -> None:
        """Queues a job that is new: in the database first, then in line."""
        self.store.add(job)
        self._enqueue(job)

    def _enqueue(self, job: Job) -> None:
        with self._changed:
            self._queue[job.id] = job
            self._remember(LiveJob(job.id, Tracker()))
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
        elif running is not None and live is not None:
            with live.lock:
                live.tracker.feed(Stage(live.tracker.stage, "Cancelling"), time.monotonic())
            threading.Thread(target=self._cancel_at_engine, args=(live,), daemon=True).start()

    def _cancel_at_engine(self, live: LiveJob) -> None:
        for engine in self.engines:
            if live.prompt_id:
                engine.cancel(live.prompt_id)

    def live(self, job_id: str) -> LiveJob | None:
        """The in-memory state of a job, while it is remembered."""
        return self._live.get(job_id)

    def counts(self) -> tuple[int, int]:
        """(running, waiting)."""
        return len(self._running), len(self._queue)

    def waiting(self, owner: str = "") -> int:
        """How many jobs wait, of one owner or of all."""
        with self._changed:
            return sum(1 for job in self._queue.values() if not owner or job.owner == owner)

    def current(self, owner: str) -> Job | None:
        """The owner's running job, else the first one in line."""
        with self._changed:
            mine = [job for job in (*self._running.values(), *self._queue.values()) if job.owner == owner]
        return mine[0] if mine else None

    def close(self) -> None:
        """Stops the lanes; running jobs are left to the engine and found again at the next start."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for engine in self.engines:
            engine.close()
        for thread in self._threads:
            thread.join(timeout=5)

    # -- a lane ---------------------------------------------------------------------------

    def _lane(self, engine: Engine) -> None:
        next_refresh = 0.0
        while True:
            now = time.monotonic()
            if now >= next_refresh:
                state = engine.refresh().state
                next_refresh = now + (REFRESH_SECONDS if state == "ok" else IDLE_SECONDS / 2)
            with self._changed:
                if self._closing:
                    return
                job = self._take() if engine.info().state == "ok" else None
                if job is None:
                    self._changed.wait(max(0.05, min(IDLE_SECONDS, next_refresh - time.monotonic())))
                    continue
            self._run(engine, job)
            next_refresh = 0.0

    def _take(self) -> Job | None:
        """The next job in line; it counts as running from now on. Called with the lock held."""
        if not self._queue:
            return None
        job_id, job = self._queue.popitem(last=False)
        self._running[job_id] = job
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
        try:
            job = self._execute(engine, job, live)
        except JobCancelled:
            self._end(self._running.get(job.id, job), CANCELLED)
        except StudioError as error:
            current = self._running.get(job.id, job)
            if live.cancelled:
                self._end(current, CANCELLED)
            elif self._closing and isinstance(error, (EngineLost, EngineUnreachable)):
                log.info("job %s: left to be found again at the next start", job.id)
            else:
                self._end(current, FAILED, error)
        except Exception as error:
            log.exception("job %s: unexpected error", job.id)
            self._end(self._running.get(job.id, job), FAILED, _unexpected(error))
        finally:
            with self._changed:
                self._running.pop(job.id, None)
                self._place_all()
                self._changed.notify_all()

    def _execute(self, engine: Engine, job: Job, live: LiveJob) -> Job:
        info = engine.info()
        compiled = self._compile(job, engine)
        name = engine_name(info)
        work = Work(compiled.evaluations, compiled.width, compiled.height, compiled.frames)
        expected = stage_seconds(work, self.store.done_on(name, job.mode))
        with live.lock:
            live.tracker.expected = expected
        folder = self.jobs_dir / job.id
        sources = {str(media["name"]): folder / str(media["file"]) for media in job.inputs.values()}
        parts = Parts(self._decoder, folder, sources, compiled)
        job = replace(
            job,
            width=compiled.width,
            height=compiled.height,
            frames=compiled.frames,
            fps=compiled.fps,
            steps=compiled.steps,
            evaluations=compiled.evaluations,
            engine=name,
            demo=info.kind == "demo",
            warnings=tuple(dict.fromkeys((*job.warnings, *compiled.warnings))),
        )
        _write(folder / WORKFLOW, json.dumps(_one_or_many(compiled.graphs), indent=1, ensure_ascii=False))
        for index, graph in enumerate(compiled.graphs):
            live.prompt_id = str(uuid.uuid4())
            if live.cancelled:
                raise JobCancelled("Cancelled.")
            changes: dict[str, Any] = {"prompt_id": live.prompt_id}
            if job.status == QUEUED:
                changes |= {"started": self.clock(), "attempts": job.attempts + 1}
                job = job.moved(RUNNING, **changes)
            else:
                job = replace(job, **changes)
            self._save_running(job)
            with live.lock:
                live.tracker.text = _preparing(compiled, index)
                live.tracker.feed(Started(graph=index), time.monotonic())
            prompt = Prompt(
                id=live.prompt_id,
                graph=graph,
                labels=compiled.labels[index],
                sampling_steps=compiled.sampling_steps,
                files=parts.files(index, graph),
                index=index,
            )
            if live.cancelled:
                raise JobCancelled("Cancelled.")
            parts.fetch(engine, engine.run(prompt, lambda event: self._on_event(live, event)), index)
        return self._collect(job, live, parts, compiled.still)

    def _on_event(self, live: LiveJob, event: Event) -> None:
        with live.lock:
            if isinstance(event, Preview):
                live.preview = (event.image, event.mime)
            if live.cancelled and isinstance(event, Stage):
                event = replace(event, text="Cancelling")
            live.tracker.feed(event, time.monotonic())

    def _collect(self, job: Job, live: LiveJob, parts: Parts, still: bool) -> Job:
        """Puts the result together, looks whether it is what was asked for, and closes the job."""
        folder = self.jobs_dir / job.id
        result = folder / result_name(job.mode)
        try:
            parts.finish(result)
        except OSError as error:
            raise from_os_error(error) from error
        if still:
            picture = self._decoder.picture(result)
            found = (picture.width, picture.height, 1)
        else:
            video = self._decoder.video_facts(result)
            found = (video.width, video.height, video.frames)
        if found != (job.width, job.height, job.frames):
            log.warning("job %s: asked for %s, got %s", job.id, (job.width, job.height, job.frames), found)
            job = replace(job, width=found[0], height=found[1], frames=found[2])
        try:
            if not still:
                self._decoder.poster(result, folder / POSTER)
        except StudioError as error:  # a clip without a poster is still a clip
            log.warning("job %s: no poster: %s", job.id, error.message)
        with live.lock:
            timings = live.tracker.timings(time.monotonic())
        return self._end(replace(job, size=result.stat().st_size, timings=timings), DONE)

    # -- endings --------------------------------------------------------------------------

    def _save_running(self, job: Job) -> None:
        self.store.save(job)
        with self._changed:
            self._running[job.id] = job

    def _end(self, job: Job, status: str, error: StudioError | None = None) -> Job:
        data = error.to_dict() if error is not None else None
        if error is not None:
            log.warning("job %s: %s: %s %s", job.id, error.code, error.message, error.detail)
        job = job.moved(status, finished=self.clock(), error=data)
        try:
            self.store.save(job)
        except StudioError as problem:
            log.error("job %s: its end (%s) could not be saved: %s", job.id, status, problem.message)
            if data is None and status == DONE:
                status, data = FAILED, problem.to_dict()
        with self._changed:
            live = self._live.get(job.id)
        if live is not None:
            with live.lock:
                live.tracker.end(status, time.monotonic(), data)
                if status == DONE:
                    live.preview = None
        log.info("job %s: %s", job.id, status)
        return job

    def _remember(self, live: LiveJob) -> None:
        self._live[live.id] = live
        while len(self._live) > REMEMBERED:
            oldest = next((key for key, item in self._live.items() if item.tracker.status in TERMINAL), None)
            if oldest is None:
                return
            del self._live[oldest]


def _one_or_many(graphs: tuple[dict[str, Any], ...]) -> Any:
    return graphs[0] if len(graphs) == 1 else list(graphs)


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise from_os_error(error) from error


def _preparing(compiled: Compiled, index: int) -> str:
    """What is done before a graph runs, in words."""
    if not compiled.derived[index]:
        return "Sending the picture" if compiled.inputs else "Sending the prompt"
    part = compiled.parts[index]
    return f"Preparing {part}" if part else "Preparing sound and picture"


def _unexpected(error: Exception) -> StudioError:
    return InternalError("Something went wrong in Wan Studio itself.", detail=repr(error))
