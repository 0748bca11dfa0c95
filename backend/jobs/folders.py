"""Measures and removes the files of jobs. A link is removed as a link; its target is never touched.

Files are removed by name relative to the descriptor of their folder, and every folder of the path is opened
without following links, so replacing a folder by a link in the meantime has no effect outside.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backend.jobs.job import StoredInput
from backend.jobs.layout import (
    ENGINE_FOLDER,
    INPUTS,
    ORIGINALS,
    PART,
    PARTS,
    RESULT,
    SOURCES,
    STILL,
    WORKFLOW,
)

log = logging.getLogger("wan.jobs")

JOB = re.compile(r"[0-9a-f]{32}")
LINKED = frozenset({INPUTS, ORIGINALS, SOURCES, PARTS})
"""Subfolders whose files may be links to uploads and to files of other jobs."""
REMOVED = ".deleted"
"""Suffix of the folder of a job that is being removed: a removal that is interrupted is completed later."""
NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""Errors of opening with NO_LINKS when there is no folder: nothing, a file or a link."""
NO_LINKS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Folder:
    """A job's folder: bytes on the disk, latest change (unix seconds), whether it has a result, unfinished
    files, and whether it holds anything besides the graph (`more`). `inputs`: (device, inode) -> bytes of the
    files that other jobs may link to: the inputs and the result; `originals`: those of them that can be
    dropped."""

    path: Path
    bytes: int = 0
    changed: float = 0.0
    result: bool = False
    unfinished: tuple[Path, ...] = field(default=())
    more: bool = False
    inputs: Mapping[tuple[int, int], int] = field(default_factory=dict)
    originals: frozenset[tuple[int, int]] = frozenset()


def folders(jobs_dir: Path) -> dict[str, Folder]:
    """Job id -> its folder. Entries with other names are ignored."""
    found = {}
    for entry in _entries(jobs_dir):
        if JOB.fullmatch(entry.name):
            found[entry.name] = measured(Path(entry.path))
    return found


def interrupted_removals(jobs_dir: Path) -> list[tuple[str, Path]]:
    """(job id, folder) of removals that were begun and not finished."""
    return [
        (entry.name.removesuffix(REMOVED), Path(entry.path))
        for entry in _entries(jobs_dir)
        if entry.name.endswith(REMOVED) and JOB.fullmatch(entry.name.removesuffix(REMOVED))
    ]


def mark_removed(folder: Path) -> Path | None:
    """Renames a job's folder, in one step, as one that is being removed. None when there is no folder."""
    renamed = folder.with_name(folder.name + REMOVED)
    try:
        folder.rename(renamed)
    except FileNotFoundError:
        return renamed if os.path.lexists(renamed) else None
    except OSError:
        if not os.path.lexists(renamed):
            raise
        empty(renamed)  # of an earlier removal that was interrupted
        folder.replace(renamed)
    return renamed


@contextlib.contextmanager
def opened(folder: Path, *below: str) -> Iterator[int]:
    """A descriptor of `folder`, or of the folder that the names in `below` lead to.

    Raises OSError, also when `folder` or one of the folders below it is a link.
    """
    descriptor = os.open(folder, NO_LINKS)
    try:
        for name in below:
            inner = os.open(name, NO_LINKS, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def names_in(descriptor: int) -> list[str]:
    """The names in an open folder. Raises OSError."""
    with os.scandir(descriptor) as found:
        return [entry.name for entry in found]


def empty(folder: Path, keep: Collection[str] = ()) -> None:
    """Removes the contents of a folder; a link or a file in its place is removed itself.

    `keep`: names of files directly in the folder that stay. Raises OSError.
    """
    try:
        with opened(folder) as descriptor:
            _empty(descriptor, keep)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in NO_FOLDER:
            raise
        folder.unlink(missing_ok=True)


def remove(folder: Path) -> bool:
    """Removes a folder with its contents. Logs and returns False when something remains."""
    try:
        empty(folder)
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()
    except OSError as error:
        log.warning("%s could not be removed: %s", folder, error.strerror or error)
        return False
    return True


def clear(folder: Path) -> None:
    """Removes all but the graph from a job's folder. Never raises: errors are logged."""
    try:
        empty(folder, keep={WORKFLOW})
    except OSError as error:
        log.warning("%s could not be cleared: %s", folder, error.strerror or error)


def remove_below(folder: Path, name: str) -> None:
    """Removes a subfolder, or a file or link of its name, from a folder that is not a link. Never raises:
    errors are logged."""
    try:
        with opened(folder) as top:
            remove_at(name, top)
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("%s could not be removed: %s", folder / name, error.strerror or error)


def remove_at(name: str, folder: int) -> None:
    """Removes a file, a link, or a folder with its contents, by its name in an open folder. Raises
    OSError."""
    try:
        descriptor = os.open(name, NO_LINKS, dir_fd=folder)
    except OSError as error:
        if error.errno not in NO_FOLDER:
            raise
    else:
        try:
            _empty(descriptor)
        finally:
            os.close(descriptor)
    _remove(name, folder)


def _empty(descriptor: int, keep: Collection[str] = ()) -> None:
    for path, folders, names, here in os.fwalk(".", topdown=False, dir_fd=descriptor):
        for name in (*folders, *names):
            if path != "." or name not in keep:
                _remove(name, here)


def _remove(name: str, folder: int) -> None:
    """Removes a file, a link or an empty folder by its name in an open folder."""
    try:
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.rmdir(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass


def identities(folder: Path) -> set[tuple[int, int]]:
    """(device, inode) of the files that a job made; hard links to them elsewhere have the same. Its inputs
    and the parts of a joined video are left out: they may be links to uploads and to other jobs' files."""
    inputs = (folder / INPUTS, folder / ORIGINALS, folder / PARTS)
    return {
        (info.st_dev, info.st_ino)
        for path, info in _walk(folder)
        if stat.S_ISREG(info.st_mode) and path.parent not in inputs
    }


def names_of(folder: Path, inputs: Iterable[StoredInput]) -> set[str]:
    """The names of this job's files in ComfyUI's folders, from its inputs and its graphs."""
    names = {item.media.name for item in inputs}
    try:
        if not folder.is_symlink():
            names |= set(_texts(json.loads((folder / WORKFLOW).read_text(encoding="utf-8"))))
    except (OSError, ValueError, RecursionError):
        pass
    return {name.removeprefix(ENGINE_FOLDER + "/") for name in names if name.startswith(ENGINE_FOLDER + "/")}


def regular(folder: Path | None) -> list[tuple[Path, os.stat_result]]:
    """The plain files of `wan-studio` in one of ComfyUI's folders; no subfolders, no links."""
    if folder is None or (folder / ENGINE_FOLDER).is_symlink():
        return []
    found = []
    for entry in _entries(folder / ENGINE_FOLDER):
        with contextlib.suppress(OSError):
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(info.st_mode):
                found.append((Path(entry.path), info))
    return found


def unlink(path: Path, within: Path | None = None) -> bool:
    """Removes one file; False if it was not there or could not be removed, which is logged.

    `within`: a folder above it; no link is followed below that. Its own folder by default.
    """
    root = within or path.parent
    *below, name = path.relative_to(root).parts
    try:
        with opened(root, *below) as folder:
            os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("%s could not be removed: %s", path, error.strerror or error)
        return False
    return True


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """A folder and everything below it; links are not followed."""
    with contextlib.suppress(OSError):
        info = folder.lstat()
        yield folder, info
        if not stat.S_ISDIR(info.st_mode):
            return
    for entry in _entries(folder) if not folder.is_symlink() else ():
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        else:
            with contextlib.suppress(OSError):
                yield Path(entry.path), entry.stat(follow_symlinks=False)


def results(folder: Path) -> set[tuple[int, int]]:
    """(device, inode) of the finished files of a job."""
    found = set()
    for name in (RESULT, STILL):
        with contextlib.suppress(OSError):
            info = (folder / name).lstat()
            found.add((info.st_dev, info.st_ino))
    return found


def measured(folder: Path) -> Folder:
    """Measures a job's folder; one that does not exist counts as empty."""
    size, changed, unfinished, result, more = 0, 0.0, [], False, False
    inputs: dict[tuple[int, int], int] = {}
    originals = set()
    for path, info in _walk(folder):
        size += info.st_blocks * 512
        changed = max(changed, info.st_mtime)
        more = more or path not in (folder, folder / WORKFLOW)
        if stat.S_ISREG(info.st_mode):
            if path.suffix == PART:
                unfinished.append(path)
            finished = path.parent == folder and path.name in (RESULT, STILL)
            result = result or finished
            if finished or (path.parent.name in LINKED and path.parent.parent == folder):
                identity = (info.st_dev, info.st_ino)
                if identity in inputs:  # the same file for two parameters
                    size -= info.st_blocks * 512
                inputs[identity] = info.st_blocks * 512
                if path.parent == folder / ORIGINALS:
                    originals.add(identity)
    return Folder(folder, size, changed, result, tuple(unfinished), more, inputs, frozenset(originals))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
