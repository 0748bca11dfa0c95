"""The job database: SQLite, one file, numbered append-only migrations.

A change is on disk when the call returns. One connection behind a lock: calls take microseconds, and
a job costs about ten of them. Raises DiskFull when the disk is, StoreBusy, StoreDiskError, StoreReadOnly,
StoreGone, StoreDamaged or StoreClosed for what those say, else StoreError.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from backend.errors import DiskFull, StoreBusy, StoreError, StoreGone, StudioError, from_os_error
from backend.jobs.database_errors import translated
from backend.jobs.job import DONE, FAILED, QUEUED, RUNNING, Job, JobSummary
from backend.jobs.rows import COLUMNS, UnreadableRow, job_of, row_of, salvaged

__all__ = ["MIGRATIONS", "Store", "StoreBusy", "StoreError", "is_local"]

log = logging.getLogger("wan.jobs")

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
    # 2: pins, finished segments, the server of a prompt; settings made by the admin
    """
    ALTER TABLE job ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE job ADD COLUMN part INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE job ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE job ADD COLUMN server TEXT NOT NULL DEFAULT '';
    ALTER TABLE job ADD COLUMN remote TEXT NOT NULL DEFAULT '';
    CREATE TABLE machine (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
    # 3: requests to cancel (unix seconds); prompts to stop when their server answers
    """
    ALTER TABLE job ADD COLUMN cancel_requested REAL;
    CREATE TABLE prompt_to_stop (
        prompt_id TEXT PRIMARY KEY, remote TEXT NOT NULL, server TEXT NOT NULL, noted REAL NOT NULL
    ) WITHOUT ROWID;
    """,
    # 4: new warnings are notices, which an older version would take for damaged rows; old ones stay texts
    "SELECT 1;",
    # 5: places of waiting jobs that their owner has moved
    "ALTER TABLE job ADD COLUMN place REAL;",
    # 6: deletions that can still be undone (unix seconds); uploads kept with their names, which an older
    # version would drop from the records
    """
    ALTER TABLE job ADD COLUMN delete_after REAL;
    CREATE INDEX job_to_delete ON job (delete_after) WHERE delete_after IS NOT NULL;
    """,
)
"""Applied in order, each once; never edited after a release. PRAGMA user_version counts them."""

LOCAL = frozenset(
    {"apfs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"}
)
"""Local file systems, on which shared memory works. On any other (a network volume) SQLite's WAL may lose
writes (https://www.sqlite.org/wal.html, "All processes using a database must be on the same host
computer")."""

READABLE = " AND ".join(
    [
        *(f"json_valid({name})" for name in ("params", "inputs", "warnings", "timings")),
        "(error IS NULL OR json_valid(error))",
    ]
)
UNREADABLE = {
    "code": "store_damaged",
    "message": "The record of this video in the job database is damaged.",
    "hint": "Its files are still there. Delete the video, or put a backup of studio.db in its place.",
}
SAVED = tuple(name for name in COLUMNS if name not in ("pinned", "cancel_requested", "place", "delete_after"))
"""The columns that `save` writes; the owner may change the others at any time."""


class Store:
    """All jobs of one data folder."""

    def __init__(
        self,
        path: Path,
        *,
        busy: float = 10.0,
        migrations: Sequence[str] = MIGRATIONS,
        local: Callable[[Path], bool] | None = None,
    ) -> None:
        """`busy`: seconds that a call waits while another program, such as a backup, locks the database.
        `local`: whether a folder is on a local file system; `is_local` by default."""
        self.path = path
        self._lock = threading.RLock()
        self._unreadable: dict[str, str] = {}  # job id -> why its row cannot be read
        self._local = (local or is_local)(path.parent)
        self._file: os.stat_result | None = None  # when it was opened
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._guard():
                self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=busy)
            self._db.row_factory = sqlite3.Row
            self._db.text_factory = lambda data: data.decode("utf-8", "replace")
            with self._guard():
                self._db.execute(f"PRAGMA journal_mode = {'WAL' if self._local else 'DELETE'}")
                self._db.execute("PRAGMA synchronous = FULL")
                self._migrate(migrations)
            self._file = path.stat()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise from_os_error(error) from error
            raise StoreError(
                f"The data folder {path.parent} cannot be written: {error.strerror or error}.",
                "Check that the folder exists and is writable, or set WAN_DATA_DIR to another.",
            ) from error

    def _migrate(self, migrations: Sequence[str]) -> None:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(migrations):
            raise StoreError(
                f"The job database was written by a newer Wan Studio (version {version} of its tables).",
                "Update Wan Studio, or set WAN_DATA_DIR to another folder.",
            )
        for number, script in enumerate(migrations[version:], version + 1):
            self._db.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")

    @contextmanager
    def _guard(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except (sqlite3.Error, OverflowError) as error:
                with contextlib.suppress(sqlite3.Error, AttributeError):
                    if self._db.in_transaction:
                        self._db.rollback()
                problem = translated(error, self._is_full)
                if not isinstance(problem, DiskFull) and (lost := self.lost()):
                    problem = StoreGone(lost, detail=problem.detail)
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

    def lost(self) -> str:
        """Why the database file is no longer the one that was opened, in a sentence; "" while it is."""
        folder, opened = self.path.parent, self._file
        if opened is None:
            return ""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return f"The data folder {folder} is gone: it was deleted or moved, or its disk was unmounted."
        except OSError as error:
            return f"The data folder {folder} cannot be reached: {error.strerror or error}."
        # On network file systems the inode of a file may change.
        if self._local and (found.st_dev, found.st_ino) != (opened.st_dev, opened.st_ino):
            return f"The job database in {folder} was replaced by another file while Wan Studio was running."
        return ""

    def require(self) -> None:
        """Raises StoreGone if the database file was deleted or replaced: writes to it would be lost."""
        lost = self.lost()
        if lost:
            raise StoreGone(lost)

    def add(self, job: Job) -> None:
        """Inserts a new job."""
        self.require()
        marks = ", ".join("?" * len(COLUMNS))
        with self._guard():
            self._db.execute(f"INSERT INTO job ({', '.join(COLUMNS)}) VALUES ({marks})", row_of(job))  # noqa: S608

    def save(self, job: Job) -> bool:
        """Writes the columns of a job, except its pin, its request to cancel and its place.

        Writes nothing and returns False for a final state other than cancelled after a request to cancel.
        """
        sets = ", ".join(f"{name} = ?" for name in SAVED)
        row = dict(zip(COLUMNS, row_of(job), strict=True))
        sql = f"UPDATE job SET {sets} WHERE id = ? AND (cancel_requested IS NULL OR ? NOT IN (?, ?))"  # noqa: S608
        with self._guard():
            done = self._db.execute(sql, (*(row[name] for name in SAVED), job.id, job.status, DONE, FAILED))
            return done.rowcount > 0

    def request_cancel(self, job_id: str, moment: float) -> bool:
        """Records the request to cancel a job (unix seconds); False if it has ended or does not exist.

        From then on it can end as cancelled only, in this process and after a restart.
        """
        self.require()
        sql = (
            "UPDATE job SET cancel_requested = coalesce(cancel_requested, ?)"
            " WHERE id = ? AND status IN (?, ?)"
        )
        with self._guard():
            return self._db.execute(sql, (moment, job_id, QUEUED, RUNNING)).rowcount > 0

    def pin(self, job_id: str, pinned: bool) -> None:
        """Exempts a job from removal by age or disk share, or ends that."""
        with self._guard():
            self._db.execute("UPDATE job SET pinned = ? WHERE id = ?", (pinned, job_id))

    def set_places(self, places: Mapping[str, float]) -> None:
        """Writes the places of waiting jobs, all of them or none."""
        self.require()
        rows = [(place, job_id, QUEUED) for job_id, place in places.items()]
        with self._guard():
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("UPDATE job SET place = ? WHERE id = ? AND status = ?", rows)
            self._db.execute("COMMIT")

    def get(self, job_id: str) -> Job | None:
        """One job. A damaged row gives what can be read of it, as a failed job."""
        with self._guard():
            row = self._db.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone()
        return None if row is None else self._readable(row)

    def _readable(self, row: sqlite3.Row) -> Job:
        try:
            return job_of(row)
        except UnreadableRow as error:
            self._note_unreadable(row, error)
            return salvaged(row, {**UNREADABLE, "field": ""})

    def _jobs(self, rows: Iterable[sqlite3.Row]) -> list[Job]:
        """The jobs of the rows; damaged rows are left out and logged once."""
        found = []
        for row in rows:
            try:
                found.append(job_of(row))
            except UnreadableRow as error:
                self._note_unreadable(row, error)
        return found

    def _note_unreadable(self, row: sqlite3.Row, error: UnreadableRow) -> None:
        job_id = str(row["id"])
        if job_id not in self._unreadable:
            log.error("job %s: its record cannot be read and is left out: %s", job_id, error)
        self._unreadable[job_id] = str(error)

    def delete(self, job_id: str) -> None:
        with self._guard():
            self._db.execute("DELETE FROM job WHERE id = ?", (job_id,))
        self._unreadable.pop(job_id, None)

    def delete_later(self, job_id: str, moment: float | None) -> bool:
        """Hides an ended job until it is deleted at `moment` (unix seconds), or with None shows it again.

        Returns whether this changed anything: a deletion that is pending keeps its time, and one that
        has begun cannot be undone.
        """
        self.require()
        state = "delete_after IS NULL" if moment is not None else "delete_after > 0"
        sql = f"UPDATE job SET delete_after = ? WHERE id = ? AND {state} AND status NOT IN (?, ?)"  # noqa: S608
        with self._guard():
            return self._db.execute(sql, (moment, job_id, QUEUED, RUNNING)).rowcount > 0

    def due_deletions(self, moment: float) -> list[Job]:
        """Begins the deletions that are due, so that they can no longer be undone: their jobs."""
        with self._guard():
            self._db.execute("UPDATE job SET delete_after = 0 WHERE delete_after <= ?", (moment,))
            rows = self._db.execute("SELECT * FROM job WHERE delete_after = 0").fetchall()
        return [self._readable(row) for row in rows]

    def next_deletion(self) -> float | None:
        """When the next pending deletion is due (unix seconds)."""
        with self._guard():
            row = self._db.execute(
                "SELECT min(delete_after) FROM job WHERE delete_after IS NOT NULL"
            ).fetchone()
        return None if row[0] is None else float(row[0])

    def with_input(self, owner: str, text: str) -> list[Job]:
        """An owner's jobs whose inputs mention a text, such as the hash of a file, newest first."""
        sql = "SELECT * FROM job WHERE owner = ? AND instr(inputs, ?) ORDER BY created DESC LIMIT 100"
        with self._guard():
            rows = self._db.execute(sql, (owner, text)).fetchall()
        return self._jobs(rows)

    def set_inputs(self, job: Job) -> None:
        """Writes what is stored of an ended job's inputs."""
        row = dict(zip(COLUMNS, row_of(job), strict=True))
        with self._guard():
            self._db.execute("UPDATE job SET inputs = ? WHERE id = ?", (row["inputs"], job.id))

    def of_owner(
        self, owner: str, limit: int, mode: str = "", search: str = "", statuses: Collection[str] = ()
    ) -> list[Job]:
        """An owner's jobs that are not being deleted, newest first. `search`: a part of the prompt, or the
        seed; `statuses`: all when empty."""
        sql, values = "SELECT * FROM job WHERE owner = ? AND delete_after IS NULL", [owner]
        if mode:
            sql, values = sql + " AND mode = ?", [*values, mode]
        if statuses:
            sql, values = f"{sql} AND status IN ({', '.join('?' * len(statuses))})", [*values, *statuses]
        if search:
            sql += (
                " AND (instr(lower(CASE WHEN json_valid(params) THEN json_extract(params, '$.prompt') END),"
            )
            sql += " lower(?)) OR CAST(seed AS TEXT) = ?)"
            values = [*values, search, search]
        with self._guard():
            rows = self._db.execute(
                sql + " ORDER BY created DESC, id LIMIT ?", (*values, int(limit))
            ).fetchall()
        return self._jobs(rows)

    def unfinished(self) -> list[Job]:
        """Running and queued jobs, oldest first, each owner's in the order that they were moved to."""
        with self._guard():
            rows = self._db.execute(
                "SELECT * FROM job WHERE status IN (?, ?) ORDER BY coalesce(place, created), id",
                (QUEUED, RUNNING),
            ).fetchall()
        return self._jobs(rows)

    def ended_before(self, moment: float) -> list[Job]:
        """Jobs that ended before this time (unix seconds), oldest first."""
        with self._guard():
            rows = self._db.execute(
                "SELECT * FROM job WHERE finished < ? AND status NOT IN (?, ?) ORDER BY finished",
                (moment, QUEUED, RUNNING),
            ).fetchall()
        return self._jobs(rows)

    def summaries(self) -> list[JobSummary]:
        """Every job, without its JSON columns."""
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
        return self._jobs(rows)

    def totals(self, owner: str) -> tuple[int, int]:
        """Number and bytes of an owner's finished clips."""
        with self._guard():
            row = self._db.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM job"
                " WHERE owner = ? AND status = 'done' AND delete_after IS NULL",
                (owner,),
            ).fetchone()
        return int(row[0]), int(row[1])

    def setting(self, name: str) -> str:
        """The value that `set_setting` last wrote, else ""."""
        with self._guard():
            row = self._db.execute("SELECT value FROM machine WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def set_setting(self, name: str, value: str) -> None:
        """Stores a setting made by the admin (such as a paused queue)."""
        with self._guard():
            self._db.execute(
                "INSERT INTO machine (name, value) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, value),
            )

    def prompts_to_stop(self, since: float) -> list[tuple[str, str, str]]:
        """(prompt id, the engine's own id of it, server) of each prompt to stop. Drops those added before
        `since` (unix seconds)."""
        with self._guard():
            self._db.execute("DELETE FROM prompt_to_stop WHERE noted < ?", (since,))
            rows = self._db.execute("SELECT prompt_id, remote, server FROM prompt_to_stop").fetchall()
        return [(str(row[0]), str(row[1]), str(row[2])) for row in rows]

    def add_prompt_to_stop(self, prompt_id: str, remote: str, server: str, moment: float) -> None:
        """Adds a prompt to stop, until `drop_prompt_to_stop`. `moment`: unix seconds."""
        sql = "INSERT OR REPLACE INTO prompt_to_stop (prompt_id, remote, server, noted) VALUES (?, ?, ?, ?)"
        with self._guard():
            self._db.execute(sql, (prompt_id, remote, server, moment))

    def drop_prompt_to_stop(self, prompt_id: str) -> None:
        """Removes a prompt that its server has stopped."""
        with self._guard():
            self._db.execute("DELETE FROM prompt_to_stop WHERE prompt_id = ?", (prompt_id,))

    def check(self) -> str:
        """ "ok", or what is wrong with the database."""
        if lost := self.lost():
            return lost
        try:
            with self._guard():
                rows = self._db.execute(f"SELECT id FROM job WHERE NOT ({READABLE})").fetchall()  # noqa: S608
        except StudioError as error:
            return error.message
        bad = sorted({str(row[0]) for row in rows} | self._unreadable.keys())
        if not bad:
            return "ok"
        shown = ", ".join(bad[:3]) + (", ..." if len(bad) > 3 else "")
        records = "1 record is" if len(bad) == 1 else f"{len(bad)} records are"
        return f"{records} damaged and left out: {shown}. The files are in the data folder, below jobs."

    def close(self) -> None:
        with self._lock:
            self._db.close()


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
