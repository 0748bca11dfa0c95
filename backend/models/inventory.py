"""Which model files exist: on disk, and in the running server's own list.

Looks where ComfyUI looks, in its order: its own models folder first, then the store (folder_paths.py and
extra_config.py of ComfyUI: paths of extra_model_paths.yaml come after the built-in ones).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backend.models import paths
from backend.models.file_names import plain_name
from backend.models.progress import Progress, size
from backend.models.roots import Roots
from backend.models.verify import header_problem, sha256, size_matches
from backend.notices import words
from workflows.catalog import Catalog, ModelFile, load_catalog
from workflows.notice import Notice, made

READY, MISSING, UNSEEN = "ready", "missing", "unseen"
WRONG_SIZE, DAMAGED, UNREADABLE = "wrong_size", "damaged", "unreadable"
UNSUITABLE, UNKNOWN = "unsuitable", "unknown"
"""Found, and not the model that the role needs, or not clearly; not listed by a server elsewhere."""

WALK_FILES = 5_000
"""The maximum number of names to search for a file that lies in another folder."""


@dataclass(frozen=True)
class FileState:
    """The state of one file of the catalogue on this machine and in its ComfyUI."""

    file: ModelFile
    state: str  # one of the eight above
    path: Path | None = None  # the file that ComfyUI takes; None when there is none on this disk
    size: int = 0  # bytes on the disk
    problem: Notice | None = None  # what is wrong and what to do; None when ready
    notes: tuple[Notice, ...] = ()  # further information
    elsewhere: Path | None = None  # for a missing file: a valid one that only has to be moved or renamed
    restart: bool = False  # ComfyUI has to be restarted to see it
    used: str = ""  # the file of the role as the server lists it, the catalogue's own or another one
    replaced: bool = False  # another file is used
    chosen: bool = False  # by hand
    others: tuple[str, ...] = ()  # further files for the role
    asked: tuple[str, ...] = ()  # files for the role that have to be chosen by hand

    @property
    def words(self) -> str:
        """What is wrong and what to do; "" when ready."""
        return words(self.problem)

    @property
    def note(self) -> str:
        """Further information; "" for none."""
        return " ".join(map(words, self.notes))


def inventory(
    store: Path,
    comfyui_models: Path | None = None,
    server_models: Mapping[str, Sequence[str]] | None = None,
    catalog: Catalog | None = None,
    walk_files: int = WALK_FILES,
    roots: Roots | None = None,
) -> tuple[FileState, ...]:
    """The state of every file of the catalogue, in its order. Cheap: names, sizes and headers only.

    comfyui_models: the `models` folder of the ComfyUI of this machine, None when there is none.
    server_models: folder -> names as the running server lists them, None when no server was asked.
    walk_files: the maximum number of names to search for a file that lies in another folder.
    roots: where ComfyUI looks; by default derived from the first two.
    """
    scan = _Scan(roots or Roots(store, comfyui_models), walk_files)
    found = [scan.state(file) for file in (catalog or load_catalog()).files]
    found = [scan.elsewhere(state) if state.state == MISSING else state for state in found]
    if server_models is None:
        return tuple(found)
    registered = comfyui_models is not None and paths.lists_store(comfyui_models.parent, store)
    return tuple(_with_server(state, server_models, store, registered) for state in found)


def hashed(state: FileState, progress: Progress, catalog: Catalog | None = None) -> FileState:
    """The state after comparing the sha256 of a file that is ready. A file that cannot be read gets that
    state; nothing is raised."""
    if state.state not in (READY, UNSEEN) or state.path is None:
        return state
    if state.replaced:
        return replace(state, notes=(*state.notes, made("model_not_hashed", {})))
    if not state.file.sha256:
        return replace(state, notes=(made("model_not_hashed", {}),))
    try:
        with progress.task(state.file.name, state.size) as task:
            found = sha256(state.path, task.advance)
            progress.verified(state.path, found)
    except OSError as error:
        return _unreadable(state.file, state.path, error)
    if found == state.file.sha256:
        return replace(state, notes=(made("model_hash_right", {}),))
    other = next((file for file in (catalog or load_catalog()).files if file.sha256 == found), None)
    if other is not None:
        swapped = made(
            "model_hash_of_other", {"path": str(state.path), "file": other.name, "title": other.title}
        )
        return replace(state, state=UNSUITABLE, problem=swapped)
    problem = made("model_wrong_hash", {"path": str(state.path), **_published(state.file)})
    return replace(state, state=DAMAGED, problem=problem)


def simply_missing(state: FileState) -> bool:
    """Whether the file is missing and downloading it is all that is needed."""
    return state.state == MISSING and state.problem == to_get(state.file)


class _Scan:
    """One scan of the disk; lists each folder once."""

    def __init__(self, roots: Roots, walk_files: int) -> None:
        self.roots, self.store, self.built_in = roots, roots.store, roots.comfyui_models
        self.walk_files = walk_files
        self._names: dict[Path, frozenset[str] | OSError] = {}
        self._all: dict[str, list[Path]] | None = None

    def folders(self, kind: str) -> list[Path]:
        """Where ComfyUI looks for files of this kind, first to last."""
        return self.roots.folders(kind)

    def names(self, folder: Path) -> frozenset[str] | OSError:
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(entry.name for entry in folder.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                self._names[folder] = frozenset()
            except OSError as error:
                self._names[folder] = error
        return self._names[folder]

    def state(self, file: ModelFile) -> FileState:
        """The state of the file that ComfyUI would use: from the first folder with a file of exactly this
        name."""
        closed: FileState | None = None
        lost: Notice | None = None
        for folder in self.folders(file.folder):
            names, path = self.names(folder), folder / file.name
            if isinstance(names, OSError):
                if names.errno == errno.ELOOP:
                    lost = lost or _lost("model_folder_circular", folder, file)
                else:
                    closed = closed or _unreadable(file, folder, names)
                continue
            if file.name not in names:
                continue
            try:
                is_file = stat.S_ISREG(path.stat().st_mode)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
                    return _unreadable(file, path, error)
                circular = error.errno == errno.ELOOP
                code = "model_folder_circular" if circular else "model_link_broken"
                lost = lost or _lost(code, path, file)
                continue
            if is_file:
                return self._noted(_checked(file, path), folder)
            lost = lost or _lost("model_is_folder", path, file)
        if closed is not None:
            return closed
        for folder in self.folders(file.folder):
            for name, path in self.roots.listed(folder).items():
                if plain_name(name) == file.name:
                    return _checked(file, path)
        return FileState(file, MISSING, problem=lost or to_get(file))

    def _noted(self, state: FileState, folder: Path) -> FileState:
        """Adds notes: a second file whose name differs only in case, and a good file in a later folder."""
        notes = []
        names = self.names(folder)
        twins = [] if isinstance(names, OSError) else [n for n in names if _same_but_case(n, state.file.name)]
        if twins:
            notes.append(made("model_twins", {"names": tuple(sorted(twins))}))
        if state.state != READY:
            for other in self.folders(state.file.folder):
                if other != folder and _good(other / state.file.name, state.file):
                    notes.append(made("model_good_later", {"other": str(other), "folder": str(folder)}))
                    break
        return replace(state, notes=tuple(notes))

    def elsewhere(self, state: FileState) -> FileState:
        """Adds to a missing file where a valid copy lies, under another spelling or in another folder."""
        file = state.file
        for folder in self.folders(file.folder):
            names = self.names(folder)
            for name in sorted(() if isinstance(names, OSError) else names):
                if _same_but_case(name, file.name) and _good(folder / name, file):
                    problem = made("model_other_case", {"path": str(folder / name), "file": file.name})
                    return replace(state, problem=problem, elsewhere=folder / name)
        place = next((path for path in self._walked().get(file.name, ()) if _good(path, file)), None)
        if place is None:
            return state
        target = str(self.store / file.folder)
        problem = made("model_elsewhere", {"folder": str(place.parent), "target": target})
        return replace(state, problem=problem, elsewhere=place)

    def _walked(self) -> dict[str, list[Path]]:
        """Name -> paths, of all files below both folders; links to folders are not followed."""
        if self._all is None:
            self._all, count = {}, 0
            for top in (self.built_in, self.store):
                for folder, _, names in os.walk(top) if top else ():
                    for name in names:
                        self._all.setdefault(name, []).append(Path(folder) / name)
                    count += len(names)
                    if count > self.walk_files:
                        return self._all
        return self._all


def _checked(file: ModelFile, path: Path) -> FileState:
    """The state of an existing file, by header and size."""
    try:
        count = path.stat().st_size
        problem = header_problem(path) if path.suffix == ".safetensors" else None
    except OSError as error:
        return _unreadable(file, path, error)
    if problem is not None:
        faulty = made("model_faulty", {"path": str(path), "problem": problem, **_published(file)})
        return FileState(file, DAMAGED, path, count, faulty)
    if not size_matches(count, file.bytes, file.exact):
        wrong = made("model_wrong_size", {"path": str(path), "has": size(count), **_published(file)})
        return FileState(file, WRONG_SIZE, path, count, wrong)
    return FileState(file, READY, path, count)


def _unreadable(file: ModelFile, path: Path, error: OSError) -> FileState:
    if error.errno in (errno.EACCES, errno.EPERM):
        problem = made("model_denied", {"path": str(path)})
    else:
        reason = error.strerror or str(error)
        problem = made("model_not_read", {"path": str(path), "reason": reason})
    return FileState(file, UNREADABLE, path, problem=problem)


def _with_server(
    state: FileState, models: Mapping[str, Sequence[str]], store: Path, registered: bool
) -> FileState:
    """Combines the state on disk with the server's list. registered: the server reads the store from its next
    start on."""
    kind, name = state.file.folder, state.file.name
    seen = any(plain_name(listed) == name for listed in models.get(kind, ()))
    if state.state == MISSING and seen:
        return replace(state, state=READY, problem=None, notes=(made("model_of_server", {}),))
    if state.state != READY or seen:
        return state
    restart = False
    if kind not in models:
        problem = made("model_no_folder", {"folder": kind})
    elif state.path is not None and store in state.path.parents and registered:
        problem = made("model_path_added", {"folder": str(state.path.parent)})
        restart = True
    elif state.path is not None and store in state.path.parents:
        problem = made("model_path_unknown", {"folder": str(state.path.parent)})
    else:
        problem = made("model_unseen", {})
        restart = True
    return replace(state, state=UNSEEN, problem=problem, restart=restart)


def _good(path: Path, file: ModelFile) -> bool:
    try:
        return path.is_file() and _checked(file, path).state == READY
    except OSError:
        return False


def _published(file: ModelFile) -> dict[str, str]:
    """The arguments of texts that say how a file is fetched."""
    return {"file": file.name, "size": file.size_text}


def to_get(file: ModelFile) -> Notice:
    """What to do about a file that is simply missing."""
    return made("model_to_get", {**_published(file)})


def _lost(code: str, path: Path, file: ModelFile) -> Notice:
    """Why a missing file that seems to be there cannot be used. code: of error_texts/model_files.py."""
    return made(code, {"path": str(path), **_published(file)})


def _same_but_case(one: str, other: str) -> bool:
    return one != other and one.casefold() == other.casefold()
