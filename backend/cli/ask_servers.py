"""What the configured ComfyUI servers report about themselves, for commands that run beside the studio."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backend.engines.base import EngineInfo
from backend.engines.comfy.http import Http
from backend.engines.comfy.info import engine_info, list_models
from backend.engines.kinds import kind_of, shares_disk
from backend.errors import EngineUnreachable, StudioError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backend.settings.model import Settings

ASK_SECONDS = 3.0
"""Timeout of each request."""
MOST_AT_ONCE = 16


@dataclass(frozen=True)
class Asked:
    """One request. `info`: with the model files that the server lists, None without an answer; `sentence`:
    the request and its outcome."""

    info: EngineInfo | None
    sentence: str


def ask_servers(settings: Settings) -> tuple[Asked, ...]:
    """Asks each server of COMFYUI_URL, else the one that the studio would start or use here."""
    if settings.engine == "demo":
        said = "WAN_ENGINE is demo, which needs no models: only the disk was looked at."
        return (Asked(None, said),)
    urls = settings.comfyui_urls
    addresses = tuple(dict.fromkeys(urls)) or (f"http://127.0.0.1:{settings.comfyui_port}",)
    alone = len(addresses) == 1
    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(addresses))) as pool:
        return tuple(pool.map(lambda address: _ask(settings, address, bool(urls), alone), addresses))


def infos(asked: Sequence[Asked]) -> list[EngineInfo]:
    """The servers that have answered."""
    return [one.info for one in asked if one.info is not None]


def nearest(asked: Sequence[Asked]) -> EngineInfo | None:
    """A server of this machine, else the first that has answered; None if there is none."""
    found = infos(asked)
    return next((info for info in found if shares_disk(info)), found[0] if found else None)


def _ask(settings: Settings, address: str, given: bool, alone: bool) -> Asked:
    login = settings.comfyui_login if given else ""
    http = Http(address, connect=ASK_SECONDS, read=ASK_SECONDS, login=login, ca=settings.comfyui_ca)
    rest = ": only the disk was looked at." if alone else "."
    silent = f"No ComfyUI answers at {http.address}{rest}"
    try:
        stats = http.get("/system_stats")
        version = stats["system"].get("comfyui_version") or ""
        info = engine_info(stats, {}, http.address)
        if kind_of(info).simulated:
            return Asked(None, f"The demo engine answers at {http.address}{rest}")
        info = replace(info, models=list_models(http))
    except EngineUnreachable as error:
        why = f" {error.message}" if error.reason not in ("silent", "refused") else ""
        return Asked(None, f"{silent}{why}")
    except (StudioError, KeyError, TypeError, AttributeError):
        return Asked(None, silent)
    finally:
        http.close()
    return Asked(info, f"ComfyUI {version} at {http.address} was asked what it sees.")
