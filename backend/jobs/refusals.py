"""Servers that refused a job because they lack a model or node for it, and whether the job waits or fails.

A refusal expires: a model may be downloaded, a node installed. It expires early when the server reports other
models or nodes, or when the server that ran the job is lost. Not thread-safe: ActiveJobs.changed guards it.
Times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.errors import EngineError, StudioError
from backend.jobs.limits import Limits
from workflows.notice import Code, Notice, notice


@dataclass
class _Refused:
    """One job. `by`: address -> (reason, expiry); `stuck`: since when every server that is up has refused
    it."""

    by: dict[str, tuple[StudioError, float]] = field(default_factory=dict)
    stuck: float | None = None


@dataclass(frozen=True)
class Outlook:
    """`waits`: what a job waits for besides its turn; `error`: what it ends with, when nothing is left."""

    waits: Notice | None = None
    error: StudioError | None = None


class Refusals:
    """The refusals of all jobs that wait or run."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._jobs: dict[str, _Refused] = {}

    def note(self, job_id: str, address: str, error: StudioError, now: float) -> None:
        """Records that the server at this address cannot run the job."""
        refused = self._jobs.setdefault(job_id, _Refused())
        refused.by.pop(address, None)  # the latest refusal is the last entry
        refused.by[address] = (error, now + self._limits.refusal)

    def holding(self, now: float) -> dict[str, set[str]]:
        """Job id -> addresses of servers whose refusal has not expired."""
        return {
            job_id: {address for address, (_, until) in refused.by.items() if now < until}
            for job_id, refused in self._jobs.items()
        }

    def facts_changed(self, address: str) -> None:
        """Expires the refusals of a server whose models or nodes have changed."""
        for refused in self._jobs.values():
            if address in refused.by:
                refused.by[address] = (refused.by[address][0], 0.0)

    def ask_all_again(self, job_id: str) -> None:
        """Expires all refusals of a job whose server is lost."""
        if (refused := self._jobs.get(job_id)) is not None:
            refused.by = {address: (error, 0.0) for address, (error, _) in refused.by.items()}
            refused.stuck = None

    def forget(self, job_id: str) -> None:
        """Drops the refusals of an ended job."""
        self._jobs.pop(job_id, None)

    def outlook(self, job_id: str, states: Mapping[str, str], now: float) -> Outlook:
        """What a refused job waits for, or why it fails. `states`: address -> state, as in EngineInfo."""
        refused = self._jobs.get(job_id)
        up = [address for address, state in states.items() if state == "ok"]
        if refused is None or not up:
            return Outlook()
        error = next(reversed(refused.by.values()))[0]
        able = [address for address in up if address not in refused.by]
        if able:
            refused.stuck = None
            return Outlook(notice("waiting_for_able", addresses=tuple(able), reason=error.notice))
        refused.stuck = now if refused.stuck is None else refused.stuck
        if any(now >= refused.by[address][1] for address in up):
            return Outlook(notice("asking_again", reason=error.notice))
        absent = {a: state for a, state in states.items() if state != "ok" and a not in refused.by}
        if absent and isinstance(error, EngineError) and now - refused.stuck < self._limits.absent:
            starts = "starting" in absent.values()
            away = [a for a, state in absent.items() if not starts or state == "starting"]
            code: Code = "waiting_for_absent_start" if starts else "waiting_for_absent_answer"
            return Outlook(notice(code, addresses=tuple(away), reason=error.notice))
        return Outlook(error=error)
