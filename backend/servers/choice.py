"""Which servers the studio uses, from the settings and from what runs on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.engines.kinds import COMFYUI, DEMO, KINDS, RUNPOD, EngineKind
from backend.errors import BadSettings
from backend.servers.server import answers

if TYPE_CHECKING:
    from backend.settings.model import Settings


@dataclass(frozen=True)
class Choice:
    """The servers to use. kind: as EngineInfo.kind. `start`: the studio starts the process itself."""

    kind: str
    urls: tuple[str, ...]
    start: bool

    @property
    def row(self) -> EngineKind:
        """The properties of this kind of engine."""
        return KINDS[self.kind]


def local_url(settings: Settings) -> str:
    """The address at which a ComfyUI of this machine is expected."""
    return f"http://127.0.0.1:{settings.comfyui_port}"


def choose(settings: Settings, probe: Callable[[str], bool] = answers) -> Choice:
    """WAN_ENGINE=auto: the first of configured addresses, a server on COMFYUI_PORT, a ComfyUI folder, a
    RunPod endpoint, the demo.

    Raises BadSettings when WAN_ENGINE is comfyui and none of the first three exists, or runpod and no
    endpoint is configured."""
    local = local_url(settings)
    if settings.engine == "demo":
        return Choice(DEMO.id, (), start=True)
    if settings.engine == "runpod":
        if not settings.runpod.given:
            raise BadSettings.of("runpod_not_set")
        return Choice(RUNPOD.id, (), start=False)
    if settings.comfyui_urls:
        return Choice(COMFYUI.id, settings.comfyui_urls, start=False)
    if probe(local):
        return Choice(COMFYUI.id, (local,), start=False)
    if settings.comfyui_dir is not None:
        return Choice(COMFYUI.id, (local,), start=True)
    if settings.engine == "comfyui":
        raise BadSettings.of("no_comfyui", port=settings.comfyui_port)
    if settings.runpod.given:
        return Choice(RUNPOD.id, (), start=False)
    return Choice(DEMO.id, (), start=True)
