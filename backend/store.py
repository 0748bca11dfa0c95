"""The job database: SQLite, one file, numbered append-only migrations.

A change is on disk when the call returns. One connection behind a lock: calls take microseconds, and
a job costs about ten of them. Raises DiskFull when the disk is, StoreError for a database that cannot
be used.
"""

from __future__ import annotations

import errno
import json
import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from backend.errors import DiskFull, StudioError, from_os_error
from backend.jobs import QUEUED, RUNNING, Job, JobSummary

log = logging.getLogger("wan.store")

MIGRATIONS: tuple[str, ...] = (
    # 1: jobs
    """
    CREATE TABLE job (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, mode TEXT NOT NULL, status TEXT NOT NULL,
        params TEXT NOT NULL, inputs TEXT NOT NULL, created REAL NOT NULL, started REAL, finished REAL,
        seed INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, frames INTEGER NOT NULL,
        fps REAL NOT NULL, steps INTEGER NOT NULL, evaluations INTEGER NOT NULL, engine TEXT NOT NULL,
        demo INTEGER NOT NULL, prompt_id TEXT NOT NULL, warnings TEXT NOT NULL, error TEXT,
        size INTEGER NOT NULL, attempts INTEGER NOT NULL, timings TEXT NOT NULL
    );
    CREATE INDEX job_of_owner ON job (owner, created DESC);
    CREATE INDEX job_by_status ON job (status, created);
    CREATE INDEX job_timings ON job (engine, mode, finished DESC) WHERE status = 'done';
    """,
    # 2: pins, parts of long jobs, where a prompt is; what the machine's owner has set
    """
    ALTER TABLE job ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE job ADD COLUMN part INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE job ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE job ADD COLUMN server TEXT NOT NULL DEFAULT '';
    ALTER TABLE job ADD COLUMN remote TEXT NOT NULL DEFAULT '';
    CREATE TABLE machine (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
)
"""Applied in order, each once; never edited after a release. PRAGMA user_version counts them."""

BUSY_SECONDS = 10.0
"""How long a call waits for another program that holds the database: a backup, a database browser."""

LOCAL = frozenset(
    {"apfs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"}
)
"""File systems whose shared memory is this machine's own; on any other (a network volume) SQLite's WAL may
lose what was written (https://www.sqlite.org/wal.html, "All processes using a database must be on the same
host computer")."""

_JSON = frozenset({"params", "inputs", "warnings", "error", "timings"})
_COLUMNS = tuple(field.name for field in fields(Job))


class StoreError(StudioError):
    """The database cannot be used."""

    code = "store"
    default_hint = "Move the data folder aside to start with an empty one; the videos in it stay."


class StoreBusy(StoreError):
    """Another program holds the database, for longer than a call waits."""

    code = "store_busy"
    default_hint = "Try again. If it stays so, close what has studio.db open, such as a database browser."


class Store:
    """All jobs of one data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=BUSY_SECONDS
            )
            self._db.row_factory = sqlite3.Row
            with self._guard():
                mode = "WAL" if is_local(path.parent) else "DELETE"
                self._db.execute(f"PRAGMA journal_mode = {mode}")
                self._db.execute("PRAGMA synchronous = FULL")
                self._migrate()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise from_os_error(error) from error
            raise StoreError(
                f"The data folder {path.parent} cannot be written: {error.strerror or error}.",
                "Check that the folder exists and is writable, or set WAN_DATA_DIR to another.",
            ) from error

    def _migrate(self) -> None:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise StoreError(
                f"The job database was written by a newer Wan Studio (version {version} of its tables).",
                "Update Wan Studio, or set WAN_DATA_DIR to another folder.",
            )
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            self._db.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")

    @contextmanager
    def _guard(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as error:
                if self._db.in_transaction:
                    self._db.rollback()
                text = str(error)
                if "disk is full" in text or "disk I/O error" in text:
                    raise DiskFull("The disk is full: the job could not be saved.", detail=text) from error
                if "locked" in text or "busy" in text:
                    raise StoreBusy("The job database is held by another program.", detail=text) from error
                raise StoreError(f"The job database cannot be used: {text}.") from error
            except sqlite3.DatabaseError as error:
                raise StoreError(f"The job database is damaged: {error}.") from error

    def add(self, job: Job) -> None:
        """Inserts a new job."""
        marks = ", ".join("?" * len(_COLUMNS))
        with self._guard():
            self._db.execute(f"INSERT INTO job ({', '.join(_COLUMNS)}) VALUES ({marks})", _row(job))  # noqa: S608

    def save(self, job: Job) -> None:
        """Writes all columns of a known job, but its pin: that is the creator's, and may be set meanwhile."""
        sets = ", ".join(f"{name} = ?" for name in _COLUMNS if name != "pinned")
        values = [value for name, value in zip(_COLUMNS, _row(job), strict=True) if name != "pinned"]
        with self._guard():
            self._db.execute(f"UPDATE job SET {sets} WHERE id = ?", (*values, job.id))  # noqa: S608

    def pin(self, job_id: str, pinned: bool) -> None:
        """Keeps a job from being removed by age or disk share, or lets it go."""
        with self._guard():
            self._db.execute("UPDATE job SET pinned = ? WHERE id = ?", (pinned, job_id))

    def get(self, job_id: str) -> Job | None:
        with self._guard():
            row = self._db.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone()
        return _job(row) if row else None

    def delete(self, job_id: str) -> None:
        with self._guard():
            self._db.execute("DELETE FROM job WHERE id = ?", (job_id,))

    def of_owner(self, owner: str, limit: int, mode: str = "", search: str = "") -> list[Job]:
        """An owner's jobs, newest first; `search` is looked for in prompt and seed."""
        sql, values = "SELECT * FROM job WHERE owner = ?", [owner]
        if mode:
            sql, values = sql + " AND mode = ?", [*values, mode]
        if search:
            sql += " AND (instr(lower(json_extract(params, '$.prompt')), lower(?)) OR CAST(seed AS TEXT) = ?)"
            values = [*values, search, search]
        with self._guard():
            rows = self._db.execute(
                sql + " ORDER BY created DESC, id LIMIT ?", (*values, int(limit))
            ).fetchall()
        return [_job(row) for row in rows]

    def unfinished(self) -> list[Job]:
        """Running and queued jobs, oldest first."""
        with self._guard():
            rows = self._db.execute(
                "SELECT * FROM job WHERE status IN (?, ?) ORDER BY created, id", (QUEUED, RUNNING)
            ).fetchall()
        return [_job(row) for row in rows]

    def ended_before(self, moment: float) -> list[Job]:
        """Jobs that ended before this time (unix seconds), oldest first."""
        with self._guard():
            rows = self._db.execute(
                "SELECT * FROM job WHERE finished < ? AND status NOT IN (?, ?) ORDER BY finished",
                (moment, QUEUED, RUNNING),
            ).fetchall()
        return [_job(row) for row in rows]

    def summaries(self) -> list[JobSummary]:
        """Every job, without what is costly to read."""
        with self._guard():
            rows = self._db.execute("SELECT id, owner, status, finished, pinned FROM job").fetchall()
        return [JobSummary(row[0], row[1], row[2], row[3], bool(row[4])) for row in rows]

    def done_on(self, engine: str, mode: str, limit: int = 20) -> Sequence[Job]:
        """The last finished jobs of a mode on an engine, for estimates."""
        with self._guard():
            rows = self._db.execute(
                "SELECT * FROM job WHERE status = 'done' AND engine = ? AND mode = ? "
                "ORDER BY finished DESC LIMIT ?",
                (engine, mode, int(limit)),
            ).fetchall()
        return [_job(row) for row in rows]

    def totals(self, owner: str) -> tuple[int, int]:
        """Number and bytes of an owner's finished clips."""
        with self._guard():
            row = self._db.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM job WHERE owner = ? AND status = 'done'",
                (owner,),
            ).fetchone()
        return int(row[0]), int(row[1])

    def setting(self, name: str) -> str:
        """What `set_setting` last wrote; empty when nothing."""
        with self._guard():
            row = self._db.execute("SELECT value FROM machine WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def set_setting(self, name: str, value: str) -> None:
        """Keeps what the machine's owner has set (such as a paused queue) across restarts."""
        with self._guard():
            self._db.execute(
                "INSERT INTO machine (name, value) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, value),
            )

    def check(self) -> str:
        """ "ok", or what is wrong with the database."""
        try:
            with self._guard():
                self._db.execute("SELECT count(*) FROM job WHERE status = 'queued'").fetchone()
        except StudioError as error:
            return error.message
        return "ok"

    def close(self) -> None:
        with self._lock:
            self._db.close()


def is_local(folder: Path, mounts: str = "") -> bool:
    """Whether a folder lies on a file system of this machine. `mounts`: /proc/self/mountinfo, or its text.

    What cannot be found out counts as local on a system without that file, else as a network volume.
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


def _row(job: Job) -> tuple[Any, ...]:
    return tuple(
        _utf8(json.dumps(value, ensure_ascii=False) if name in _JSON and value is not None else value)
        for name in _COLUMNS
        for value in (getattr(job, name),)
    )


def _utf8(value: Any) -> Any:
    """What a server says may hold half a surrogate pair, which SQLite refuses."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _job(row: sqlite3.Row) -> Job:
    values = {
        name: json.loads(row[name]) if name in _JSON and row[name] is not None else row[name]
        for name in _COLUMNS
    }
    values["warnings"] = tuple(values["warnings"])
    values["demo"], values["pinned"] = bool(values["demo"]), bool(values["pinned"])
    return Job(**values)
