"""Folders that libraries write to by themselves: temporary files, the home folder, caches.

A container run as any user (`--user 1000`) has no home folder that it may write to, and a read-only one may
have no folder for temporary files. start.sh does the same for the home before Python runs.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, MutableMapping
from pathlib import Path

from backend.errors import BadSettings
from backend.settings.folders import writable

WRITTEN = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")
READ = ("HF_HOME", "HF_HUB_CACHE", "TORCH_HOME")
"""Variables that name a folder of a library. READ: a filled folder that cannot be changed is of use."""


def check_temporary(find: Callable[[], str] = tempfile.gettempdir) -> None:
    """Raises BadSettings where no temporary file can be made: uploads and the media process need one."""
    try:
        find()
    except OSError as error:
        raise BadSettings.of("no_temporary_folder") from error


def prepare(environ: MutableMapping[str, str]) -> list[str]:
    """Replaces a home folder and caches that cannot be used; returns one sentence for each.

    For after the settings are read: `~` in a setting never means the replacement.
    """
    said = []
    home = environ.get("HOME", "")
    if not (home and os.path.isdir(home) and os.access(home, os.W_OK | os.X_OK)):  # noqa: PTH112
        environ["HOME"] = str(_private(Path(tempfile.gettempdir()) / f"home-{os.getuid()}"))
        made = environ["HOME"]
        if home:
            said.append(f"The home folder {home} cannot be written to: caches go into {made}.")
        else:
            said.append(f"There is no home folder (HOME): caches go into {made}.")
    for name in (*WRITTEN, *READ):
        given = environ.get(name, "").strip()
        if given and not _usable(Path(os.path.expanduser(given)), reading=name in READ):  # noqa: PTH111
            del environ[name]
            said.append(f"{name} is {given}, which cannot be used by this user: its default is used instead.")
    return said


def _usable(folder: Path, *, reading: bool) -> bool:
    try:
        if reading and folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
            return True
        return writable(folder)
    except OSError:  # a parent folder that this user may not enter
        return False


def _private(folder: Path) -> Path:
    """The folder, created for this user alone; another one where its name is taken by another user."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        info = folder.lstat()
        if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid() or not os.access(folder, os.W_OK):
            return Path(tempfile.mkdtemp(prefix=folder.name + "-"))
    return folder
