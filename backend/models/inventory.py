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
from backend.models.progress import Progress, size
from backend.models.verify import header_problem, sha256, size_matches
from workflows.catalog import Catalog, ModelFile, load_catalog

READY, MISSING, UNSEEN = "ready", "missing", "unseen"
WRONG_SIZE, DAMAGED, UNREADABLE = "wrong_size", "damaged", "unreadable"

BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "diffusion_models": ("unet", "diffusion_models"),
    "text_encoders": ("text_encoders", "clip"),
}
"""Folders in which ComfyUI looks for one kind, in its order; every other kind has the one of its name."""
IN_STORE: Mapping[str, tuple[str, ...]] = {
    "diffusion_models": ("diffusion_models", "unet"),
    "text_encoders": ("text_encoders", "clip"),
}
"""The same in the store: the order of the lines in our extra_model_paths.yaml."""
_RESTART = "Restart ComfyUI."
WALK_FILES = 5_000
"""The maximum number of names to search for a file that lies in another folder."""


@dataclass(frozen=True)
class FileState:
    """The state of one file of the catalogue on this machine and in its ComfyUI."""

    file: ModelFile
    state: str  # one of the six above
    path: Path | None = None  # the file that ComfyUI takes; None when there is none on this disk
    size: int = 0  # bytes on the disk
    words: str = ""  # what is wrong and what to do; "" when ready
    note: str = ""  # further information
    elsewhere: Path | None = None  # for a missing file: a valid one that only has to be moved or renamed
    restart: bool = False  # ComfyUI has to be restarted to see it


def inventory(
    store: Path,
    comfyui_models: Path | None = None,
    server_models: Mapping[str, Sequence[str]] | None = None,
    catalog: Catalog | None = None,
    walk_files: int = WALK_FILES,
) -> tuple[FileState, ...]:
    """The state of every file of the catalogue, in its order. Cheap: names, sizes and headers only.

    comfyui_models: the `models` folder of the ComfyUI of this machine, None when there is none.
    server_models: folder -> names as the running server lists them, None when no server was asked.
    walk_files: the maximum number of names to search for a file that lies in another folder.
    """
    scan = _Scan(store, comfyui_models, walk_files)
    found = [scan.state(file) for file in (catalog or load_catalog()).files]
    found = [scan.elsewhere(state) if state.state == MISSING else state for state in found]
    if server_models is None:
        return tuple(found)
    registered = comfyui_models is not None and paths.lists_store(comfyui_models.parent, store)
    return tuple(_with_server(state, server_models, store, registered) for state in found)


def hashed(state: FileState, progress: Progress) -> FileState:
    """The state after comparing the sha256 of a file that is ready. A file that cannot be read gets that
    state; nothing is raised."""
    if state.state not in (READY, UNSEEN) or state.path is None:
        return state
    if not state.file.sha256:
        return replace(state, note="No published sha256 to compare with.")
    try:
        with progress.task(state.file.name, state.size) as task:
            found = sha256(state.path, task.advance)
    except OSError as error:
        return _unreadable(state.file, state.path, error)
    if found == state.file.sha256:
        return replace(state, note="sha256 is right.")
    words = f"{state.path} is not the published file: its sha256 differs. Remove it. {_again(state.file)}"
    return replace(state, state=DAMAGED, words=words)


def simply_missing(state: FileState) -> bool:
    """Whether the file is missing and downloading it is all that is needed."""
    return state.state == MISSING and state.words == _get(state.file)


class _Scan:
    """One scan of the disk; lists each folder once."""

    def __init__(self, store: Path, comfyui_models: Path | None, walk_files: int) -> None:
        self.store = store
        self.walk_files = walk_files
        self.built_in = comfyui_models
        self._names: dict[Path, frozenset[str] | OSError] = {}
        self._all: dict[str, list[Path]] | None = None

    def folders(self, kind: str) -> list[Path]:
        """Where ComfyUI looks for files of this kind, first to last."""
        found = [self.built_in / name for name in BUILT_IN.get(kind, (kind,))] if self.built_in else []
        return found + [self.store / name for name in IN_STORE.get(kind, (kind,))]

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
        lost = ""
        for folder in self.folders(file.folder):
            names, path = self.names(folder), folder / file.name
            if isinstance(names, OSError):
                if names.errno == errno.ELOOP:
                    lost = lost or f"{folder} is a circular symbolic link: remove it. "
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
                fault = "circular" if error.errno == errno.ELOOP else "broken"
                lost = lost or f"{path} is a {fault} symbolic link: remove it. "
                continue
            if is_file:
                return self._noted(_checked(file, path), folder)
            lost = lost or f"{path} is a folder, not a file: move it away. "
        if closed is not None:
            return closed
        return FileState(file, MISSING, words=(lost + _get(file)).strip())

    def _noted(self, state: FileState, folder: Path) -> FileState:
        """Adds notes: a second file whose name differs only in case, and a good file in a later folder."""
        notes = []
        names = self.names(folder)
        twins = [] if isinstance(names, OSError) else [n for n in names if _same_but_case(n, state.file.name)]
        if twins:
            notes.append(
                f"{', '.join(sorted(twins))} lies beside it: the names differ in upper and lower case only."
            )
        if state.state != READY:
            for other in self.folders(state.file.folder):
                if other != folder and _good(other / state.file.name, state.file):
                    notes.append(
                        f"A good one lies in {other}, but ComfyUI looks in {folder} first:"
                        " remove or rename the one there."
                    )
                    break
        return replace(state, note=" ".join(notes))

    def elsewhere(self, state: FileState) -> FileState:
        """Adds to a missing file where a valid copy lies, under another spelling or in another folder."""
        file = state.file
        for folder in self.folders(file.folder):
            names = self.names(folder)
            for name in sorted(() if isinstance(names, OSError) else names):
                if _same_but_case(name, file.name) and _good(folder / name, file):
                    words = f"{folder / name} differs in upper and lower case only: rename it to {file.name}."
                    return replace(state, words=words, elsewhere=folder / name)
        place = next((path for path in self._walked().get(file.name, ()) if _good(path, file)), None)
        if place is None:
            return state
        to = self.store / file.folder
        words = f"A file of this name lies in {place.parent}: move it to {to}, where ComfyUI looks for it."
        return replace(state, words=words, elsewhere=place)

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
        problem = header_problem(path) if path.suffix == ".safetensors" else ""
    except OSError as error:
        return _unreadable(file, path, error)
    if problem:
        return FileState(file, DAMAGED, path, count, f"{path} {problem}. {_again(file)}")
    if not size_matches(count, file.bytes, file.exact):
        words = f"{path} has {size(count)} where the published file has {file.size_text}. {_again(file)}"
        return FileState(file, WRONG_SIZE, path, count, words)
    return FileState(file, READY, path, count)


def _unreadable(file: ModelFile, path: Path, error: OSError) -> FileState:
    if error.errno in (errno.EACCES, errno.EPERM):
        words = (
            f"{path} may not be read. Give the user that runs Wan Studio and ComfyUI the right to read it."
        )
    else:
        words = f"{path} cannot be read: {error.strerror or error}. Look at the disk that it is on."
    return FileState(file, UNREADABLE, path, words=words)


def _with_server(
    state: FileState, models: Mapping[str, Sequence[str]], store: Path, registered: bool
) -> FileState:
    """Combines the state on disk with the server's list. registered: the server reads the store from its next
    start on."""
    kind, name = state.file.folder, state.file.name
    seen = name in models.get(kind, ())
    if state.state == MISSING and seen:
        return replace(state, state=READY, words="", note="ComfyUI has it in a folder of its own.")
    if state.state != READY or seen:
        return state
    restart = False
    if kind not in models:
        words = f"This ComfyUI has no folder for {kind}. Update it to 0.3.64 or newer."
    elif state.path is not None and store in state.path.parents and registered:
        words = f"In {state.path.parent}, which was added to ComfyUI's paths after its start. {_RESTART}"
        restart = True
    elif state.path is not None and store in state.path.parents:
        words = (
            f"In {state.path.parent}, but ComfyUI does not look there."
            " `python app.py models paths` writes the file that tells ComfyUI of this folder."
        )
    else:
        words = f"There, but ComfyUI does not see it. {_RESTART}"
        restart = True
    return replace(state, state=UNSEEN, words=words, restart=restart)


def _good(path: Path, file: ModelFile) -> bool:
    try:
        return path.is_file() and _checked(file, path).state == READY
    except OSError:
        return False


def _get(file: ModelFile) -> str:
    return f"{file.size_text}: `python app.py models download {file.name}`"


def _again(file: ModelFile) -> str:
    return f"Fetch it again, {_get(file)}"


def _same_but_case(one: str, other: str) -> bool:
    return one != other and one.casefold() == other.casefold()
