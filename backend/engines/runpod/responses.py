"""Converts responses of RunPod and of our worker into events, errors and counts. Pure; never raises.

While a job runs, the `output` of its status is the worker's last progress report: `progress_of` creates it,
`read_status` reads it. Reports may be lost, delayed or reordered, so the progress never decreases.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from backend.engines import full_disk
from backend.engines.json_values import decoded, picture_type, plain
from backend.errors import (
    DiskFull,
    EngineError,
    InternalError,
    JobCancelled,
    NoOutput,
    PromptGone,
    StudioError,
    TooLate,
    by_code,
)
from backend.events import STAGES, Event, Preview, Progress, Queued, Stage, Started
from backend.notices import readable, writable
from workflows.notice import Notice, notice
from workflows.resolved import Resolved

IN_QUEUE, IN_PROGRESS, COMPLETED = "IN_QUEUE", "IN_PROGRESS", "COMPLETED"
FAILED, CANCELLED, TIMED_OUT = "FAILED", "CANCELLED", "TIMED_OUT"
RUNNING = frozenset({IN_PROGRESS, "RUNNING"})
"""RunPod's documentation has two names for this state; its API uses the first."""
ENDED = frozenset({COMPLETED, FAILED, CANCELLED, TIMED_OUT})
PREVIEW_BYTES = 48_000
"""Maximum size of a preview in a progress report."""
DUPLICATE = "duplicate"
"""The worker's error code for a prompt that another job already has."""
_WORKER_DEATH = re.compile(
    r"worker|container|exit(?:ed)? (?:code|with)|timed out after|retr(?:y|ies)|killed|out of memory|oom", re.I
)
_FILE = ("filename", "type", "data")
STEPS_MAX = 100_000
"""More than the sampling steps of any job."""


@dataclass(frozen=True)
class JobProgress:
    """The progress of a job, as reported so far."""

    waiting: bool = False  # Queued was reported
    started: bool = False
    stage: Stage | None = None
    step: int = 0
    preview: str = ""  # the last one, in base64


def progress_of(
    percent: float, stage: Stage, step: int, steps: int, preview: bytes | None = None
) -> dict[str, Any]:
    """The progress report that a worker sends to RunPod."""
    report: dict[str, Any] = {
        "percent": round(percent, 1),
        "stage": stage.stage,
        "text": stage.text,
        "chunk": stage.chunk,
        "chunks": stage.chunks,
        "preparing": stage.preparing,
        "step": step,
        "steps": steps,
    }
    if preview is not None and len(preview) <= PREVIEW_BYTES:
        report["preview"] = base64.b64encode(preview).decode()
    return report


def read_status(
    status: Mapping[str, Any], progress: JobProgress, ahead: int = 0
) -> tuple[JobProgress, tuple[Event, ...]]:
    """Processes the status of an unfinished job: its new progress, and the events in order.

    `ahead`: the number of jobs that wait before this one.
    """
    state = status.get("status")
    if state == IN_QUEUE:
        if progress.waiting:
            return progress, ()
        words = Stage("wait", "Waiting for a RunPod worker")
        return replace(progress, waiting=True), (Queued(others=ahead), words)
    if state not in RUNNING:
        return progress, ()
    events: list[Event] = []
    if not progress.started:
        starting = Stage("load", "Starting on a RunPod worker")
        progress = replace(progress, started=True, stage=starting)
        events += [Started(), starting]
    output = status.get("output")
    if not isinstance(output, Mapping):
        return progress, tuple(events)
    stage = _stage(output)
    if stage is not None and stage != progress.stage:
        progress = replace(progress, stage=stage)
        events.append(stage)
    step, steps = output.get("step"), output.get("steps")
    if type(step) is int and type(steps) is int and progress.step < step <= steps <= STEPS_MAX:
        progress = replace(progress, step=step)
        events.append(Progress(step, steps))
    picture = output.get("preview")
    if isinstance(picture, str) and picture and picture != progress.preview:
        progress = replace(progress, preview=picture)
        events += _preview(picture)
    return progress, tuple(events)


def _stage(output: Mapping[str, Any]) -> Stage | None:
    """The stage of a report; None without a known one. An earlier worker sends no chunks: then they are 0."""
    name = next((known for known in STAGES if known == output.get("stage")), None)
    if name is None:
        return None
    text = plain(output.get("text"))
    stage = Stage(name, text, preparing=output.get("preparing") is True)
    chunk, chunks = output.get("chunk"), output.get("chunks")
    if type(chunk) is int and type(chunks) is int and 0 < chunk <= chunks <= STEPS_MAX:
        return replace(stage, chunk=chunk, chunks=chunks)
    return stage


def _preview(text: str) -> tuple[Event, ...]:
    try:
        image = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ()
    kind = picture_type(image)
    return (Preview(image, kind),) if kind else ()


def job_error(
    status: Mapping[str, Any], progress: JobProgress, minutes: float, ttl_hours: float
) -> StudioError | None:
    """The error of a job that ended; None if it completed with a result. The limits are for the messages."""
    state = status.get("status")
    if state == CANCELLED:
        return JobCancelled.of("cancelled")
    if state == TIMED_OUT and not progress.started:
        return TooLate.of(
            "runpod_waited_too_long", hours=ttl_hours, detail=str(status.get("error", ""))[:500]
        )
    if state == TIMED_OUT:
        return TooLate.of("runpod_ran_too_long", minutes=minutes, detail=str(status.get("error", ""))[:500])
    if state == FAILED:
        return failed_job_error(status.get("error"))
    if not result_files(status.get("output")):
        return NoOutput.of("runpod_result_too_large", detail=str(status)[:500])
    return None


def result_files(output: object) -> tuple[Mapping[str, Any], ...]:
    """The result files of a completed job: {filename, type, data}."""
    found = output.get("images") if isinstance(output, Mapping) else None
    return tuple(
        item
        for item in (found if isinstance(found, list) else ())
        if isinstance(item, dict)
        and all(isinstance(item.get(key), str) for key in ("filename", "type", "data"))
    )


def warnings(output: Mapping[str, Any]) -> tuple[Notice, ...]:
    """The warnings of a finished job. A worker of an earlier version sends sentences alone; a sentence also
    replaces a notice that this version has no words for."""
    texts, coded = output.get("warnings"), output.get("notices")
    sentences = [plain(text, 500) for text in texts[:20]] if isinstance(texts, list) else []
    codes = coded if isinstance(coded, list) else []
    return tuple(_warning(codes[n] if n < len(codes) else text, text) for n, text in enumerate(sentences))


def resolved(output: Mapping[str, Any]) -> dict[str, Any]:
    """What the worker resolved the job to (workflows/resolved.py); {} from a worker of an earlier version."""
    stored = output.get("resolved")
    found = Resolved.from_json(stored) if isinstance(stored, Mapping) else None
    return found.to_json() if found is not None else {}


def _warning(data: object, sentence: str) -> Notice:
    try:
        found = Notice.from_json(data)
    except (ValueError, RecursionError):
        return notice("text", text=sentence)
    found = writable(found)
    return found if readable(found) else notice("text", text=sentence)


def failed_job_error(error: object) -> StudioError:
    """The error of a failed job: the worker's, the SDK's report of an exception, or RunPod's message."""
    error_data = worker_error(error)
    if "code" in error_data:
        kind = by_code().get(str(error_data["code"]))
        if kind is None or kind is InternalError:
            if not error_data.get("message"):
                return EngineError.of("worker_failed")
            return StudioError.from_dict({**error_data, "code": EngineError.code})
        if issubclass(kind, DiskFull):
            return full_disk.of_worker(error_data)
        found = StudioError.from_dict(error_data)
        return found if found.message else EngineError.of("worker_failed")
    if "error_type" in error_data:
        kind, message = error_data.get("error_type"), error_data.get("error_message")
        detail = f"{kind}: {message}\n{error_data.get('error_traceback', '')}"
        return EngineError.of("worker_raised", detail=detail[:8000])
    text = str(error or "")
    if not text or _WORKER_DEATH.search(text):
        return PromptGone.of("worker_stopped", detail=text[:2000])
    return EngineError.of("worker_refused", detail=text[:2000])


def duplicate_of(status: Mapping[str, Any]) -> str:
    """The id of the job that already has this prompt, if the worker reported one; else ""."""
    if status.get("status") != FAILED:
        return ""
    error_data = worker_error(status.get("error"))
    return str(error_data.get("job") or "") if error_data.get("code") == DUPLICATE else ""


def worker_error(error: object) -> Mapping[str, Any]:
    """The JSON object in an error text; {} if it contains none."""
    if isinstance(error, Mapping):
        return error
    try:
        error_data = decoded(error) if isinstance(error, str) else None
    except ValueError:
        return {}
    return error_data if isinstance(error_data, dict) else {}


def counts(health: Mapping[str, Any], part: str) -> dict[str, int]:
    """The counts under `workers` or `jobs` in the body of /health."""
    found = health.get(part)
    items = found.items() if isinstance(found, Mapping) else ()
    return {str(name): value for name, value in items if type(value) is int and value >= 0}


def health_note(workers: Mapping[str, int]) -> Notice | None:
    """A warning about the endpoint's workers for the user; None if at least one is usable."""
    if sum(workers.values()) == 0:
        return notice("runpod_no_workers")
    if sum(count for state, count in workers.items() if state not in ("throttled", "unhealthy")):
        return None
    return notice("runpod_throttled" if workers.get("throttled") else "runpod_unhealthy")
