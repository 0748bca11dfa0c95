"""The engine for a RunPod Serverless endpoint, with one lane for each concurrent job.

Jobs are sent whole (Prompt.request) and their status is polled. Results are fetched immediately, because
RunPod keeps them for 30 minutes. If the response to POST run is lost, the job may have been queued under an
unknown id. The same body is then sent again with the same `prompt_id`; the worker keeps a record by that id
on the volume and ends the second job with the id of the first, which is then monitored. A video is therefore
billed once, even if Wan Studio was stopped before it received the id.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.engines.base import EngineInfo, Prompt
from backend.engines.kinds import RUNPOD
from backend.engines.runpod import responses
from backend.engines.runpod.http import Expired, Policy, RunPodHttp, Timing, pause
from backend.engines.runpod.results import RANGE_BYTES, VOLUMES, Results
from backend.errors import (
    EngineError,
    EngineUnreachable,
    InternalError,
    JobCancelled,
    PromptGone,
)
from backend.events import Accepted, Connection, Event, Output, Warned
from workflows.graph.node_contract import Contract

if TYPE_CHECKING:
    from backend.settings.serverless import RunPodSettings

log = logging.getLogger("wan.engines.runpod")

MAX_CANCELLED = 256  # remembered ids of cancelled prompts


class Endpoint:
    """The state that all lanes of an endpoint share: connection, health, results."""

    def __init__(
        self,
        http: RunPodHttp,
        policy: Policy | None = None,
        timing: Timing | None = None,
        volumes: tuple[Path, ...] = VOLUMES,
        range_bytes: int = RANGE_BYTES,
    ) -> None:
        """`volumes`: mount points of a network volume on a worker and on this machine. `range_bytes`: bytes
        of a result that a worker sends in one response."""
        self.http = http
        self.policy = policy or Policy()
        self.timing = timing or Timing()
        self.closed = threading.Event()
        self._info = EngineInfo(RUNPOD.id, http.address)
        self._asked = 0.0
        self._health_lock = threading.Lock()
        self.results = Results(http, self.policy, self.timing, self.closed, volumes, range_bytes)

    def info(self) -> EngineInfo:
        """The last known snapshot; never blocks."""
        return self._info

    def refresh(self) -> EngineInfo:
        """Requests the endpoint's health, at most once per Timing.health; never raises."""
        with self._health_lock:
            now = time.monotonic()
            if self._asked and now - self._asked < self.timing.health:
                return self._info
            self._asked = now
            before = self._info
            try:
                health = self.http.health()
            except EngineError as error:
                state = "starting" if before.state == "starting" else "lost"
                self._info = replace(before, state=state, error=error.notice, note=None)
                return self._info
            workers, jobs = responses.counts(health, "workers"), responses.counts(health, "jobs")
            self._info = EngineInfo(
                RUNPOD.id,
                self.http.address,
                state="ok",
                running=jobs.get("inProgress", 0),
                pending=jobs.get("inQueue", 0),
                note=responses.health_note(workers),
                workers=workers,
            )
            return self._info

    def close(self) -> None:
        """Closes connections and removes temporary results; ends the waits of all lanes."""
        self.closed.set()
        self.http.close()
        self.results.close()


class RunPodEngine:
    """One lane of an endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._remote: dict[str, str] = {}  # prompt id -> RunPod's job id, for jobs that are monitored
        self._cancelled: OrderedDict[str, None] = OrderedDict()

    # -- endpoint status --------------------------------------------------------------------

    def info(self) -> EngineInfo:
        """The last known snapshot; never blocks."""
        return self.endpoint.info()

    def refresh(self) -> EngineInfo:
        """Requests the endpoint's health; never raises."""
        return self.endpoint.refresh()

    def contract(self) -> Contract | None:
        """None: an endpoint has no /object_info; its worker validates the graph."""
        return None

    def known_contract(self) -> Contract | None:
        """None, as `contract`."""
        return None

    # -- jobs -------------------------------------------------------------------------------

    def run(self, prompt: Prompt, on_event: Callable[[Event], None]) -> tuple[Output, ...]:
        """Queues the job at RunPod and waits for it. Raises as base.Engine.run; EndpointRefused, TooLate."""
        self._wake.clear()
        try:
            return self._follow(prompt, self._post(prompt, on_event), on_event)
        finally:
            self._forget(prompt.id)

    def resume(self, prompt: Prompt, on_event: Callable[[Event], None]) -> tuple[Output, ...]:
        """Waits for a job of an earlier process by RunPod's job id. If that id was not received before the
        process ended, the job is sent again: the worker recognises the prompt id and returns the job id."""
        if not prompt.remote:
            return self.run(prompt, on_event)
        self._wake.clear()
        self._remember(prompt.id, prompt.remote)
        try:
            return self._follow(prompt, prompt.remote, on_event)
        finally:
            self._forget(prompt.id)

    def cancel(self, prompt_id: str, remote: str = "") -> bool:
        """Cancels only this job. `remote`: RunPod's job id, for a job that is not monitored at the moment.
        Returns False if RunPod could not be reached."""
        with self._lock:
            known = self._remote.get(prompt_id, remote)
            self._cancelled[prompt_id] = None
            while len(self._cancelled) > MAX_CANCELLED:
                self._cancelled.popitem(last=False)
        self._wake.set()
        if not known:
            return True
        try:
            self.endpoint.http.cancel(known, lambda s: pause(self.endpoint.closed, s))
        except (EngineError, Expired) as error:
            log.info("prompt %s: cancelling: %s", prompt_id, error.detail or error.message)
            return isinstance(error, Expired)
        return True

    def fetch(self, output: Output, destination: Path) -> None:
        """Downloads a result into a new file. Raises NoOutput, EngineUnreachable, DiskFull."""
        self.endpoint.results.fetch(output, destination)

    def close(self) -> None:
        """Disconnects. Jobs at RunPod continue, and `run` raises EngineUnreachable; they can be resumed."""
        self.endpoint.close()
        self._wake.set()

    # -- private ----------------------------------------------------------------------------

    def _post(self, prompt: Prompt, on_event: Callable[[Event], None]) -> str:
        remote = self.endpoint.http.run(self._body(prompt), lambda: self._check(prompt), self._wait)
        self._remember(prompt.id, remote)
        log.info("prompt %s: queued at RunPod as job %s", prompt.id, remote)
        on_event(Accepted(remote))
        return remote

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        request = prompt.request
        if request is None:
            raise InternalError.of("runpod_graph_alone")
        media = {
            name: {
                "data": _encoded(path),
                **({"name": request.titles[name]} if request.titles.get(name) else {}),
            }
            for name, path in request.media.items()
        }
        job = {"mode": request.mode, "params": dict(request.params), "media": media, "prompt_id": prompt.id}
        if request.resolved:
            job["resolved"] = dict(request.resolved)
        return {"input": job, "policy": self.endpoint.policy.to_json()}

    def _remember(self, prompt_id: str, remote: str) -> None:
        with self._lock:
            self._remote[prompt_id] = remote

    def _forget(self, prompt_id: str) -> None:
        with self._lock:
            self._remote.pop(prompt_id, None)
            self._cancelled.pop(prompt_id, None)

    def _is_cancelled(self, prompt_id: str) -> bool:
        with self._lock:
            return prompt_id in self._cancelled

    def _check(self, prompt: Prompt) -> None:
        if self.endpoint.closed.is_set():
            raise EngineUnreachable.of("runpod_sending_stopped")
        if self._is_cancelled(prompt.id):
            raise JobCancelled.of("cancelled")

    def _wait(self, seconds: float) -> None:
        """Waits for `seconds`, or until the lane is woken by a cancellation or by `close`."""
        if not self.endpoint.closed.is_set():
            self._wake.wait(seconds)
            self._wake.clear()

    def _follow(self, prompt: Prompt, remote: str, on_event: Callable[[Event], None]) -> tuple[Output, ...]:
        """Polls the status until the job ends; returns its output files or raises its error."""
        timing, progress = self.endpoint.timing, responses.JobProgress()
        last_answer, connected, interval = time.monotonic(), True, timing.first
        cancelled_at = 0.0
        last: object = None
        while True:
            if self.endpoint.closed.is_set():
                raise EngineUnreachable.of("runpod_watching_stopped")
            now = time.monotonic()
            if self._is_cancelled(prompt.id) and not cancelled_at:
                cancelled_at = now
                self.cancel(prompt.id)
                interval = timing.first
            if cancelled_at and now - cancelled_at > timing.stop:
                raise JobCancelled.of("cancelled")
            try:
                status = self.endpoint.http.status(remote)
            except Expired as error:
                if cancelled_at:
                    raise JobCancelled.of("cancelled") from error
                raise PromptGone.of("runpod_dropped", detail=error.detail) from error
            except EngineUnreachable as error:
                if now - last_answer > timing.lost:
                    raise PromptGone.of("runpod_silent_too_long", detail=error.detail) from error
                if connected:
                    log.info("prompt %s: %s", prompt.id, error.detail or error.message)
                    on_event(Connection(False))
                connected = False
            else:
                last_answer = now
                if not connected:
                    on_event(Connection(True))
                connected = True
                if other := responses.duplicate_of(status):
                    log.info("prompt %s: RunPod job %s already has it", prompt.id, other)
                    if other == remote:
                        raise PromptGone.of("runpod_lost")
                    remote = other
                    self._remember(prompt.id, remote)
                    on_event(Accepted(remote))
                    continue
                if status.get("status") in responses.ENDED:
                    return self._end(prompt, remote, status, progress, on_event)
                progress, events = responses.read_status(status, progress, max(0, self.info().pending - 1))
                for event in events:
                    on_event(event)
                if (state := (status.get("status"), progress)) != last:
                    last, interval = state, timing.first
            self._wait(interval)
            interval = min(timing.longest, interval * timing.growth)

    def _end(
        self,
        prompt: Prompt,
        remote: str,
        status: Mapping[str, Any],
        progress: responses.JobProgress,
        on_event: Callable[[Event], None],
    ) -> tuple[Output, ...]:
        if self._is_cancelled(prompt.id):
            raise JobCancelled.of("cancelled")
        policy = self.endpoint.policy
        error = responses.job_error(status, progress, policy.minutes, policy.ttl_hours)
        if error is not None:
            log.info("prompt %s: %s: %s", prompt.id, remote, status.get("status"))
            raise error
        if isinstance(status["output"].get("warnings"), list):
            on_event(Warned(responses.warnings(status["output"]), responses.resolved(status["output"])))
        outputs = tuple(
            self.endpoint.results.add(item) for item in responses.result_files(status.get("output"))
        )
        for output in outputs:
            on_event(output)
        return outputs


def _encoded(path: Path) -> str:
    try:
        return base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise InternalError.of("runpod_input_gone", detail=str(error)) from error


def engines(settings: RunPodSettings) -> tuple[RunPodEngine, ...]:
    """The lanes of the endpoint in the settings."""
    http = RunPodHttp(settings.base_url, settings.endpoint_id, settings.api_key)
    endpoint = Endpoint(http, Policy(settings.minutes, settings.ttl_hours))
    return tuple(RunPodEngine(endpoint) for _ in range(settings.concurrency))
