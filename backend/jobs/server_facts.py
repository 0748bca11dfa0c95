"""What a server offers, for the compiler: its nodes and options, and the files that take the roles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from backend.engines.base import EngineInfo
from backend.engines.kinds import shares_disk
from backend.models.finder import Finder, Where
from workflows.compile import ServerFacts
from workflows.graph.node_contract import Contract, facts, recorded

FactsOf = Callable[[EngineInfo, Contract | None], ServerFacts]
"""The facts of a server by its snapshot and its contract; None: it does not describe its nodes."""


def plain_facts(info: EngineInfo, contract: Contract | None) -> ServerFacts:
    """The facts without the files of the roles: the catalogue's own names are used."""
    return replace(facts(contract or recorded()), ram=info.ram_total)


def found_by(finder: Finder) -> FactsOf:
    """The facts with the files that the finder chooses."""

    def facts_of(info: EngineInfo, contract: Contract | None) -> ServerFacts:
        return plain_facts(info, None) if contract is None else finder.facts(contract, where(info))

    return facts_of


def where(info: EngineInfo) -> Where:
    """Which server it is, for the choice of files."""
    return Where(info.address, shares_disk(info), info.vram_total, info.gpu, info.version, info.ram_total)
