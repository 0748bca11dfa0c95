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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend import notices
from backend.engines import full_disk
from backend.engines.base import EngineInfo, Prompt
from backend.engines.comfy import protocol, submit
from backend.engines.comfy.folders import input_folder, output_folder, sibling_output
from backend.engines.comfy.http import Http, is_read_timeout
from backend.engines.comfy.info import engine_info, list_models, server_name
from backend.engines.comfy.monitor import PromptMonitor
from backend.engines.comfy.reach import takes_tls, unreachable
from backend.engines.comfy.stop import stop_prompt
from backend.engines.comfy.timing import Timing
from backend.engines.comfy.transfer import InputFiles, download, result_limit
from backend.engines.kinds import COMFYUI, kind_of
from backend.errors import (
    BadEngineInput,
    EngineDiskFull,
    EngineError,
    EngineLost,
    EngineUnreachable,
    JobCancelled,
    MissingModel,
    MissingNode,
)
from backend.events import Event, Output
from workflows.compile import ServerFacts
from workflows.graph import node_contract
from workflows.graph.node_contract import Contract
from workflows.notice import made

log = logging.getLogger("wan.engines.comfy")

FACTS_SECONDS = 60.0  # maximum age of the contract when a job needs it
CONTRACT_SECONDS = 300.0  # maximum age otherwise; the response has megabytes if there are many custom nodes
MODELS_SECONDS = 30.0  # maximum age of the list of model files
PROBE_SECONDS = 3.0  # for finding out whether a server takes https only
MAX_CANCELLED = 256  # remembered ids of cancelled prompts
UNEXPECTED = made("not_comfyui_status", {})


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
        login: str = "",
        ca: Path | None = None,
        amend: Callable[[EngineInfo], EngineInfo] = lambda info: info,
    ) -> None:
        """`url`: host:port or http(s)://[user:password@]host[:port][/path]. `client_id`: default a new one.
        `input_dir`: the server's input folder if it is on this machine; by default it is derived from the
        command line of a server on loopback. `kind`: the engine kind until the server responds. `login` and
        `ca`: see Http. `amend`: adds to each snapshot what the caller knows about the server."""
        self.timing = timing or Timing()
        self.http = Http(url, read=self.timing.read, login=login, ca=ca)
        self.client_id = client_id or f"wan-{uuid.uuid4().hex}"
        self._configured_input_dir = input_dir
        self._inputs = InputFiles(self.http, input_dir)
        self._amend = amend
        self._info = amend(EngineInfo(kind, self.http.address))
        self.asked = 0.0  # monotonic time of the last status request
        self.began = 0.0  # monotonic time at which the last job started
        self._info_lock = threading.Lock()
        self._lane = threading.Lock()
        self._facts_lock = threading.Lock()
        self._contract: tuple[float, Contract] | None = None  # any thread may clear it: read it only once
        self._logged_skipped: set[str] = set()
        self._fault_logged = ""  # the reason that was logged last; "" while the server can be used
        self._models_read = 0.0
        self._result_limit = result_limit({})  # bytes that an output of the last prompt may have
        self._cancelled: OrderedDict[str, None] = OrderedDict()
        self._cancelled_lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._generation = 0
        self._exits = 0  # of the server's process, as far as they are known

    @property
    def busy(self) -> bool:
        """Whether a prompt is being run or resumed."""
        return self._lane.locked()

    # -- server status ----------------------------------------------------------------------

    def info(self) -> EngineInfo:
        """The last known snapshot; never blocks."""
        return self._info

    def refresh(self) -> EngineInfo:
        """Requests the server's status and returns the new snapshot; never raises."""
        before = self._info
        try:
            return self._ask(before)
        except Exception as error:  # a response that no parser expects
            if before.error != UNEXPECTED:
                log.exception("%s: unexpected response", self.http.address)
            log.debug("%s: %r", self.http.address, error)
            return self._set(replace(before, state=_not_ok(before), error=UNEXPECTED, fault=UNEXPECTED))

    def _ask(self, before: EngineInfo) -> EngineInfo:
        self.asked = time.monotonic()
        try:
            stats = self.http.get("/system_stats")
            queue = self.http.get("/queue")
            if not isinstance(stats, dict) or not isinstance(stats.get("system"), dict):
                raise unreachable("not_comfyui", self.http.place, "/system_stats")
        except EngineError as error:
            if is_read_timeout(error) and before.state == "ok" and self.busy:
                return before  # busy with our job, whose monitor detects a hung server
            return self._failed(before, error)
        if self._fault_logged:
            log.info("%s: answers", self.http.address)
            self._fault_logged = ""
        if before.state != "ok":
            self._invalidate()
            if self._configured_input_dir is None:
                self._inputs.set_folder(self._folders(stats)[0])
        one, two = self._folders(stats)
        info = engine_info(stats, queue, self.http.address)
        models = self._models(before)
        if models != before.models:
            self._contract = None  # the contract lists the same files
        info = replace(
            info,
            models=models,
            input_dir=str(one) if one else "",
            output_dir=str(two) if two else "",
        )
        if not self.busy:
            self._refresh_contract()
        if info.note is not None and (before.state != "ok" or info.note != before.note):
            log.warning("%s: %s", self.http.address, notices.words(info.note))
        return self._set(info)

    def _failed(self, before: EngineInfo, error: EngineError) -> EngineInfo:
        """The snapshot of a server that cannot be used; its reason is logged when it changes."""
        reason = error.reason if isinstance(error, EngineUnreachable) else ""
        silent = reason == "silent" and not is_read_timeout(error)
        if silent and self.http.address.startswith("http:") and takes_tls(self.http.address, PROBE_SECONDS):
            error = unreachable("speaks_https", self.http.place, error.detail)
            reason = error.reason
        before = replace(before, state=_not_ok(before))
        if reason in ("", "silent"):
            return self._set(replace(before, error=error.notice, fault=None))
        words = f"{error.message} {error.hint}".strip()
        info = self._set(replace(before, error=error.notice, fault=error.notice))
        if info.fault is not None and words != self._fault_logged:
            log.warning("%s", words)
            log.info("%s: %s", self.http.address, error.detail)
            self._fault_logged = words
        return info

    def facts(self) -> ServerFacts:
        """The server's nodes and options for the compiler. Raises EngineUnreachable, EngineError."""
        return node_contract.facts(self.contract())

    def contract(self) -> Contract:
        """The inputs of the server's nodes, at most a minute old. Raises EngineUnreachable, EngineError."""
        with self._facts_lock:
            now = time.monotonic()
            known = self._contract
            if known is not None and now - known[0] < FACTS_SECONDS:
                return known[1]
            info = self.http.get("/object_info")
            if not isinstance(info, dict):
                raise EngineError.of(
                    "unknown_node_format",
                    detail=f"/object_info: {type(info).__name__}",
                )
            contract = node_contract.from_object_info(info)
            self._log_skipped(contract)
            self._contract = (now, contract)
            return contract

    def _log_skipped(self, contract: Contract) -> None:
        """Logs each node whose description could not be parsed, once."""
        for name in contract.skipped.keys() - self._logged_skipped:
            self._logged_skipped.add(name)
            words = " ".join(f"node {name[:200]} is not usable: {contract.skipped[name][:300]}".split())
            log.warning("%s: %s", self.http.address, words.encode("utf-8", "replace").decode())

    def known_contract(self) -> Contract | None:
        """The contract as last read, or None before the server has responded; never blocks."""
        known = self._contract
        return known[1] if known is not None else None

    def _refresh_contract(self) -> None:
        """Reads the contract for planning if it is old; a failure is only logged."""
        known = self._contract
        if known is not None and time.monotonic() - known[0] < CONTRACT_SECONDS:
            return
        try:
            self.contract()
        except EngineError as error:
            log.info("nodes of %s: %s", self.http.address, error.detail or error.message)

    def _models(self, before: EngineInfo) -> Mapping[str, tuple[str, ...]]:
        now = time.monotonic()
        if self._models_read and now - self._models_read < MODELS_SECONDS:
            return before.models
        try:
            found = list_models(self.http)
        except EngineError as error:
            log.info("models of %s: %s", self.http.address, error.detail)
            return before.models
        self._models_read = now
        return found

    def _folders(self, stats: Mapping[str, Any]) -> tuple[Path | None, Path | None]:
        """The server's input and output folders, or None if they are not on this machine."""
        if self._configured_input_dir is not None:
            return self._configured_input_dir, sibling_output(self._configured_input_dir)
        argv = stats["system"].get("argv") if self.http.loopback else None
        return input_folder(argv), output_folder(argv)

    def _set(self, info: EngineInfo) -> EngineInfo:
        info = self._amend(info)
        with self._info_lock:
            self._info = info
        return info

    def _invalidate(self) -> None:
        """Drops cached data after a connection loss: the server may have been replaced."""
        self._inputs.invalidate()
        self._models_read = 0.0
        self._contract = None

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
            with self._full_disk_named():
                self._inputs.ensure(prompt.files, lambda: self._stop_if_cancelled(prompt.id))
            monitor = self._monitor(prompt, client_id, on_event)
            try:
                monitor.connect()
                self._stop_if_cancelled(prompt.id)
                monitor.may_have_missed = not self._submit(prompt, client_id) or monitor.may_have_missed
                with self._full_disk_named():
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
                with self._full_disk_named():
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
        """Downloads an output of the last prompt into a new file. Raises NoOutput, EngineUnreachable,
        DiskFull."""
        download(self.http, output, destination, self._result_limit)

    def process_ended(self) -> None:
        """The server's process has ended, as its supervisor knows: `run` and `resume` raise EngineLost at
        once, and the snapshot says so."""
        self._exits += 1
        self._wake.set()
        self._set(replace(self._info, state="lost", running=0, pending=0))

    def close(self) -> None:
        """Disconnects. A prompt that is running on the server continues, and `run` raises EngineLost."""
        self._closed.set()
        self._wake.set()

    @contextmanager
    def _full_disk_named(self) -> Iterator[None]:
        """A full disk of the server is reported with its machine."""
        try:
            yield
        except EngineDiskFull as error:
            info = self._info
            here = bool(info.output_dir or info.input_dir)
            raise full_disk.of_server(
                error, kind_of(info).server, "" if here else self.http.address
            ) from error

    def _monitor(self, prompt: Prompt, client_id: str, on_event: Callable[[Event], None]) -> PromptMonitor:
        self._result_limit = result_limit(prompt.graph)
        name, exits = server_name(self._info), self._exits
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
            self._invalidate()
        with self._cancelled_lock:
            self._cancelled.pop(prompt.id, None)

    def _submit(self, prompt: Prompt, client_id: str) -> bool:
        """Submits the prompt. Returns whether the server confirmed it; raises its validation error."""
        try:
            return submit.post(self.http, prompt, client_id)
        except BadEngineInput:
            # The input folder was emptied since the files were uploaded.
            self._inputs.invalidate()
            self._inputs.ensure(prompt.files, lambda: self._stop_if_cancelled(prompt.id))
            return submit.post(self.http, prompt, client_id)
        except (MissingModel, MissingNode):
            self._contract, self._models_read = None, 0.0
            raise

    def _is_cancelled(self, prompt_id: str) -> bool:
        return prompt_id in self._cancelled

    def _stop_if_cancelled(self, prompt_id: str) -> None:
        if self._closed.is_set():
            raise EngineLost.of("stopped_before_submit")
        if self._is_cancelled(prompt_id):
            with self._cancelled_lock:
                self._cancelled.pop(prompt_id, None)
            raise JobCancelled.of("cancelled")


def _not_ok(before: EngineInfo) -> str:
    """The state of a server without a valid response: `starting` if it never sent one, else `lost`."""
    return "starting" if before.state == "starting" else "lost"
