"""Data lock: one studio at a time per data folder, by a lock file that names the machine that holds it.

On one machine the lock is an flock, which the system releases when the process ends. A folder on a network
volume may be mounted by two machines, and flock often has no effect between them: so the holder also writes
its name into the file and updates the file's time every few seconds (the heartbeat), and a studio on another
machine watches the file for a while before it takes the folder over. Times are those of the file system, not
of the machines' clocks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import math
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
STALE_BEATS = 4  # missed heartbeats after which the holder has stopped


class DataLock:
    """The lock of one data folder, held from `acquire` to `release`."""

    def __init__(
        self,
        folder: Path,
        machine: str,
        *,
        beat: float = BEAT_SECONDS,
        lost: Callable[[], None] = lambda: None,
        each: Callable[[], None] = lambda: None,
    ) -> None:
        """`machine`: a name that survives a restart of the machine, such as the pod's id. `beat`: seconds
        between heartbeats. `lost`: called once if another machine has taken the folder over. `each`: called
        with each heartbeat."""
        self.path = folder / "lock"
        self.machine, self.beat, self.lost, self._each = machine, beat, lost, each
        self._token = secrets.token_hex(8)
        self._address = ""
        self._file: Any = None
        self._folder: tuple[int, int] | None = None
        self._stop = threading.Event()

    def acquire(self) -> None:
        """Locks the folder. Raises BadSettings that names the holder; DiskFull, InternalError.

        Waits for STALE_BEATS heartbeats when another machine's name is in the file.
        """
        try:
            file = self.path.open("a+", encoding="utf-8")
        except OSError as error:
            raise from_os_error(error, "data_folder_unwritable", folder=str(self.path.parent)) from error
        try:
            self._lock_here(file)
            waited = self._wait_for_others()
            self._write()
            if waited:
                self._check_last_writer()
        except BaseException:
            file.close()
            raise
        self._file = file  # stays open: closing it releases the flock
        self._folder = _identity(self.path.parent)
        threading.Thread(target=self._run, name="data-lock", daemon=True).start()

    def _lock_here(self, file: Any) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                return  # no locks on this file system: only the name and the heartbeat count
            held = self._read()
            raise BadSettings.of(
                "data_folder_used",
                machine=str(held.get("machine") or "on this machine"),
                process=str(held.get("pid") or "unknown"),
                folder=str(self.path.parent),
            ) from error

    def _check_last_writer(self) -> None:
        """Two machines may have waited at the same time: the one that wrote last holds the folder. Raises
        BadSettings."""
        time.sleep(self.beat / 2)  # longer than the other machine takes from its last check to its write
        held = self._read()
        if held and held.get("token") != self._token:
            raise BadSettings.of(
                "data_folder_used_by", machine=str(held.get("machine")), folder=str(self.path.parent)
            )

    def _wait_for_others(self) -> bool:
        """Waits until another machine's heartbeat has stopped. Returns whether the file named another
        machine.

        Raises BadSettings when the heartbeat goes on.
        """
        held = self._read()
        if not held or held.get("machine") == self.machine:
            return False
        seen = self._heartbeat()
        log.info("the data folder was last used by %s; checking whether it still is", held.get("machine"))
        # So many looks rather than so many seconds: a machine that stands still meanwhile has not looked.
        pause = min(0.5, self.beat / 4)
        for _ in range(math.ceil(STALE_BEATS * self.beat / pause)):
            time.sleep(pause)
            if self._heartbeat() != seen:
                raise BadSettings.of(
                    "data_folder_used_by", machine=str(held.get("machine")), folder=str(self.path.parent)
                )
        return True

    def _read(self) -> dict[str, Any]:
        try:
            held = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return held if isinstance(held, dict) else {}

    def _heartbeat(self) -> float:
        try:
            return self.path.stat().st_mtime
        except OSError:
            return 0.0

    def _write(self) -> None:
        """Writes this studio's name in place: the flock is on this file."""
        held = {"machine": self.machine, "pid": os.getpid(), "token": self._token, "address": self._address}
        text = json.dumps(held)
        try:
            with self.path.open("r+", encoding="utf-8") as file:
                file.write(text)
                file.truncate()
        except OSError as error:
            raise from_os_error(error, "data_folder_unwritable", folder=str(self.path.parent)) from error

    def _run(self) -> None:
        while not self._stop.wait(self.beat):
            try:
                self._each()
                mine = self._is_mine()
            except Exception:  # the heartbeat must go on, or another machine takes the folder over
                log.exception("data folder: unexpected error")
                continue
            if not mine:
                self.lost()
                return
            with contextlib.suppress(OSError):  # a full disk, or a volume that is unavailable for a moment
                os.utime(self.path)

    def _is_mine(self) -> bool:
        """Whether this studio still holds the folder. A deleted lock file is written again, since without it
        another studio could lock the folder."""
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
            return True  # tried again with the next heartbeat
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

    def served(self, address: str) -> None:
        """Notes the page's address for programs of this machine. Raises DiskFull, InternalError."""
        self._address = address
        if self._file is not None:
            self._write()

    def release(self) -> None:
        """Unlocks the folder."""
        self._stop.set()
        if self._file is None:
            return
        if self._read().get("token") == self._token:
            with contextlib.suppress(OSError):
                os.truncate(self.path, 0)
        self._file.close()
        self._file = None


def holder(folder: Path, machine: str) -> tuple[int, str]:
    """(process id, page's address) in the lock file of a data folder: of the studio of this machine that
    holds it, or held it until it was killed. (0, "") without one; no address until the page is served."""
    try:
        held = json.loads((folder / "lock").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0, ""
    if not isinstance(held, dict) or held.get("machine") != machine:
        return 0, ""
    process, address = held.get("pid"), held.get("address")
    return process if isinstance(process, int) else 0, address if isinstance(address, str) else ""


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
