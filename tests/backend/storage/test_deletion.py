"""Deleted jobs: every copy goes, and kills in the middle leave nothing behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from backend.errors import DiskFull
from backend.jobs import folders as files
from backend.jobs.job import QUEUED
from tests.support.paths import ROOT
from tests.support.retention_scene import Scene


@pytest.fixture
def scene(tmp_path: Path):
    scene = Scene(tmp_path)
    yield scene
    scene.store.close()


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
