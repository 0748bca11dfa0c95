from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from backend.errors import DiskFull, QueueFull, StoreError
from backend.jobs.database import is_local
from backend.jobs.job import DONE, FAILED, RUNNING, VARIATIONS
from backend.jobs.migrations import MIGRATIONS
from backend.jobs.rows import COLUMNS, row_of
from backend.jobs.store import Store
from backend.jobs.views import view
from tests.support.job_views import stored_job as job
from workflows.modes.earlier import VERSION, at_present
from workflows.notice import Notice, notice


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path / "data" / "studio.db")
    yield store
    store.close()


def test_a_job_comes_back_as_it_was(store: Store) -> None:
    store.add(job())
    assert store.get("job1") == job()
    changed = replace(
        job().moved(RUNNING, started=2.0).moved(DONE, finished=9.5),
        error={"code": "x"}, timings={"draw": 4.5}, size=123, demo=True,
    )  # fmt: skip
    store.save(changed)
    assert store.get("job1") == changed
    assert store.get("nobody") is None


def test_a_stored_error_is_shown_in_the_words_of_this_version(store: Store) -> None:
    error = QueueFull.of("queue_full", count=3)
    older = {**error.to_dict(), "message": "Too many.", "hint": ""}
    sentence = {"code": "engine_lost", "message": "It stopped.", "hint": "Try again.", "field": ""}
    for number, data in enumerate((older, sentence)):
        store.add(replace(job(), id=f"job{number}", status=FAILED, error=data))
    stored, plain = (store.get(f"job{number}") for number in (0, 1))
    assert stored is not None and stored.error == error.to_dict()
    assert plain is not None and plain.error == sentence
    assert view(stored, "key").record()["error"]["reason"] == {"code": "queue_full", "args": {"count": 3}}


def test_it_survives_the_process(tmp_path: Path) -> None:
    first = Store(tmp_path / "studio.db")
    first.add(job())  # not closed: as after kill -9
    second = Store(tmp_path / "studio.db")
    assert second.get("job1") == job()
    second.close()
    first.close()


def test_lists_are_the_owners_own_newest_first(store: Store) -> None:
    for number in range(5):
        store.add(job(number, owner="me" if number % 2 else "you"))
    assert [j.id for j in store.of_owner("me", 10)] == ["job3", "job1"]
    assert [j.id for j in store.of_owner("me", 1)] == ["job3"]
    assert store.of_owner("nobody", 10) == []


def test_search_takes_prompt_and_seed_as_text(store: Store) -> None:
    store.add(job(1, params={"prompt": "A 100% red boat"}, seed=271828))
    store.add(job(2, params={"prompt": "wheat"}, seed=1))
    assert [j.id for j in store.of_owner("me", 9, search="RED BOAT")] == ["job1"]
    assert [j.id for j in store.of_owner("me", 9, search="271828")] == ["job1"]
    assert [j.id for j in store.of_owner("me", 9, search="%")] == ["job1"]
    assert store.of_owner("me", 9, search="' OR 1=1 --") == []
    assert store.of_owner("me", 9, mode="fast_video") == []


def test_unfinished_and_history(store: Store) -> None:
    store.add(job(2))
    store.add(job(1, status=RUNNING))
    store.add(job(3, status=DONE, finished=5.0, engine="demo", size=10))
    store.add(job(4, status=DONE, finished=6.0, engine="demo", size=20))
    assert [j.id for j in store.unfinished()] == ["job1", "job2"]
    assert [j.id for j in store.done_on("demo", "image_to_video")] == ["job4", "job3"]
    assert store.totals("me") == (2, 30)
    store.delete("job4")
    assert store.totals("me") == (1, 10)
    parent = job(5, status=DONE, finished=7.0, size=7, assembly=VARIATIONS)
    store.add(parent, job(6, status=DONE, parent="job5", role="1", size=5))
    assert store.totals("me") == (2, 22), "variations are one clip; their files count"


def test_many_threads(store: Store) -> None:
    def work(start: int) -> None:
        for number in range(start, start + 20):
            store.add(job(number))
            store.save(job(number, size=5))

    threads = [threading.Thread(target=work, args=(k * 100,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.of_owner("me", 500)
    assert len(found) == 120 and all(j.size == 5 for j in found)


def test_migrations_from_blank_and_only_once(tmp_path: Path) -> None:
    Store(tmp_path / "a.db").close()
    Store(tmp_path / "a.db").close()
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_database_of_every_older_version_keeps_its_jobs(tmp_path: Path, version: int) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as db:
        for script in MIGRATIONS[:version]:
            db.executescript(script)
        db.execute(f"PRAGMA user_version = {version}")
        columns = [row[1] for row in db.execute("PRAGMA table_info(job)")]
        values = dict(zip(COLUMNS, row_of(job(1, seed=7)), strict=True))
        marks = ", ".join("?" * len(columns))
        db.execute(
            f"INSERT INTO job ({', '.join(columns)}) VALUES ({marks})", [values[name] for name in columns]
        )
    store = Store(path)
    first = VERSION if "params_version" in columns else 1
    now = at_present("image_to_video", job(1).params, ("image",), first)
    assert store.get("job1") == job(1, seed=7, params=now)
    store.close()


def test_finished_segments_keep_the_column_of_earlier_versions(store: Store) -> None:
    store.add(job(1, segments_done=3))
    with sqlite3.connect(store.path) as db:
        assert db.execute("SELECT part FROM job").fetchone() == (3,)
    db.close()
    found = store.get("job1")
    assert found is not None and found.segments_done == 3


def test_warnings_are_stored_as_codes_and_old_ones_are_read_as_texts(store: Store) -> None:
    warnings = (notice("longer_than_trained", seconds=5.0), notice("restarted"))
    store.add(job(1, warnings=warnings))
    with sqlite3.connect(store.path) as db:
        (stored,) = db.execute("SELECT warnings FROM job").fetchone()
        assert json.loads(stored) == [
            {"code": "longer_than_trained", "args": {"seconds": 5.0}}, {"code": "restarted", "args": {}}
        ]  # fmt: skip
        db.execute("""UPDATE job SET warnings = '["Tiled decode can make the video flicker."]'""")
    db.close()
    found = store.get("job1")
    assert found is not None
    assert found.warnings == (notice("text", text="Tiled decode can make the video flicker."),)
    assert view(found, "key").record()["warnings"] == ["Tiled decode can make the video flicker."]
    assert view(found, "key").record()["warning_codes"] == ["text"]


def test_a_row_whose_warnings_are_of_a_newer_version_is_read(store: Store) -> None:
    newer = Notice("of_a_newer_version", (("gigabytes", 3),))
    store.add(job(1, warnings=(newer,)))
    found = store.get("job1")
    assert found is not None and found.warnings == (newer,)
    assert view(found, "key").record()["warnings"] == ["of_a_newer_version"]


def test_what_the_owner_of_the_machine_set_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.db")
    assert store.setting("paused") == ""
    store.set_setting("paused", "1")
    store.set_setting("paused", "2")
    store.close()
    again = Store(tmp_path / "a.db")
    assert again.setting("paused") == "2"
    again.close()


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    Store(tmp_path / "a.db").close()
    broken = (*MIGRATIONS, "CREATE TABLE half (x); SELECT nonsense FROM nowhere;")
    with pytest.raises(StoreError):
        Store(tmp_path / "a.db", migrations=broken)
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert not db.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall()
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    Store(tmp_path / "a.db").close()
    with sqlite3.connect(tmp_path / "a.db") as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreError, match="newer"):
        Store(tmp_path / "a.db")


def test_a_damaged_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"This is no database at all. " * 200)
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path / "a.db")


def test_a_full_database_is_a_full_disk(store: Store) -> None:
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFull):
        for number in range(1000):
            store.add(job(number, params={"prompt": "x" * 4000}))
    store._db.execute("PRAGMA max_page_count = 1000000")
    store.add(job(5000))
    assert store.get("job5000") is not None
    assert store.check() is None


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "file" / "studio.db")


MOUNTS = """22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:52 / /workspace rw,relatime - fuse.juicefs JuiceFS:pod rw
41 22 0:53 / /mnt/my\\040disk rw,relatime - nfs4 host:/x rw
42 40 0:54 / /workspace/scratch rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("folder", "local"),
    [
        ("/home/me/data", True),
        ("/workspace/wan-studio", False),
        ("/workspace/scratch/data", True),
        ("/workspaces/data", True),
        ("/mnt/my disk/data", False),
    ],
)
def test_what_counts_as_local(folder: str, local: bool) -> None:
    assert is_local(Path(folder), MOUNTS) is local


def test_no_write_ahead_log_on_a_network_volume(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.db", local=lambda _: False)
    store.add(job(1))
    assert store._db.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db"]
    store.close()
