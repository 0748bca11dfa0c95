"""Kinds of database errors are distinguished, limited in their effect, and noticed."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.engines.base import Prompt
from backend.errors import (
    DiskFull,
    InternalError,
    StoreClosed,
    StoreDamaged,
    StoreDiskError,
    StoreError,
    StoreGone,
    StoreReadOnly,
    StudioError,
)
from backend.events import Event
from backend.jobs import database_errors
from backend.jobs.job import DONE, FAILED, QUEUED, RUNNING
from backend.jobs.limits import Limits
from backend.jobs.store import Store
from backend.notices import words
from backend.storage.data_lock import DataLock
from backend.web.routes import routes
from tests.support.fake_engine import FakeEngine
from tests.support.job_views import stored_job as stored
from tests.support.scripted import OWNER, SMALL, Make, ended, until

BOUND = 60.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "data" / "studio.db")
    yield store
    store.close()


# one kind of trouble from another


def test_a_job_that_is_there_already_is_our_mistake(store: Store) -> None:
    store.add(stored(1))
    with pytest.raises(InternalError):
        store.add(stored(1))


def test_a_number_that_is_too_large_is_our_mistake(store: Store) -> None:
    store.add(stored(1))
    with pytest.raises(InternalError):
        store.save(stored(1, size=10**30))
    assert store.check() is None


def test_a_closed_database_is_not_damaged(store: Store) -> None:
    store.close()
    with pytest.raises(StoreClosed, match="shutting down"):
        store.add(stored(1))
    assert "shutting down" in words(store.check())


def test_a_database_that_is_read_only(store: Store) -> None:
    store._db.execute("PRAGMA query_only = 1")
    with pytest.raises(StoreReadOnly, match="read-only"):
        store.add(stored(1))


def test_damage_inside(store: Store) -> None:
    for number in range(200):
        store.add(stored(number, params={"prompt": "x" * 500}))
    store.close()
    data = bytearray(store.path.read_bytes())
    for start in range(8192, len(data), 4096):
        data[start : start + 4096] = bytes(b"\xa5" * 4096)
    store.path.write_bytes(bytes(data))
    again = Store(store.path)
    with pytest.raises(StoreDamaged) as found:
        again.of_owner("me", 500)
    assert "backup" in found.value.hint
    again.close()


class Coded(sqlite3.OperationalError):
    """As Python 3.11 and newer raise it."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.sqlite_errorname = name


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("SQLITE_FULL", "database or disk is full", "disk_full"),
        ("SQLITE_IOERR", "disk I/O error", "store_disk"),
        ("SQLITE_IOERR_WRITE", "disk I/O error", "store_disk"),
        ("SQLITE_IOERR_FSYNC", "disk I/O error", "store_disk"),
        ("SQLITE_BUSY", "database is locked", "store_busy"),
        ("SQLITE_BUSY_SNAPSHOT", "database is locked", "store_busy"),
        ("SQLITE_LOCKED", "database table is locked", "store_busy"),
        ("SQLITE_PROTOCOL", "locking protocol", "store_busy"),
        ("SQLITE_READONLY", "attempt to write a readonly database", "store_read_only"),
        ("SQLITE_READONLY_ROLLBACK", "attempt to write a readonly database", "store_read_only"),
        ("SQLITE_CORRUPT", "database disk image is malformed", "store_damaged"),
        ("SQLITE_CORRUPT_INDEX", "database disk image is malformed", "store_damaged"),
        ("SQLITE_NOTADB", "file is not a database", "store_damaged"),
        ("SQLITE_CONSTRAINT_UNIQUE", "UNIQUE constraint failed: job.id", "internal_error"),
        ("SQLITE_CONSTRAINT_NOTNULL", "NOT NULL constraint failed: job.owner", "internal_error"),
        ("SQLITE_CANTOPEN", "unable to open database file", "store"),
        ("SQLITE_ERROR", "malformed JSON", "store"),
        ("", "Cannot operate on a closed database.", "store_closed"),
    ],
)
def test_codes_and_texts_say_the_same(name: str, text: str, kind: str) -> None:
    errors = [sqlite3.OperationalError(text), Coded(text, name)]  # with and without a code
    for error in errors:
        found = database_errors.translated(error, lambda: False)
        assert found.code == kind and (found.hint or kind == "internal_error") and text in found.detail


def test_a_used_up_quota_is_a_full_disk_although_sqlite_says_otherwise() -> None:
    error = Coded("disk I/O error", "SQLITE_IOERR_WRITE")
    assert isinstance(database_errors.translated(error, lambda: True), DiskFull)


class Failing:
    """A connection whose disk fails."""

    in_transaction = False

    def execute(self, *_: object) -> object:
        raise Coded("disk I/O error", "SQLITE_IOERR_READ")

    def close(self) -> None:
        pass


def test_a_disk_that_fails_is_not_full(store: Store) -> None:
    real, store._db = store._db, Failing()  # type: ignore[assignment]
    with pytest.raises(StoreDiskError, match="Disk error") as found:
        store.add(stored(1))
    assert "WAN_DATA_DIR" in found.value.hint and "full" not in found.value.message
    assert "Disk error" in words(store.check())
    store._db = real


# a job on a disk that fails


@pytest.mark.parametrize(
    "error", [StoreDiskError("The disk fails."), StoreReadOnly("The database is read-only.")]
)
@pytest.mark.parametrize("mends", [True, False])
def test_no_job_waits_for_ever_for_a_broken_disk(
    make: Make, engine: FakeEngine, picture: Path, error: StudioError, mends: bool
) -> None:
    engine.fetch_error = error
    studio = make(limits=Limits(room=0.2, broken=600.0 if mends else 0.5))
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    if mends:  # the other one may already have failed
        until(lambda: error.message in studio.progress(job.id, job.key).text, BOUND)
    engine.known.update(prompt.id for prompt in engine.prompts)
    if mends:
        engine.fetch_error = None
        assert ended(studio, job, BOUND).status == DONE
        return
    failed = ended(studio, job, BOUND)
    assert failed.status == FAILED and failed.error is not None
    assert failed.error["code"] == error.code and failed.error["hint"]


# rows that cannot be read

BAD = {
    "params": "{bad",
    "inputs": '{"image": 5}',
    "warnings": "7",
    "error": "[1",
    "timings": '{"draw": "long"}',
    "created": "yesterday",
    "status": "sleeping",
    "seed": "many",
}


def spoil(path: Path, job_id: str, column: str, value: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(f"UPDATE job SET {column} = ? WHERE id = ?", (value, job_id))
    db.close()


@pytest.mark.parametrize("column", BAD)
def test_a_row_that_cannot_be_read_is_left_out(
    store: Store, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number, status in enumerate((QUEUED, RUNNING, DONE)):
        store.add(stored(number, status=status, engine="demo", finished=5.0 if status == DONE else None))
        store.add(stored(number + 10, status=status, engine="demo", finished=5.0 if status == DONE else None))
    for number in range(3):
        spoil(store.path, f"job{number}", column, BAD[column])
    with caplog.at_level(logging.ERROR, "wan.jobs"):
        for _ in range(2):
            assert {job.id for job in store.unfinished()} == {"job10", "job11"}
            assert {job.id for job in store.of_owner("me", 99)} == {"job10", "job11", "job12"}
            assert {job.id for job in store.of_owner("me", 99, search="Ünïcödé")} <= {
                "job10", "job11", "job12",
            }  # fmt: skip
            assert {job.id for job in store.ended_before(9e9)} == {"job12"}
            assert {job.id for job in store.done_on("demo", "image_to_video")} == {"job12"}
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len(set(told)) == 3 and all(column in words for words in told)
    assert "3 records are damaged" in words(store.check()) and "job0" in words(store.check())
    salvaged = store.get("job0")
    assert salvaged is not None and salvaged.status == FAILED and salvaged.owner == "me"
    store.delete("job0")
    assert "2 records" in words(store.check())


def test_damaged_records_are_reported_before_they_are_listed(store: Store) -> None:
    store.add(stored(1))
    spoil(store.path, "job1", "params", "{bad")
    store.close()
    again = Store(store.path)
    assert "1 record is damaged" in words(again.check())
    again.close()


def test_text_that_is_no_utf8_is_still_a_row(store: Store) -> None:
    store.add(stored(1))
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE job SET engine = CAST(X'66ff67' AS TEXT)")
    db.close()
    assert [job.engine for job in store.of_owner("me", 9)] == ["f\ufffdg"]


def test_one_bad_row_does_not_end_the_start(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.state = "starting"
    studio = make()
    jobs = [studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}) for _ in range(2)]
    studio.close()
    spoil(studio.settings.database, jobs[0].id, "params", "{bad")
    again = make(FakeEngine())
    assert ended(again, jobs[1], BOUND).status == DONE
    assert [view.id for view in again.jobs(OWNER)] == [jobs[1].id]
    assert "damaged" in again.health()["database"]
    broken = again.job(jobs[0].id, jobs[0].key)
    assert broken.status == FAILED and broken.error is not None and "damaged" in broken.error["message"]
    again.delete(OWNER, broken.id, broken.key)
    assert again.health()["database"] == "ok"


# a data folder that is gone


def vanish(how: str, data: Path) -> None:
    if how == "deleted":
        shutil.rmtree(data)
    elif how == "moved":
        data.rename(data.with_name("elsewhere"))
    elif how == "database":
        (data / "studio.db").unlink()
    else:
        copy = data / "copy.db"
        shutil.copy(data / "studio.db", copy)
        copy.replace(data / "studio.db")


@pytest.mark.parametrize("how", ["deleted", "moved", "database", "replaced"])
def test_a_data_folder_that_is_gone_is_detected_and_no_job_starts(
    make: Make, engine: FakeEngine, picture: Path, how: str
) -> None:
    engine.state = "starting"
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    data = studio.settings.data_dir
    vanish(how, data)
    until(lambda: studio.status() == "degraded", BOUND)
    assert str(data) in studio.trouble() and studio.health()["database"] == studio.trouble()
    engine.state = "ok"
    until(lambda: studio.progress(job.id, job.key).text == studio.trouble(), BOUND)
    with pytest.raises(StoreGone) as refused:
        studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert refused.value.hint
    with pytest.raises(StoreError):
        studio.cancel(job.id, job.key)
    assert not engine.prompts and studio.queue().waiting == 1
    assert how not in ("deleted", "moved") or not data.exists(), "no new folder is made in its place"


def test_a_folder_that_comes_back_is_used_again(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.hold.clear()
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(BOUND)
    engine.known.add(engine.prompts[0].id)
    data = studio.settings.data_dir
    data.rename(away := data.with_name("elsewhere"))
    engine.hold.set()
    until(lambda: studio.trouble() and studio.queue().waiting == 1, BOUND)
    away.rename(data)
    assert ended(studio, job, BOUND).status == DONE and studio.status() == "ok"


def test_it_is_said_on_healthz_without_the_path(make: Make, tmp_path: Path) -> None:
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    studio = make()
    client = TestClient(Starlette(routes=routes(studio)))
    assert "trouble" not in client.get("/healthz").json()
    shutil.rmtree(studio.settings.data_dir)
    until(lambda: studio.trouble(), BOUND)
    answer = client.get("/healthz").json()
    assert answer["status"] == "degraded" and "data folder" in answer["trouble"]
    assert str(tmp_path) not in answer["trouble"]


def test_a_lock_file_that_is_deleted_is_written_again(tmp_path: Path) -> None:
    first = DataLock(tmp_path, "pod-1", beat=0.05)
    first.acquire()
    (tmp_path / "lock").unlink()
    until(lambda: (tmp_path / "lock").exists() and (tmp_path / "lock").read_text(), BOUND)
    with pytest.raises(StudioError, match="uses the data folder"):
        DataLock(tmp_path, "pod-1", beat=0.05).acquire()
    first.release()


def test_a_second_holder_is_detected_after_the_lock_file_was_deleted(tmp_path: Path) -> None:
    lost = threading.Event()
    first = DataLock(tmp_path, "pod-1", beat=0.2, lost=lost.set)
    first.acquire()
    (tmp_path / "lock").unlink()
    second = DataLock(tmp_path, "pod-1", beat=0.2)
    second.acquire()
    assert lost.wait(BOUND)
    second.release()
    first.release()


def test_a_mistake_in_a_beat_ends_no_beat(tmp_path: Path) -> None:
    beats: list[int] = []

    def each() -> None:
        beats.append(1)
        raise ValueError("a mistake of ours")

    lock = DataLock(tmp_path, "pod-1", beat=0.02, each=each)
    lock.acquire()
    until(lambda: len(beats) > 2, BOUND)
    lock.release()


# the end of a studio


def test_the_database_is_closed_after_housekeeping(make: Make) -> None:
    studio = make(start=False, limits=Limits(close=BOUND))
    entered, release, seen = threading.Event(), threading.Event(), []

    def tidy() -> None:
        entered.set()
        release.wait(BOUND)
        seen.append(studio.store.check())

    studio.retention.remove_ended_outputs = tidy  # type: ignore[method-assign]
    studio.start()
    assert entered.wait(BOUND)
    closing = threading.Thread(target=studio.close)
    closing.start()
    until(lambda: studio._services.closing.is_set(), BOUND)
    release.set()
    closing.join(BOUND)
    assert seen == [None]
    with pytest.raises(StoreClosed):
        studio.store.unfinished()


def test_a_lane_that_does_not_stop_keeps_the_database_open(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    entered, release = threading.Event(), threading.Event()

    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        entered.set()
        release.wait(BOUND)

    engine.script = script
    studio = make(limits=Limits(close=0.1))
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert entered.wait(BOUND)
    studio.close()
    assert studio.store.check() is None
    release.set()
    until(lambda: studio.scheduler.join(), BOUND)
    left = studio.store.get(job.id)
    assert left is not None and left.status in (DONE, QUEUED, RUNNING), "it is not called a failure"
