"""One job on one engine, from its compiled graphs to the file under its final name."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.engines.base import Engine, Prompt, engine_name
from backend.errors import EngineError, EngineLost, JobCancelled, StudioError, from_os_error
from backend.estimate import Work, stage_seconds
from backend.events import Event, Output, Preview, Stage, Started
from backend.jobs import QUEUED, RUNNING, Job
from backend.media.probe import Decoder
from backend.parts import Parts
from backend.progress import Snapshot, Tracker
from backend.store import Store
from backend.views import result_name
from workflows.compile import Compiled

log = logging.getLogger("wan.runner")

RESULT, STILL, POSTER, WORKFLOW = "result.mp4", "result.png", "poster.jpg", "workflow.json"
AGAIN = "The studio or ComfyUI was restarted, so this video was started again."

Compiler = Callable[[Job, Engine], Compiled]
"""Turns a job into graphs for this engine. Raises StudioError."""


@dataclass
class LiveJob:
    """A job as the watchers see it. `lock` guards tracker and preview."""

    id: str
    tracker: Tracker = field(default_factory=Tracker)
    lock: threading.Lock = field(default_factory=threading.Lock)
    preview: tuple[bytes, str] | None = None
    prompt_id: str = ""
    engine: Engine | None = None
    cancelled: bool = False

    def snapshot(self) -> Snapshot:
        with self.lock:
            return self.tracker.snapshot(time.monotonic())

    def feed(self, event: Event) -> None:
        with self.lock:
            if isinstance(event, Preview):
                self.preview = (event.image, event.mime)
            if self.cancelled and isinstance(event, Stage):
                event = replace(event, text="Cancelling")
            self.tracker.feed(event, time.monotonic())


@dataclass
class Execution:
    """`save` writes the running job wherever it is kept; every change goes through it first."""

    store: Store
    decoder: Decoder
    jobs_dir: Path
    compile_job: Compiler
    clock: Callable[[], float]
    save: Callable[[Job], None]

    def run(self, engine: Engine, job: Job, live: LiveJob) -> Job:
        """The job with the facts of its result; its end is the caller's to write. Raises StudioError."""
        info = engine.info()
        compiled = self.compile_job(job, engine)
        name = engine_name(info)
        work = Work(compiled.evaluations, compiled.width, compiled.height, compiled.frames)
        with live.lock:
            live.tracker.expected = stage_seconds(work, self.store.done_on(name, job.mode))
        folder = self.jobs_dir / job.id
        sources = {str(media["name"]): folder / str(media["file"]) for media in job.inputs.values()}
        driving = {str(job.inputs["video"]["name"])} if "video" in job.inputs else set()

        def check() -> None:
            if live.cancelled:
                raise JobCancelled("Cancelled.")

        parts = Parts(self.decoder, folder, sources, compiled, check=check, quiet=frozenset(driving))
        earlier = job.prompt_id
        if earlier and len(compiled.graphs) > 1:
            # Which part it was is not known: the parts before it are made again, so it must not go on.
            engine.cancel(earlier)
            earlier, job = "", replace(job, warnings=tuple(dict.fromkeys((*job.warnings, AGAIN))))
        again = tuple(warning for warning in job.warnings if warning == AGAIN)
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
            warnings=tuple(dict.fromkeys((*compiled.warnings, *_notes(job), *again))),
        )
        if compiled.derived[0]:
            job = self._running(job)
        _write(folder / WORKFLOW, _pretty(compiled.graphs))
        for index, graph in enumerate(compiled.graphs):
            if compiled.derived[index]:
                self._tell_preparing(live, compiled, index)
            files = parts.files(index, graph)
            prompt = Prompt(
                str(uuid.uuid4()), graph, compiled.labels[index], compiled.sampling_steps, files, index
            )
            job, outputs = self._run_graph(engine, job, live, prompt, earlier if index == 0 else "")
            parts.fetch(engine, outputs, index)
        return self._collect(job, live, parts, compiled.still)

    def _run_graph(
        self, engine: Engine, job: Job, live: LiveJob, prompt: Prompt, earlier: str
    ) -> tuple[Job, tuple[Output, ...]]:
        """Follows the prompt that an earlier run of the app left, if it is still there; else posts."""
        if earlier:
            left = replace(prompt, id=earlier)
            job = self._begin(job, live, engine, left)
            try:
                return job, engine.resume(left, live.feed)
            except EngineLost:
                job = replace(job, warnings=tuple(dict.fromkeys((*job.warnings, AGAIN))))
        job = self._begin(job, live, engine, prompt)
        return job, engine.run(prompt, live.feed)

    def _begin(self, job: Job, live: LiveJob, engine: Engine, prompt: Prompt) -> Job:
        """The prompt's id is on disk before the engine has it."""
        live.prompt_id, live.engine = prompt.id, engine
        if live.cancelled:
            raise JobCancelled("Cancelled.")
        job = self._running(replace(job, prompt_id=prompt.id))
        return job

    def _running(self, job: Job) -> Job:
        if job.status == QUEUED:
            job = job.moved(RUNNING, started=self.clock(), attempts=job.attempts + 1)
        self.save(job)
        return job

    def _tell_preparing(self, live: LiveJob, compiled: Compiled, index: int) -> None:
        part = compiled.parts[index]
        live.feed(Started(graph=index))
        live.feed(Stage("load", f"Preparing {part}" if part else "Preparing sound and picture"))
        if live.cancelled:
            raise JobCancelled("Cancelled.")

    def _collect(self, job: Job, live: LiveJob, parts: Parts, still: bool) -> Job:
        """Puts the result together and looks whether it is what was asked for."""
        folder = self.jobs_dir / job.id
        result = folder / result_name(job.mode)
        try:
            parts.finish(result)
        except OSError as error:
            raise from_os_error(error) from error
        if still:
            picture = self.decoder.picture(result)
            found = (picture.width, picture.height, 1)
        else:
            video = self.decoder.video_facts(result)
            found = (video.width, video.height, video.frames)
        if found != (job.width, job.height, job.frames):
            log.warning("job %s: asked for %s, got %s", job.id, (job.width, job.height, job.frames), found)
            job = replace(job, width=found[0], height=found[1], frames=found[2])
        try:
            if not still:
                self.decoder.poster(result, folder / POSTER)
        except StudioError as error:  # a clip without a poster is still a clip
            log.warning("job %s: no poster: %s", job.id, error.message)
        with live.lock:
            timings = live.tracker.timings(time.monotonic())
        return replace(job, size=result.stat().st_size, timings=timings)


def _notes(job: Job) -> tuple[str, ...]:
    """What was said of the creator's files when they were given; it holds for every engine."""
    return tuple(str(item["note"]) for item in job.inputs.values() if item.get("note"))


def stop_elsewhere(engines: tuple[Engine, ...], engine: Engine, prompt_id: str) -> None:
    """Stops a prompt that an earlier run left on another server than the one that takes the job now."""
    for other in engines:
        if other is not engine and prompt_id and other.info().state == "ok":
            try:
                other.cancel(prompt_id)
            except EngineError as error:
                log.info("prompt %s: could not be stopped: %s", prompt_id, error.message)


def _pretty(graphs: tuple[dict[str, Any], ...]) -> str:
    return json.dumps(graphs[0] if len(graphs) == 1 else list(graphs), indent=1, ensure_ascii=False)


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise from_os_error(error) from error
