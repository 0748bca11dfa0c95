"""Moves one file so that at every moment a complete copy exists under its final or its original name.

Within a filesystem the file is linked under the new name and then unlinked from the old one; unlike a rename
this never replaces a file. Across filesystems it is copied under a temporary name, flushed to disk, read back
and compared, renamed, and only then removed from the source."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from backend.models.owner import FORM, in_use, mark
from backend.models.progress import Verified
from backend.models.verify import CHUNK, sha256

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)
"""Errors of filesystems that have no hard links or do not permit them."""
ENDING = ".moving"
ABANDONED_SECONDS = 3600.0
"""An unfinished copy of another machine that has not changed for this long is abandoned."""
MOVED, SAME, CONFLICT, CHANGED = "moved", "same", "conflict", "changed"

OnBytes = Callable[[int], None]


def move(
    source: Path,
    target: Path,
    on_bytes: OnBytes = lambda count: None,
    chunk: int = CHUNK,
    verified: Verified = lambda path, sha256: None,
) -> str:
    """Moves a regular file to a name that should be free. Returns one of:

    moved; same: the target already has this content, the source is removed; conflict: the target has other
    content, both stay; changed: the source was modified while it was copied, it stays. Raises OSError; the
    source is then unchanged and complete.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.samestat(source.parent.stat(), target.parent.stat()) and source.name == target.name:
        return SAME  # two paths to the same folder: the source is the target itself
    if os.path.lexists(target):
        return _resolve_conflict(source, target, on_bytes)
    try:
        return _name(source, target)
    except FileExistsError:
        return _resolve_conflict(source, target, on_bytes)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    return _copy(source, target, on_bytes, chunk, verified)


def is_temporary(name: str) -> bool:
    """Whether this is the name of an unfinished copy made by this module."""
    return re.fullmatch(rf"\..*\.{FORM}{re.escape(ENDING)}", name) is not None


def remove_abandoned(folder: Path) -> None:
    """Removes unfinished copies of processes that no longer exist."""
    with contextlib.suppress(OSError):
        for entry in list(folder.iterdir()):
            if is_temporary(entry.name) and not in_use(entry, ENDING, ABANDONED_SECONDS):
                entry.unlink()


def _name(source: Path, target: Path) -> str:
    """Links the new name, then unlinks the old one. Raises FileExistsError, OSError(EXDEV)."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(target) from error
        source.rename(target)  # no hard links: also atomic, but would replace an existing file
        _sync_folder(target.parent)
        return MOVED
    _sync_folder(target.parent)
    source.unlink(missing_ok=True)
    return MOVED


def _resolve_conflict(source: Path, target: Path, on_bytes: OnBytes) -> str:
    """Handles an existing target: with the same content, or with other content."""
    try:
        there = target.stat()
    except OSError:
        return CONFLICT  # a dangling link
    here = source.stat()
    if target.is_symlink() or not stat.S_ISREG(there.st_mode):
        return CONFLICT  # it may point to the source itself, or its target may be moved later
    if not os.path.samestat(here, there):
        if here.st_size != there.st_size or not _equal(source, target, on_bytes):
            return CONFLICT
        _sync_file(target)
    source.unlink(missing_ok=True)
    return SAME


def _copy(source: Path, target: Path, on_bytes: OnBytes, chunk: int, verified: Verified) -> str:
    temporary = target.with_name(f".{target.name}.{mark()}{ENDING}")
    try:
        before = source.stat()
        digest = hashlib.sha256()
        with source.open("rb") as old, temporary.open("xb") as new:
            while piece := old.read(chunk):
                new.write(piece)
                digest.update(piece)
                on_bytes(len(piece))
            new.flush()
            os.fsync(new.fileno())
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(
                    new.fileno(), 0, 0, os.POSIX_FADV_DONTNEED
                )  # so that the check reads from the disk
        if sha256(temporary) != digest.hexdigest():
            raise OSError(errno.EIO, "what was written reads back differently", str(target))
        with contextlib.suppress(OSError):  # the filesystem has no modes or times
            shutil.copystat(source, temporary)
        after = source.stat()
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            return CHANGED
        try:
            _name(temporary, target)
        except FileExistsError:
            return _resolve_conflict(source, target, on_bytes)
        verified(target, digest.hexdigest())
        source.unlink(missing_ok=True)
        return MOVED
    finally:
        temporary.unlink(missing_ok=True)


def _equal(one: Path, other: Path, on_bytes: OnBytes) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while True:
            piece = first.read(CHUNK)
            if piece != second.read(CHUNK):
                return False
            if not piece:
                return True
            on_bytes(len(piece))


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Flushes a folder's entries to disk, where the filesystem supports it."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
