"""The page's upload folder: one that this app made and marked, cleared of what an earlier run left in it.

GRADIO_TEMP_DIR may name a folder that holds other things as well, such as /tmp or ~/Downloads, and two
studios may be given the same one. So uploads go into the given folder only when this studio made it, else
into a subfolder of the studio's own. A marker file in it says whose it is.
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
"""Names directly in the folder: copies for clients, uploads by their content's hash, unfinished uploads."""


def claim(given: Path, whose: str) -> Path:
    """The folder for uploads: `given` if this studio made it or it is not there yet, else one inside it.

    `whose`: a text that no other studio has, the same at each start. Raises BadSettings.
    """
    try:
        if _made(given, whose) or is_ours(given, whose):
            return given
        folder = given / f"wan-studio-uploads-{_digest(whose)[:12]}"
        if _made(folder, whose) or is_ours(folder, whose) or _marked_now(folder, whose):
            return folder
    except OSError as error:
        raise BadSettings(
            f"The upload folder {given} cannot be used: {error.strerror or error}.",
            "Set GRADIO_TEMP_DIR to a folder that can be written to.",
        ) from error
    raise BadSettings(
        f"The upload folder {folder} was not made by this studio.",
        "Move it away, or set GRADIO_TEMP_DIR to another folder.",
    )


def is_ours(folder: Path, whose: str) -> bool:
    """Whether this studio made the folder. False for a link, even to a folder that it made."""
    try:
        with files.opened(folder) as descriptor:
            return _says(descriptor) == _digest(whose)
    except OSError:
        return False


def sweep(folder: Path, whose: str, before: float) -> None:
    """Removes what the app put into this folder and that has not changed since `before` (unix seconds).

    A folder without this studio's mark is left as it is; so are links and files with other names.
    """
    with contextlib.suppress(OSError), files.opened(folder) as top:
        if _says(top) != _digest(whose):
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
            for each in names:
                _remove_old(each, here, before)
            for each in folders:
                _remove_empty(each, here)
    finally:
        os.close(descriptor)
    _remove_empty(name, top)


def _remove_old(name: str, folder: int, before: float) -> None:
    with contextlib.suppress(OSError):
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(info.st_mode) and info.st_mtime < before:
            os.unlink(name, dir_fd=folder)


def _remove_empty(name: str, folder: int) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=folder)


def _is_folder(name: str, folder: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def _made(folder: Path, whose: str) -> bool:
    """Makes and marks the folder; False when something has its name already."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return False
    return _marked_now(folder, whose)


def _marked_now(folder: Path, whose: str) -> bool:
    """Marks an empty folder of this user: new, or left by a start that was killed before it could mark it."""
    with files.opened(folder) as descriptor:
        if os.fstat(descriptor).st_uid != os.getuid() or files.names_in(descriptor):
            return False
        marker = os.open(
            MARKER, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=descriptor
        )
        with os.fdopen(marker, "w", encoding="utf-8") as file:
            file.write(f"{_digest(whose)}\nWan Studio made this folder for uploads and removes old ones.\n")
    return True


def _says(descriptor: int) -> str:
    """The first line of the marker; empty when there is none, or folder or marker belong to another user."""
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
