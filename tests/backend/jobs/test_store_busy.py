"""The database held by another process, many jobs in it, and a clock that jumps."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.errors import StoreBusy
from backend.jobs.job import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Job
from backend.jobs.limits import Limits
from backend.jobs.store import Store
from tests.support.fake_engine import FakeEngine
from tests.support.held_database import BRIEF, held
from tests.support.scripted import OWNER, Make, ended, until
from tests.support.waiting import let_pass

pytestmark = pytest.mark.full

SMALL = {"prompt": "A boat", "seconds": 0.5, "width": 64, "height": 64, "seed": 5}


def job(number: int, **changes: object) -> Job:
    made = Job(f"{number:032x}", "me", "image_to_video", {"prompt": f"boat {number}", "seed": number}, {},
               created=float(number), seed=number)  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_lock_that_is_shorter_than_our_patience_is_waited_for(tmp_path: Path) -> None:
    store = Store(tmp_path / "studio.db", busy=60.0)
    with held(tmp_path / "studio.db", 1.0) as holder:
        store.add(job(1))
        assert holder.wait(60) == 0, "it was held when the call began, and is free now"
    assert store.get(job(1).id) == job(1)
    store.close()


def test_a_longer_lock_is_said_and_the_store_works_afterwards(tmp_path: Path) -> None:
    store = Store(tmp_path / "studio.db", busy=0.3)
    store.add(job(1))
    with held(tmp_path / "studio.db", 60):
        for call in (lambda: store.add(job(2)), lambda: store.save(job(1)), lambda: store.delete(job(1).id)):
            with pytest.raises(StoreBusy, match="in use by another program"):
                call()
        assert store.get(job(1).id) == job(1), "reading goes on"
        with pytest.raises(StoreBusy) as found:
            store.set_setting("paused", "1")
        assert "studio.db" in found.value.hint and "locked" not in found.value.message
    store.add(job(2))
    assert [j.id for j in store.of_owner("me", 9)] == [job(2).id, job(1).id]
    store.close()


def test_a_reader_beside_us_stops_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "studio.db")
    store.add(job(1))
    other = sqlite3.connect(tmp_path / "studio.db", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM job").fetchone()
    store.add(job(2))
    assert len(store.of_owner("me", 9)) == 2
    other.close()
    store.close()


def test_a_submit_into_a_held_database_leaves_nothing_behind(make: Make, picture: Path) -> None:
    studio = make(limits=BRIEF)
    with held(studio.settings.database, 60), pytest.raises(StoreBusy):
        studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert list(studio.settings.jobs_dir.iterdir()) == []
    assert studio.queue().waiting == studio.queue().running == 0
    after = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert ended(studio, after).status == "done"


def test_an_end_that_cannot_be_written_is_written_when_the_lock_is_gone(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.hold.clear()
    studio = make(limits=BRIEF)
    first = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    with held(studio.settings.database, 60):
        engine.hold.set()
        until(lambda: studio.progress(first.id, first.key).status == "done")
        assert studio.job(first.id, first.key).status == "done", "what is known counts, written or not"
    until(lambda: studio.store.get(first.id).status == "done")  # type: ignore[union-attr]
    second = studio.submit(OWNER, "image_to_video", {**SMALL, "seed": 6}, {"image": picture})
    assert ended(studio, second).status == "done"


def test_a_start_that_cannot_be_written_loses_no_job(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.hold.clear()
    studio = make(limits=Limits(busy=0.3, room=0.5))
    jobs = [
        studio.submit(OWNER, "image_to_video", {**SMALL, "seed": n}, {"image": picture}) for n in range(2)
    ]
    assert engine.drawing.wait(60)
    with held(studio.settings.database, 60):
        engine.hold.set()
        until(lambda: studio.progress(jobs[0].id, jobs[0].key).status == "done")
        let_pass(1.0)  # the second one is taken up, and its start cannot be written
    last = ended(studio, jobs[1], 60)
    assert last.status == "done" and len(engine.prompts) == 2, "it waited for the database and was made once"
    third = studio.submit(OWNER, "image_to_video", {**SMALL, "seed": 9}, {"image": picture})
    assert ended(studio, third, 60).status == "done"


def test_a_start_with_a_thousand_jobs(make: Make, engine: FakeEngine, picture: Path) -> None:
    """Ended ones stay as they are, waiting ones run in their order, one that ran is looked for first."""
    studio = make()
    studio.close()
    engine.closed = False
    store = Store(studio.settings.database)
    template = next(iter(_made_by(make, engine, picture)))
    now = template.created
    for number in range(985):
        status = (DONE, FAILED, CANCELLED)[number % 3]
        store.add(job(number, status=status, finished=now - number, started=now - number - 9, size=10,
                      error={"code": "engine_lost", "message": "x", "hint": ""} if status == FAILED else None,
                      created=now - 2000 + number))  # fmt: skip
    waiting = [
        replace(template, id=f"{0xABC000 + n:032x}", status=QUEUED, created=now + n, seed=n,
                params={**template.params, "seed": n}, started=None, finished=None, prompt_id="",
                segments_done=0)
        for n in range(14)
    ]  # fmt: skip
    running = replace(waiting[0], id=f"{0xDEF000:032x}", status=RUNNING, created=now - 1, started=now,
                      attempts=1, prompt_id="5b0c9d0e-7a52-4e0e-9d29-6d1f0a3f7d11")  # fmt: skip
    for one in (*waiting, running):
        (studio.settings.jobs_dir / one.id / "inputs").mkdir(parents=True)
        source = studio.settings.jobs_dir / template.id / "inputs" / "image"
        (studio.settings.jobs_dir / one.id / "inputs" / "image").write_bytes(source.read_bytes())
        store.add(one)
    ended_before = {one.id: one for one in store.ended_before(float("inf"))}
    store.close()
    engine.prompts.clear()
    again = make()
    until(lambda: again.queue().waiting == again.queue().running == 0, 60)
    assert engine.resumed == [running.prompt_id]
    seeds = [_seed(prompt.graph) for prompt in engine.prompts]
    assert seeds == [0, *range(14)], "the one that ran first, then the others in their order, each once"
    after = {one.id: one for one in again.store.ended_before(float("inf"))}
    assert {key: after[key] for key in ended_before} == ended_before
    assert len(after) == 1001 and all(after[one.id].status == DONE for one in (*waiting, running))
    assert len(again.jobs(OWNER, limit=60)) <= 60


def _made_by(make: Make, engine: FakeEngine, picture: Path) -> Iterator[Job]:
    studio = make()
    view = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert ended(studio, view).status == "done"
    found = studio.store.get(view.id)
    assert found is not None
    studio.close()
    engine.closed = False
    yield found


def _seed(graph: dict) -> int:
    return next(node["inputs"]["noise_seed"] for node in graph.values() if "noise_seed" in node["inputs"])


@pytest.mark.parametrize("jump", [-20 * 365 * 86_400.0, 20 * 365 * 86_400.0])
def test_a_clock_that_jumps_in_the_middle_of_a_job(
    make: Make, engine: FakeEngine, picture: Path, jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.hold.clear()
    studio = make()
    first = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    real = time.time
    for part in (studio.scheduler, studio.scheduler._execution):
        part.clock = lambda: real() + jump  # type: ignore[assignment]
    engine.hold.set()
    done = ended(studio, first)
    assert done.status == "done" and done.elapsed is not None and done.elapsed >= 0
    snapshot = studio.progress(first.id, first.key)
    assert snapshot.percent == 100 and 0 <= snapshot.elapsed < 60, "measured by a clock that does not jump"
    second = studio.submit(OWNER, "image_to_video", {**SMALL, "seed": 6}, {"image": picture})
    assert ended(studio, second).status == "done"
    studio.retention.run_once()
    assert studio.result_path(first.id, first.key).is_file()
    assert studio.result_path(second.id, second.key).is_file()
