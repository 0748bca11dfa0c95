"""Servers that refused a job because they lack something for it, and what becomes of the job.

A refusal holds for a while only: a model may be downloaded, a node installed. It ends earlier when the server
reports other models or nodes, or when the server that had taken the job is lost. Not thread-safe: the
runner's lock guards it. Times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.errors import EngineError, StudioError
from backend.jobs.limits import Limits
from workflows.notice import Code, Notice, notice


@dataclass
class _Refused:
    """One job. `by`: address -> (reason, until when it holds); `stuck`: since when no server is left that
    is up and has not refused it."""

    by: dict[str, tuple[StudioError, float]] = field(default_factory=dict)
    stuck: float | None = None


@dataclass(frozen=True)
class Outlook:
    """`waits`: what a job waits for besides its turn; `error`: what it ends with, when nothing is left."""

    waits: Notice | None = None
    error: StudioError | None = None


class Refusals:
    """Of all jobs that wait or run."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._jobs: dict[str, _Refused] = {}

    def note(self, job_id: str, address: str, error: StudioError, now: float) -> None:
        """The server at this address cannot make the job."""
        refused = self._jobs.setdefault(job_id, _Refused())
        refused.by.pop(address, None)  # the last one comes last
        refused.by[address] = (error, now + self._limits.refusal)

    def holding(self, now: float) -> dict[str, set[str]]:
        """job -> servers that are not to be asked again yet."""
        return {
            job_id: {address for address, (_, until) in refused.by.items() if now < until}
            for job_id, refused in self._jobs.items()
        }

    def facts_changed(self, address: str) -> None:
        """The server has other models or nodes than before: it is asked again."""
        for refused in self._jobs.values():
            if address in refused.by:
                refused.by[address] = (refused.by[address][0], 0.0)

    def ask_all_again(self, job_id: str) -> None:
        """The server that had taken the job is lost."""
        if (refused := self._jobs.get(job_id)) is not None:
            refused.by = {address: (error, 0.0) for address, (error, _) in refused.by.items()}
            refused.stuck = None

    def forget(self, job_id: str) -> None:
        """The job has ended."""
        self._jobs.pop(job_id, None)

    def outlook(self, job_id: str, states: Mapping[str, str], now: float) -> Outlook:
        """`states`: of each server by its address, as in EngineInfo."""
        refused = self._jobs.get(job_id)
        up = [address for address, state in states.items() if state == "ok"]
        if refused is None or not up:
            return Outlook()
        error = next(reversed(refused.by.values()))[0]
        able = [address for address in up if address not in refused.by]
        if able:
            refused.stuck = None
            return Outlook(notice("waiting_for_able", addresses=tuple(able), reason=error.message))
        refused.stuck = now if refused.stuck is None else refused.stuck
        if any(now >= refused.by[address][1] for address in up):
            return Outlook(notice("asking_again", reason=error.message))
        absent = {a: state for a, state in states.items() if state != "ok" and a not in refused.by}
        if absent and isinstance(error, EngineError) and now - refused.stuck < self._limits.absent:
            starts = "starting" in absent.values()
            away = [a for a, state in absent.items() if not starts or state == "starting"]
            code: Code = "waiting_for_absent_start" if starts else "waiting_for_absent_answer"
            return Outlook(notice(code, addresses=tuple(away), reason=error.message))
        return Outlook(error=error)
