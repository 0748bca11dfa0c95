"""The queue's list: what each visitor sees of it, and moving and cancelling in it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from backend.errors import NotAllowed, NotFound, QueueFull, StoreError
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.paths import ROOT
from tests.support.scripted import OWNER, SMALL, Make, ended
from tests.support.waiting import until

pytestmark = pytest.mark.full

OTHER = "another-owner-0002"


def add(studio: Studio, picture: Path, prompt: str, owner: str = OWNER) -> JobView:
    return studio.submit(owner, "image_to_video", {**SMALL, "prompt": prompt}, {"image": picture})


def waiting(studio: Studio, owner: str = OWNER) -> list[str]:
    """The prompts of the owner's waiting jobs in their order."""
    rows = studio.queue_rows(owner)
    return [row.job.title for row in rows if row.position and row.mine and row.job is not None]


@pytest.fixture
def held(make: Make, engine: FakeEngine, picture: Path) -> tuple[Studio, list[JobView], JobView]:
    """A studio that starts nothing yet: three jobs of OWNER and one of OTHER wait."""
    engine.state = "starting"
    studio = make(WAN_MAX_QUEUED_PER_OWNER="3")
    mine = [add(studio, picture, name) for name in ("one", "two", "three")]
    return studio, mine, add(studio, picture, "secret", OTHER)


def test_each_sees_their_own_and_the_admin_sees_all(
    held: tuple[Studio, list[JobView], JobView],
) -> None:
    studio, _, _ = held
    seen = [(row.place, row.mine, row.job is not None) for row in studio.queue_rows(OWNER)]
    assert seen == [(1, True, True), (2, False, False), (3, True, True), (4, True, True)]
    assert [(row.earlier, row.later) for row in studio.queue_rows(OWNER) if row.mine] == [
        (False, True), (True, True), (True, False),
    ]  # fmt: skip
    assert all(row.job is None for row in studio.queue_rows("not a token"))
    assert studio.claim_admin(OWNER, studio.admins.token)
    titles = [row.job.title for row in studio.queue_rows(OWNER) if row.job is not None]
    assert titles == ["one", "secret", "two", "three"]
    assert not any(row.earlier or row.later for row in studio.queue_rows(OWNER) if not row.mine)


def test_only_the_owner_moves_a_job(held: tuple[Studio, list[JobView], JobView]) -> None:
    studio, mine, theirs = held
    with pytest.raises(NotAllowed):
        studio.move(OWNER, theirs.id, theirs.key, -1)
    with pytest.raises(NotFound):
        studio.move(OWNER, mine[0].id, theirs.key, 1)
    for stranger in ("", OTHER, "x"):
        with pytest.raises(NotAllowed):
            studio.move(stranger, mine[2].id, mine[2].key, -1)
    assert waiting(studio) == ["one", "two", "three"]
    studio.move(OWNER, mine[2].id, mine[2].key, -1)
    assert waiting(studio) == ["one", "three", "two"]
    studio.move(OWNER, mine[0].id, mine[0].key, 10**9)
    assert waiting(studio) == ["three", "two", "one"]
    assert [row.mine for row in studio.queue_rows(OWNER)] == [True, False, True, True], "turns are kept"


def test_the_order_lasts_across_a_restart(
    make: Make, engine: FakeEngine, picture: Path, held: tuple[Studio, list[JobView], JobView]
) -> None:
    studio, mine, _ = held
    studio.move(OWNER, mine[2].id, mine[2].key, -2)
    studio.close()
    after = make(WAN_MAX_QUEUED_PER_OWNER="9")
    assert waiting(after) == ["three", "one", "two"]
    add(after, picture, "four")
    assert waiting(after) == ["three", "one", "two", "four"], "a new job comes behind"
    after.close()
    engine.state = "ok"
    last = make(WAN_MAX_QUEUED_PER_OWNER="9")
    for job in mine:
        ended(last, job)
    done = sorted(mine, key=lambda job: last.job(job.id, job.key).finished or 0.0)
    assert [job.title for job in done] == ["three", "one", "two"]


KILLED = """
import os, signal, sys
from pathlib import Path
from backend.jobs.store import Store
store, left = Store(Path(sys.argv[1])), int(sys.argv[3])
def watch(statement):
    global left
    left -= statement.startswith(sys.argv[2])
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
store._db.set_trace_callback(watch)
store.set_places({name: float(place) for place, name in enumerate(sys.argv[4:])})
"""
"""Kills itself before the statement of this kind with this number is carried out."""


@pytest.mark.parametrize(("statement", "number"), [("UPDATE", 2), ("COMMIT", 1)])
def test_killed_while_the_order_is_written_the_old_order_stays(
    make: Make, held: tuple[Studio, list[JobView], JobView], statement: str, number: int
) -> None:
    studio, mine, _ = held
    database = studio.settings.database
    studio.close()
    ids = [job.id for job in reversed(mine)]
    child = subprocess.run(
        [sys.executable, "-c", KILLED, str(database), statement, str(number), *ids], cwd=ROOT, check=False
    )
    assert child.returncode == -signal.SIGKILL
    assert waiting(make()) == ["one", "two", "three"]


def test_an_order_that_cannot_be_written_does_not_count(
    held: tuple[Studio, list[JobView], JobView], monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, mine, _ = held

    def refuse(places: object) -> None:
        raise StoreError("The database cannot be written.")

    monkeypatch.setattr(studio.store, "set_places", refuse)
    with pytest.raises(StoreError):
        studio.move(OWNER, mine[2].id, mine[2].key, -1)
    assert waiting(studio) == ["one", "two", "three"]


def test_moving_while_the_lanes_take_jobs_loses_and_doubles_none(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make(engine, FakeEngine(), WAN_MAX_QUEUED_PER_OWNER="50")
    studio.scheduler.pause(True)
    jobs = [add(studio, picture, str(number)) for number in range(12)]
    over = threading.Event()

    def shuffle() -> None:
        while not over.is_set():
            for job in jobs:
                studio.move(OWNER, job.id, job.key, -3)

    thread = threading.Thread(target=shuffle)
    thread.start()
    studio.scheduler.pause(False)
    try:
        assert [ended(studio, job).status for job in jobs] == ["done"] * len(jobs)
    finally:
        over.set()
        thread.join(60)
    assert studio.queue_rows(OWNER) == ()


def test_a_job_that_has_started_stays_where_it_is(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.hold.clear()
    studio = make()
    first = add(studio, picture, "first")
    until(engine.drawing.is_set)
    second = add(studio, picture, "second")
    studio.move(OWNER, first.id, first.key, 1)
    studio.move(OWNER, second.id, second.key, -1)
    rows = studio.queue_rows(OWNER)
    assert [(row.position, row.place, row.job.title) for row in rows if row.job is not None] == [
        (0, 1, "first"), (1, 2, "second"),
    ]  # fmt: skip
    assert not any(row.earlier or row.later for row in rows)
    engine.hold.set()


def test_cancel_all_stops_the_visitors_own_only(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.hold.clear()
    studio = make(WAN_MAX_QUEUED_PER_OWNER="9")
    mine = [add(studio, picture, name) for name in ("one", "two", "three")]
    until(engine.drawing.is_set)
    theirs = add(studio, picture, "theirs", OTHER)
    assert studio.cancel_all("no token") == 0
    assert studio.cancel_all(OWNER) == 3
    engine.hold.set()
    assert [ended(studio, job).status for job in mine] == ["cancelled"] * 3
    assert ended(studio, theirs).status == "done"
    assert studio.cancel_all(OWNER) == 0


def test_expected_times_come_from_finished_jobs(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    past = ended(studio, add(studio, picture, "past"))
    job = studio.store.get(past.id)
    assert job is not None
    studio.store.save(
        replace(job, timings={"load": 4.0, "read": 1.0, "draw": 60.0, "finish": 3.0, "save": 2.0})
    )
    studio.scheduler.pause(True)
    for name in ("next", "last"):
        add(studio, picture, name)
    assert [(row.start, row.end) for row in studio.queue_rows(OWNER)] == [(None, None)] * 2, "paused"
    engine.hold.clear()
    studio.scheduler.pause(False)
    until(engine.drawing.is_set)
    now, later = studio.queue_rows(OWNER)
    assert now.start == 0.0 and now.end is not None and 0 < now.end <= 71
    assert later.start == pytest.approx(now.end, abs=2.0)
    assert later.end == pytest.approx((later.start or 0.0) + 70.0, abs=2.0)
    engine.hold.set()


def test_the_limit_per_visitor_does_not_bind_the_admin(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.state = "starting"
    studio = make(WAN_MAX_QUEUED_PER_OWNER="1", WAN_MAX_QUEUED="4")
    add(studio, picture, "one")
    with pytest.raises(QueueFull):
        add(studio, picture, "two")
    assert studio.claim_admin(OWNER, studio.admins.token)
    add(studio, picture, "two")
    add(studio, picture, "three")
    add(studio, picture, "theirs", OTHER)
    with pytest.raises(QueueFull, match="queue is full"):
        add(studio, picture, "four")


def test_the_first_user_of_the_login_is_not_bound_either(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.state = "starting"
    studio = make(WAN_MAX_QUEUED_PER_OWNER="1", WAN_AUTH="ann:right-password,bob:other-password")
    values, files = {**SMALL, "prompt": "x"}, {"image": picture}
    for _ in range(2):
        studio.submit(OWNER, "image_to_video", values, files, user="ann")
    studio.submit(OTHER, "image_to_video", values, files, user="bob")
    with pytest.raises(QueueFull):
        studio.submit(OTHER, "image_to_video", values, files, user="bob")
