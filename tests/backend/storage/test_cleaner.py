"""What goes by itself and what never does: over a real database and real folders, with clocks of our own."""

from __future__ import annotations

import os
import random
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
from backend.jobs.job import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Job
from backend.jobs.store import Store
from backend.storage.cleaner import Keeper, Limits, Place
from backend.storage.clock import BORN, WAIT_SECONDS, Trust
from backend.storage.policy import DAY, Disk, bytes_over, too_much

NOW = 1_790_000_000.0
GB = 1_000_000_000


@dataclass
class Clock:
    wall: float = NOW
    steady: float = 1000.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class House:
    """A data folder with jobs in it, a ComfyUI's folders beside it, and a keeper."""

    def __init__(self, base: Path) -> None:
        self.base, self.data = base, base / "data"
        self.jobs = self.data / "jobs"
        self.jobs.mkdir(parents=True)
        self.comfy = Place(base / "comfy" / "input", base / "comfy" / "output")
        for folder in (self.comfy.input, self.comfy.output):
            (folder / "wan-studio").mkdir(parents=True)  # type: ignore[operator]
        self.cache = base / "cache"
        self.cache.mkdir()
        self.store = Store(self.data / "studio.db")
        self.clock = Clock()
        self.disk = Disk(100 * GB, 50 * GB)
        self.forgotten: list[str] = []
        self.keeper = self.make()

    def make(self, days: float = 30, percent: float = 80) -> Keeper:
        return Keeper(
            self.store,
            self.data,
            Limits(days, percent),
            places=lambda: [self.comfy],
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
            {"image": {"name": f"wan-studio/{uuid.uuid4().hex}.png", "file": "inputs/image"}},
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
def house(tmp_path: Path):
    house = House(tmp_path)
    yield house
    house.store.close()


# -- by age -------------------------------------------------------------------------------


def test_old_jobs_go_and_nothing_else(house: House) -> None:
    old, failed = house.job(31), house.job(40, FAILED)
    new, waiting, running = house.job(29), house.job(60, QUEUED), house.job(60, RUNNING)
    pinned = house.job(90, pinned=True)
    house.keeper.all()
    assert house.there() == {new.id, waiting.id, running.id, pinned.id}
    assert set(house.forgotten) == {old.id, failed.id}


def test_a_job_that_is_pinned_at_the_last_moment_stays(house: House) -> None:
    jobs = [house.job(31), house.job(32)]
    listed = house.store.ended_before

    def then_pinned(moment: float) -> list[Job]:
        found = listed(moment)
        house.store.pin(jobs[0].id, True)
        return found

    house.store.ended_before = then_pinned  # type: ignore[method-assign]
    house.keeper.by_age()
    house.store.ended_before = listed  # type: ignore[method-assign]
    assert house.there() == {jobs[0].id}


# -- clocks -------------------------------------------------------------------------------


def test_a_clock_that_jumps_forward_by_years_removes_nothing(house: House) -> None:
    jobs = [house.job(days).id for days in (0, 5, 29)]
    house.keeper.all()
    house.clock.steady += 3600
    house.clock.wall += 20 * 365 * DAY
    house.keeper.all()
    assert house.there() == set(jobs)
    house.clock.pass_by(3600)
    house.clock.wall -= 20 * 365 * DAY  # put right again: that is a jump as well
    house.keeper.all()
    assert house.there() == set(jobs)
    house.clock.pass_by(WAIT_SECONDS + 1)
    house.keeper.all()
    assert house.there() == set(jobs[:2]), "the oldest is more than 30 days old by now"


def test_a_clock_set_back_by_years_removes_nothing_by_age_or_room(house: House) -> None:
    jobs = {house.job(days).id for days in (0, 10, 29)}
    house.keeper.all()
    house.clock.steady += 3600
    house.clock.wall -= 50 * 365 * DAY
    house.disk = Disk(100 * GB, GB)
    for _ in range(30):
        house.clock.pass_by(3600)
        house.keeper.all()
    assert house.there() == jobs, "they ended in the future: no age can be told"


def test_jobs_dated_by_a_clock_in_1970_are_not_56_years_old(house: House) -> None:
    house.clock.wall = 3600.0
    job = house.job()
    house.keeper.all()
    house.clock.wall, house.clock.steady = NOW, house.clock.steady + 60
    house.keeper.all()
    house.clock.pass_by(WAIT_SECONDS + 60)
    house.keeper.all()
    assert house.there() == {job.id}


def test_after_two_months_off_the_creator_has_a_day_of_running(house: House) -> None:
    house.job(1)
    house.keeper.all()
    house.clock = Clock(NOW + 60 * DAY, 5.0)
    keeper = house.make()
    keeper.all()
    assert len(house.there()) == 1
    house.clock.pass_by(WAIT_SECONDS - 100)
    keeper.all()
    assert len(house.there()) == 1
    house.clock.pass_by(200)
    keeper.all()
    assert house.there() == set()


def test_a_pod_that_runs_two_hours_every_third_day_still_keeps_to_its_days(house: House) -> None:
    house.job(29)
    for session in range(40):
        house.clock = Clock(NOW + session * 3 * DAY, 7.0)
        keeper = house.make()
        for _ in range(3):
            keeper.all()
            house.clock.pass_by(3600)
        if not house.there():
            break
    assert house.there() == set()
    assert 8 <= session < 20


def test_trust_survives_nonsense_in_the_database() -> None:
    for text in ("", "[]", "{}", '{"seen": "x", "wait": 1}', "null"):
        assert Trust.read(text, NOW) == Trust(NOW)
    assert Trust.read(Trust(5.0, 7.0).text(), NOW) == Trust(5.0, 7.0)
    assert BORN < NOW


# -- by room ------------------------------------------------------------------------------


def test_how_much_has_to_go() -> None:
    assert bytes_over(Disk(100 * GB, 30 * GB), 50 * GB, 80) == 0, "not full"
    assert bytes_over(Disk(100 * GB, 10 * GB), 50 * GB, 80) == 10 * GB
    # 88 of 100 used, 10 of them ours: 8 over, and 2.2 are a tenth of the room of 22: 7.8 may go.
    assert bytes_over(Disk(100 * GB, 12 * GB), 10 * GB, 80) == pytest.approx(7.8 * GB)
    assert bytes_over(Disk(100 * GB, 10 * GB), 1 * GB, 80) == 0, "the models fill it, not the clips"
    assert bytes_over(Disk(5_000_000 * GB, 500_000 * GB), 300 * GB, 80) == 0, "a cluster's disk"
    assert bytes_over(Disk(100 * GB, 0), 50 * GB, 100) == 0, "100 means never"
    assert bytes_over(Disk(0, 0), 0, 80) == 0


def test_the_oldest_go_until_it_is_enough(house: House) -> None:
    jobs = [house.job(days) for days in (5, 4, 3, 2)]
    fresh = house.job(0.01)
    sizes = {job.id: 10 for job in (*jobs, fresh)}
    assert list(too_much([*reversed(jobs), fresh], sizes, 15, NOW)) == jobs[:2]
    assert list(too_much([*jobs, fresh], sizes, 1000, NOW)) == jobs, "the fresh one is never among them"
    assert list(too_much(jobs, sizes, 0, NOW)) == []


def test_a_full_disk_takes_the_oldest_clips_but_no_pinned_or_running_one(house: House) -> None:
    pinned, running = house.job(9, size=400_000, pinned=True), house.job(9, RUNNING)
    oldest, older, newest = (house.job(days, size=400_000) for days in (5, 4, 3))
    ours = sum(folder.bytes for folder in files.folders(house.jobs).values())
    house.disk = Disk(10 * ours, 2 * ours - 500_000)  # 500 kB over 80 %
    house.keeper.all()
    assert house.there() == {pinned.id, running.id, newest.id}
    assert set(house.forgotten) == {oldest.id, older.id}
    house.disk = Disk(10 * ours, 2 * ours + 1)
    house.keeper.all()
    assert len(house.there()) == 3


# -- delete, and kills in the middle --------------------------------------------------------


def test_delete_takes_every_copy(house: House) -> None:
    job, other = house.job(), house.job()
    folder = house.jobs / job.id
    picture = job.inputs["image"]["name"].removeprefix("wan-studio/")
    cut = f"{uuid.uuid4().hex}-sound.wav"
    (folder / "workflow.json").write_text(f'[{{"1": {{"inputs": {{"audio": "wan-studio/{cut}"}}}}}}]')
    ours = [
        house.input(picture), house.input(cut), house.input(f"{job.id}-1-tail.mkv"),
        house.output(f"image_to_video-{job.id}_00001_.mp4"),
        house.output(f"sound_to_video-{job.id}-2_00001_.mp4"),
        house.output(f"sound_to_video-{job.id}-2-tail_00004_.png"),
    ]  # fmt: skip
    (house.cache / "abc").mkdir()
    linked, copied = house.cache / "abc" / "whatever.mp4", house.cache / "abc"
    os.link(folder / "result.mp4", linked)
    copied = copied / f"wan-image-to-video-{job.id[:8]}.mp4"
    copied.write_bytes(b"v")
    kept = [
        house.input(other.inputs["image"]["name"].removeprefix("wan-studio/")),
        house.output(f"image_to_video-{other.id}_00001_.mp4"),
        house.input("my own picture.png"), house.output("my_film_00001_.mp4"),
        house.cache / "abc" / "somebody-elses.png",
    ]  # fmt: skip
    kept[-1].write_bytes(b"u")
    house.keeper.remove(job)
    assert not [path for path in (*ours, linked, copied) if path.exists()]
    assert all(path.exists() for path in kept)
    assert house.there() == {other.id} and house.forgotten == [job.id]
    house.keeper.remove(job)  # once more: nothing happens


def test_delete_leaves_an_input_that_a_waiting_job_reads(house: House) -> None:
    job = house.job()
    waiting = house.job(status=QUEUED, inputs=job.inputs)
    shared = house.input(job.inputs["image"]["name"].removeprefix("wan-studio/"))
    house.keeper.remove(job)
    assert shared.exists() and house.there() == {waiting.id}


@pytest.mark.parametrize("step", ["_finish", "empty", "delete", "rmdir"])
def test_a_kill_in_the_middle_of_a_removal_is_made_good(
    house: House, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    job, other = house.job(), house.job()
    output = house.output(f"image_to_video-{job.id}_00001_.mp4")
    with monkeypatch.context() as patch:
        if step == "_finish":
            patch.setattr(house.keeper, "_finish", killed)
        elif step == "empty":
            patch.setattr(files, "empty", killed)
        elif step == "delete":
            patch.setattr(house.store, "delete", killed)
        else:
            patch.setattr(Path, "rmdir", killed)
        with pytest.raises(Killed):
            house.keeper.remove(job)
    house.make().all()  # the next start
    assert house.there() == {other.id} and not output.exists()


REMOVER = """
import sys
from pathlib import Path
from backend.storage.cleaner import Keeper, Limits
from backend.jobs.store import Store
data = Path(sys.argv[1])
store = Store(data / "studio.db")
keeper = Keeper(store, data, Limits(30, 80))
print("go", flush=True)
keeper.all()
"""


@pytest.mark.full
def test_killed_at_any_moment_records_and_folders_agree_after_the_next_pass(house: House) -> None:
    """kill -9 of a process that removes thirty old jobs, again and again, until it gets through."""
    moments = random.Random(4)
    house.clock.wall = time.time()
    for _ in range(30):
        house.job(31)
    kept = {house.job(1).id for _ in range(5)}
    kills = 0
    for _ in range(40):
        child = subprocess.Popen(
            [sys.executable, "-c", REMOVER, str(house.data)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None and child.stdout.readline() == "go\n"
        time.sleep(moments.uniform(0.0, 0.03))
        child.kill()
        child.wait()
        child.stdout.close()
        kills += 1
        rows = {job.id for job in house.store.ended_before(float("inf"))}
        assert kept <= rows
        if rows == kept:
            break
    house.make().all()
    assert house.there() == kept and kills > 1


def test_a_database_that_cannot_write_leaves_the_rest_to_the_next_pass(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [house.job(31), house.job(32)]
    delete = house.store.delete
    monkeypatch.setattr(house.store, "delete", lambda _: (_ for _ in ()).throw(DiskFull("The disk is full.")))
    house.keeper.all()
    assert house.store.get(jobs[1].id) is not None
    assert not list((house.jobs / f"{jobs[1].id}.deleted").iterdir()), "its bytes are free already"
    monkeypatch.setattr(house.store, "delete", delete)
    house.keeper.all()
    assert house.there() == set()


def test_a_record_whose_folder_is_gone_stays_until_its_time(house: House) -> None:
    job, old = house.job(), house.job(31)
    for one in (job, old):
        files.empty(house.jobs / one.id)
        (house.jobs / one.id).rmdir()
    house.keeper.all()
    assert house.store.get(job.id) == job and house.store.get(old.id) is None


# -- orphans ------------------------------------------------------------------------------


def orphan(house: House, result: bool = False) -> Path:
    folder = house.jobs / uuid.uuid4().hex
    (folder / "inputs").mkdir(parents=True)
    (folder / "inputs" / "image").write_bytes(b"i")
    if result:
        (folder / "result.mp4").write_bytes(b"v")
    return folder


def test_a_submit_in_progress_is_safe_and_a_killed_one_goes_after_an_hour(house: House) -> None:
    folder = orphan(house)
    house.keeper.all()
    house.clock.wall += 400 * DAY  # the clock alone makes nothing old
    house.keeper.all()
    assert folder.exists()
    house.clock.pass_by(3601)
    house.keeper.all()
    assert not folder.exists() and list(house.jobs.iterdir()) == []


def test_a_folder_that_gets_its_record_is_no_orphan(house: House) -> None:
    folder = orphan(house)
    house.keeper.all()
    house.clock.pass_by(1800)
    house.store.add(Job(folder.name, "me", "image_to_video", {}, {}, created=house.clock.wall))
    for _ in range(3):
        house.keeper.all()
        house.clock.pass_by(3600)
    assert folder.exists()


def test_videos_survive_a_database_that_was_moved_away(house: House) -> None:
    folder = orphan(house, result=True)
    moment = house.clock.wall
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (moment, moment))
    for _ in range(5):
        house.keeper.all()
        house.clock.pass_by(3601)
    assert folder.exists(), "a video without a record is still somebody's video"
    for _ in range(32):
        house.clock.pass_by(DAY)
        house.keeper.all()
    assert not folder.exists()


def test_other_peoples_files_in_the_data_folder_stay(house: House) -> None:
    notes = house.jobs / "notes.txt"
    notes.write_text("mine")
    (house.jobs / "My films").mkdir()
    for _ in range(3):
        house.keeper.all()
        house.clock.pass_by(4000)
    assert notes.exists() and (house.jobs / "My films").exists()


def test_half_written_files_go_from_ended_jobs_only(house: House) -> None:
    done, running = house.job(), house.job(status=RUNNING)
    parts = [house.jobs / job.id / "workflow.json.part" for job in (done, running)]
    for part in parts:
        part.write_text("{")
    house.keeper.all()
    assert [part.exists() for part in parts] == [False, True]
    assert (house.jobs / done.id / "result.mp4").exists()


def test_finished_parts_go_with_a_jobs_end_and_stay_for_another_try(house: House) -> None:
    jobs = [
        house.job(), house.job(status=CANCELLED, part=1), house.job(status=FAILED),
        house.job(status=FAILED, part=2), house.job(status=RUNNING, part=1),
    ]  # fmt: skip
    parts = [house.jobs / job.id / "work" / "part-0" for job in jobs]
    for part in parts:
        part.parent.mkdir()
        part.write_bytes(b"v")
    house.keeper.all()
    assert [part.parent.exists() for part in parts] == [False, False, False, True, True]
    assert parts[3].exists() and parts[4].exists()


# -- links --------------------------------------------------------------------------------


def test_links_are_removed_as_links(house: House, tmp_path: Path) -> None:
    outside = tmp_path / "precious"
    outside.mkdir()
    (outside / "film.mp4").write_bytes(b"p")
    (outside / "film.part").write_bytes(b"p" * 1_000_000)
    inside, replaced = house.job(31), house.job(32)
    (house.jobs / inside.id / "film.mp4").symlink_to(outside / "film.mp4")
    (house.jobs / inside.id / "inputs" / "all").symlink_to(outside, target_is_directory=True)
    files.empty(house.jobs / replaced.id)
    (house.jobs / replaced.id).rmdir()
    (house.jobs / replaced.id).symlink_to(outside, target_is_directory=True)
    stray = house.jobs / uuid.uuid4().hex
    stray.symlink_to(outside, target_is_directory=True)
    assert files.folders(house.jobs)[stray.name].bytes < 100_000, "what is behind a link is not counted"
    for _ in range(3):
        house.keeper.all()
        house.clock.pass_by(3601)
    assert list(house.jobs.iterdir()) == []
    assert {path.name for path in outside.iterdir()} == {"film.mp4", "film.part"}


def test_comfyuis_folder_behind_a_link_of_our_name_is_left_alone(house: House, tmp_path: Path) -> None:
    job = house.job()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file = elsewhere / f"image_to_video-{job.id}_00001_.mp4"
    file.write_bytes(b"x")
    assert house.comfy.output is not None
    (house.comfy.output / "wan-studio").rmdir()
    (house.comfy.output / "wan-studio").symlink_to(elsewhere, target_is_directory=True)
    house.keeper.tidy()
    house.keeper.remove(job)
    assert file.exists()


# -- ComfyUI's folders ----------------------------------------------------------------------


def test_outputs_go_when_their_job_has_ended(house: House) -> None:
    done, cancelled, running = house.job(), house.job(status=CANCELLED), house.job(status=RUNNING)
    failed, failed_long_ago = house.job(status=FAILED), house.job(2, FAILED)
    paths = {
        job.id: house.output(f"image_to_video-{job.id}_00001_.mp4", hours)
        for job, hours in ((done, 0), (cancelled, 0), (running, 99), (failed, 1), (failed_long_ago, 48))
    }
    tails = [house.input(f"{job.id}-1-tail.mkv") for job in (done, running)]
    stranger = house.output(f"image_to_video-{uuid.uuid4().hex}_00001_.mp4", 24 * 8)
    theirs = [house.output("ComfyUI_00001_.png", 9999), house.output("notes.txt", 9999)]
    house.keeper.tidy()
    assert {job_id for job_id, path in paths.items() if path.exists()} == {running.id, failed.id}
    assert [tail.exists() for tail in tails] == [False, True]
    assert stranger.exists() and all(path.exists() for path in theirs)
    house.keeper.all()
    assert not stranger.exists() and all(path.exists() for path in theirs)


def test_inputs_go_when_nobody_has_used_them_for_a_week(house: House) -> None:
    done, waiting = house.job(1), house.job(1, QUEUED)
    names = [job.inputs["image"]["name"].removeprefix("wan-studio/") for job in (done, waiting)]
    old, in_use = (house.input(name, 24 * 8) for name in names)
    new, cut = house.input(f"{'a' * 32}.png", 24), house.input(f"{'b' * 32}-clip.mp4", 24 * 8)
    part = house.input(f".{'c' * 32}.png.0123abcd.part", 24 * 8)
    mine = [house.input("portrait.png", 24 * 99), house.input("boat.part", 24 * 99)]
    house.keeper.all()
    assert [p.exists() for p in (old, in_use, new, cut, part)] == [False, True, True, False, False]
    assert all(path.exists() for path in mine)


# -- the thread ---------------------------------------------------------------------------


def test_a_step_that_fails_stops_neither_the_others_nor_the_thread(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.job(31)
    monkeypatch.setattr(house.keeper, "finish_removals", lambda: 1 / 0)
    closing = threading.Event()
    wait = closing.wait
    monkeypatch.setattr(closing, "wait", lambda _: (closing.set(), wait(0))[1])
    house.keeper.run(closing)
    assert house.there() == set()


def test_two_deletions_of_one_job_at_once(house: House) -> None:
    job = house.job()
    errors: list[Exception] = []

    def delete() -> None:
        try:
            house.keeper.remove(job)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=delete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors and house.there() == set()
