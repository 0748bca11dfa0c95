"""The handler of a RunPod Serverless worker: runs one job from its input to its response.

The job runs in a thread. The handler is async, so that RunPod's stop signal (the cancellation of its task)
interrupts ComfyUI immediately. It is not a generator, because the output of a generator would be a list.
A failure is {"error": text}, where the text is JSON with code, message and hint.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import re
import secrets
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from backend import logs, requester
from backend.engines.base import Engine, Prompt
from backend.engines.kinds import engine_name
from backend.engines.runpod.responses import DUPLICATE, progress_of
from backend.errors import (
    EngineDiskFull,
    EngineLost,
    EngineUnreachable,
    InternalError,
    JobCancelled,
    NoOutput,
    StudioError,
    TooLate,
)
from backend.events import Output, Stage
from backend.jobs import estimate, input_files, originals, recipes
from backend.jobs.execution import Execution
from backend.jobs.job import Job
from backend.jobs.layout import result_name
from backend.jobs.live import LiveJob
from backend.jobs.params import make_params
from backend.jobs.preflight import checked
from backend.jobs.server_facts import FactsOf, plain_facts
from backend.jobs.used_files import UsedFiles
from backend.media.decoder import Decoder
from backend.notices import words
from backend.worker import results
from backend.worker.claims import Claims
from backend.worker.job_input import JobInput, Limits, labels_of, read_job_input
from backend.worker.results import DeliveryOptions
from workflows.compile import Compiled
from workflows.modes.registry import MODES
from workflows.params.limits import RANDOM_SEEDS

log = logging.getLogger("wan.worker")

REPORT_SECONDS = 1.0  # between progress reports
STOP_SECONDS = 30.0  # for a cancelled job to end
ENGINE_SECONDS = 60.0  # for an engine to respond before a job

Report = Callable[[Mapping[str, Any], Mapping[str, Any]], None]
"""(job, progress): sends a progress report to RunPod."""

Recover = Callable[[Engine, StudioError], StudioError]
"""(engine, error): returns the error that explains why the engine was lost."""


@dataclass
class ActiveJob:
    """A job that is being processed."""

    job_id: str
    live: LiveJob
    prompt_id: str = ""
    engine: Engine | None = None
    late: bool = False
    taken_by: str = ""  # id of the job that took over the prompt
    reported: dict[str, Any] = field(default_factory=dict)
    preview: bytes = b""

    def check(self) -> None:
        """Raises JobCancelled if the job was cancelled."""
        if self.live.cancelled:
            raise JobCancelled.of("cancelled")


class Worker:
    """Processes jobs, one at a time per engine."""

    def __init__(
        self,
        engines: Sequence[Engine],
        decoder: Decoder,
        claims: Claims,
        folder: Path,
        limits: Limits,
        delivery: DeliveryOptions,
        *,
        minutes: float,
        report: Report = lambda job, shown: None,
        flush_reports: Callable[[], None] = lambda: None,
        recover: Recover = lambda engine, error: error,
        facts_of: FactsOf = plain_facts,
        recipes: bool = True,
        used: UsedFiles | None = None,
    ) -> None:
        """`folder`: holds the files of jobs while they run. `minutes`: time limit of a job. `report` sends
        progress to RunPod; `flush_reports` waits until all reports are sent; `recover`: see Recover;
        `facts_of`: what a server offers, with its model files; `recipes`: whether results carry their
        recipe, for which `used` hashes their files."""
        self.decoder, self.claims, self.folder = decoder, claims, folder
        self.limits, self.delivery, self.minutes = limits, delivery, minutes
        self._report, self._flush_reports, self._recover = report, flush_reports, recover
        self._facts_of, self._recipes, self._used = facts_of, recipes, used
        self._active_count = 0  # changed only by the thread of the event loop
        self._engines: queue.Queue[Engine] = queue.Queue()
        for engine in engines:
            self._engines.put(engine)

    @property
    def busy(self) -> bool:
        """Whether a job is being processed."""
        return self._active_count > 0

    async def handle(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Processes one job for the SDK and returns its response. Raises only CancelledError."""
        job_id = re.sub(r"[^\w-]", "", str(job.get("id") or ""))[:100] or uuid.uuid4().hex
        active = ActiveJob(job_id, LiveJob(job_id))
        loop = asyncio.get_running_loop()
        done: asyncio.Future[dict[str, Any]] = loop.create_future()

        def run() -> None:
            answer = self._answer(active, job.get("input"))
            loop.call_soon_threadsafe(lambda: None if done.done() else done.set_result(answer))

        threading.Thread(target=run, name=f"job-{job_id}", daemon=True).start()
        until = time.monotonic() + self.minutes * 60
        heartbeats = asyncio.create_task(self._send_heartbeats(active))
        self._active_count += 1
        try:
            while not (await asyncio.wait({done}, timeout=REPORT_SECONDS))[0]:
                self._report_progress(job, active)
                if time.monotonic() > until and not active.late:
                    active.late = True
                    await asyncio.to_thread(self._stop, active)
            await asyncio.to_thread(self._flush_reports)
            return done.result()
        except asyncio.CancelledError:
            log.info("job %s: stopped by RunPod", job_id)
            await asyncio.to_thread(self._stop, active)
            await asyncio.wait({done}, timeout=STOP_SECONDS)
            raise
        finally:
            heartbeats.cancel()
            self._active_count -= 1

    async def _send_heartbeats(self, active: ActiveJob) -> None:
        """Sends heartbeats for the claim, and stops the job if it has lost the claim. Runs as a separate
        task, so that a volume that hangs does not delay the handler."""
        while not active.taken_by:
            await asyncio.sleep(REPORT_SECONDS)
            active.taken_by = await asyncio.to_thread(self.claims.heartbeat, active.prompt_id, active.job_id)
        log.warning("job %s: stopped, because job %s took over its prompt", active.job_id, active.taken_by)
        await asyncio.to_thread(self._stop, active)

    def _stop(self, active: ActiveJob) -> None:
        active.live.cancelled = True
        engine, prompt_id = active.live.engine, active.live.prompt_id
        if engine is not None and prompt_id:
            engine.cancel(prompt_id)

    def _report_progress(self, job: Mapping[str, Any], active: ActiveJob) -> None:
        """Reports the progress to RunPod if it has changed."""
        now = active.live.snapshot()
        stage = Stage(now.doing, now.text, "", now.chunk, now.chunks, now.preparing)
        shown = progress_of(now.percent, stage, now.step, now.steps)
        picture = active.live.preview
        if picture is not None and picture[0] != active.preview:
            active.preview = picture[0]
            shown = progress_of(now.percent, stage, now.step, now.steps, picture[0])
        if shown != active.reported:
            active.reported = {key: value for key, value in shown.items() if key != "preview"}
            self._report(job, shown)

    # -- in the job's thread ----------------------------------------------------------------

    def _answer(self, active: ActiveJob, given: object) -> dict[str, Any]:
        """Runs the job in a logging context and returns its response. Never raises."""
        began = time.monotonic()
        folder = self.folder / f"{active.job_id[:60]}-{secrets.token_hex(4)}"
        said = given.get("params") if isinstance(given, Mapping) else None
        with logs.job_context(active.job_id, logs.prompt_texts(said) if isinstance(said, Mapping) else ()):
            return self._run_safely(active, given, folder, began)

    def _run_safely(self, active: ActiveJob, given: object, folder: Path, began: float) -> dict[str, Any]:
        try:
            with requester.job(active.job_id, active.check):
                answer = self._run_job(active, given, folder)
            log.info("job %s: done in %.1f s", active.job_id, time.monotonic() - began)
            return answer
        except StudioError as error:
            if isinstance(error, JobCancelled) and active.taken_by:
                return _duplicate(active.taken_by)
            if isinstance(error, JobCancelled) and active.late:
                error = TooLate.of("worker_ran_too_long", minutes=self.minutes)
            log.warning("job %s: %s: %s %s", active.job_id, error.code, error.message, error.detail)
            return _failure(error)
        except Exception as error:
            log.exception("job %s: unexpected error", active.job_id)
            return _failure(InternalError.of("worker_unexpected", detail=repr(error)))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run_job(self, active: ActiveJob, given: object, folder: Path) -> dict[str, Any]:
        if isinstance(given, Mapping) and "read" in given:
            return results.read_range(given["read"], self.delivery)
        prompt_id = str(given.get("prompt_id") or "") if isinstance(given, Mapping) else ""
        other = self.claims.take(prompt_id, active.job_id) if prompt_id else ""
        if other:
            log.info("job %s: job %s already has this prompt", active.job_id, other)
            return _duplicate(other)
        active.prompt_id = prompt_id
        done = False
        try:
            job_input = read_job_input(given, folder / "inputs", self.limits, active.check)
            engine = self._engine(active)
            try:
                if job_input.graph is not None:
                    files, about = self._run_graph(active, engine, job_input, folder)
                else:
                    files, about = self._run_mode(active, engine, job_input, folder)
            except (EngineLost, EngineUnreachable) as error:
                raise self._recover(engine, error) from error
            finally:
                self._engines.put(engine)
            active.check()
            answer = {"images": results.deliver(files, active.job_id, self.delivery), **about}
            self.claims.done(prompt_id, active.job_id)
            done = True
            return answer
        finally:
            if not done:
                self.claims.release(prompt_id, active.job_id)

    def _engine(self, active: ActiveJob) -> Engine:
        """Waits for a free engine that responds. Raises EngineUnreachable, JobCancelled."""
        while True:
            active.check()
            try:
                engine = self._engines.get(timeout=0.5)
                break
            except queue.Empty:
                continue
        until = time.monotonic() + ENGINE_SECONDS
        while engine.refresh().state != "ok":
            if time.monotonic() > until or active.live.cancelled:
                self._engines.put(engine)
                active.check()
                raise EngineUnreachable.of("worker_comfyui_silent")
            time.sleep(0.5)
        return engine

    def _run_graph(
        self, active: ActiveJob, engine: Engine, job_input: JobInput, folder: Path
    ) -> tuple[list[tuple[str, Path]], dict[str, Any]]:
        """Runs a graph from the job's input unchanged. Returns (name, file) pairs and no further fields. The
        files keep what ComfyUI wrote into them, which the sender of the graph knows, unless results carry no
        recipes."""
        graph = job_input.graph or {}
        results.check(results.estimate_graph_bytes(graph), self.delivery)
        labels = labels_of(graph)
        steps = sum(label.steps for label in labels.values())
        prompt = Prompt(str(uuid.uuid4()), graph, labels, steps, job_input.files)
        active.live.engine, active.live.prompt_id = engine, prompt.id
        active.check()
        outputs = engine.run(prompt, active.live.feed)
        kept = [output for output in outputs if output.kind != "temp"] or list(outputs)
        if not kept:
            raise NoOutput.of("worker_wrote_nothing")
        folder.mkdir(parents=True, exist_ok=True)
        files = [_fetched(engine, output, folder, number) for number, output in enumerate(kept)]
        for name, path in files if not self._recipes else ():
            active.check()
            recipes.strip(self.decoder, path, name)
        return files, {}

    def _run_mode(
        self, active: ActiveJob, engine: Engine, job_input: JobInput, folder: Path
    ) -> tuple[list[tuple[str, Path]], dict[str, Any]]:
        """Runs a job of a mode as the studio does, with all its segments. Returns (name, file) pairs and the
        fields of the response."""
        job = self._job(job_input, folder)

        def compile_job(job: Job, engine: Engine) -> Compiled:
            compiled = checked(job, engine, self._facts_of)
            results.check(estimate.expected_bytes(compiled), self.delivery)
            return compiled

        # The state of a running job is not stored: it ends with the worker.
        execution = Execution(
            cast(Any, _EmptyHistory()), self.decoder, folder, compile_job, time.time, lambda job: None,
            recipes=self._recipes, used=self._used,
        )  # fmt: skip
        ended = execution.run(engine, job, active.live)
        name = result_name(job.mode)
        about = {
            "seed": ended.seed,
            "width": ended.width,
            "height": ended.height,
            "frames": ended.frames,
            "fps": ended.fps,
            "steps": ended.steps,
            "warnings": [words(warning) for warning in ended.warnings],
            "notices": [warning.to_json() for warning in ended.warnings],
            "resolved": ended.resolved,
            "engine": engine_name(engine.info()),
        }
        return [(name, folder / job.id / name)], about

    def _job(self, job_input: JobInput, folder: Path) -> Job:
        """Creates the job, and checks and stores its files as the studio does. Raises BadInput."""
        values = dict(job_input.params)
        if values.get("seed", -1) in (-1, None):
            values["seed"] = secrets.randbelow(RANDOM_SEEDS)
        seen = {
            name: input_files.look(
                self.decoder, MODES[job_input.mode].media[name].kind, path, name, job_input.titles[name]
            )
            for name, path in job_input.files.items()
        }
        sizes = {name: input_files.as_media(one, name) for name, one in seen.items()}
        notes = {name: input_files.note(one, name) for name, one in seen.items()}
        params = make_params(job_input.mode, values, sizes)
        job_id = uuid.uuid4().hex
        titles = job_input.titles
        uploads = {
            name: replace(originals.plain(path), filename=originals.filename_of(Path(titles[name])))
            for name, path in job_input.files.items()
        }
        inputs = input_files.keep(self.decoder, params, uploads, (), sizes, folder / job_id, notes, titles)
        return Job(
            job_id, "worker", job_input.mode, values, inputs, created=time.time(), seed=params.seed,
            resolved=dict(job_input.resolved),
        )  # fmt: skip


class _EmptyHistory:
    """A job history without jobs, so that percentages are based on default durations of the stages."""

    def done_on(self, engine: str, mode: str, limit: int = 20) -> Sequence[Job]:
        return ()


def _fetched(engine: Engine, output: Output, folder: Path, number: int) -> tuple[str, Path]:
    path = folder / f"output-{number}"
    engine.fetch(output, path)
    return Path(output.filename).name, path


def _duplicate(other: str) -> dict[str, Any]:
    """The response that names the job which has the prompt."""
    error = {"code": DUPLICATE, "message": "Another job has this prompt already.", "hint": ""}
    return {"error": json.dumps({**error, "job": other})}


def _failure(error: StudioError) -> dict[str, Any]:
    """The response for an error; after the loss of ComfyUI it requests a new worker."""
    data = error.to_dict()
    if isinstance(error, EngineDiskFull):
        data["folder"] = error.folder
    answer: dict[str, Any] = {"error": json.dumps(data)}
    if isinstance(error, (EngineLost, EngineUnreachable)):
        answer["refresh_worker"] = True
    return answer
