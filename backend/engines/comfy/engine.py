"""The engine for one ComfyUI server: uploads inputs, submits and monitors prompts, fetches outputs.

It has one lane and one client id, and runs one prompt at a time. The websocket is opened for each prompt and
closed after it: an idle socket that is not read would fill up and block ComfyUI's sender for all other
clients, and a new socket has no frames of an earlier job. monitor.py handles lost sockets.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.engines.base import EngineInfo, Prompt
from backend.engines.comfy import protocol
from backend.engines.comfy.http import POST_SECONDS, Http, is_connection_refused
from backend.engines.comfy.info import server_name
from backend.engines.comfy.monitor import PromptMonitor, Timing, stop_prompt
from backend.engines.comfy.status import ServerStatus
from backend.engines.comfy.transfer import download
from backend.engines.comfy.validation_errors import validation_error
from backend.engines.kinds import COMFYUI
from backend.errors import (
    BadEngineInput,
    EngineError,
    EngineLost,
    EngineUnreachable,
    InternalError,
    JobCancelled,
    MissingModel,
    MissingNode,
    StudioError,
)
from backend.events import Event, Output
from workflows.compile import ServerFacts
from workflows.graph import node_contract
from workflows.graph.node_contract import Contract

log = logging.getLogger("wan.engines.comfy")

MAX_CANCELLED = 256  # remembered ids of cancelled prompts


class ComfyEngine:
    """Client of one ComfyUI server (0.3.64 or newer), or of the demo engine, which has the same API."""

    def __init__(
        self,
        url: str,
        *,
        client_id: str = "",
        input_dir: Path | None = None,
        timing: Timing | None = None,
        kind: str = COMFYUI.id,
        amend: Callable[[EngineInfo], EngineInfo] = lambda info: info,
    ) -> None:
        """`url`: host:port or http(s)://[user:password@]host[:port][/path]. `client_id`: default a new one.
        `input_dir`: the server's input folder if it is on this machine; by default it is derived from the
        command line of a server on loopback. `kind`: the engine kind until the server responds. `amend`:
        adds to each snapshot what the caller knows about the server."""
        self.timing = timing or Timing()
        self.http = Http(url, read=self.timing.read)
        self.client_id = client_id or f"wan-{uuid.uuid4().hex}"
        self._lane = threading.Lock()
        self._status = ServerStatus(self.http, kind, input_dir, amend, self._lane.locked)
        self._inputs = self._status.inputs
        self.began = 0.0  # monotonic time at which the last job started
        self._cancelled: OrderedDict[str, None] = OrderedDict()
        self._cancelled_lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._generation = 0
        self._exits = 0  # of the server's process, as far as they are known

    @property
    def asked(self) -> float:
        """Monotonic time of the last status request."""
        return self._status.asked

    @property
    def busy(self) -> bool:
        """Whether a prompt is being run or resumed."""
        return self._lane.locked()

    # -- server status ----------------------------------------------------------------------

    def info(self) -> EngineInfo:
        """The last known snapshot; never blocks."""
        return self._status.info

    def refresh(self) -> EngineInfo:
        """Requests the server's status and returns the new snapshot; never raises."""
        return self._status.refresh()

    def facts(self) -> ServerFacts:
        """The server's nodes and options for the compiler. Raises EngineUnreachable, EngineError."""
        return node_contract.facts(self.contract())

    def contract(self) -> Contract:
        """The inputs of the server's nodes, at most a minute old. Raises EngineUnreachable, EngineError."""
        return self._status.contract()

    def known_contract(self) -> Contract | None:
        """The contract as last read, or None before the server has responded; never blocks."""
        return self._status.known_contract()

    # -- prompts ----------------------------------------------------------------------------

    def run(self, prompt: Prompt, on_event: Callable[[Event], None]) -> tuple[Output, ...]:
        """Uploads the inputs, submits the graph, monitors the prompt and returns its output files.

        on_event is called on the calling thread with every event except the final one, which becomes the
        result or the exception. Raises JobCancelled, EngineLost and the errors that base.Engine lists.
        """
        with self._lane:
            self.began = time.monotonic()
            client_id = self.client_id if not self._generation else f"{self.client_id}-{self._generation}"
            self._stop_if_cancelled(prompt.id)
            self._inputs.ensure(prompt.files, lambda: self._stop_if_cancelled(prompt.id))
            monitor = self._monitor(prompt, client_id, on_event)
            try:
                monitor.connect()
                self._stop_if_cancelled(prompt.id)
                monitor.may_have_missed = not self._submit(prompt, client_id) or monitor.may_have_missed
                return monitor.wait()
            finally:
                self._finish(prompt, monitor)

    def resume(self, prompt: Prompt, on_event: Callable[[Event], None]) -> tuple[Output, ...]:
        """Monitors a prompt that was submitted earlier, as `run` does, without submitting anything.

        Raises EngineUnreachable if the server does not respond, PromptGone if it does not know the prompt.
        """
        with self._lane:
            self.began = time.monotonic()
            position = protocol.queue_position(self.http.get("/queue"), prompt.id)
            client_id = position.client_id if position is not None and position.client_id else self.client_id
            monitor = self._monitor(prompt, client_id, on_event)
            try:
                if position is not None and position.running:
                    monitor.assume_running()  # the socket's first frame names the running node
                monitor.connect()
                monitor.may_have_missed = True
                return monitor.wait(accepted_now=False)
            finally:
                self._finish(prompt, monitor)

    def cancel(self, prompt_id: str, remote: str = "") -> bool:
        """Cancels only this prompt, even while it is being submitted; `run` returns once it has stopped.
        Returns False if the server could not be reached."""
        with self._cancelled_lock:
            self._cancelled[prompt_id] = None
            while len(self._cancelled) > MAX_CANCELLED:
                self._cancelled.popitem(last=False)
        self._wake.set()
        try:
            stop_prompt(self.http, prompt_id)
        except EngineError as error:
            log.info("prompt %s: cancelling: %s", prompt_id, error.detail or error.message)
            return False
        return True

    def fetch(self, output: Output, destination: Path) -> None:
        """Downloads an output into a new file. Raises NoOutput, EngineUnreachable, DiskFull."""
        download(self.http, output, destination)

    def process_ended(self) -> None:
        """The server's process has ended, as its supervisor knows: `run` and `resume` raise EngineLost at
        once, and the snapshot says so."""
        self._exits += 1
        self._wake.set()
        self._status.set(replace(self._status.info, state="lost", running=0, pending=0))

    def close(self) -> None:
        """Disconnects. A prompt that is running on the server continues, and `run` raises EngineLost."""
        self._closed.set()
        self._wake.set()

    def _monitor(self, prompt: Prompt, client_id: str, on_event: Callable[[Event], None]) -> PromptMonitor:
        name, exits = server_name(self._status.info), self._exits
        state = protocol.PromptState(
            prompt.id, prompt.labels, prompt.sampling_steps, prompt.index, server_name=name
        )
        return PromptMonitor(
            self.http,
            state,
            client_id,
            self.client_id,
            on_event,
            cancelled=lambda: self._is_cancelled(prompt.id),
            closed=self._closed.is_set,
            ended=lambda: self._exits != exits,
            wake=self._wake,
            timing=self.timing,
        )

    def _finish(self, prompt: Prompt, monitor: PromptMonitor) -> None:
        if not monitor.disconnect():
            self._generation += 1  # use a new client id: the server may still hold the old socket
        if monitor.may_have_missed:
            self._status.invalidate()
        with self._cancelled_lock:
            self._cancelled.pop(prompt.id, None)

    def _submit(self, prompt: Prompt, client_id: str) -> bool:
        """Submits the prompt. Returns whether the server confirmed it; raises its validation error."""
        try:
            return self._post(prompt, client_id)
        except BadEngineInput:
            # The input folder was emptied since the files were uploaded.
            self._inputs.invalidate()
            self._inputs.ensure(prompt.files, lambda: self._stop_if_cancelled(prompt.id))
            return self._post(prompt, client_id)
        except (MissingModel, MissingNode):
            self._status.forget_models()
            raise

    def _post(self, prompt: Prompt, client_id: str) -> bool:
        body = {
            "prompt": prompt.graph,
            "prompt_id": prompt.id,
            "client_id": client_id,
            "extra_data": {"preview_method": "auto"},
        }
        answered = self._post_with_retry(prompt.id, body)
        if answered is None:
            return False
        status, answer = answered
        if status != 200 or not isinstance(answer, dict) or "prompt_id" not in answer:
            raise self._refusal(prompt, answer, status)
        if answer.get("node_errors"):
            stop_prompt(self.http, prompt.id)  # only some of its outputs were accepted
            raise self._refusal(prompt, answer, status)
        if answer["prompt_id"] != prompt.id:
            stop_prompt(self.http, str(answer["prompt_id"]))
            raise EngineError.of("too_old_for_us")
        log.info("prompt %s: accepted by %s", prompt.id, self.http.address)
        return True

    def _post_with_retry(self, prompt_id: str, body: Mapping[str, Any]) -> tuple[int, Any] | None:
        """HTTP status and body of POST /prompt; None if no response came and the server may have the prompt.

        The request is repeated only if the server certainly does not have the prompt.
        """
        for last in (False, True):
            try:
                return self.http.post("/prompt", body, read=POST_SECONDS)
            except EngineUnreachable as error:
                if is_connection_refused(error):
                    raise
                log.info("prompt %s: no response to the POST: %s", prompt_id, error.detail)
                if last or self._may_be_accepted(prompt_id):
                    return None
            except (TypeError, ValueError) as error:
                raise InternalError.of("workflow_not_sendable", detail=repr(error)) from error
        return None

    def _refusal(self, prompt: Prompt, answer: object, status: int) -> StudioError:
        error = validation_error(answer, status)
        log.warning("prompt %s: rejected (%d): %s %s", prompt.id, status, error.message, error.detail)
        return error

    def _may_be_accepted(self, prompt_id: str) -> bool:
        try:
            if protocol.queue_position(self.http.get("/queue"), prompt_id) is not None:
                return True
            history = self.http.get(f"/history/{prompt_id}")
        except EngineError:
            return True
        return protocol.history_entry(history, prompt_id) is not None

    def _is_cancelled(self, prompt_id: str) -> bool:
        return prompt_id in self._cancelled

    def _stop_if_cancelled(self, prompt_id: str) -> None:
        if self._closed.is_set():
            raise EngineLost.of("stopped_before_submit")
        if self._is_cancelled(prompt_id):
            with self._cancelled_lock:
                self._cancelled.pop(prompt_id, None)
            raise JobCancelled.of("cancelled")
