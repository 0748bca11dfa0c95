"""One job on one engine, from its compiled graphs to the file under its final name."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend import requester
from backend.engines.base import Engine, Prompt, Request
from backend.engines.kinds import engine_name, kind_of, takes_whole
from backend.errors import (
    EngineUnreachable,
    InputsGone,
    JobCancelled,
    LostTooOften,
    PromptGone,
    ShuttingDown,
    StudioError,
    from_os_error,
)
from backend.events import Accepted, Event, Output, Stage, Started, Warned
from backend.jobs import bundle
from backend.jobs.estimate import Workload, stage_seconds
from backend.jobs.job import QUEUED, RUNNING, Job
from backend.jobs.layout import POSTER, WORKFLOW, result_name, write_text
from backend.jobs.limits import Limits
from backend.jobs.live import LiveJob
from backend.jobs.params import job_params
from backend.jobs.segments import Parts
from backend.jobs.store import Store
from backend.media.decoder import Decoder
from workflows.compile import Compiled
from workflows.notice import Notice, notice

log = logging.getLogger("wan.jobs")

AGAIN = notice("restarted")

MAX_POSTS = 3  # a part that the app's death took from its engine is begun again at most twice

Compiler = Callable[[Job, Engine], Compiled]
"""Turns a job into graphs for this engine. Raises StudioError."""


@dataclass
class Execution:
    """`save` writes the running job wherever it is kept; every change goes through it first. `pauses`:
    seconds between tries to fetch a result."""

    store: Store
    decoder: Decoder
    jobs_dir: Path
    compile_job: Compiler
    clock: Callable[[], float]
    save: Callable[[Job], None]
    pauses: Sequence[float] = Limits().fetch

    def run(self, engine: Engine, job: Job, live: LiveJob, compiled: Compiled | None = None) -> Job:
        """The job with the facts of its result; its end is the caller's to write. Raises StudioError.

        `compiled`: what `compile_job` made of it for this engine, if that was done before.
        """
        with requester.job(job.owner, self._stop(live)):
            return self._run(engine, job, live, compiled)

    def _run(self, engine: Engine, job: Job, live: LiveJob, compiled: Compiled | None) -> Job:
        info = engine.info()
        compiled = compiled or self.compile_job(job, engine)
        name = engine_name(info)
        work = Workload(compiled.evaluations, compiled.width, compiled.height, compiled.frames)
        expected = stage_seconds(work, self.store.done_on(name, job.mode))
        with live.lock:  # the page's poll takes it: never held while the database is asked
            live.tracker.expected = expected
        parts = self._parts(job, live, compiled)
        job, first = self._take_up(engine, job, parts)
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
            demo=kind_of(info).simulated,
            warnings=tuple(dict.fromkeys((*compiled.warnings, *_notes(job), *again))),
        )
        whole = not first and not job.prompt_id
        job = self._running(job)
        write_text(self.jobs_dir / job.id / WORKFLOW, _pretty(compiled.graphs))
        if first:
            with live.lock:
                live.tracker.reached(_steps_in(compiled, first), compiled.sampling_steps)
        for index in range(first, len(compiled.graphs)):
            job = self._run_part(engine, job, live, parts, index)
        job = self._collect(job, live, parts, compiled.still)
        return job if whole else replace(job, timings={})  # seconds of a piece would mislead estimates

    def _parts(self, job: Job, live: LiveJob, compiled: Compiled) -> Parts:
        folder = self.jobs_dir / job.id
        sources = {str(media["name"]): folder / str(media["file"]) for media in job.inputs.values()}
        if not all(path.is_file() for path in sources.values()):
            raise InputsGone("The files for this video no longer exist.")
        driving = {str(job.inputs["video"]["name"])} if "video" in job.inputs else set()
        return Parts(
            self.decoder, folder, sources, compiled, job.id, check=self._stop(live), quiet=frozenset(driving)
        )

    def _take_up(self, engine: Engine, job: Job, parts: Parts) -> tuple[Job, int]:
        """The parts that an earlier run finished stay finished, if this engine would draw the same ones."""
        finished = parts.take_up(job.part)
        if finished == job.part:
            return job, finished
        if job.prompt_id:  # it draws a part of a plan that is no longer followed
            engine.cancel(job.prompt_id, job.remote)
        fresh = replace(job, part=0, attempts=0, prompt_id="", remote="", server="")
        return replace(fresh, warnings=tuple(dict.fromkeys((*job.warnings, AGAIN)))), 0

    def _run_part(self, engine: Engine, job: Job, live: LiveJob, parts: Parts, index: int) -> Job:
        """One graph, from its media to its file in the job's folder; then the job is that much further."""
        compiled = parts.compiled
        graph = compiled.graphs[index]
        if compiled.derived[index]:
            self._tell_preparing(live, compiled, index)
        prompt = Prompt(
            str(uuid.uuid4()), graph, compiled.labels[index], compiled.sampling_steps,
            parts.files(index, graph), index,
            request=self._request(job, live) if takes_whole(engine.info()) else None,
        )  # fmt: skip
        job, outputs = self._run_graph(engine, job, live, prompt)
        self._fetch(engine, live, parts, outputs, index)
        # The next part is begun with this, for the first time.
        job = replace(job, part=index + 1, attempts=1, losses=0, prompt_id="", remote="", server="")
        try:
            self.save(job)
        except StudioError as error:  # its file is there; the next change, or the end, is written later
            log.warning("job %s: part %d is not noted: %s", job.id, index + 1, error.message)
        return job

    def _fetch(
        self, engine: Engine, live: LiveJob, parts: Parts, outputs: tuple[Output, ...], index: int
    ) -> None:
        """Fetches the result; a network that is away for a moment does not make the engine a lost one."""
        for pause in self.pauses:
            try:
                return parts.fetch(engine, outputs, index)
            except EngineUnreachable as error:
                log.info("result: %s %s; tried again", error.message, error.detail)
                time.sleep(pause)
                self._stop(live)()
        parts.fetch(engine, outputs, index)

    def _request(self, job: Job, live: LiveJob) -> Request:
        """The job as an engine takes it that takes it whole."""
        live.feed(Stage("wait", "Getting the files ready"))
        folder = self.jobs_dir / job.id
        return bundle.request(self.decoder, folder, job, job_params(job), self._stop(live))

    @staticmethod
    def _stop(live: LiveJob) -> Callable[[], None]:
        def check() -> None:
            if live.cancelled:
                raise JobCancelled("Cancelled.")

        return check

    def _run_graph(
        self, engine: Engine, job: Job, live: LiveJob, prompt: Prompt
    ) -> tuple[Job, tuple[Output, ...]]:
        """Follows the prompt that an earlier run of the app left, if it is still there; else posts."""
        if job.prompt_id:
            left = replace(prompt, id=job.prompt_id, remote=job.remote)
            job = self._begin(job, live, engine, left)
            try:
                return job, engine.resume(left, self._listener(job, live))
            except PromptGone:
                job = _begun(replace(job, warnings=tuple(dict.fromkeys((*job.warnings, AGAIN)))))
        job = self._begin(replace(job, remote=""), live, engine, prompt)
        return job, engine.run(prompt, self._listener(job, live))

    def _listener(self, job: Job, live: LiveJob) -> Callable[[Event], None]:
        """Tells the watchers; what the engine calls the prompt is on disk before anything else happens."""

        def hear(event: Event) -> None:
            if isinstance(event, Accepted):
                self._running(replace(job, remote=event.remote))
            elif isinstance(event, Warned):
                live.warned = event.notices
            else:
                live.feed(event)

        return hear

    def _begin(self, job: Job, live: LiveJob, engine: Engine, prompt: Prompt) -> Job:
        """The prompt's id is on disk before the engine has it."""
        live.prompt_id, live.engine = prompt.id, engine
        if live.cancelled:
            raise JobCancelled("Cancelled.")
        return self._running(replace(job, prompt_id=prompt.id, server=engine.info().address))

    def _running(self, job: Job) -> Job:
        if job.status == QUEUED:
            job = job.moved(RUNNING, started=self.clock())
            if not job.prompt_id:
                job = _begun(job)
        self.save(job)
        return job

    def _tell_preparing(self, live: LiveJob, compiled: Compiled, index: int) -> None:
        part = compiled.parts[index]
        live.feed(Started(graph=index))
        live.feed(
            Stage("load", f"Preparing {part}" if part else "Preparing sound and picture", preparing=True)
        )
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
        except (JobCancelled, ShuttingDown):
            raise
        except StudioError as error:  # a clip without a poster is still a clip
            log.warning("job %s: no poster: %s", job.id, error.message)
        with live.lock:
            timings = live.tracker.timings(time.monotonic())
        if live.warned is not None:
            again = tuple(warning for warning in job.warnings if warning == AGAIN)
            job = replace(job, warnings=tuple(dict.fromkeys((*live.warned, *_notes(job), *again))))
        return replace(job, size=result.stat().st_size, timings=timings)


def _begun(job: Job) -> Job:
    """One more beginning of the part at hand. Raises LostTooOften."""
    if job.attempts >= MAX_POSTS:
        raise LostTooOften(f"This video was started {MAX_POSTS} times and was interrupted each time.")
    return replace(job, attempts=job.attempts + 1)


def _steps_in(compiled: Compiled, parts: int) -> int:
    """Sampling steps of the whole job that are behind it when so many parts are finished."""
    labels = (label for part in compiled.labels[:parts] for label in part.values() if label.steps)
    return max((label.first_step + label.steps for label in labels), default=0)


def _notes(job: Job) -> tuple[Notice, ...]:
    """The notices of the creator's files; they hold for every engine."""
    return tuple(Notice.from_json(item["note"]) for item in job.inputs.values() if item.get("note"))


def _pretty(graphs: tuple[dict[str, Any], ...]) -> str:
    return json.dumps(graphs[0] if len(graphs) == 1 else list(graphs), indent=1, ensure_ascii=False)
