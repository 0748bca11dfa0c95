"""The model files of each server, by one rule for System and for `models check`.

A server on this machine lists files of this machine's disk, so that their sizes and headers count too. Of a
server elsewhere only the names that it lists are known; the files of this disk are not its files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.engines.base import EngineInfo
from backend.engines.kinds import shares_disk
from backend.errors import BadInput
from backend.models import needs
from backend.models.choices import Choice
from backend.models.choosing import checked_choice
from backend.models.inventory import READY, FileState
from backend.models.needs import Overview
from workflows.catalog import Catalog

if TYPE_CHECKING:
    from backend.settings.model import Settings


@dataclass(frozen=True)
class ServerModels:
    """The files as one server has them. address: "" for the disk of this machine, without a server; local:
    they are on this disk."""

    address: str
    local: bool
    overview: Overview


def by_server(
    settings: Settings, engines: Sequence[EngineInfo], catalog: Catalog | None = None
) -> tuple[ServerModels, ...]:
    """The files of each server that has listed its own; without one, those of this machine's disk."""
    known = {info.address: info for info in engines if info.models}
    if not known:
        return (ServerModels("", True, needs.states(settings, None, catalog)),)
    return tuple(_of(settings, info, catalog) for info in known.values())


def _of(settings: Settings, info: EngineInfo, catalog: Catalog | None) -> ServerModels:
    local = shares_disk(info)
    make = needs.states if local else needs.listed
    made = make(settings, info.models, catalog, vram=info.vram_total, gpu=info.gpu, version=info.version)
    return ServerModels(info.address, local, made)


def best(servers: Sequence[ServerModels]) -> tuple[FileState, ...]:
    """For each file the state on the server that has it; on the first one where none has."""
    states = zip(*(one.overview.files for one in servers), strict=True)
    return tuple(next((one for one in each if one.state == READY), each[0]) for each in states)


def choice_on(
    settings: Settings, role: str, choice: Choice, engines: Sequence[EngineInfo]
) -> tuple[Choice, tuple[str, ...]]:
    """The choice as the first server spells it that can use it, and the addresses of those that cannot.
    Raises BadInput where none can."""
    known = {info.address: info for info in engines if info.models}
    if not known:
        return checked_choice(settings, role, choice, None), ()
    chosen: Choice | None = None
    refused: dict[str, BadInput] = {}
    for address, info in known.items():
        try:
            found = checked_choice(settings, role, choice, info.models, shares_disk(info))
            chosen = chosen or found
        except BadInput as error:
            refused[address] = error
    if chosen is None:
        raise next(iter(refused.values()))
    return chosen, tuple(refused)
