"""LoRAs of an endpoint, which does not list them: those that its workers have loaded, and those of a network
volume that this machine has mounted as well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backend.engines.kinds import engine_name, takes_whole
from backend.engines.runpod.results import VOLUMES
from backend.jobs.estimate import History
from backend.models.finder import roots_of
from backend.models.lora_files import LoraFiles
from backend.models.lora_rows import LoraServer
from workflows.graph.lora_file import LIST
from workflows.graph.node_contract import ServerFacts
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.engines.base import EngineInfo
    from backend.jobs.job import Job
    from backend.settings.model import Settings


class EndpointLoras:
    """The LoRAs that are known; whether another name exists is known only when a job runs. Any thread may
    ask."""

    def __init__(
        self,
        settings: Settings,
        history: History,
        volumes: Sequence[Path] = VOLUMES,
        mounted: Callable[[Path], bool] = Path.is_mount,
    ) -> None:
        """history: finished jobs; volumes: where a network volume is mounted."""
        self._settings, self._history = settings, history
        self._volumes, self._mounted = volumes, mounted

    def servers(self, infos: Iterable[EngineInfo]) -> list[LoraServer]:
        """One for the endpoint among these engines; none without one."""
        info = next((one for one in infos if takes_whole(one)), None)
        if info is None:
            return []
        roots = roots_of(self._settings) if self._on_volume() else None
        names = dict.fromkeys(roots.names("loras") if roots is not None else ())
        for mode in MODES:
            for job in self._history(engine_name(info), mode):
                names.update(dict.fromkeys(_loaded(job)))
        files = LoraFiles(tuple(names), roots)
        return [LoraServer(info.address, files, ServerFacts(frozenset(), {LIST: files.names}, loras=files))]

    def _on_volume(self) -> bool:
        """Whether the model store is on a network volume."""
        store = self._settings.models_dir
        return any(store.is_relative_to(one) and self._mounted(one) for one in self._volumes)


def _loaded(job: Job) -> Iterable[str]:
    """The LoRAs that a worker has loaded for a job."""
    found = job.resolved.get("loras")
    return (name for name in found if isinstance(name, str)) if isinstance(found, list) else ()
