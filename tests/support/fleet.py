"""For tests of Servers: settings, and what a server of theirs did and says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.timing import Timing
from backend.errors import StudioError
from backend.servers.fleet import Server, Servers
from backend.servers.process import Times
from backend.servers.server import Limits
from backend.settings.model import Settings
from tests.support.comfy_run import adjustable
from tests.support.waiting import until

Build = Callable[..., Servers]

QUICK = Limits(
    look=0.2,
    search=0.2,
    process=Times(backoff_first=0.05, look=0.05, count=0.1),
)


exits: list[StudioError] = []


def settings(folder: Path, **env: str) -> Settings:
    given = {
        "COMFYUI_DIR": str(folder / "ComfyUI"), "WAN_DATA_DIR": str(folder / "data"),
        "WAN_MODELS_DIR": str(folder / "models"), **env,
    }  # fmt: skip
    (folder / "data").mkdir(exist_ok=True)
    return Settings.from_env(given, folder)


def all_up(all_of_them: Servers) -> None:
    for engine in all_of_them.engines:
        until(lambda engine=engine: engine.refresh().state == "ok", 60)


def facts(folder: Path, server: Server) -> dict[str, Any]:
    port = server.engine.http.address.rpartition(":")[2]
    found: dict[str, Any] = json.loads((folder / "ComfyUI" / f"started-{port}.json").read_text())
    return found


def say(folder: Path, server: Server, words: str) -> None:
    """Makes the server print a text."""
    port = server.engine.http.address.rpartition(":")[2]
    file = folder / "ComfyUI" / f"say-{port}"
    part = file.with_suffix(".part")
    part.write_text(words)
    part.replace(file)
    assert server.process is not None
    process = server.process
    until(lambda: any(words in line for line in process.tail.lines()))


def engine_of(server: Server) -> ComfyEngine:
    """Short intervals, and limits that a slow machine does not reach before the test shortens one."""
    server.engine.timing = adjustable(
        replace(
            Timing(),
            receive=0.05,
            first_poll=0.02,
            queue_poll=0.1,
            idle_poll=0.2,
            offline_poll=0.05,
            refused_limit=600.0,
            error_limit=600.0,
        )
    )
    server.engine.http._timeout = (5.0, 20.0)
    return server.engine


def faults(engine: ComfyEngine, **orders: object) -> None:
    """Replaces the faults of the engine's server."""
    requests.post(f"{engine.http.address}/demo/faults", json=orders, timeout=60).raise_for_status()
