"""Runs one job on one engine, from its compiled graphs to its result under the final name.

The steps in order: prepare the inputs, find where to resume; for each segment derive its media, run its
prompt, collect its outputs; then join the segments and measure the result. Each step returns a value. What
happens meanwhile is reported to one RunSink.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from backend import requester
from backend.engines.base import Engine, EngineInfo, Prompt, Request
from backend.engines.comfy.known_faults import SPOILING
from backend.engines.kinds import engine_name, kind_of, takes_whole
from backend.errors import BadEngineInput, EngineUnreachable, StudioError
from backend.events import Output, Stage, Started
from backend.jobs import bundle, recipes, results, reuse
from backend.jobs.cards import CardOf, no_card
from backend.jobs.estimate import expected, workload
from backend.jobs.job import QUEUED, RUNNING, Job
from backend.jobs.layout import WORKFLOW, result_name, write_text
from backend.jobs.limits import Limits
from backend.jobs.live import LiveJob, RunSink
from backend.jobs.outline import Outline
from backend.jobs.params import job_params
from backend.jobs.prompt_run import run_prompt
from backend.jobs.recovery import AGAIN, another_attempt, resume_point
from backend.jobs.segments import Segments, title_of
from backend.jobs.store import Store
from backend.jobs.used_files import UsedFiles
from backend.media.decoder import Decoder
from workflows.compile import Compiled
from workflows.notice import Notice

log = logging.getLogger("wan.jobs")

OF_SUBMISSION = frozenset({"final_left", "part_of_speed", "part_of_mode", "part_without_lora"})
"""Codes of warnings that a job is submitted with and no graph repeats."""
Compiler = Callable[[Job, Engine], Compiled]
"""Turns a job into graphs for this engine. Raises StudioError."""


@dataclass
class Execution:
    """Runs jobs. `save` writes the running job to disk. `pauses`: seconds between tries to fetch a result.
    `recipes`: whether results carry their recipe; `used`: hashes the files that they name."""

    store: Store
    decoder: Decoder
    jobs_dir: Path
    compile_job: Compiler
    clock: Callable[[], float]
    save: Callable[[Job], None]
    pauses: Sequence[float] = Limits().fetch
    cards: CardOf = no_card
    recipes: bool = True
    used: UsedFiles | None = None

    def run(self, engine: Engine, job: Job, live: LiveJob, compiled: Compiled | None = None) -> Job:
        """The job with the facts of its result; the caller writes its final state. Raises StudioError.

        `compiled`: the job compiled for this engine, if the caller has it already.
        """
        sink = RunSink(live, self.save)
        with requester.job(job.owner, sink.check):
            compiled = compiled or self.compile_job(job, engine)
            try:
                return self._run(engine, job, sink, compiled)
            except BadEngineInput as error:
                raise _named(error, job, compiled) from error

    def _run(self, engine: Engine, job: Job, sink: RunSink, compiled: Compiled) -> Job:
        folder = self.jobs_dir / job.id
        expected = self._expected(engine, job, compiled)
        segments = Segments.of_job(self.decoder, folder, job, compiled, check=sink.check)
        job, first = resume_point(engine, job, segments)
        with sink.live.lock:
            now, tracker = time.monotonic(), sink.live.tracker
            tracker.expect(_outline(engine, compiled), expected, first)
            tracker.restore(job.timings, self.clock(), now, adopted=bool(job.prompt_id))
            tracker.enter_own_work(now)
        begun = self._begun(_described(job, compiled, engine), draws=first < len(compiled.graphs))
        job = sink.save(begun)
        used = self.used if self.recipes and not takes_whole(engine.info()) else None
        files = used.begin(job.resolved, engine.info()) if used is not None else {}
        write_text(folder / WORKFLOW, _pretty(compiled.graphs))
        for index in range(first, len(compiled.graphs)):
            prompt = self._prepare(engine, job, sink, segments, index)
            job, outputs = run_prompt(engine, job, prompt, sink, partial(segments.take, index))
            sink.enter_own_work()
            if outputs is not None:
                self._collect(engine, sink, segments, outputs, index)
            job = self._finished(job, sink, index)
        result = folder / result_name(job.mode)
        segments.join(result)
        job = results.measured(self.decoder, job, result, compiled.still)
        job = replace(job, reused=reuse.counted(compiled, sink.live.cached))
        job = results.with_seam(self.decoder, job, result)
        job = _warned(job, sink.live, segments.notices)
        if used is not None:
            job = replace(job, resolved=used.with_digests(job.resolved, files))
        recipes.finish(self.decoder, job, result, recipes=self.recipes)
        return replace(job, size=result.stat().st_size)

    def _expected(self, engine: Engine, job: Job, compiled: Compiled) -> dict[str, float]:
        """Stage -> seconds, of earlier jobs alike or of the card; asked before any lock that the page's poll
        takes."""
        info = engine.info()
        found = expected(workload(compiled), job.mode, info, self.store.done_on, self.cards(info))
        return dict(found.stages)

    def _begun(self, job: Job, draws: bool) -> Job:
        """The job as a running one. Without a prompt to adopt this is a new attempt, unless all segments are
        there and only the join is left. Raises LostTooOften."""
        if job.status != QUEUED:
            return job
        job = job.moved(RUNNING, started=self.clock())
        return another_attempt(job) if draws and not job.prompt_id else job

    def _prepare(self, engine: Engine, job: Job, sink: RunSink, segments: Segments, index: int) -> Prompt:
        """The prompt of a segment, with the files that it reads. Raises BadMedia, DiskFull, JobCancelled."""
        compiled = segments.compiled
        graph = compiled.graphs[index]
        if compiled.derived[index]:
            name = compiled.segment_names[index]
            sink.live.feed(Started(graph=index))
            text = f"Preparing {name}" if name else "Preparing sound and picture"
            sink.live.feed(Stage("load", text, preparing=True))
            sink.check()
        files = segments.derive(index)
        request = self._request(job, sink) if takes_whole(engine.info()) else None
        return Prompt(
            str(uuid.uuid4()), graph, compiled.labels[index], compiled.sampling_steps, files, index,
            request=request,
        )  # fmt: skip

    def _request(self, job: Job, sink: RunSink) -> Request:
        """The job for an engine that takes it whole and compiles it itself."""
        sink.live.feed(Stage("wait", "Getting the files ready"))
        return bundle.request(self.decoder, self.jobs_dir / job.id, job, job_params(job), sink.check)

    def _collect(
        self, engine: Engine, sink: RunSink, segments: Segments, outputs: tuple[Output, ...], index: int
    ) -> None:
        """Fetches a segment's outputs; a short network failure does not count as a lost engine."""
        for pause in self.pauses:
            try:
                return segments.collect(engine, outputs, index)
            except EngineUnreachable as error:
                if error.final:
                    raise
                log.info("result: %s %s; retried in %g s", error.message, error.detail, pause)
                time.sleep(pause)
                sink.check()
        segments.collect(engine, outputs, index)

    def _finished(self, job: Job, sink: RunSink, index: int) -> Job:
        """The job after a segment: the next one starts with this as its first attempt."""
        job = replace(job, segments_done=index + 1, attempts=1, losses=0, prompt_id="", remote="", server="")
        try:
            sink.save(job)
        except StudioError as error:  # the file is there; the job's next change writes this one too
            log.warning("job %s: the end of segment %d is not saved: %s", job.id, index + 1, error.message)
        return job


def _named(error: BadEngineInput, job: Job, compiled: Compiled) -> BadEngineInput:
    """The error of an engine, which knows only our copies, with the names of the files that they are of: of
    the one that it reports, or of all where that is not known."""
    sent = {item.media.name: field for field, item in job.inputs.items()}
    for derived in (each for of_graph in compiled.derived for each in of_graph):
        if derived.source in sent:
            sent[derived.name] = sent[derived.source]
    reported = {field for name, field in sent.items() if any(name in text for text in error.sent)}
    if len(reported) == 1:
        field = reported.pop()
        return BadEngineInput.of(
            "engine_input_is", said=error.message, advice=error.hint, name=title_of(job, field),
            field=error.field or field, detail=error.detail, cause=error.cause,
        )  # fmt: skip
    names = tuple(dict.fromkeys(title_of(job, name) for name in job.inputs))
    if not names:
        return error
    return BadEngineInput.of(
        "engine_input_of", said=error.message, advice=error.hint, names=names,
        field=error.field, detail=error.detail, cause=error.cause,
    )  # fmt: skip


def _described(job: Job, compiled: Compiled, engine: Engine) -> Job:
    """The job with the facts and warnings of its compiled form."""
    info = engine.info()
    return replace(
        job.measured_by(compiled),
        engine=engine_name(info),
        demo=kind_of(info).simulated,
        resolved=job.resolved if takes_whole(info) else compiled.resolved.to_json(),
        warnings=_warnings(job, (*compiled.warnings, *_of_engine(info))),
    )


def _of_engine(info: EngineInfo) -> tuple[Notice, ...]:
    """The warning that this version of the engine spoils videos: a caller of the API sees no page that says
    it."""
    return (info.note,) if info.note is not None and info.note.code in SPOILING else ()


def _warned(job: Job, live: LiveJob, of_media: tuple[Notice, ...]) -> Job:
    """The job with what an engine that compiled it says, instead of ours, and the warnings of its media."""
    found = job.warnings if live.warned is None else _warnings(job, live.warned)
    resolved = live.resolved or job.resolved
    return replace(job, warnings=tuple(dict.fromkeys((*found, *of_media))), resolved=resolved)


def _warnings(job: Job, of_graphs: tuple[Notice, ...]) -> tuple[Notice, ...]:
    """The warnings of the graphs, of the given files and of the submission, and whether the job was started
    again; each once."""
    kept = tuple(one for one in job.warnings if one == AGAIN or one.code in OF_SUBMISSION)
    return tuple(dict.fromkeys((*of_graphs, *_notes(job), *kept)))


def _outline(engine: Engine, compiled: Compiled) -> Outline:
    """The work of the job; by stages for an engine that does not tell its nodes."""
    outline = Outline.of(compiled)
    return Outline.by_stage(outline.steps, outline.chunks) if takes_whole(engine.info()) else outline


def _notes(job: Job) -> tuple[Notice, ...]:
    """Warnings about the given files; they hold for every engine."""
    return tuple(item.note for item in job.inputs.values() if item.note is not None)


def _pretty(graphs: tuple[dict[str, Any], ...]) -> str:
    return json.dumps(graphs[0] if len(graphs) == 1 else list(graphs), indent=1, ensure_ascii=False)
