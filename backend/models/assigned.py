"""The states of the catalogue's files with the files that are used in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from backend.models.choices import Choice
from backend.models.file_names import plain_name
from backend.models.finder import merged_lists
from backend.models.inventory import DAMAGED, MISSING, READY, UNKNOWN, UNSUITABLE, FileState, to_get
from backend.models.resolver import Candidate, Resolution, Resolver, Server
from backend.models.roots import Roots
from workflows.catalog import Catalog, ModelFile


def resolved(
    catalog: Catalog,
    roots: Roots | None,
    server_models: Mapping[str, Sequence[str]] | None,
    choices: Mapping[str, Choice],
    *,
    vram: int = 0,
    gpu: str = "",
    version: str = "",
) -> dict[str, Resolution]:
    """role -> its file, by the server's lists, else by what lies on the disk.

    roots: None for a server on another machine, where names alone decide.
    """
    gguf: bool | None = None
    if server_models is not None:
        lists = merged_lists({folder: tuple(names) for folder, names in server_models.items()})
        gguf = "unet_gguf" in server_models
    else:
        folders = {file.folder for file in catalog.files}
        lists = {folder: tuple(roots.names(folder)) for folder in folders} if roots is not None else {}
    return Resolver(catalog, Server(lists, gguf, vram, gpu, version), roots, choices).resolve()


def assign(
    states: Sequence[FileState], found: Mapping[str, Resolution], roots: Roots | None
) -> tuple[FileState, ...]:
    """The states with what each role uses, what else was found, and what prevents its use."""
    rows = frozenset(state.file.name.casefold() for state in states)
    return tuple(_assigned(state, found[state.file.role], roots, rows) for state in states)


def _assigned(state: FileState, found: Resolution, roots: Roots | None, rows: frozenset[str]) -> FileState:
    """`rows`: names of the catalogue's files, which have states of their own."""
    state = replace(
        state,
        notes=(*state.notes, *found.notes),
        chosen=found.why == "chosen",
        others=tuple(one.name for one in found.others if plain_name(one.name).casefold() not in rows),
        asked=tuple(one.name for one in found.asked),
    )
    if found.obstacle is not None and state.state != DAMAGED:
        return replace(state, state=UNSUITABLE, problem=found.obstacle, used=_name(found.used))
    if found.used is None:
        return state
    if found.why == "known":
        return replace(state, used=found.used.name)
    path = roots.path(state.file.folder, found.used.name) if roots is not None else None
    return replace(
        state, state=READY, problem=None, used=found.used.name, path=path, size=found.used.identity.size,
        elsewhere=None, restart=False, replaced=True,
    )  # fmt: skip


def _name(used: Candidate | None) -> str:
    return used.name if used is not None else ""


def listed_states(
    catalog: Catalog, server_models: Mapping[str, Sequence[str]], found: Mapping[str, Resolution]
) -> tuple[FileState, ...]:
    """The states by the names that a server on another machine lists. found: role -> its file."""
    return tuple(_listed(file, server_models, found[file.role]) for file in catalog.files)


def _listed(file: ModelFile, models: Mapping[str, Sequence[str]], found: Resolution) -> FileState:
    state, problem = (MISSING, to_get(file)) if file.folder in models else (UNKNOWN, None)
    if found.obstacle is not None:
        state, problem = UNSUITABLE, found.obstacle
    elif found.used is not None:
        state, problem = READY, None
    used = _name(found.used)
    return FileState(
        file, state, problem=problem, notes=found.notes, used=used, chosen=found.why == "chosen",
        replaced=bool(used) and plain_name(used).casefold() != file.name.casefold(),
        others=tuple(one.name for one in found.others), asked=tuple(one.name for one in found.asked),
    )  # fmt: skip


def shown_name(state: FileState) -> str:
    """The name to show for a role: that of the file that is used, else the catalogue's."""
    return state.used if state.used and plain_name(state.used) != state.file.name else state.file.name
