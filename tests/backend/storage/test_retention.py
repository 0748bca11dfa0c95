"""Retention with a real database and real folders, and with injected clocks and disk sizes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from backend.errors import DiskFull
from backend.jobs import folders as files
from backend.jobs.job import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Job, StoredInput
from backend.jobs.store import Store
from backend.storage.clock_check import EARLIEST_END, WAIT_SECONDS, ClockCheck
from backend.storage.retention import EngineFolders, Limits, Retention
from backend.storage.retention_policy import DAY, Disk, excess_bytes, to_remove
from tests.support.paths import ROOT
from workflows.params.media import Media

NOW = 1_790_000_000.0
GB = 1_000_000_000


@dataclass
class Clock:
    wall: float = NOW
    steady: float = 1000.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class Scene:
    """A data folder with jobs in it, a ComfyUI's folders beside it, and its retention."""

    def __init__(self, base: Path) -> None:
        self.base, self.data = base, base / "data"
        self.jobs = self.data / "jobs"
        self.jobs.mkdir(parents=True)
        self.comfy = EngineFolders(base / "comfy" / "input", base / "comfy" / "output")
        for folder in (self.comfy.input, self.comfy.output):
            (folder / "wan-studio").mkdir(parents=True)  # type: ignore[operator]
        self.cache = base / "cache"
        self.cache.mkdir()
        self.store = Store(self.data / "studio.db")
        self.clock = Clock()
        self.disk = Disk(100 * GB, 50 * GB)
        self.forgotten: list[str] = []
        self.retention = self.make()

    def make(self, days: float = 30, percent: float = 80) -> Retention:
        return Retention(
            self.store,
            self.data,
            Limits(days, percent),
            engine_folders=lambda: [self.comfy],
            cache=lambda: self.cache,
            forget=self.forgotten.append,
            wall=lambda: self.clock.wall,
            steady=lambda: self.clock.steady,
            disk=lambda _: self.disk,
        )

    def job(self, days_ago: float = 0.0, status: str = DONE, size: int = 1000, **changes: object) -> Job:
        finished = None if status in (QUEUED, RUNNING) else self.clock.wall - days_ago * DAY
        made = Job(
            uuid.uuid4().hex, "me", "image_to_video", {"prompt": "x"},
            {"image": StoredInput(Media(f"wan-studio/{uuid.uuid4().hex}.png"), "inputs/image")},
            created=self.clock.wall - days_ago * DAY - 60, status=status, finished=finished, size=size,
        )  # fmt: skip
        made = replace(made, **changes)  # type: ignore[arg-type]
        self.store.add(made)
        folder = self.jobs / made.id
        (folder / "inputs").mkdir(parents=True)
        (folder / "inputs" / "image").write_bytes(b"i" * 100)
        (folder / "workflow.json").write_text("{}")
        if status == DONE:
            (folder / "result.mp4").write_bytes(b"v" * size)
        return made

    def there(self) -> set[str]:
        """Ids of the jobs that have a record and a folder; both or neither is the rule."""
        names = {path.name for path in self.jobs.iterdir()}
        rows = {job.id for job in (*self.store.ended_before(float("inf")), *self.store.unfinished())}
        assert names == rows, "a folder without a record, or the other way round"
        return names

    def output(self, name: str, hours_ago: float = 0.0) -> Path:
        return self._file(self.comfy.output, name, hours_ago)

    def input(self, name: str, hours_ago: float = 0.0) -> Path:
        return self._file(self.comfy.input, name, hours_ago)

    def _file(self, folder: Path | None, name: str, hours_ago: float) -> Path:
        assert folder is not None
        path = folder / "wan-studio" / name
        path.write_bytes(b"x")
        moment = self.clock.wall - hours_ago * 3600
        os.utime(path, (moment, moment))
        return path


@pytest.fixture
def scene(tmp_path: Path):
    scene = Scene(tmp_path)
    yield scene
    scene.store.close()


# -- by age -------------------------------------------------------------------------------


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


# -- clocks -------------------------------------------------------------------------------


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


# -- by room ------------------------------------------------------------------------------


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


# -- delete, and kills in the middle --------------------------------------------------------


def test_delete_removes_every_copy(scene: Scene) -> None:
    job, other = scene.job(), scene.job()
    folder = scene.jobs / job.id
    picture = job.inputs["image"].media.name.removeprefix("wan-studio/")
    cut = f"{uuid.uuid4().hex}-sound.wav"
    (folder / "workflow.json").write_text(f'[{{"1": {{"inputs": {{"audio": "wan-studio/{cut}"}}}}}}]')
    ours = [
        scene.input(picture), scene.input(cut), scene.input(f"{job.id}-1-tail.mkv"),
        scene.output(f"image_to_video-{job.id}_00001_.mp4"),
        scene.output(f"sound_to_video-{job.id}-2_00001_.mp4"),
        scene.output(f"sound_to_video-{job.id}-2-tail_00004_.png"),
    ]  # fmt: skip
    (scene.cache / "abc").mkdir()
    linked, copied = scene.cache / "abc" / "whatever.mp4", scene.cache / "abc"
    os.link(folder / "result.mp4", linked)
    copied = copied / f"wan-image-to-video-{job.id[:8]}.mp4"
    copied.write_bytes(b"v")
    kept = [
        scene.input(other.inputs["image"].media.name.removeprefix("wan-studio/")),
        scene.output(f"image_to_video-{other.id}_00001_.mp4"),
        scene.input("my own picture.png"), scene.output("my_film_00001_.mp4"),
        scene.cache / "abc" / "somebody-elses.png",
    ]  # fmt: skip
    kept[-1].write_bytes(b"u")
    scene.retention.remove(job)
    assert not [path for path in (*ours, linked, copied) if path.exists()]
    assert all(path.exists() for path in kept)
    assert scene.there() == {other.id} and scene.forgotten == [job.id]
    scene.retention.remove(job)  # once more: nothing happens


def test_delete_keeps_an_input_that_a_queued_job_reads(scene: Scene) -> None:
    job = scene.job()
    waiting = scene.job(status=QUEUED, inputs=job.inputs)
    shared = scene.input(job.inputs["image"].media.name.removeprefix("wan-studio/"))
    scene.retention.remove(job)
    assert shared.exists() and scene.there() == {waiting.id}


@pytest.mark.parametrize("step", ["_complete_removal", "empty", "delete", "rmdir"])
def test_the_next_start_completes_an_interrupted_removal(
    scene: Scene, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    job, other = scene.job(), scene.job()
    output = scene.output(f"image_to_video-{job.id}_00001_.mp4")
    with monkeypatch.context() as patch:
        if step == "_complete_removal":
            patch.setattr(scene.retention, "_complete_removal", killed)
        elif step == "empty":
            patch.setattr(files, "empty", killed)
        elif step == "delete":
            patch.setattr(scene.store, "delete", killed)
        else:
            patch.setattr(Path, "rmdir", killed)
        with pytest.raises(Killed):
            scene.retention.remove(job)
    scene.make().run_once()  # the next start
    assert scene.there() == {other.id} and not output.exists()


REMOVER = """
import os, signal, sys
from pathlib import Path
from backend.storage.retention import Retention, Limits
from backend.jobs.store import Store
data, left = Path(sys.argv[1]), int(sys.argv[2])
def count(event):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
store = Store(data / "studio.db")
store._db.set_trace_callback(lambda statement: count(statement) if statement[:6] != "SELECT" else None)
sys.addaudithook(lambda event, _: count(event) if event in ("os.remove", "os.rmdir", "os.rename") else None)
Retention(store, data, Limits(30, 80)).run_once()
"""
"""Kills itself before the change of this number, on disk or in the database."""


@pytest.mark.full
def test_records_and_folders_agree_after_a_kill_at_any_moment(scene: Scene) -> None:
    """kill -9 of a process that removes thirty old jobs, at seeded changes, until it gets through."""
    moments = random.Random(4)
    scene.clock.wall = time.time()
    for _ in range(30):
        scene.job(31)
    kept = {scene.job(1).id for _ in range(5)}
    statuses: list[int] = []
    while not statuses or statuses[-1]:
        child = [sys.executable, "-c", REMOVER, str(scene.data), str(moments.randrange(5, 90))]
        statuses.append(subprocess.run(child, cwd=ROOT).returncode)
        assert kept <= {job.id for job in scene.store.ended_before(float("inf"))}
    assert set(statuses) == {-signal.SIGKILL, 0} and len(statuses) > 3
    scene.make().run_once()
    assert scene.there() == kept


def test_the_next_pass_completes_removals_when_the_database_could_not_write(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [scene.job(31), scene.job(32)]
    delete = scene.store.delete
    monkeypatch.setattr(scene.store, "delete", lambda _: (_ for _ in ()).throw(DiskFull("The disk is full.")))
    scene.retention.run_once()
    assert scene.store.get(jobs[1].id) is not None
    assert not list((scene.jobs / f"{jobs[1].id}.deleted").iterdir()), (
        "the files are removed before the record"
    )
    monkeypatch.setattr(scene.store, "delete", delete)
    scene.retention.run_once()
    assert scene.there() == set()


def test_a_record_without_a_folder_is_kept_until_it_expires(scene: Scene) -> None:
    job, old = scene.job(), scene.job(31)
    for one in (job, old):
        files.empty(scene.jobs / one.id)
        (scene.jobs / one.id).rmdir()
    scene.retention.run_once()
    assert scene.store.get(job.id) == job and scene.store.get(old.id) is None


# -- orphans ------------------------------------------------------------------------------


def orphan(scene: Scene, result: bool = False) -> Path:
    folder = scene.jobs / uuid.uuid4().hex
    (folder / "inputs").mkdir(parents=True)
    (folder / "inputs" / "image").write_bytes(b"i")
    if result:
        (folder / "result.mp4").write_bytes(b"v")
    return folder


def test_a_submit_in_progress_is_kept_and_a_killed_one_is_removed_after_an_hour(scene: Scene) -> None:
    folder = orphan(scene)
    scene.retention.run_once()
    scene.clock.wall += 400 * DAY  # the clock alone makes nothing old
    scene.retention.run_once()
    assert folder.exists()
    scene.clock.pass_by(3601)
    scene.retention.run_once()
    assert not folder.exists() and list(scene.jobs.iterdir()) == []


def test_a_folder_whose_record_is_added_later_is_not_an_orphan(scene: Scene) -> None:
    folder = orphan(scene)
    scene.retention.run_once()
    scene.clock.pass_by(1800)
    scene.store.add(Job(folder.name, "me", "image_to_video", {}, {}, created=scene.clock.wall))
    for _ in range(3):
        scene.retention.run_once()
        scene.clock.pass_by(3600)
    assert folder.exists()


def test_videos_are_kept_when_the_database_was_moved_away(scene: Scene) -> None:
    folder = orphan(scene, result=True)
    moment = scene.clock.wall
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (moment, moment))
    for _ in range(5):
        scene.retention.run_once()
        scene.clock.pass_by(3601)
    assert folder.exists(), "a video without a record may belong to a moved database"
    for _ in range(32):
        scene.clock.pass_by(DAY)
        scene.retention.run_once()
    assert not folder.exists()


def test_unrelated_files_in_the_data_folder_are_kept(scene: Scene) -> None:
    notes = scene.jobs / "notes.txt"
    notes.write_text("mine")
    (scene.jobs / "My films").mkdir()
    for _ in range(3):
        scene.retention.run_once()
        scene.clock.pass_by(4000)
    assert notes.exists() and (scene.jobs / "My films").exists()


def test_partial_files_are_removed_only_from_ended_jobs(scene: Scene) -> None:
    done, running = scene.job(), scene.job(status=RUNNING)
    parts = [scene.jobs / job.id / "workflow.json.part" for job in (done, running)]
    for part in parts:
        part.write_text("{")
    scene.retention.run_once()
    assert [part.exists() for part in parts] == [False, True]
    assert (scene.jobs / done.id / "result.mp4").exists()


def test_finished_segments_are_kept_only_for_a_retry(scene: Scene) -> None:
    jobs = [
        scene.job(), scene.job(status=CANCELLED, segments_done=1), scene.job(status=FAILED),
        scene.job(status=FAILED, segments_done=2), scene.job(status=RUNNING, segments_done=1),
    ]  # fmt: skip
    parts = [scene.jobs / job.id / "work" / "part-0" for job in jobs]
    for part in parts:
        part.parent.mkdir()
        part.write_bytes(b"v")
    scene.retention.run_once()
    assert [part.parent.exists() for part in parts] == [False, False, False, True, True]
    assert parts[3].exists() and parts[4].exists()


# -- links --------------------------------------------------------------------------------


def test_links_are_removed_as_links(scene: Scene, tmp_path: Path) -> None:
    outside = tmp_path / "precious"
    outside.mkdir()
    (outside / "film.mp4").write_bytes(b"p")
    (outside / "film.part").write_bytes(b"p" * 1_000_000)
    inside, replaced = scene.job(31), scene.job(32)
    (scene.jobs / inside.id / "film.mp4").symlink_to(outside / "film.mp4")
    (scene.jobs / inside.id / "inputs" / "all").symlink_to(outside, target_is_directory=True)
    files.empty(scene.jobs / replaced.id)
    (scene.jobs / replaced.id).rmdir()
    (scene.jobs / replaced.id).symlink_to(outside, target_is_directory=True)
    stray = scene.jobs / uuid.uuid4().hex
    stray.symlink_to(outside, target_is_directory=True)
    assert files.folders(scene.jobs)[stray.name].bytes < 100_000, "the target of a link is not counted"
    for _ in range(3):
        scene.retention.run_once()
        scene.clock.pass_by(3601)
    assert list(scene.jobs.iterdir()) == []
    assert {path.name for path in outside.iterdir()} == {"film.mp4", "film.part"}


def test_a_link_named_wan_studio_in_comfyuis_folder_is_not_followed(scene: Scene, tmp_path: Path) -> None:
    job = scene.job()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file = elsewhere / f"image_to_video-{job.id}_00001_.mp4"
    file.write_bytes(b"x")
    assert scene.comfy.output is not None
    (scene.comfy.output / "wan-studio").rmdir()
    (scene.comfy.output / "wan-studio").symlink_to(elsewhere, target_is_directory=True)
    scene.retention.remove_ended_outputs()
    scene.retention.remove(job)
    assert file.exists()


# -- ComfyUI's folders ----------------------------------------------------------------------


def test_outputs_of_ended_jobs_are_removed(scene: Scene) -> None:
    done, cancelled, running = scene.job(), scene.job(status=CANCELLED), scene.job(status=RUNNING)
    failed, failed_long_ago = scene.job(status=FAILED), scene.job(2, FAILED)
    paths = {
        job.id: scene.output(f"image_to_video-{job.id}_00001_.mp4", hours)
        for job, hours in ((done, 0), (cancelled, 0), (running, 99), (failed, 1), (failed_long_ago, 48))
    }
    tails = [scene.input(f"{job.id}-1-tail.mkv") for job in (done, running)]
    stranger = scene.output(f"image_to_video-{uuid.uuid4().hex}_00001_.mp4", 24 * 8)
    theirs = [scene.output("ComfyUI_00001_.png", 9999), scene.output("notes.txt", 9999)]
    scene.retention.remove_ended_outputs()
    assert {job_id for job_id, path in paths.items() if path.exists()} == {running.id, failed.id}
    assert [tail.exists() for tail in tails] == [False, True]
    assert stranger.exists() and all(path.exists() for path in theirs)
    scene.retention.run_once()
    assert not stranger.exists() and all(path.exists() for path in theirs)


def test_inputs_unused_for_a_week_are_removed(scene: Scene) -> None:
    done, waiting = scene.job(1), scene.job(1, QUEUED)
    names = [job.inputs["image"].media.name.removeprefix("wan-studio/") for job in (done, waiting)]
    old, in_use = (scene.input(name, 24 * 8) for name in names)
    new, cut = scene.input(f"{'a' * 32}.png", 24), scene.input(f"{'b' * 32}-clip.mp4", 24 * 8)
    part = scene.input(f".{'c' * 32}.png.0123abcd.part", 24 * 8)
    mine = [scene.input("portrait.png", 24 * 99), scene.input("boat.part", 24 * 99)]
    scene.retention.run_once()
    assert [p.exists() for p in (old, in_use, new, cut, part)] == [False, True, True, False, False]
    assert all(path.exists() for path in mine)


# -- the thread ---------------------------------------------------------------------------


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


def test_two_deletions_of_one_job_at_once(scene: Scene) -> None:
    job = scene.job()
    errors: list[Exception] = []

    def delete() -> None:
        try:
            scene.retention.remove(job)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=delete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors and scene.there() == set()
