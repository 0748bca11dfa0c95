"""One server that the studio uses: its engine and, if the studio started it, its process."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from backend.engines.base import EngineInfo
from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.timing import Timing
from backend.engines.kinds import COMFYUI, kind_of
from backend.errors import EngineHung, EngineLost, StudioError
from backend.notices import words
from backend.servers import postmortem
from backend.servers.process import TIMES, ProcessExit, SupervisedProcess, Times
from workflows.notice import Notice, made

if TYPE_CHECKING:
    from backend.settings.model import Settings

log = logging.getLogger("wan.servers")


@dataclass(frozen=True)
class Limits:
    """Time limits and intervals for the servers of this machine, in seconds."""

    look: float = 5.0  # between two requests for the state of a server
    search: float = 2.0  # between two checks for a ComfyUI that another program starts
    answer: float = 10.0  # after a lost job, a server of ours that does not answer for this long is killed
    start: float = 600.0  # the first start from a network volume takes minutes
    dying: float = 2.0  # from the loss of the connection to the end of the process
    taken_over: float = 20.0  # a server of an earlier run that does not answer for this long hangs
    process: Times = TIMES


LIMITS = Limits()


def answers(url: str, seconds: float = 1.0) -> bool:
    """Whether a ComfyUI answers at this address."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"{url}/system_stats", timeout=seconds).ok
    except requests.RequestException:
        return False


class Server:
    """`process` is None for a server that the studio did not start."""

    def __init__(
        self,
        url: str,
        settings: Settings,
        kind: str = COMFYUI.id,
        folder: Path | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self.process: SupervisedProcess | None = None
        self.trouble: Notice | None = None  # why the process exited before it was up
        self._python = ""
        self._exited, self._exit_cause = 0.0, postmortem.NO_EXIT
        self._limits = limits
        self._hung_seconds = hung = settings.hung_seconds
        ours = url not in settings.comfyui_urls  # credentials are for the configured servers alone
        self.engine = ComfyEngine(
            url,
            input_dir=folder,
            login="" if ours else settings.comfyui_login,
            ca=settings.comfyui_ca,
            timing=Timing(hung=hung, read=min(20.0, max(1.0, hung / 4))),
            kind=kind,
            amend=self._amend,
        )

    def attach(self, process: SupervisedProcess, python: str = "") -> None:
        self.process, self._python = process, python

    def handle_exit(self, ended: ProcessExit) -> None:
        """Called by the supervisor after each exit."""
        process = self.process
        self._exited, self._exit_cause = time.time(), postmortem.cause(ended)
        if process is not None and not ended.was_up:
            self.trouble = postmortem.why_not_up(ended, process.trouble, self._python)
            log.error("%s: %s", process.name, words(self.trouble))
        self.engine.process_ended()

    def _amend(self, info: EngineInfo) -> EngineInfo:
        """Adds the state of the process: while it starts up, the engine is `starting` and not `lost`."""
        process = self.process
        if process is None:
            return info
        info = replace(
            info, ours=True, restarts=process.restarts, exited=self._exited, exit_cause=self._exit_cause
        )
        if info.state == "ok":
            process.note_answer()
            self.trouble = None
            return info
        if process.over:
            stopped = self.trouble or made("server_stopped", {"server": kind_of(info).subject})
            return replace(info, state="lost", error=stopped, fault=None)
        if not process.is_up:
            return replace(info, state="starting", error=self.trouble, fault=None)
        return info

    def check(self) -> None:
        """Kills the process if it hangs without a job; during a job the lane watches the events."""
        process = self.process
        if process is None or process.pid is None or self.engine.busy:
            return
        if process.unconfirmed:
            limit = min(self._limits.taken_over, self._hung_seconds)
        else:
            limit = self._hung_seconds if process.is_up else max(self._limits.start, self._hung_seconds)
        if process.seconds_without_answer() > limit and not answers(self.engine.http.address, 5.0):
            process.kill(f"no answer for {process.seconds_without_answer():.0f} s")

    def recover(self, error: StudioError) -> StudioError:
        """As Servers.recover, for the error of a prompt on this server."""
        process = self.process
        if process is None:
            return error
        if isinstance(error, EngineHung):
            process.kill("its job makes no progress")
            return self._hung(error.detail)
        began, address = self.engine.began, self.engine.http.address
        ended = process.exit_since(began)
        if ended is None and not answers(address):
            ended = process.exit_since(began, self._limits.dying)
        if ended is not None:
            if ended.by_us:
                return self._hung(error.detail)
            return postmortem.error(ended.after(began), self.name)
        if isinstance(error, EngineLost) and not answers(address, self._limits.answer):
            process.kill("it stopped answering")
            return self._hung(error.detail)
        return error

    @property
    def name(self) -> str:
        """The server's name at the start of a sentence."""
        return kind_of(self.engine.info()).subject

    def _hung(self, detail: str) -> EngineHung:
        return EngineHung.of("server_hung", server=self.name, detail=detail)
