"""The servers' state and capabilities as last reported."""

from __future__ import annotations

from dataclasses import dataclass

from backend.engines.base import Engine, EngineInfo
from backend.engines.kinds import kind_of
from backend.errors import StudioError
from backend.jobs.job import Job
from backend.jobs.params import job_params
from backend.jobs.preflight import compile_for
from backend.jobs.server_facts import FactsOf, plain_facts
from workflows.compile import Resolved, ServerFacts


@dataclass(frozen=True)
class Offer:
    """A server and its nodes and files. `facts` are those recorded from ComfyUI for a server that has not
    answered yet or does not describe its nodes."""

    info: EngineInfo
    facts: ServerFacts


class Offers:
    """All servers, from memory: nothing here waits for a server."""

    def __init__(self, engines: tuple[Engine, ...], facts_of: FactsOf = plain_facts) -> None:
        self._engines, self._facts_of = engines, facts_of

    def infos(self) -> list[EngineInfo]:
        """One per lane."""
        return [engine.info() for engine in self._engines]

    def all(self) -> list[Offer]:
        """The servers that have described their nodes and those that never do; when there are none, the first
        server with the facts recorded from ComfyUI."""
        known = [(engine.info(), engine.known_contract()) for engine in self._engines]
        offers = [
            Offer(info, self._facts_of(info, contract))
            for info, contract in known
            if contract is not None or not kind_of(info).has_contract
        ]
        return offers or [Offer(known[0][0], plain_facts(known[0][0], None))]

    def models_of(self, job: Job) -> frozenset[str]:
        """The model files that a job loads; empty for a job that cannot be compiled now."""
        try:
            keep = Resolved.from_json(job.resolved)
            return frozenset(compile_for(job_params(job), self.all()[0].facts, job.id, keep=keep).models)
        except StudioError:
            return frozenset()
