"""The page's upload folder, created and marked by this studio, and the removal of old files in it.

GRADIO_TEMP_DIR may name a folder with other files in it, such as /tmp or ~/Downloads, and two studios may be
given the same one. So uploads go into the given folder only if this studio created it, otherwise into a
subfolder. A marker file in it identifies the studio.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from pathlib import Path

from backend.errors import BadSettings
from backend.jobs import folders as files

MARKER = ".wan-studio-uploads"
KEEP_SECONDS = 24 * 3600.0
MADE = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}|tmp[a-z0-9_]{8}")
"""Names of the entries that the page creates: folders of copies and uploads by hash, unfinished uploads."""


def named(text: str) -> Path:
    """The folder that GRADIO_TEMP_DIR names. Raises BadSettings."""
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise BadSettings.of("upload_folder_without_home", given=text) from error


def claim(given: Path, whose: str) -> Path:
    """The folder for uploads: `given` if this studio created it or it does not exist yet, else one inside it.

    `whose`: a text unique to this studio, the same at each start. Raises BadSettings.
    """
    try:
        if _created(given, whose) or is_ours(given, whose):
            return given
        folder = given / f"wan-studio-uploads-{_digest(whose)[:12]}"
        if _created(folder, whose) or is_ours(folder, whose) or _mark(folder, whose):
            return folder
    except OSError as error:
        raise BadSettings.of(
            "upload_folder_unusable", folder=str(given), reason=error.strerror or str(error)
        ) from error
    raise BadSettings.of("upload_folder_foreign", folder=str(folder))


def is_ours(folder: Path, whose: str) -> bool:
    """Whether this studio created the folder. False for a link, even to such a folder."""
    try:
        with files.opened(folder) as descriptor:
            return _marker_of(descriptor) == _digest(whose)
    except OSError:
        return False


def sweep(folder: Path, whose: str, before: float) -> None:
    """Removes the page's files from this folder that have not changed since `before` (unix seconds). For a
    hard link to a file elsewhere, whose age is that of the file, a change of its folder counts as well.

    Skips links, files with other names, and a folder without this studio's marker.
    """
    with contextlib.suppress(OSError), files.opened(folder) as top:
        if _marker_of(top) != _digest(whose):
            return
        for name in files.names_in(top):
            if MADE.fullmatch(name):
                with contextlib.suppress(OSError):
                    _sweep(name, top, before)


def _sweep(name: str, top: int, before: float) -> None:
    if not _is_folder(name, top):
        _remove_old(name, top, before)
        return
    descriptor = os.open(name, files.NO_LINKS, dir_fd=top)
    try:
        for _, folders, names, here in os.fwalk(".", topdown=False, dir_fd=descriptor):
            linked_before = os.fstat(here).st_mtime < before
            for each in names:
                _remove_old(each, here, before, links=linked_before)
            for each in folders:
                _remove_empty(each, here)
    finally:
        os.close(descriptor)
    _remove_empty(name, top)


def _remove_old(name: str, folder: int, before: float, links: bool = True) -> None:
    """`links`: also a file that has other names."""
    with contextlib.suppress(OSError):
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(info.st_mode) and info.st_mtime < before and (links or info.st_nlink == 1):
            os.unlink(name, dir_fd=folder)


def _remove_empty(name: str, folder: int) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=folder)


def _is_folder(name: str, folder: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def _created(folder: Path, whose: str) -> bool:
    """Creates and marks the folder; False when a file or folder of its name exists."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return False
    return _mark(folder, whose)


def _mark(folder: Path, whose: str) -> bool:
    """Marks an empty folder of this user: a new one, or one from a start that was killed before marking
    it."""
    with files.opened(folder) as descriptor:
        if os.fstat(descriptor).st_uid != os.getuid() or files.names_in(descriptor):
            return False
        marker = os.open(
            MARKER, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=descriptor
        )
        with os.fdopen(marker, "w", encoding="utf-8") as file:
            file.write(f"{_digest(whose)}\nWan Studio made this folder for uploads and removes old ones.\n")
    return True


def _marker_of(descriptor: int) -> str:
    """The first line of the marker; empty without a marker, or when it or the folder has another owner."""
    if os.fstat(descriptor).st_uid != os.getuid():
        return ""
    try:
        marker = os.open(MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
    except OSError:
        return ""
    with os.fdopen(marker, "rb") as file:
        info = os.fstat(file.fileno())
        if info.st_uid != os.getuid() or not stat.S_ISREG(info.st_mode):
            return ""
        return file.read(200).decode("ascii", "replace").partition("\n")[0]


def _digest(whose: str) -> str:
    return hashlib.sha256(whose.encode()).hexdigest()
