"""A deletion can be undone for a while; until then nothing is removed, and the job is not shown."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from backend.errors import BadInput, DiskFull, NotFound
from backend.jobs.deletions import Deletions
from backend.jobs.job import DONE, QUEUED, Job
from backend.jobs.limits import Limits
from backend.jobs.store import Store
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, Make, ended, until

NEVER = Limits(undo=3600.0)


def done(studio: Studio, picture: Path) -> JobView:
    return ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))


@pytest.fixture
def scene(tmp_path: Path):
    """Deletions after 15 s of a clock that stands still."""
    store = Store(tmp_path / "studio.db")
    clock = SimpleNamespace(now=1_790_000_000.0)
    removed: list[str] = []

    def remove(job: Job) -> None:
        if clock.full:
            raise DiskFull("The disk is full.")
        removed.append(job.id)
        store.delete(job.id)

    clock.full = False
    deletions = Deletions(store, remove, 15.0, lambda: clock.now)
    for name in ("one", "two"):
        store.add(Job(name, "me", "text_to_video", {}, {}, created=1.0, status=DONE, finished=2.0))
    store.add(Job("waits", "me", "text_to_video", {}, {}, created=1.0, status=QUEUED))
    yield SimpleNamespace(store=store, clock=clock, removed=removed, deletions=deletions)
    deletions.close()
    store.close()


def request(scene: SimpleNamespace, name: str) -> None:
    job = scene.store.get(name)
    assert job is not None
    scene.deletions.request(job)


def test_nothing_is_removed_before_the_time(scene: SimpleNamespace) -> None:
    request(scene, "one")
    scene.clock.now += 14
    scene.deletions.run_due()
    assert scene.removed == [] and scene.store.get("one") is not None
    assert [job.id for job in scene.store.of_owner("me", 9)] == ["two", "waits"]
    assert scene.store.totals("me") == (1, 0)
    scene.clock.now += 2
    scene.deletions.run_due()
    assert scene.removed == ["one"] and scene.store.next_deletion() is None


def test_a_repeated_request_starts_the_time_again(scene: SimpleNamespace) -> None:
    """The page offers Undo again after an answer that was lost."""
    request(scene, "one")
    scene.clock.now += 14
    request(scene, "one")
    scene.clock.now += 14
    scene.deletions.run_due()
    assert scene.removed == []
    scene.clock.now += 2
    scene.clock.full = True
    scene.deletions.run_due()
    with pytest.raises(NotFound):
        request(scene, "one")  # its removal has begun
    scene.clock.full = False
    scene.deletions.run_due()
    assert scene.removed == ["one"]


def test_a_deletion_can_be_undone_until_it_has_begun(scene: SimpleNamespace) -> None:
    request(scene, "one")
    scene.deletions.undo("one")
    scene.clock.now += 3600
    scene.deletions.run_due()
    assert scene.removed == [] and len(scene.store.of_owner("me", 9)) == 3
    request(scene, "one")
    scene.clock.now += 16
    scene.clock.full = True
    scene.deletions.run_due()
    with pytest.raises(NotFound, match="deleted"):
        scene.deletions.undo("one")
    scene.clock.full = False
    scene.deletions.run_due()
    assert scene.removed == ["one"], "tried again, and only this one"
    with pytest.raises(NotFound):
        scene.deletions.undo("one")


def test_a_job_that_has_not_ended_is_not_hidden(scene: SimpleNamespace) -> None:
    with pytest.raises(NotFound):
        request(scene, "waits")
    assert "waits" in {job.id for job in scene.store.of_owner("me", 9)}


def test_the_end_of_another_write_keeps_the_deletion(scene: SimpleNamespace) -> None:
    job = scene.store.get("one")
    request(scene, "one")
    scene.store.save(job)
    assert scene.store.get("one").delete_after is not None


def test_a_pending_deletion_survives_a_restart(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(limits=NEVER)
    job, other = done(studio, picture), done(studio, picture)
    address = studio.media_url(job, "result.mp4")
    exp, sig = (part.split("=")[1] for part in address.split("?")[1].split("&"))
    folder = studio.settings.jobs_dir / job.id
    files = {path.name for path in folder.rglob("*")}
    for _ in range(2):
        assert studio.delete(OWNER, job.id, job.key, undo=True).id == job.id
    assert {path.name for path in folder.rglob("*")} == files
    for look in (studio.job, studio.result_path, studio.cancel):
        with pytest.raises(NotFound):
            look(job.id, job.key)
    assert [view.id for view in studio.jobs(OWNER)] == [other.id] and studio.totals(OWNER)[0] == 1
    assert studio.media_file(job.id, "result.mp4", exp, sig) is None
    studio.close()
    again = make(limits=NEVER)
    assert [view.id for view in again.jobs(OWNER)] == [other.id] and folder.is_dir()
    assert again.undo_delete(OWNER, job.id, job.key).status == "done"
    assert again.undo_delete(OWNER, job.id, job.key).status == "done", "a second Undo does no harm"
    assert {view.id for view in again.jobs(OWNER)} == {job.id, other.id}
    assert again.media_file(job.id, "result.mp4", exp, sig) is not None
    again.delete(OWNER, job.id, job.key, undo=True)
    again.store._db.execute("UPDATE job SET delete_after = ? WHERE delete_after > 0", (time.time() - 1,))
    again.close()
    make(limits=NEVER)
    until(lambda: not folder.exists())


def test_it_is_removed_when_the_time_is_over(make: Make, picture: Path) -> None:
    studio = make(limits=Limits(undo=0.05))
    job = done(studio, picture)
    studio.delete(OWNER, job.id, job.key, undo=True)
    until(lambda: not (studio.settings.jobs_dir / job.id).exists() and studio.store.get(job.id) is None)


def test_what_runs_is_cancelled_first(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.hold.clear()
    studio = make(limits=NEVER)
    running = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    with pytest.raises(BadInput, match="cancelled now"):
        studio.delete(OWNER, running.id, running.key, undo=True)
    engine.hold.set()
    assert ended(studio, running).status == "cancelled"
    assert [view.id for view in studio.jobs(OWNER, statuses=("cancelled",))] == [running.id]
    assert studio.jobs(OWNER, statuses=("done", "failed")) == []
    studio.delete(OWNER, running.id, running.key, undo=True)
    assert studio.jobs(OWNER) == []
