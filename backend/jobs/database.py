"""The connection to a SQLite file: migrated, guarded by a lock, and checked to be still in its place."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from backend.errors import DiskFull, StoreError, StoreGone, from_os_error
from backend.jobs.database_errors import translated
from workflows.notice import Notice, made

LOCAL = frozenset(
    {"apfs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"}
)
"""Local file systems, on which shared memory works. On any other (a network volume) SQLite's WAL may lose
writes (https://www.sqlite.org/wal.html, "All processes using a database must be on the same host
computer")."""


class Database:
    """One connection. Raises the StudioErrors that database_errors lists."""

    def __init__(
        self, path: Path, migrations: Sequence[str], busy: float, local: Callable[[Path], bool] | None
    ) -> None:
        """`busy`: seconds that a call waits while another program, such as a backup, locks the database.
        `local`: whether a folder is on a local file system; `is_local` by default."""
        self.path = path
        self._lock = threading.RLock()
        self._local = (local or is_local)(path.parent)
        self._file: os.stat_result | None = None  # when it was opened
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self.guard():
                self.connection = sqlite3.connect(
                    path, check_same_thread=False, isolation_level=None, timeout=busy
                )
            self.connection.row_factory = sqlite3.Row
            self.connection.text_factory = lambda data: data.decode("utf-8", "replace")
            with self.guard():
                self.connection.execute(f"PRAGMA journal_mode = {'WAL' if self._local else 'DELETE'}")
                self.connection.execute("PRAGMA synchronous = FULL")
                self._migrate(migrations)
            self._file = path.stat()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise from_os_error(error) from error
            raise StoreError.of(
                "database_folder_read_only", folder=str(path.parent), reason=error.strerror or str(error)
            ) from error

    def _migrate(self, migrations: Sequence[str]) -> None:
        version = int(self.connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(migrations):
            raise StoreError.of("database_newer", version=version)
        for number, script in enumerate(migrations[version:], version + 1):
            self.connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Holds the lock; an error of SQLite rolls back and becomes a StudioError."""
        with self._lock:
            try:
                yield
            except (sqlite3.Error, OverflowError) as error:
                with contextlib.suppress(sqlite3.Error, AttributeError):
                    if self.connection.in_transaction:
                        self.connection.rollback()
                problem = translated(error, self._is_full)
                if not isinstance(problem, DiskFull) and (lost := self.lost()):
                    problem = StoreGone.because(lost, detail=problem.detail)
                raise problem from error

    def _is_full(self) -> bool:
        """Whether the disk, a quota or a file size limit leaves no room for the database to grow."""
        try:
            with tempfile.TemporaryFile(dir=self.path.parent) as probe:
                files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
                end = max((file.stat().st_size for file in files if file.exists()), default=0)
                os.pwrite(probe.fileno(), bytes(1 << 16), end)
        except OSError as error:
            return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        return False

    def lost(self) -> Notice | None:
        """Why the database file is no longer the one that was opened; None while it is."""
        folder, opened = self.path.parent, self._file
        if opened is None:
            return None
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return made("data_folder_gone", {"folder": str(folder)})
        except OSError as error:
            return made(
                "data_folder_unreachable", {"folder": str(folder), "reason": error.strerror or str(error)}
            )
        # On network file systems the inode of a file may change.
        if self._local and (found.st_dev, found.st_ino) != (opened.st_dev, opened.st_ino):
            return made("database_replaced", {"folder": str(folder)})
        return None

    def require(self) -> None:
        """Raises StoreGone if the database file was deleted or replaced: writes to it would be lost."""
        if (lost := self.lost()) is not None:
            raise StoreGone.because(lost)

    def close(self) -> None:
        """Closes the connection; later calls raise StoreClosed."""
        with self._lock:
            self.connection.close()


def is_local(folder: Path, mounts: str = "") -> bool:
    """Whether a folder is on a local file system. `mounts`: text in the format of /proc/self/mountinfo.

    Without that file a folder counts as local; an unknown file system counts as a network volume.
    """
    try:
        text = mounts or Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    best, kind = "", ""
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        words = left.split()
        if len(words) < 5 or not right:
            continue
        point = words[4].replace("\\040", " ")
        if folder.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, right.split()[0]
    return kind in LOCAL
