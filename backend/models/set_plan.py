"""A chosen set before it is fetched: sizes from the hub, what has arrived of it, room and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import StudioError
from backend.models.arrived import arrived, arrived_of
from backend.models.errors import ModelDownloadFailed
from backend.models.finder import roots_of
from backend.models.inventory import READY, UNSEEN, FileState, inventory
from backend.models.needs import built_in, room
from backend.models.sets import ModelSet
from workflows.catalog import Catalog, ModelFile

if TYPE_CHECKING:
    from backend.models.hub import Hub
    from backend.settings.model import Settings


@dataclass(frozen=True)
class PlannedFile:
    """A file of the set. used: the file that serves already; size: bytes, 0 where neither hub nor catalogue
    say; have: bytes of it that have arrived."""

    file: ModelFile
    used: str = ""
    size: int = 0
    have: int = 0


@dataclass(frozen=True)
class SetPlan:
    """What a download of the set would do. Bytes: free on the store's disk. trouble: why the hub did not
    answer for a file. rate: bytes per second of the last download, 0 while unknown."""

    chosen: ModelSet
    files: tuple[PlannedFile, ...]
    store: Path
    free: int
    disk: int
    rate: float = 0.0
    trouble: tuple[StudioError, ...] = ()

    @property
    def to_fetch(self) -> tuple[PlannedFile, ...]:
        return tuple(each for each in self.files if not each.used)

    @property
    def size(self) -> int:
        """Bytes of the files to fetch, without those of unknown size."""
        return sum(each.size for each in self.to_fetch)

    @property
    def have(self) -> int:
        """Bytes of them that have arrived."""
        return sum(each.have for each in self.to_fetch)

    @property
    def unknown(self) -> int:
        """How many of them have no known size."""
        return sum(not each.size for each in self.to_fetch)

    @property
    def left(self) -> int:
        """Bytes still to come."""
        return max(0, self.size - self.have)

    @property
    def fits(self) -> bool:
        """Whether the disk has the room, as far as it is known."""
        return not self.disk or self.left <= self.free

    @property
    def seconds(self) -> float | None:
        """How long it takes at the speed of the last download; None without one or without all sizes."""
        return self.left / self.rate if self.rate and not self.unknown else None


def plan(chosen: ModelSet, store: Path, hub: Hub, rate: float = 0.0) -> SetPlan:
    """Asks the hub for the sizes; stops asking at the first request that it does not answer."""
    files: list[PlannedFile] = []
    trouble: list[StudioError] = []
    silent = False
    for each in chosen.files:
        file = each.file
        if each.used:
            files.append(PlannedFile(file, each.used, file.bytes))
            continue
        size, have = file.bytes, arrived_of(file, store)
        if not silent:
            try:
                offer = hub.offer(file)
                size, have = offer.size, arrived(offer, store)
            except ModelDownloadFailed as error:
                silent = True
                trouble.append(error)
            except StudioError as error:
                trouble.append(error)
        files.append(PlannedFile(file, "", size, have))
    return SetPlan(chosen, tuple(files), store, *room(store), rate, tuple(trouble))


def states_of(
    files: tuple[ModelFile, ...], found: Mapping[str, FileState], settings: Settings
) -> list[FileState]:
    """The state of each of these files itself, whatever serves its role. found: role -> state."""
    roots = roots_of(settings)
    made = []
    for file in files:
        state = found.get(file.role)
        own = state is not None and state.file.name == file.name
        if state is not None and own and state.state not in (READY, UNSEEN):
            made.append(state)
            continue
        alone = Catalog((file,), "")
        made += inventory(settings.models_dir, built_in(settings), None, alone, roots=roots)
    return made
