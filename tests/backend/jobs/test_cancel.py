"""A cancel counts from the moment that it is answered: before the start, before a kill, on a full disk."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from backend.engines.base import Prompt
from backend.errors import BadInput, DiskFull, EngineLost, StoreBusy, StoreClosed
from backend.events import Event, Output
from backend.jobs.job import CANCELLED, QUEUED, RUNNING
from backend.jobs.limits import Limits
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.held_database import BRIEF, held
from tests.support.scripted import OWNER, SMALL, Make, ended, until

BOUND = 60.0


class Deaf(FakeEngine):
    """Fails every request to stop a prompt."""

    def cancel(self, prompt_id: str, remote: str = "") -> bool:
        return False


class Away(FakeEngine):
    """Accepts a request to stop a prompt only while it answers."""

    def cancel(self, prompt_id: str, remote: str = "") -> bool:
        if self.state != "ok":
            return False
        super().cancel(prompt_id, remote)
        return True


def submit(studio: Studio, picture: Path) -> JobView:
    return studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})


def drawing(studio: Studio, engine: FakeEngine, picture: Path) -> JobView:
    job = submit(studio, picture)
    assert engine.drawing.wait(BOUND)
    return job


@pytest.mark.parametrize("status", [QUEUED, RUNNING])
def test_before_the_start(make: Make, engine: FakeEngine, picture: Path, status: str) -> None:
    if status == QUEUED:
        engine.state = "starting"
        first = make()
        job = submit(first, picture)
    else:
        engine.hold.clear()
        first = make()
        job = drawing(first, engine, picture)
        first.scheduler.evict()  # killed
    studio = make(other := FakeEngine(), start=False)  # as the page has it when it is served
    assert studio.job(job.id, job.key).status == status
    assert studio.cancel(job.id, job.key).status == CANCELLED
    studio.start()
    again = submit(studio, picture)
    assert ended(studio, again, BOUND).status == "done"
    assert studio.job(job.id, job.key).status == CANCELLED
    assert len(other.prompts) == 1
    if status == RUNNING:
        until(lambda: engine.prompts[0].id in other.cancelled, BOUND)


def test_a_job_from_before_the_start_is_queued_once(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(start=False)
    job = submit(studio, picture)
    studio.start()
    assert ended(studio, job, BOUND).status == "done" and len(engine.prompts) == 1


def test_killed_before_the_job_has_stopped(make: Make, picture: Path) -> None:
    engine = Deaf()
    engine.hold.clear()
    studio = make(engine)
    job = drawing(studio, engine, picture)
    answered = studio.cancel(job.id, job.key)
    assert answered.status == RUNNING
    left = studio.store.get(job.id)
    assert left is not None and left.cancel_requested, "on disk before it is answered"
    again = make(other := FakeEngine())  # as after kill -9: the first one has written nothing more
    assert again.job(job.id, job.key).status == CANCELLED
    assert ended(again, submit(again, picture), BOUND).status == "done"
    assert len(other.prompts) == 1 and not other.resumed
    until(lambda: engine.prompts[0].id in other.cancelled, BOUND)


def test_its_prompt_is_stopped_when_the_engine_answers_after_a_restart(make: Make, picture: Path) -> None:
    engine = Away()
    engine.hold.clear()
    studio = make(engine)
    job = drawing(studio, engine, picture)
    engine.state = "lost"
    studio.cancel(job.id, job.key)
    for _ in range(2):  # also after a second restart
        other = Away()
        other.state = "starting"
        again = make(other)
        assert again.job(job.id, job.key).status == CANCELLED
    other.state = "ok"
    until(lambda: engine.prompts[0].id in other.cancelled, BOUND)
    until(lambda: not again.store.prompts_to_stop(0.0), BOUND)


def test_a_failed_request_to_stop_a_prompt_is_retried(make: Make, picture: Path) -> None:
    one, two = Away("http://one"), FakeEngine("http://two")
    two.state = "lost"

    def lose(prompt: Prompt, _: Callable[[Event], None]) -> None:
        one.state, two.state = "lost", "ok"
        raise EngineLost("away")

    one.script = lose
    studio = make(one, two, limits=Limits(bound=0.0))
    assert ended(studio, submit(studio, picture), BOUND).status == "done"
    assert [server for _, _, server in studio.store.prompts_to_stop(0.0)] == ["http://one"]
    back = Away("http://one")
    make(back, FakeEngine("http://two"))
    until(lambda: one.prompts[0].id in back.cancelled, BOUND)


def test_between_the_last_step_and_the_end(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    fetch, jobs = engine.fetch, []

    def cancelled_then_fetched(output: Output, destination: Path) -> None:
        until(lambda: jobs, BOUND)
        assert studio.cancel(jobs[0].id, jobs[0].key).status == RUNNING
        fetch(output, destination)

    engine.fetch = cancelled_then_fetched  # type: ignore[method-assign]
    jobs.append(submit(studio, picture))
    assert ended(studio, jobs[0], BOUND).status == CANCELLED
    until(lambda: studio.queue().running == 0, BOUND)
    assert not list((studio.settings.jobs_dir / jobs[0].id).rglob("*.mp4")), "what nobody wants has no result"


def test_the_store_lets_no_video_end_that_was_cancelled(
    make: Make, picture: Path, engine: FakeEngine
) -> None:
    """The request comes while the lane writes the end."""
    studio = make()
    save, jobs = studio.store.save, []

    def late(job: object) -> bool:
        if getattr(job, "status", "") == "done":
            until(lambda: jobs, BOUND)
            assert studio.store.request_cancel(jobs[0].id, 5.0)
        return save(job)  # type: ignore[arg-type]

    studio.store.save = late  # type: ignore[method-assign]
    jobs.append(submit(studio, picture))
    assert ended(studio, jobs[0], BOUND).status == CANCELLED
    assert not list((studio.settings.jobs_dir / jobs[0].id).rglob("*.mp4"))


@pytest.mark.parametrize("waits", [True, False])
def test_a_cancel_that_cannot_be_saved_is_refused(
    make: Make, engine: FakeEngine, picture: Path, waits: bool
) -> None:
    engine.hold.clear()
    studio = make(limits=BRIEF)
    first = drawing(studio, engine, picture)
    job = submit(studio, picture) if waits else first
    with held(studio.settings.database, 600):
        for stop in (studio.cancel, partial(studio.delete, OWNER)):
            with pytest.raises(StoreBusy, match="not cancelled") as refused:
                stop(job.id, job.key)
            assert refused.value.hint
        assert studio.job(job.id, job.key).status == (QUEUED if waits else RUNNING)
    engine.hold.set()
    assert ended(studio, job, BOUND).status == "done" and not engine.cancelled
    assert studio.cancel(job.id, job.key).status == "done"


def test_on_a_full_disk(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.hold.clear()
    studio = make()
    job = drawing(studio, engine, picture)

    def full(*_: object) -> bool:
        raise DiskFull("The disk is full: the job could not be saved.")

    write, studio.store.request_cancel = studio.store.request_cancel, full  # type: ignore[method-assign]
    with pytest.raises(DiskFull):
        studio.cancel(job.id, job.key)
    assert studio.job(job.id, job.key).status == RUNNING and not engine.cancelled
    studio.store.request_cancel = write  # type: ignore[method-assign]
    studio.cancel(job.id, job.key)
    assert ended(studio, job, BOUND).status == CANCELLED


def test_deleting_what_runs_is_a_cancel_that_lasts(make: Make, picture: Path) -> None:
    engine = Deaf()
    engine.hold.clear()
    studio = make(engine)
    job = drawing(studio, engine, picture)
    with pytest.raises(BadInput, match="cancelled now"):
        studio.delete(OWNER, job.id, job.key)
    again = make(FakeEngine())
    assert again.job(job.id, job.key).status == CANCELLED


def test_after_the_end_of_the_studio_it_is_said(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.state = "starting"
    studio = make()
    job = submit(studio, picture)
    studio.close()
    with pytest.raises(StoreClosed):
        studio.cancel(job.id, job.key)


def test_cancels_from_many_threads_while_jobs_come_and_go(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make(WAN_MAX_QUEUED_PER_OWNER="100")
    jobs = [submit(studio, picture) for _ in range(12)]
    answers: dict[str, str] = {}

    def stop(job: JobView) -> None:
        answers[job.id] = studio.cancel(job.id, job.key).status

    threads = [threading.Thread(target=stop, args=(job,)) for job in (*jobs[::2], *jobs[::2])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    for job in jobs:
        status = ended(studio, job, BOUND).status
        assert status == (CANCELLED if answers.get(job.id, "done") != "done" else "done")


def test_a_database_of_an_older_version_goes_on_and_can_be_cancelled(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.state = "starting"
    studio = make()
    jobs = [submit(studio, picture) for _ in range(3)]
    studio.close()
    with sqlite3.connect(studio.settings.database) as db:  # as version 2 had it
        db.execute("DROP TABLE prompt_to_stop")
        db.execute("ALTER TABLE job DROP COLUMN cancel_requested")
        db.execute("DROP INDEX job_to_delete")
        db.execute("ALTER TABLE job DROP COLUMN delete_after")
        db.execute("ALTER TABLE job DROP COLUMN place")
        db.execute("ALTER TABLE job DROP COLUMN params_version")
        db.execute("ALTER TABLE job DROP COLUMN resolved")
        db.execute("ALTER TABLE job DROP COLUMN source")
        db.execute("DROP INDEX job_parent")
        for name in ("parent", "role", "assembly", "reused", "parts", "seam"):
            db.execute(f"ALTER TABLE job DROP COLUMN {name}")
        db.execute(f"UPDATE job SET status = 'running', started = 1.0 WHERE id = '{jobs[1].id}'")
        db.execute("PRAGMA user_version = 2")
    db.close()
    again = make(FakeEngine(), start=False)
    assert [again.job(job.id, job.key).status for job in jobs] == [QUEUED, RUNNING, QUEUED]
    assert again.cancel(jobs[2].id, jobs[2].key).status == CANCELLED
    again.start()
    assert [ended(again, job, BOUND).status for job in jobs] == ["done", "done", CANCELLED]
