"""One studio to a data folder: a lock file that names the machine that holds it.

On one machine the lock is the system's own (flock), gone with the process however it ends. A folder on a
network volume may be mounted by two machines, between which such locks often do not count: so the holder
also writes its name into the file and touches it every few seconds, and a newcomer from another machine
watches the file for a while before it takes a folder over. Times are the file system's, not the machines'
own clocks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.errors import BadSettings, StudioError, from_os_error

log = logging.getLogger("wan.storage")

BEAT_SECONDS = 5.0
STALE_BEATS = 4  # so many missed beats, and the holder is gone
HINT = "Stop the other one, or set WAN_DATA_DIR to a folder of this one's own."


class DataLock:
    """Held from `acquire` to `release`. `lost`: called once if another machine has taken the folder over."""

    def __init__(
        self,
        folder: Path,
        machine: str,
        *,
        beat: float = BEAT_SECONDS,
        lost: Callable[[], None] = lambda: None,
        each: Callable[[], None] = lambda: None,
    ) -> None:
        """`machine`: a name that stays the same when this machine starts again, such as the pod's id. `each`:
        called with each beat."""
        self.path = folder / "lock"
        self.machine, self.beat, self.lost, self._each = machine, beat, lost, each
        self._token = secrets.token_hex(8)
        self._file: Any = None
        self._folder: tuple[int, int] | None = None
        self._stop = threading.Event()

    def acquire(self) -> None:
        """Takes the folder. Raises BadSettings naming the machine that holds it; DiskFull, InternalError.

        May wait for STALE_BEATS beats when another machine's name is in the file.
        """
        try:
            file = self.path.open("a+", encoding="utf-8")
        except OSError as error:
            raise from_os_error(error, f"The data folder {self.path.parent} cannot be written.") from error
        try:
            self._lock_here(file)
            waited = self._wait_for_others()
            self._write()
            if waited:
                self._look_who_came_last()
        except BaseException:
            file.close()
            raise
        self._file = file  # open, or the system's lock is gone
        self._folder = _identity(self.path.parent)
        threading.Thread(target=self._keep, name="data-lock", daemon=True).start()

    def _lock_here(self, file: Any) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                return  # a file system without locks: the name and the beat decide
            held = self._read()
            raise BadSettings(
                f"Another Wan Studio ({held.get('machine') or 'on this machine'}, process"
                f" {held.get('pid') or 'unknown'}) uses the data folder {self.path.parent}.",
                HINT,
            ) from error

    def _look_who_came_last(self) -> None:
        """Two machines may have waited for the same one: the folder is that one's that wrote last."""
        time.sleep(self.beat / 2)  # longer than a look of the other one takes, before it writes
        held = self._read()
        if held and held.get("token") != self._token:
            raise BadSettings(
                f"The machine {held.get('machine')} uses the data folder {self.path.parent}.", HINT
            )

    def _wait_for_others(self) -> bool:
        """Another machine's beat must have stopped. Whether there was one to wait for."""
        held = self._read()
        if not held or held.get("machine") == self.machine:
            return False
        seen = self._touched()
        log.info("the data folder was last used by %s; looking whether it still is", held.get("machine"))
        until = time.monotonic() + STALE_BEATS * self.beat
        while time.monotonic() < until:
            time.sleep(min(0.5, self.beat / 4))
            if self._touched() != seen:
                raise BadSettings(
                    f"The machine {held.get('machine')} uses the data folder {self.path.parent}.", HINT
                )
        return True

    def _read(self) -> dict[str, Any]:
        try:
            held = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return held if isinstance(held, dict) else {}

    def _touched(self) -> float:
        try:
            return self.path.stat().st_mtime
        except OSError:
            return 0.0

    def _write(self) -> None:
        """In place: the system's lock is on this very file."""
        text = json.dumps({"machine": self.machine, "pid": os.getpid(), "token": self._token})
        try:
            with self.path.open("r+", encoding="utf-8") as file:
                file.write(text)
                file.truncate()
        except OSError as error:
            raise from_os_error(error, f"The data folder {self.path.parent} cannot be written.") from error

    def _keep(self) -> None:
        while not self._stop.wait(self.beat):
            try:
                self._each()
                mine = self._is_mine()
            except Exception:  # the beat must go on, or another machine takes the folder
                log.exception("data folder: unexpected error")
                continue
            if not mine:
                self.lost()
                return
            with contextlib.suppress(OSError):  # a full disk, a volume that is away for a moment
                os.utime(self.path)

    def _is_mine(self) -> bool:
        """Whether nobody else has the folder. A lock file that was deleted is written again, since without
        it another studio would be let in."""
        held = self._read()
        if held and held.get("token") != self._token:
            log.error("the data folder was taken over by %s", held.get("machine"))
            return False
        if self._stop.is_set() or self.path.exists() or self._folder != _identity(self.path.parent):
            return True
        log.warning("the lock file %s was deleted; it is written again", self.path)
        try:
            file = self.path.open("a+", encoding="utf-8")
        except OSError:
            return True  # tried again with the next beat
        try:
            self._lock_here(file)
            self._write()
        except BadSettings as error:
            file.close()
            log.error("%s", error.message)
            return False
        except StudioError:  # a full disk
            file.close()
            self.path.unlink(missing_ok=True)
            return True
        self._file, old = file, self._file
        old.close()
        return True

    def release(self) -> None:
        """Gives the folder up."""
        self._stop.set()
        if self._file is None:
            return
        if self._read().get("token") == self._token:
            with contextlib.suppress(OSError):
                os.truncate(self.path, 0)
        self._file.close()
        self._file = None


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
