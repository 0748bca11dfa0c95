"""State of servers, models and disk. Reads only the disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backend.engines.base import EngineInfo
from backend.engines.kinds import LOOPBACK, kind_of
from backend.models import needs
from backend.models.inventory import FileState
from backend.models.state import ModelScan, ModelState, ServerFile
from backend.notices import words
from backend.settings.model import Settings
from backend.system.model_servers import best, by_server


def status(engines: Sequence[EngineInfo], trouble: str = "") -> str:
    """starting: no server answers and one starts up; degraded: a server that answered before does not answer
    now, or `trouble` prevents jobs from starting; else ok.

    A server that is restarting counts as lost while others work.
    """
    states = {info.state for info in engines}
    again = any(info.state == "starting" and info.restarts for info in engines)
    if trouble or "lost" in states or ("ok" in states and again):
        return "degraded"
    return "ok" if "ok" in states else "starting"


def scan(settings: Settings, engines: Sequence[EngineInfo]) -> ModelScan:
    """The states of the catalogue's files and their use of the disk, from one scan.

    A state comes from disk and server if the server runs on this machine; from a remote server's list alone;
    until a server has listed its models from the disk alone, with unknown for files that are not there. Of
    several servers each is asked.
    """
    servers = by_server(settings, engines)
    alone = not servers[0].address
    files = []
    for number, item in enumerate(best(servers)):
        state = "unknown" if alone and item.state == "missing" else item.state
        told = item.words if servers[0].local or state == "unsuitable" else ""
        each = tuple(
            ServerFile(one.address, found.state, found.used)
            for one in servers
            if (found := one.overview.files[number])
        )
        files.append(_state(item, state, told, each if len(each) > 1 else ()))
    local = next((one.overview for one in servers if one.local), None)
    if local is None and not any(kind_of(info).lists_files for info in engines if info.models):
        local = needs.states(settings)  # the demo engine lists no files of its own
    disk = {need.mode: need.disk for need in local.modes} if local is not None else {}
    return ModelScan(tuple(files), disk)


def on_this_machine(address: str) -> bool:
    """Whether a server's address is loopback."""
    return urlsplit(address).hostname in LOOPBACK


def _state(item: FileState, state: str, told: str, servers: tuple[ServerFile, ...]) -> ModelState:
    file = item.file
    return ModelState(
        file.title, file.name, file.folder, file.bytes, file.modes, file.optional, state, told,
        restart=item.restart, role=file.role, used=item.used, others=item.others, chosen=item.chosen,
        asked=item.asked, servers=servers,
    )  # fmt: skip


def servers(engines: Sequence[EngineInfo]) -> list[dict[str, Any]]:
    """The state of each server; memory in bytes, `restarts` since the start of the studio."""
    return [
        {
            "address": info.address,
            "state": info.state,
            "version": info.version,
            "gpu": info.gpu,
            "vram_total": info.vram_total,
            "vram_free": info.vram_free,
            "running": info.running,
            "pending": info.pending,
            "error": words(info.error),
            "note": words(info.note),
            "workers": dict(info.workers),
            "restarts": info.restarts,
            "exited": info.exited,
            "exit_cause": info.exit_cause,
            "ours": info.ours,
        }
        for info in engines
    ]


def disk(folder: Path) -> dict[str, int]:
    """Free and total bytes of the disk that holds the folder; 0 if the folder does not exist."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return {"free": 0, "total": 0}
    return {"free": usage.free, "total": usage.total}
