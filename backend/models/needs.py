"""Which model files each mode needs, which it lacks, and how to get them, for page and command line."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backend.models.assigned import assign, listed_states, resolved
from backend.models.choices import NAME, Choices
from backend.models.finder import roots_of
from backend.models.inventory import (
    DAMAGED,
    MISSING,
    READY,
    UNKNOWN,
    UNREADABLE,
    UNSEEN,
    UNSUITABLE,
    WRONG_SIZE,
    FileState,
    inventory,
)
from backend.models.progress import size
from backend.models.roots import models_folder
from workflows.catalog import Catalog, ModelFile, load_catalog
from workflows.modes.registry import title

if TYPE_CHECKING:
    from backend.settings.model import Settings

TO_FETCH = (MISSING, WRONG_SIZE, DAMAGED)
"""States that a download fixes."""
_FAULTS = {
    MISSING: ("is missing", "are missing"),
    WRONG_SIZE: ("has the wrong size", "have the wrong size"),
    DAMAGED: ("is damaged", "are damaged"),
    UNREADABLE: ("may not be read", "may not be read"),
    UNSEEN: ("is not seen by ComfyUI", "are not seen by ComfyUI"),
    UNSUITABLE: ("cannot be used", "cannot be used"),
    UNKNOWN: ("is not listed", "are not listed"),
}


@dataclass(frozen=True)
class ModeNeed:
    """One mode and its files. Sizes in bytes."""

    mode: str
    title: str
    core: bool  # its files count as missing, as opposed to optional
    ready: bool  # every file that any of its settings needs is there
    usable: bool  # it runs, perhaps not with every setting
    lacks: tuple[FileState, ...]  # needed and not ready
    to_fetch: int  # bytes that a download brings
    disk: int  # bytes on the disk of all its files, those that it shares with other modes too
    sentence: str
    command: str  # the command that fixes it, "" when there is none


@dataclass(frozen=True)
class Overview:
    """A snapshot of all files and modes, for the page and for `models check`. Sizes in bytes."""

    files: tuple[FileState, ...]
    modes: tuple[ModeNeed, ...]
    store: Path
    used: int  # by the files of the catalogue; shared ones counted once
    free: int
    total: int

    def mode(self, name: str) -> ModeNeed:
        """Raises KeyError."""
        return {need.mode: need for need in self.modes}[name]

    @property
    def complete(self) -> bool:
        """Whether every file is ready that Image-to-Video, Fast, Sound-to-Video or Animate needs."""
        return all(need.ready for need in self.modes if need.core)


def states(
    settings: Settings,
    server_models: Mapping[str, Sequence[str]] | None = None,
    catalog: Catalog | None = None,
    *,
    assigned: bool = True,
    vram: int = 0,
    gpu: str = "",
    version: str = "",
) -> Overview:
    """The overview of this machine. Reads names, sizes and headers; a few milliseconds, never a hash.

    server_models: folder -> names as the running server lists them, None when none answers. assigned: other
    files may take the roles of the catalogue's; by the server's GPU (bytes, name) and version, if known.
    """
    catalog = catalog or load_catalog()
    roots = roots_of(settings)
    found = inventory(settings.models_dir, built_in(settings), server_models, catalog, roots=roots)
    if assigned:
        choices = Choices(settings.data_dir / NAME).all()
        roles = resolved(catalog, roots, server_models, choices, vram=vram, gpu=gpu, version=version)
        found = assign(found, roles, roots)
    return overview(found, catalog, settings.models_dir)


def listed(
    settings: Settings,
    server_models: Mapping[str, Sequence[str]],
    catalog: Catalog | None = None,
    *,
    vram: int = 0,
    gpu: str = "",
    version: str = "",
) -> Overview:
    """The overview of a server on another machine, by the names that it lists alone; the files of this disk
    do not count. Arguments as for `states`."""
    catalog = catalog or load_catalog()
    choices = Choices(settings.data_dir / NAME).all()
    roles = resolved(catalog, None, server_models, choices, vram=vram, gpu=gpu, version=version)
    found = listed_states(catalog, server_models, roles)
    by_role = {state.file.role: state for state in found}
    modes = (replace(_need(mode, by_role, catalog), command="") for mode in catalog.modes())
    return Overview(found, tuple(modes), settings.models_dir, 0, 0, 0)


def built_in(settings: Settings) -> Path | None:
    """The models folder of this machine's ComfyUI, None when there is none."""
    return models_folder(settings.comfyui_dir, settings.comfyui_args) if settings.comfyui_dir else None


def overview(found: Sequence[FileState], catalog: Catalog, store: Path) -> Overview:
    """Summarizes the states by mode; adds the space on the store's disk."""
    by_role = {state.file.role: state for state in found}
    modes = tuple(_need(mode, by_role, catalog) for mode in catalog.modes())
    free, total = room(store)
    return Overview(tuple(found), modes, store, _bytes(found), free, total)


def room(folder: Path) -> tuple[int, int]:
    """Free and total bytes of the disk that holds the folder or would hold it; (0, 0) when unknown."""
    for place in (folder, *folder.parents):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        return usage.free, usage.total
    return 0, 0


def wanted(name: str, found: Sequence[FileState], catalog: Catalog) -> tuple[ModelFile, ...] | None:
    """The files that `models download NAME` is about: of a mode, one file, or "" for all core modes.

    None when the catalogue knows no such mode or file.
    """
    by_role = {state.file.role: state for state in found}
    if name in catalog.modes():
        return _files(_set(name, by_role, catalog), name, by_role, catalog)
    if name:
        everyone = (*catalog.files, *catalog.other_formats)
        one = next((f for f in everyone if name == f.name or (name == f.role and not f.format)), None)
        return (one,) if one else None
    needed = (_files(catalog.needed(mode), mode, by_role, catalog) for mode in catalog.core_modes)
    return tuple(dict.fromkeys(file for files in needed for file in files))


def fetchable(state: FileState) -> bool:
    """Whether a download fixes it; a file that lies elsewhere only has to be moved."""
    absent = state.state == UNSUITABLE and state.path is None
    return (state.state in TO_FETCH or absent) and state.elsewhere is None


def _need(mode: str, by_role: Mapping[str, FileState], catalog: Catalog) -> ModeNeed:
    files = _files(_set(mode, by_role, catalog), mode, by_role, catalog)
    lacks = tuple(by_role[file.role] for file in files if by_role[file.role].state != READY)
    single = len(catalog.sets(mode)) <= 1
    options = catalog.options(mode, {role for role, state in by_role.items() if state.state == READY})
    settings = {options[state.file.role] for state in lacks} if single else {""}
    usable = "" not in settings
    to_fetch = sum(state.file.bytes for state in lacks if fetchable(state))
    name = title(mode)
    if not lacks:
        sentence = f"{name} is ready."
    elif usable:
        sentence = f"{name} works, but not with {' or '.join(sorted(settings))}: {_faults(lacks)}."
    elif all(state.state == MISSING for state in lacks):
        files_text = "1 more file" if len(lacks) == 1 else f"{len(lacks)} more files"
        sentence = f"{name} needs {files_text}, {size(sum(s.file.bytes for s in lacks))}."
    else:
        sentence = f"{name} does not work: {_faults(lacks)}."
    command = ""
    if to_fetch:
        command = f"python app.py models download {mode}"
    elif any(state.state == UNSEEN for state in lacks):
        command = "python app.py models paths"
    disk = _bytes(state for state in by_role.values() if mode in state.file.modes)
    core = mode in catalog.core_modes
    return ModeNeed(mode, name, core, not lacks, usable, lacks, to_fetch, disk, sentence, command)


def _set(mode: str, by_role: Mapping[str, FileState], catalog: Catalog) -> tuple[ModelFile, ...]:
    """The set of files for the mode: the first complete one, else its default."""
    sets = [files for _, files in catalog.sets(mode)]
    complete = (
        files
        for files in sets
        if all(by_role[f.role].state == READY for f in _files(files, mode, by_role, catalog))
    )
    return next(complete, sets[0] if sets else ())


def _files(
    files: Iterable[ModelFile], mode: str, by_role: Mapping[str, FileState], catalog: Catalog
) -> tuple[ModelFile, ...]:
    """The same, with each file that is not ready replaced by a ready one that stands in for it there."""
    instead = {
        file.replaces(mode): file
        for file in catalog.files
        if file.replaces(mode) and by_role[file.role].state == READY
    }
    return tuple(
        instead.get(file.role, file) if by_role[file.role].state != READY else file for file in files
    )


def _faults(lacks: Sequence[FileState]) -> str:
    """ "1 file is damaged (16.4 GB), 2 files are not seen by ComfyUI" """
    said = []
    for fault, (one, many) in _FAULTS.items():
        files = [state for state in lacks if state.state == fault]
        if files:
            bytes_text = f", {size(sum(s.file.bytes for s in files))}" if fault in TO_FETCH else ""
            said.append((f"1 file {one}" if len(files) == 1 else f"{len(files)} files {many}") + bytes_text)
    return "; ".join(said)


def _bytes(found: Iterable[FileState]) -> int:
    return sum({state.path: state.size for state in found if state.path is not None}.values())
