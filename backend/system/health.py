"""State of servers, models and disk. Reads only the disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backend.engines.base import EngineInfo
from backend.engines.kinds import kind_of
from backend.models import needs
from backend.models.assigned import resolved
from backend.models.choices import NAME, Choices
from backend.models.needs import Overview
from backend.models.state import ModelScan, ModelState
from backend.notices import words
from backend.settings.model import Settings
from workflows.catalog import ModelFile, load_catalog


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
    until a server has listed its models from the disk alone, with unknown for files that are not there.
    """
    known = next((info for info in engines if info.models), None)
    local = next((info for info in engines if info.models and kind_of(info).lists_files), None)
    on_disk = overview(settings, local) if local is None or on_this_machine(local.address) else None
    disk = {need.mode: need.disk for need in on_disk.modes} if on_disk is not None else {}
    if known is not None and (known is not local or on_disk is None):
        return ModelScan(_listed(settings, known), disk)
    files = []
    for item in on_disk.files if on_disk is not None else ():
        unlisted = known is None and item.state == "missing"
        state = _state(item.file, "unknown" if unlisted else item.state, item.words)
        state = replace(state, restart=item.restart, used=item.used)
        files.append(replace(state, others=item.others, asked=item.asked, chosen=item.chosen))
    return ModelScan(tuple(files), disk)


def overview(settings: Settings, known: EngineInfo | None) -> Overview:
    """The model store of this machine, combined with the server's list."""
    if known is None:
        return needs.states(settings)
    return needs.states(settings, known.models, vram=known.vram_total, gpu=known.gpu, version=known.version)


def on_this_machine(address: str) -> bool:
    """Whether a server's address is loopback."""
    return urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1")


def _listed(settings: Settings, known: EngineInfo) -> tuple[ModelState, ...]:
    """The states by the names that a server on another machine lists."""
    found = resolved(
        load_catalog(), None, known.models, Choices(settings.data_dir / NAME).all(),
        vram=known.vram_total, gpu=known.gpu, version=known.version,
    )  # fmt: skip
    states = []
    for file in load_catalog().files:
        one = found[file.role]
        state, reason = _told(file, known), ""
        if one.obstacle is not None:
            state, reason = "unsuitable", words(one.obstacle)
        elif one.used is not None:
            state = "ready"
        used = one.used.name if one.used is not None else ""
        others, asked = (tuple(each.name for each in found) for found in (one.others, one.asked))
        states.append(
            replace(
                _state(file, state, reason),
                used=used,
                others=others,
                asked=asked,
                chosen=one.why == "chosen",
            )
        )
    return tuple(states)


def _told(file: ModelFile, known: EngineInfo) -> str:
    if file.folder not in known.models:
        return "unknown"
    return "ready" if file.name in known.models[file.folder] else "missing"


def _state(file: ModelFile, state: str, words: str = "") -> ModelState:
    return ModelState(
        file.title, file.name, file.folder, file.bytes, file.modes, file.optional, state, words,
        role=file.role,
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
