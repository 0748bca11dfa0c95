"""The job database: SQLite, one file, numbered append-only migrations.

A change is on disk when the call returns. One connection behind a lock: calls take microseconds, and
a job costs about ten of them. Raises DiskFull when the disk is, StoreBusy, StoreDiskError, StoreReadOnly,
StoreGone, StoreDamaged or StoreClosed for what those say, else StoreError.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backend.errors import StoreDamaged, StudioError
from backend.jobs.database import Database
from backend.jobs.job import DONE, FAILED, QUEUED, RUNNING, Job, JobSummary
from backend.jobs.migrations import MIGRATIONS
from backend.jobs.rows import COLUMNS, UnreadableRow, job_of, row_of, salvaged
from workflows.notice import Notice, notice

log = logging.getLogger("wan.jobs")

READABLE = " AND ".join(
    [
        *(
            f"json_valid({name})"
            for name in ("params", "inputs", "warnings", "timings", "resolved", "reused", "parts")
        ),
        "(error IS NULL OR json_valid(error))",
    ]
)
SAVED = tuple(name for name in COLUMNS if name not in ("pinned", "cancel_requested", "place", "delete_after"))
"""The columns that `save` writes; the owner may change the others at any time."""


_BY_ITSELF = (
    "NOT EXISTS (SELECT 1 FROM job AS whole WHERE whole.id = job.parent AND whole.delete_after IS NULL"
    " AND whole.assembly != '' AND whole.id != job.id)"
)
"""Holds for a job that is not shown as a part of its parent."""
LINKED = ("inputs", "width", "height", "frames", "fps", "steps", "evaluations", "warnings")
"""The columns that change when the results that a job waits for are linked."""

OF_RESULT = ("params", "seed", "width", "height", "frames", "fps", "size")
"""The columns that change when the contact sheet of a set is made again."""


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
        """`busy`, `local`: as in Database."""
        self.path = path
        self._unreadable: dict[str, str] = {}  # job id -> why its row cannot be read
        self._database = Database(path, migrations, busy, local)
        self._db, self._guard = self._database.connection, self._database.guard
        self.lost, self.require = self._database.lost, self._database.require

    def add(self, *jobs: Job) -> None:
        """Inserts new jobs, all of them or none."""
        self.require()
        sql = f"INSERT INTO job ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
        rows = [row_of(job) for job in jobs]
        with self._guard():
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(sql, rows)
            self._db.execute("COMMIT")

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
        """Records the request to cancel a job and its children (unix seconds); False if all have ended or
        none exists.

        From then on they can end as cancelled only, in this process and after a restart.
        """
        self.require()
        sql = (
            "UPDATE job SET cancel_requested = coalesce(cancel_requested, ?)"
            " WHERE (id = ? OR parent = ?) AND status IN (?, ?)"
        )
        with self._guard():
            return self._db.execute(sql, (moment, job_id, job_id, QUEUED, RUNNING)).rowcount > 0

    def pin(self, job_id: str, pinned: bool) -> None:
        """Exempts a job and its children from removal by age or disk share, or ends that."""
        with self._guard():
            self._db.execute("UPDATE job SET pinned = ? WHERE id = ? OR parent = ?", (pinned, job_id, job_id))

    def children(self, *parents: str) -> dict[str, list[Job]]:
        """Parent id -> its children in the order of their roles, without those that are being deleted."""
        found: dict[str, list[Job]] = {parent: [] for parent in parents}
        marks = ", ".join("?" * len(parents))
        condition = f"parent IN ({marks}) AND delete_after IS NULL"
        sql = f"SELECT * FROM job WHERE {condition} ORDER BY CAST(role AS INTEGER)"  # noqa: S608
        with self._guard():
            rows = self._db.execute(sql, parents).fetchall() if parents else []
        for job in self._jobs(rows):
            found[job.parent].append(job)
        return found

    def family(self, job_id: str) -> list[Job]:
        """All jobs of the family that a job belongs to, from the topmost parent down, including those being
        deleted. Of a damaged row only the readable columns are used."""
        above = "WITH RECURSIVE above (id, parent) AS (SELECT id, parent FROM job WHERE id = ? UNION"
        above += (
            " SELECT job.id, job.parent FROM job JOIN above ON job.id = above.parent) SELECT id FROM above"
        )
        below = "WITH RECURSIVE below (id) AS (SELECT id FROM job WHERE id = ? UNION"
        below += " SELECT job.id FROM job JOIN below ON job.parent = below.id)"
        below += " SELECT job.* FROM job JOIN below ON job.id = below.id"
        with self._guard():
            ids = [str(row[0]) for row in self._db.execute(above, (job_id,)).fetchall()]
            rows = self._db.execute(below, (ids[-1],)).fetchall() if ids else []
        found = {str(row["id"]): self._readable(row) for row in rows}
        top = found.pop(ids[-1], None) if ids else None
        return [] if top is None else [top, *found.values()]

    def separate_circles(self) -> list[str]:
        """Removes the parent of jobs that are, directly or not, parts of themselves: their ids. Only a
        database that was edited by hand has such jobs; each of them would wait for the others."""
        sql = "WITH RECURSIVE above (part, id) AS (SELECT id, parent FROM job WHERE parent != '' UNION"
        sql += (
            " SELECT above.part, job.parent FROM above JOIN job ON job.id = above.id WHERE job.parent != '')"
        )
        sql += " SELECT part FROM above WHERE part = id"
        with self._guard():
            found = [str(row[0]) for row in self._db.execute(sql).fetchall()]
            self._db.executemany("UPDATE job SET parent = '' WHERE id = ?", [(one,) for one in found])
        return found

    def link_inputs(self, job: Job) -> bool:
        """Writes the inputs of a waiting job once they are stored; False if it has ended or is to be
        cancelled: then nothing is written."""
        row = dict(zip(COLUMNS, row_of(job), strict=True))
        sets = ", ".join(f"{name} = ?" for name in LINKED)
        sql = f"UPDATE job SET {sets} WHERE id = ? AND status = ? AND cancel_requested IS NULL"  # noqa: S608
        with self._guard():
            return self._db.execute(sql, (*(row[name] for name in LINKED), job.id, QUEUED)).rowcount > 0

    def made_from(self, owner: str, source: str, role: str, limit: int = 20) -> list[Job]:
        """An owner's jobs with this role whose source is that job, newest first, without those that are being
        deleted."""
        sql = (
            "SELECT * FROM job WHERE owner = ? AND source = ? AND role = ? AND delete_after IS NULL"
            " ORDER BY created DESC LIMIT ?"
        )
        with self._guard():
            rows = self._db.execute(sql, (owner, source, role, limit)).fetchall()
        return self._jobs(rows)

    def set_result(self, job: Job) -> None:
        """Writes what is stored of the result of an ended job."""
        row = dict(zip(COLUMNS, row_of(job), strict=True))
        sets = ", ".join(f"{name} = ?" for name in OF_RESULT)
        sql = f"UPDATE job SET {sets} WHERE id = ?"  # noqa: S608
        with self._guard():
            self._db.execute(sql, (*(row[name] for name in OF_RESULT), job.id))

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
            return salvaged(row, StoreDamaged.of("record_damaged").to_dict())

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
        """Hides an ended job and its children until they are deleted at `moment` (unix seconds), or with None
        shows them again.

        Returns whether this changed anything: a deletion that has begun is neither postponed nor undone.
        Children that were deleted before their parent stay deleted: the undo brings back those of its time.
        """
        self.require()
        values: list[Any] = [moment, job_id, job_id]
        state = "(delete_after IS NULL OR delete_after > 0)"
        if moment is None:
            state = "delete_after > 0 AND delete_after = (SELECT delete_after FROM job WHERE id = ?)"
            values.append(job_id)
        parts = "(id = ? OR parent = ?)"
        sql = f"UPDATE job SET delete_after = ? WHERE {parts} AND {state} AND status NOT IN (?, ?)"  # noqa: S608
        with self._guard():
            return self._db.execute(sql, (*values, QUEUED, RUNNING)).rowcount > 0

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
        """An owner's jobs that are not being deleted, newest first; children only once their parent is gone.
        `search`: a part of the prompt, or the seed; `statuses`: all when empty."""
        sql, values = f"SELECT * FROM job WHERE owner = ? AND delete_after IS NULL AND {_BY_ITSELF}", [owner]  # noqa: S608
        if mode:
            sql, values = sql + " AND mode = ?", [*values, mode]
        if statuses:
            sql, values = f"{sql} AND status IN ({', '.join('?' * len(statuses))})", [*values, *statuses]
        if search:
            sql += (
                " AND (instr(lower(CASE WHEN json_valid(params) THEN json_extract(params, '$.prompt') END),"
            )
            sql += " lower(?)) OR CAST(seed AS TEXT) = ? OR EXISTS (SELECT 1 FROM job AS part"
            sql += " WHERE part.parent = job.id AND CAST(part.seed AS TEXT) = ?))"
            values = [*values, search, search, search]
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
            rows = self._db.execute("SELECT id, owner, status, finished, pinned, parent FROM job").fetchall()
        return [JobSummary(row[0], row[1], row[2], row[3], bool(row[4]), str(row[5])) for row in rows]

    def done_on(self, engine: str, mode: str, limit: int = 20) -> Sequence[Job]:
        """The last finished jobs of a mode on an engine, for estimates."""
        with self._guard():
            rows = self._db.execute(
                "SELECT * FROM job WHERE status = 'done' AND engine = ? AND mode = ? AND assembly = '' "
                "ORDER BY finished DESC LIMIT ?",
                (engine, mode, int(limit)),
            ).fetchall()
        return self._jobs(rows)

    def totals(self, owner: str) -> tuple[int, int]:
        """Number of an owner's finished clips, where variations are one, and the bytes of all files."""
        with self._guard():
            row = self._db.execute(
                f"SELECT coalesce(sum({_BY_ITSELF}), 0), coalesce(sum(size), 0) FROM job"  # noqa: S608
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

    def check(self) -> Notice | None:
        """What is wrong with the database; None when nothing is."""
        if (lost := self.lost()) is not None:
            return lost
        try:
            with self._guard():
                rows = self._db.execute(f"SELECT id FROM job WHERE NOT ({READABLE})").fetchall()  # noqa: S608
        except StudioError as error:
            return error.notice
        bad = sorted({str(row[0]) for row in rows} | self._unreadable.keys())
        if not bad:
            return None
        names = (*bad[:3], "...") if len(bad) > 3 else tuple(bad)
        if len(bad) == 1:
            return notice("one_record_damaged", names=names)
        return notice("records_damaged", count=len(bad), names=names)

    def close(self) -> None:
        """Closes the database; later calls raise StoreClosed."""
        self._database.close()
