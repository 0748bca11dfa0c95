"""What one ComfyUI server reports: its state, model files, folders and node inputs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.engines.base import EngineInfo
from backend.engines.comfy.folders import input_folder, output_folder, sibling_output
from backend.engines.comfy.http import Http, is_read_timeout
from backend.engines.comfy.info import engine_info, list_models
from backend.engines.comfy.transfer import InputFiles
from backend.errors import EngineError
from workflows.graph import node_contract
from workflows.graph.node_contract import Contract
from workflows.notice import made

log = logging.getLogger("wan.engines.comfy")

FACTS_SECONDS = 60.0  # maximum age of the contract when a job needs it
CONTRACT_SECONDS = 300.0  # maximum age otherwise; the response has megabytes if there are many custom nodes
MODELS_SECONDS = 30.0  # maximum age of the list of model files
UNEXPECTED = made("not_comfyui_status", {})


class ServerStatus:
    """The last known state of a server. Methods may be called from any thread."""

    def __init__(
        self,
        http: Http,
        kind: str,
        input_dir: Path | None,
        amend: Callable[[EngineInfo], EngineInfo],
        is_busy: Callable[[], bool],
    ) -> None:
        """`kind`, `input_dir`, `amend`: as for ComfyEngine. `is_busy`: whether a prompt is being run."""
        self.http = http
        self.inputs = InputFiles(http, input_dir)
        self.asked = 0.0  # monotonic time of the last request
        self._configured_input_dir = input_dir
        self._amend, self._is_busy = amend, is_busy
        self.info = amend(EngineInfo(kind, http.address))
        self._info_lock = threading.Lock()
        self._facts_lock = threading.Lock()
        self._contract: tuple[float, Contract] | None = None  # any thread may clear it: read it only once
        self._logged_skipped: set[str] = set()
        self._models_read = 0.0

    def refresh(self) -> EngineInfo:
        """Requests the server's status and returns the new snapshot; never raises."""
        before = self.info
        try:
            return self._ask(before)
        except Exception as error:  # a response that no parser expects
            if before.error != UNEXPECTED:
                log.exception("%s: unexpected response", self.http.address)
            log.debug("%s: %r", self.http.address, error)
            return self.set(replace(before, state=_not_ok(before), error=UNEXPECTED))

    def _ask(self, before: EngineInfo) -> EngineInfo:
        self.asked = time.monotonic()
        try:
            stats = self.http.get("/system_stats")
            queue = self.http.get("/queue")
            if not isinstance(stats, dict) or not isinstance(stats.get("system"), dict):
                raise EngineError.because(UNEXPECTED)
        except EngineError as error:
            if is_read_timeout(error) and before.state == "ok" and self._is_busy():
                return before  # busy with our job, whose monitor detects a hung server
            return self.set(replace(before, state=_not_ok(before), error=error.reason))
        if before.state != "ok":
            self.invalidate()
            if self._configured_input_dir is None:
                self.inputs.set_folder(self._folders(stats)[0])
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
        if not self._is_busy():
            self._refresh_contract()
        return self.set(info)

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
            words = f"node {name} is not usable: {contract.skipped[name]}"
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

    def set(self, info: EngineInfo) -> EngineInfo:
        """Replaces the snapshot, with what the caller of the engine knows about the server."""
        info = self._amend(info)
        with self._info_lock:
            self.info = info
        return info

    def forget_models(self) -> None:
        """Reads models and contract again: the server refused a graph for lack of a model or node."""
        self._contract, self._models_read = None, 0.0

    def invalidate(self) -> None:
        """Drops cached data after a connection loss: the server may have been replaced."""
        self.inputs.invalidate()
        self._models_read = 0.0
        self._contract = None


def _not_ok(before: EngineInfo) -> str:
    """The state of a server without a valid response: `starting` if it never sent one, else `lost`."""
    return "starting" if before.state == "starting" else "lost"
