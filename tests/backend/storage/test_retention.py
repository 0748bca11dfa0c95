"""Retention by age and by room, with a real database, real folders, and injected clocks and disk sizes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from backend.jobs import folders as files
from backend.jobs.job import FAILED, QUEUED, RUNNING, Job
from backend.storage.clock_check import EARLIEST_END, WAIT_SECONDS, ClockCheck
from backend.storage.retention_policy import DAY, Disk, excess_bytes, to_remove
from tests.support.retention_scene import GB, NOW, Clock, Scene


@pytest.fixture
def scene(tmp_path: Path):
    scene = Scene(tmp_path)
    yield scene
    scene.store.close()


def test_only_expired_jobs_are_removed(scene: Scene) -> None:
    old, failed = scene.job(31), scene.job(40, FAILED)
    new, waiting, running = scene.job(29), scene.job(60, QUEUED), scene.job(60, RUNNING)
    pinned = scene.job(90, pinned=True)
    scene.retention.run_once()
    assert scene.there() == {new.id, waiting.id, running.id, pinned.id}
    assert set(scene.forgotten) == {old.id, failed.id}


def test_a_job_pinned_during_the_pass_is_kept(scene: Scene) -> None:
    jobs = [scene.job(31), scene.job(32)]
    listed = scene.store.ended_before

    def then_pinned(moment: float) -> list[Job]:
        found = listed(moment)
        scene.store.pin(jobs[0].id, True)
        return found

    scene.store.ended_before = then_pinned  # type: ignore[method-assign]
    scene.retention.remove_expired()
    scene.store.ended_before = listed  # type: ignore[method-assign]
    assert scene.there() == {jobs[0].id}


def test_a_clock_that_jumps_forward_by_years_removes_nothing(scene: Scene) -> None:
    jobs = [scene.job(days).id for days in (0, 5, 29)]
    scene.retention.run_once()
    scene.clock.steady += 3600
    scene.clock.wall += 20 * 365 * DAY
    scene.retention.run_once()
    assert scene.there() == set(jobs)
    scene.clock.pass_by(3600)
    scene.clock.wall -= 20 * 365 * DAY  # put right again: that is a jump as well
    scene.retention.run_once()
    assert scene.there() == set(jobs)
    scene.clock.pass_by(WAIT_SECONDS + 1)
    scene.retention.run_once()
    assert scene.there() == set(jobs[:2]), "the oldest is more than 30 days old by now"


def test_a_clock_set_back_by_years_removes_nothing_by_age_or_room(scene: Scene) -> None:
    jobs = {scene.job(days).id for days in (0, 10, 29)}
    scene.retention.run_once()
    scene.clock.steady += 3600
    scene.clock.wall -= 50 * 365 * DAY
    scene.disk = Disk(100 * GB, GB)
    for _ in range(30):
        scene.clock.pass_by(3600)
        scene.retention.run_once()
    assert scene.there() == jobs, "their end is in the future: the age is unknown"


def test_jobs_that_ended_in_1970_by_the_clock_are_not_expired(scene: Scene) -> None:
    scene.clock.wall = 3600.0
    job = scene.job()
    scene.retention.run_once()
    scene.clock.wall, scene.clock.steady = NOW, scene.clock.steady + 60
    scene.retention.run_once()
    scene.clock.pass_by(WAIT_SECONDS + 60)
    scene.retention.run_once()
    assert scene.there() == {job.id}


def test_after_two_months_off_nothing_expires_for_a_day_of_running(scene: Scene) -> None:
    scene.job(1)
    scene.retention.run_once()
    scene.clock = Clock(NOW + 60 * DAY, 5.0)
    retention = scene.make()
    retention.run_once()
    assert len(scene.there()) == 1
    scene.clock.pass_by(WAIT_SECONDS - 100)
    retention.run_once()
    assert len(scene.there()) == 1
    scene.clock.pass_by(200)
    retention.run_once()
    assert scene.there() == set()


def test_jobs_expire_on_a_pod_that_runs_two_hours_every_third_day(scene: Scene) -> None:
    scene.job(29)
    for session in range(40):
        scene.clock = Clock(NOW + session * 3 * DAY, 7.0)
        retention = scene.make()
        for _ in range(3):
            retention.run_once()
            scene.clock.pass_by(3600)
        if not scene.there():
            break
    assert scene.there() == set()
    assert 8 <= session < 20


def test_the_clock_check_accepts_invalid_text_from_the_database() -> None:
    for text in ("", "[]", "{}", '{"seen": "x", "wait": 1}', "null"):
        assert ClockCheck.read(text, NOW) == ClockCheck(NOW)
    assert ClockCheck.read(ClockCheck(5.0, 7.0).text(), NOW) == ClockCheck(5.0, 7.0)
    assert EARLIEST_END < NOW


def test_excess_bytes() -> None:
    assert excess_bytes(Disk(100 * GB, 30 * GB), 50 * GB, 80) == 0, "not full"
    assert excess_bytes(Disk(100 * GB, 10 * GB), 50 * GB, 80) == 10 * GB
    # 88 of 100 used, 10 of them ours: 8 over, and 2.2 are a tenth of the room of 22: 7.8 may go.
    assert excess_bytes(Disk(100 * GB, 12 * GB), 10 * GB, 80) == pytest.approx(7.8 * GB)
    assert excess_bytes(Disk(100 * GB, 10 * GB), 1 * GB, 80) == 0, "the models fill it, not the clips"
    assert excess_bytes(Disk(5_000_000 * GB, 500_000 * GB), 300 * GB, 80) == 0, "a cluster's disk"
    assert excess_bytes(Disk(100 * GB, 0), 50 * GB, 100) == 0, "100 means never"
    assert excess_bytes(Disk(0, 0), 0, 80) == 0


def test_the_oldest_jobs_are_removed_until_there_is_room(scene: Scene) -> None:
    jobs = [scene.job(days) for days in (5, 4, 3, 2)]
    fresh = scene.job(0.01)
    sizes = {job.id: 10 for job in (*jobs, fresh)}
    assert list(to_remove([*reversed(jobs), fresh], sizes, 15, NOW)) == jobs[:2]
    assert list(to_remove([*jobs, fresh], sizes, 1000, NOW)) == jobs, (
        "a clip that has just ended is protected"
    )
    assert list(to_remove(jobs, sizes, 0, NOW)) == []


def test_a_full_disk_removes_the_oldest_clips_but_no_pinned_or_running_one(scene: Scene) -> None:
    pinned, running = scene.job(9, size=400_000, pinned=True), scene.job(9, RUNNING)
    oldest, older, newest = (scene.job(days, size=400_000) for days in (5, 4, 3))
    ours = sum(folder.bytes for folder in files.folders(scene.jobs).values())
    scene.disk = Disk(10 * ours, 2 * ours - 500_000)  # 500 kB over 80 %
    scene.retention.run_once()
    assert scene.there() == {pinned.id, running.id, newest.id}
    assert set(scene.forgotten) == {oldest.id, older.id}
    scene.disk = Disk(10 * ours, 2 * ours + 1)
    scene.retention.run_once()
    assert len(scene.there()) == 3


def test_a_failing_step_stops_neither_the_other_steps_nor_the_thread(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.job(31)
    monkeypatch.setattr(scene.retention, "finish_removals", lambda: 1 / 0)
    closing = threading.Event()
    wait = closing.wait
    monkeypatch.setattr(closing, "wait", lambda _: (closing.set(), wait(0))[1])
    scene.retention.run(closing)
    assert scene.there() == set()
