"""Moves one file without ever losing it: at every moment one complete copy stands under a proper name.

On one filesystem the file gets its second name before it loses the first (link, then unlink: unlike a rename
this never replaces a file). Across filesystems it is copied under a temporary name, brought to the disk, read
back and compared, named, and only then removed where it came from.
"""

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

from backend.models.owner import FORM, at_work, mark
from backend.models.verify import CHUNK, sha256

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)
"""What filesystems without hard links, or that forbid them to us, answer."""
ENDING = ".moving"
ABANDONED_SECONDS = 3600.0
"""An unfinished copy of another machine that rested so long will not be finished."""
MOVED, SAME, CONFLICT, CHANGED = "moved", "same", "conflict", "changed"

Heard = Callable[[int], None]


def move(source: Path, target: Path, on_bytes: Heard = lambda count: None, chunk: int = CHUNK) -> str:
    """Moves a regular file to a name that must be free. Returns

    moved; same: the target already had this content, the source is removed; conflict: the target is something
    else, both stay; changed: the source was written to while it was copied, it stays. Raises OSError, with
    the source untouched and complete.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.samestat(source.parent.stat(), target.parent.stat()) and source.name == target.name:
        return SAME  # two ways to one folder: this is the target itself
    if os.path.lexists(target):
        return _meets(source, target, on_bytes)
    try:
        return _name(source, target)
    except FileExistsError:
        return _meets(source, target, on_bytes)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    return _copy(source, target, on_bytes, chunk)


def is_temporary(name: str) -> bool:
    """Whether this is the name of an unfinished copy of ours."""
    return re.fullmatch(rf"\..*\.{FORM}{re.escape(ENDING)}", name) is not None


def remove_abandoned(folder: Path) -> None:
    """Removes unfinished copies of processes that are gone."""
    with contextlib.suppress(OSError):
        for entry in list(folder.iterdir()):
            if is_temporary(entry.name) and not at_work(entry, ENDING, ABANDONED_SECONDS):
                entry.unlink()


def _name(source: Path, target: Path) -> str:
    """The second name, then the first one away. Raises FileExistsError, OSError(EXDEV)."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(target) from error
        source.rename(target)  # no hard links here: atomic too, but it cannot refuse to replace
        _settle(target.parent)
        return MOVED
    _settle(target.parent)
    source.unlink(missing_ok=True)
    return MOVED


def _meets(source: Path, target: Path, on_bytes: Heard) -> str:
    """The target's name is taken: by the same content, or by something else."""
    try:
        there = target.stat()
    except OSError:
        return CONFLICT  # a link that leads nowhere
    here = source.stat()
    if target.is_symlink() or not stat.S_ISREG(there.st_mode):
        return CONFLICT  # what it points to may be the source itself, or be moved later
    if not os.path.samestat(here, there):
        if here.st_size != there.st_size or not _equal(source, target, on_bytes):
            return CONFLICT
        _to_disk(target)
    source.unlink(missing_ok=True)
    return SAME


def _copy(source: Path, target: Path, on_bytes: Heard, chunk: int) -> str:
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
                os.posix_fadvise(new.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # read back from the disk
        if sha256(temporary) != digest.hexdigest():
            raise OSError(errno.EIO, "what was written reads back differently", str(target))
        with contextlib.suppress(OSError):  # a filesystem without modes or times
            shutil.copystat(source, temporary)
        after = source.stat()
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            return CHANGED
        try:
            _name(temporary, target)
        except FileExistsError:
            return _meets(source, target, on_bytes)
        source.unlink(missing_ok=True)
        return MOVED
    finally:
        temporary.unlink(missing_ok=True)


def _equal(one: Path, other: Path, on_bytes: Heard) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while True:
            piece = first.read(CHUNK)
            if piece != second.read(CHUNK):
                return False
            if not piece:
                return True
            on_bytes(len(piece))


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
    _settle(path.parent)


def _settle(folder: Path) -> None:
    """A folder's names on the disk. Not every filesystem can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
