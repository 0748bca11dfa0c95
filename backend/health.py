"""How the machine is: servers, models, disk. Pure but for the disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.engines.base import EngineInfo
from backend.views import ModelState
from workflows.catalog import load_catalog


def status(engines: Sequence[EngineInfo]) -> str:
    """starting: none has answered yet; degraded: one that had answered does not any more; else ok."""
    states = {info.state for info in engines}
    if "lost" in states:
        return "degraded"
    return "ok" if "ok" in states else "starting"


def models(engines: Sequence[EngineInfo]) -> list[ModelState]:
    """The catalogue as the first server that told its models sees it; unknown where none did."""
    known = next((info for info in engines if info.models), None)
    found = []
    for file in load_catalog().files:
        state = "unknown"
        if known is not None and file.folder in known.models:
            state = "ready" if file.name in known.models[file.folder] else "missing"
        found.append(
            ModelState(file.title, file.name, file.folder, file.bytes, file.modes, file.optional, state)
        )
    return found


def servers(engines: Sequence[EngineInfo]) -> list[dict[str, Any]]:
    """Each server in words and figures."""
    return [
        {
            "address": info.address,
            "state": info.state,
            "version": info.version,
            "gpu": info.gpu,
            "error": info.error,
        }
        for info in engines
    ]


def disk(folder: Path) -> dict[str, int]:
    """Bytes free and in all, where the data folder lies."""
    usage = shutil.disk_usage(folder)
    return {"free": usage.free, "total": usage.total}
