"""The tables of the job database as numbered migrations."""

from __future__ import annotations

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
    # 7: the version of the parameters, see workflows/modes/earlier.py
    "ALTER TABLE job ADD COLUMN params_version INTEGER NOT NULL DEFAULT 1;",
    # 8: what a run took where its parameters leave it open, see workflows/resolved.py
    "ALTER TABLE job ADD COLUMN resolved TEXT NOT NULL DEFAULT '{}';",
    # 9: jobs that are made of other jobs (an older version would run a parent as a job of its own)
    """
    ALTER TABLE job ADD COLUMN parent TEXT NOT NULL DEFAULT '';
    ALTER TABLE job ADD COLUMN role TEXT NOT NULL DEFAULT '';
    ALTER TABLE job ADD COLUMN assembly TEXT NOT NULL DEFAULT '';
    CREATE INDEX job_parent ON job (parent) WHERE parent != '';
    """,
    # 10: the job that another one continues
    "ALTER TABLE job ADD COLUMN source TEXT NOT NULL DEFAULT '';",
    # 11: the nodes that an engine did not run again; inputs that name the job whose result they are, which an
    # older version would run without their files
    "ALTER TABLE job ADD COLUMN reused TEXT NOT NULL DEFAULT '{}';",
    # 12: the parts of a joined video (an older version would make a contact sheet of its children)
    "ALTER TABLE job ADD COLUMN parts TEXT NOT NULL DEFAULT '[]';",
    # 13: the measured seam of a loop, see backend/media/facts.py
    "ALTER TABLE job ADD COLUMN seam TEXT NOT NULL DEFAULT '{}';",
)
"""Applied in order, each once; never edited after a release. PRAGMA user_version counts them."""
