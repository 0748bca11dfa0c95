"""The handler of a RunPod Serverless worker: one job from its input to its answer.

The work itself runs in a thread; the handler is async, so that RunPod's stop signal (a cancelled task)
reaches it at once, interrupts ComfyUI and is passed on. It is no generator: a generator's output is a list.
A failure is {"error": text}, the text being JSON of code, message and hint.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from backend import logs, requester
from backend.engines.base import Engine, Prompt
from backend.engines.kinds import engine_name
from backend.engines.runpod.responses import DUPLICATE, progress_of
from backend.errors import (
    EngineLost,
    EngineUnreachable,
    InternalError,
    JobCancelled,
    NoOutput,
    StudioError,
    TooLate,
)
from backend.events import Output, Stage
from backend.jobs import estimate, input_files
from backend.jobs.execution import Execution
from backend.jobs.job import Job
from backend.jobs.layout import result_name
from backend.jobs.live import LiveJob
from backend.jobs.params import make_params
from backend.jobs.preflight import checked
from backend.media.decoder import Decoder
from backend.notices import words
from backend.worker import results
from backend.worker.claims import Claims
from backend.worker.order import Limits, Order, labels_of, read_order
from backend.worker.results import Ways
from workflows.compile import Compiled
from workflows.modes.registry import MODES
from workflows.params.limits import RANDOM_SEEDS

log = logging.getLogger("wan.worker")

REPORT_SECONDS = 1.0
STOP_SECONDS = 30.0
ENGINE_SECONDS = 60.0  # for an engine that is up to be up again

Report = Callable[[Mapping[str, Any], Mapping[str, Any]], None]
"""(job, what to show): tells RunPod how far a job is."""


Recover = Callable[[Engine, StudioError], StudioError]


@dataclass
class Work:
    """One job in hand."""

    job_id: str
    live: LiveJob
    prompt_id: str = ""
    engine: Engine | None = None
    late: bool = False
    taken_by: str = ""  # the job that has the prompt now, after this one has lost it
    reported: dict[str, Any] = field(default_factory=dict)
    preview: bytes = b""

    def check(self) -> None:
        """Raises JobCancelled when it is to end."""
        if self.live.cancelled:
            raise JobCancelled("Cancelled.")


class Worker:
    """Takes jobs for as many engines as it is given, one each at a time."""

    def __init__(
        self,
        engines: Sequence[Engine],
        decoder: Decoder,
        claims: Claims,
        folder: Path,
        limits: Limits,
        ways: Ways,
        *,
        minutes: float,
        report: Report = lambda job, shown: None,
        settle: Callable[[], None] = lambda: None,
        recover: Recover = lambda engine, error: error,
    ) -> None:
        """`folder`: for jobs while they are worked on. `settle` waits until no report is on its way;
        `recover` says why an engine was lost."""
        self.decoder, self.claims, self.folder = decoder, claims, folder
        self.limits, self.ways, self.minutes = limits, ways, minutes
        self._report, self._settle, self._recover = report, settle, recover
        self._in_hand = 0  # changed by the event loop's thread alone
        self._engines: queue.Queue[Engine] = queue.Queue()
        for engine in engines:
            self._engines.put(engine)

    @property
    def busy(self) -> bool:
        """Whether a job is in hand."""
        return self._in_hand > 0

    async def handle(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """What the SDK calls. Raises nothing but CancelledError."""
        job_id = re.sub(r"[^\w-]", "", str(job.get("id") or ""))[:100] or uuid.uuid4().hex
        work = Work(job_id, LiveJob(job_id))
        loop = asyncio.get_running_loop()
        done: asyncio.Future[dict[str, Any]] = loop.create_future()

        def run() -> None:
            answer = self._answer(work, job.get("input"))
            loop.call_soon_threadsafe(lambda: None if done.done() else done.set_result(answer))

        threading.Thread(target=run, name=f"job-{job_id}", daemon=True).start()
        until = time.monotonic() + self.minutes * 60
        beats = asyncio.create_task(self._beats(work))
        self._in_hand += 1
        try:
            while not (await asyncio.wait({done}, timeout=REPORT_SECONDS))[0]:
                self._tell(job, work)
                if time.monotonic() > until and not work.late:
                    work.late = True
                    await asyncio.to_thread(self._stop, work)
            await asyncio.to_thread(self._settle)
            return done.result()
        except asyncio.CancelledError:
            log.info("job %s: stopped by RunPod", job_id)
            await asyncio.to_thread(self._stop, work)
            await asyncio.wait({done}, timeout=STOP_SECONDS)
            raise
        finally:
            beats.cancel()
            self._in_hand -= 1

    async def _beats(self, work: Work) -> None:
        """Keeps the claim on the prompt alive; a job that has lost it is stopped. A task of its own, so that
        a volume that hangs delays nothing else."""
        while not work.taken_by:
            await asyncio.sleep(REPORT_SECONDS)
            work.taken_by = await asyncio.to_thread(self.claims.beat, work.prompt_id, work.job_id)
        log.warning("job %s: job %s has its prompt now; it is stopped", work.job_id, work.taken_by)
        await asyncio.to_thread(self._stop, work)

    def _stop(self, work: Work) -> None:
        work.live.cancelled = True
        engine, prompt_id = work.live.engine, work.live.prompt_id
        if engine is not None and prompt_id:
            engine.cancel(prompt_id)

    def _tell(self, job: Mapping[str, Any], work: Work) -> None:
        """Reports what has changed."""
        now = work.live.snapshot()
        stage = Stage(now.stage, now.text, "", now.chunk, now.chunks, now.preparing)
        shown = progress_of(now.percent, stage, now.step, now.steps)
        picture = work.live.preview
        if picture is not None and picture[0] != work.preview:
            work.preview = picture[0]
            shown = progress_of(now.percent, stage, now.step, now.steps, picture[0])
        if shown != work.reported:
            work.reported = {key: value for key, value in shown.items() if key != "preview"}
            self._report(job, shown)

    # -- in the job's thread ----------------------------------------------------------------

    def _answer(self, work: Work, given: object) -> dict[str, Any]:
        """Does the work and puts what came of it into words. Raises nothing."""
        began = time.monotonic()
        folder = self.folder / f"{work.job_id[:60]}-{secrets.token_hex(4)}"
        said = given.get("params") if isinstance(given, Mapping) else None
        with logs.job_context(work.job_id, logs.prompt_texts(said) if isinstance(said, Mapping) else ()):
            return self._worded(work, given, folder, began)

    def _worded(self, work: Work, given: object, folder: Path, began: float) -> dict[str, Any]:
        try:
            with requester.job(work.job_id, work.check):
                answer = self._work(work, given, folder)
            log.info("job %s: done in %.1f s", work.job_id, time.monotonic() - began)
            return answer
        except StudioError as error:
            if isinstance(error, JobCancelled) and work.taken_by:
                return _duplicate(work.taken_by)
            if isinstance(error, JobCancelled) and work.late:
                error = TooLate(
                    f"The video was not done within {self.minutes:g} minutes.",
                    "Raise WAN_WORKER_MINUTES on the endpoint, or make a smaller or shorter video.",
                )
            log.warning("job %s: %s: %s %s", work.job_id, error.code, error.message, error.detail)
            return _failure(error)
        except Exception as error:
            log.exception("job %s: unexpected error", work.job_id)
            return _failure(InternalError("Something went wrong in the worker itself.", detail=repr(error)))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _work(self, work: Work, given: object, folder: Path) -> dict[str, Any]:
        if isinstance(given, Mapping) and "read" in given:
            return results.piece(given["read"], self.ways)
        prompt_id = str(given.get("prompt_id") or "") if isinstance(given, Mapping) else ""
        other = self.claims.take(prompt_id, work.job_id) if prompt_id else ""
        if other:
            log.info("job %s: %s has this prompt already", work.job_id, other)
            return _duplicate(other)
        work.prompt_id = prompt_id
        done = False
        try:
            order = read_order(given, folder / "given", self.limits, work.check)
            engine = self._engine(work)
            try:
                if order.graph is not None:
                    files, about = self._graph(work, engine, order, folder)
                else:
                    files, about = self._mode(work, engine, order, folder)
            except (EngineLost, EngineUnreachable) as error:
                raise self._recover(engine, error) from error
            finally:
                self._engines.put(engine)
            work.check()
            answer = {"images": results.deliver(files, work.job_id, self.ways), **about}
            self.claims.done(prompt_id, work.job_id)
            done = True
            return answer
        finally:
            if not done:
                self.claims.release(prompt_id, work.job_id)

    def _engine(self, work: Work) -> Engine:
        """The next engine that is free and up. Raises EngineUnreachable, JobCancelled."""
        while True:
            work.check()
            try:
                engine = self._engines.get(timeout=0.5)
                break
            except queue.Empty:
                continue
        until = time.monotonic() + ENGINE_SECONDS
        while engine.refresh().state != "ok":
            if time.monotonic() > until or work.live.cancelled:
                self._engines.put(engine)
                work.check()
                raise EngineUnreachable("The worker's ComfyUI does not answer.", "Try again.")
            time.sleep(0.5)
        return engine

    def _graph(
        self, work: Work, engine: Engine, order: Order, folder: Path
    ) -> tuple[list[tuple[str, Path]], dict[str, Any]]:
        """A graph that somebody sent, as it is."""
        graph = order.graph or {}
        results.check(results.expected_of_graph(graph), self.ways)
        labels = labels_of(graph)
        steps = sum(label.steps for label in labels.values())
        prompt = Prompt(str(uuid.uuid4()), graph, labels, steps, order.files)
        work.live.engine, work.live.prompt_id = engine, prompt.id
        work.check()
        outputs = engine.run(prompt, work.live.feed)
        kept = [output for output in outputs if output.kind != "temp"] or list(outputs)
        if not kept:
            raise NoOutput("The workflow ran, but wrote no file.", "Add a Save node to it.")
        folder.mkdir(parents=True, exist_ok=True)
        return [_fetched(engine, output, folder, number) for number, output in enumerate(kept)], {}

    def _mode(
        self, work: Work, engine: Engine, order: Order, folder: Path
    ) -> tuple[list[tuple[str, Path]], dict[str, Any]]:
        """A job as the page makes it, all of its parts included."""
        job = self._job(order, folder)

        def compile_job(job: Job, engine: Engine) -> Compiled:
            compiled = checked(job, engine)
            results.check(estimate.expected_bytes(compiled), self.ways)
            return compiled

        # Nothing is written down of a job under way: a worker that dies takes its job with it.
        execution = Execution(
            cast(Any, _NoHistory()), self.decoder, folder, compile_job, time.time, lambda job: None
        )
        ended = execution.run(engine, job, work.live)
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
            "engine": engine_name(engine.info()),
        }
        return [(name, folder / job.id / name)], about

    def _job(self, order: Order, folder: Path) -> Job:
        """The order as a job, its files looked at and kept as the page keeps them. Raises BadInput."""
        values = dict(order.params)
        if values.get("seed", -1) in (-1, None):
            values["seed"] = secrets.randbelow(RANDOM_SEEDS)
        seen = {
            name: input_files.look(self.decoder, MODES[order.mode].media[name].kind, path, name)
            for name, path in order.files.items()
        }
        sizes = {name: input_files.as_media(one, name) for name, one in seen.items()}
        notes = {name: input_files.note(one) for name, one in seen.items()}
        params = make_params(order.mode, values, sizes)
        job_id = uuid.uuid4().hex
        inputs = input_files.keep(self.decoder, params, order.files, sizes, folder / job_id, notes)
        return Job(
            job_id, "worker", order.mode, values, inputs, created=time.time(), seed=params.seed,
        )  # fmt: skip


class _NoHistory:
    """A worker remembers no earlier jobs: percentages go by what stages usually take."""

    def done_on(self, engine: str, mode: str, limit: int = 20) -> Sequence[Job]:
        return ()


def _fetched(engine: Engine, output: Output, folder: Path, number: int) -> tuple[str, Path]:
    path = folder / f"output-{number}"
    engine.fetch(output, path)
    return Path(output.filename).name, path


def _duplicate(other: str) -> dict[str, Any]:
    """Tells the client which job to follow instead."""
    said = {"code": DUPLICATE, "message": "Another job has this prompt already.", "hint": ""}
    return {"error": json.dumps({**said, "job": other})}


def _failure(error: StudioError) -> dict[str, Any]:
    """As the SDK passes it on; a lost ComfyUI asks for a fresh worker."""
    answer: dict[str, Any] = {"error": json.dumps(error.to_dict())}
    if isinstance(error, (EngineLost, EngineUnreachable)):
        answer["refresh_worker"] = True
    return answer
