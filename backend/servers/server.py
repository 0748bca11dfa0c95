"""One server as the studio drives it: its engine, and, when it is ours, the process behind it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from backend.engines.base import EngineInfo
from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.follow import Timing
from backend.engines.kinds import COMFYUI
from backend.errors import EngineHung, EngineLost, StudioError
from backend.servers import postmortem
from backend.servers.process import TIMES, Death, Process, Times

if TYPE_CHECKING:
    from backend.settings.model import Settings

log = logging.getLogger("wan.servers")


@dataclass(frozen=True)
class Limits:
    """How long a server of this machine is waited for, in seconds."""

    look: float = 5.0  # between two questions to a server, by whomever
    search: float = 2.0  # between two looks for a ComfyUI that another program is to start
    answer: float = 10.0  # one of ours that does not answer within this time, after a lost job, is ended
    start: float = 600.0  # the first start from a network volume takes minutes
    dying: float = 2.0  # a server may have gone from the network a moment before its process ends
    taken_over: float = 20.0  # one that an earlier run left answers within this time, or it hangs
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
    """One server as the studio drives it. `process` is None for one that is not ours."""

    def __init__(
        self,
        url: str,
        settings: Settings,
        kind: str = COMFYUI.id,
        folder: Path | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self.process: Process | None = None
        self.trouble = ""  # why ours died last before it was up; empty once it is
        self._python = ""
        self._limits = limits
        self._hung_seconds = hung = settings.hung_seconds
        self.engine = ComfyEngine(
            url,
            input_dir=folder,
            timing=Timing(hung=hung, read=min(20.0, max(1.0, hung / 4))),
            kind=kind,
            amend=self._amend,
        )

    def keep(self, process: Process, python: str = "") -> None:
        self.process, self._python = process, python

    def died(self, death: Death) -> None:
        """Called by the supervisor after each death."""
        process = self.process
        if process is not None and not death.was_up:
            self.trouble = postmortem.why_not_up(death, process.trouble, self._python)
            log.error("%s: %s", process.name, self.trouble)

    def _amend(self, info: EngineInfo) -> EngineInfo:
        """Adds what we know of a process of ours: while it comes up it is starting and not lost."""
        process = self.process
        if process is None:
            return info
        info = replace(info, ours=True, restarts=process.restarts)
        if info.state == "ok":
            process.heard()
            self.trouble = ""
            return info
        if process.over:
            return replace(info, state="lost", error=self.trouble or "ComfyUI stopped.")
        if not process.is_up:
            return replace(info, state="starting", error=self.trouble)
        return info

    def look(self) -> None:
        """Ends one of ours that hangs without a job; of a job the lane knows whether events still come."""
        process = self.process
        if process is None or process.pid is None or self.engine.busy:
            return
        if process.untried:
            limit = min(self._limits.taken_over, self._hung_seconds)
        else:
            limit = self._hung_seconds if process.is_up else max(self._limits.start, self._hung_seconds)
        if process.silent() > limit and not answers(self.engine.http.address, 5.0):
            process.kill(f"no answer for {process.silent():.0f} s")

    def recover(self, error: StudioError) -> StudioError:
        """What a job that lost this server really ended with: see Servers.recover."""
        process = self.process
        if process is None:
            return error
        if isinstance(error, EngineHung):
            process.kill("the job in it stands still")
            return _hung(error.detail)
        began, address = self.engine.began, self.engine.http.address
        death = process.death_since(began)
        if death is None and not answers(address):
            death = process.death_since(began, self._limits.dying)
        if death is not None:
            return _hung(error.detail) if death.by_us else postmortem.error(death.after(began))
        if isinstance(error, EngineLost) and not answers(address, self._limits.answer):
            process.kill("it stopped answering")
            return _hung(error.detail)
        return error


def _hung(detail: str) -> EngineHung:
    return EngineHung(
        "ComfyUI stood still while it worked on this video, and was restarted.",
        "If it happens again, try a smaller size or a shorter video.",
        detail=detail,
    )
