"""The folder in which the servers of this studio keep logs and temporary files while they run."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from backend.errors import BadSettings
from backend.servers.orphans import OWNER_SEPARATOR


class RunFolder:
    """The folder for output and temporary files of this studio's servers, and the lock that names their
    owner.

    It is in the system's temporary folder and is the same at each start with this data folder. A second
    studio on the same data folder, such as a benchmark, gets a name and a folder of its own. While a studio
    holds the lock, the servers marked with its name are not orphans."""

    def __init__(self, data: Path) -> None:
        """Raises BadSettings."""
        for name in (str(data), f"{data}{OWNER_SEPARATOR}{os.getpid()}-{secrets.token_hex(4)}"):
            self.name, self.folder = name, folder_for(name)
            self.first = name == str(data)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                os.close(self._lock)
        raise BadSettings.of("run_folder_locked", folder=str(self.folder))

    def touch(self) -> None:
        """Updates the lock's time, so that cleaners of the temporary folder do not remove it."""
        with contextlib.suppress(OSError):
            os.utime(self._lock)

    def release(self, keep_logs: bool) -> None:
        """Removes the folder's content and releases the lock. keep_logs: keeps the logs of the first
        studio. Repeated calls have no effect: the number of a closed descriptor may be another file's."""
        lock, self._lock = self._lock, -1
        if lock < 0:
            return
        for entry in self.folder.iterdir() if self.folder.is_dir() else ():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif not (keep_logs and self.first) and entry.name != "lock":
                entry.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            if not (keep_logs and self.first):
                (self.folder / "lock").unlink()
                self.folder.rmdir()
        with contextlib.suppress(OSError):
            os.close(lock)


def folder_for(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Creates this user's folder for this name in the system's temporary folder. Raises BadSettings."""
    name = f"wan-studio-{os.getuid()}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    folder = Path(environ.get("TMPDIR") or tempfile.gettempdir()) / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.lstat()
    except OSError as error:
        raise BadSettings.of("run_folder_unusable", folder=str(folder), reason=str(error.strerror)) from error
    if facts.st_uid != os.getuid() or folder.is_symlink() or not folder.is_dir():
        raise BadSettings.of("run_folder_foreign", folder=str(folder))
    return folder
