"""Folders without a record, links, and files in the folders of ComfyUI."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from backend.jobs import folders as files
from backend.jobs.job import CANCELLED, FAILED, QUEUED, RUNNING, Job
from backend.storage.engine_files import EngineFolders
from backend.storage.retention_policy import DAY
from tests.support.retention_scene import Scene


@pytest.fixture
def scene(tmp_path: Path):
    scene = Scene(tmp_path)
    yield scene
    scene.store.close()


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


def test_a_result_that_a_killed_submit_took_over_is_not_kept_a_second_time(scene: Scene) -> None:
    own, job = orphan(scene, result=True), scene.job()
    folder = orphan(scene)
    os.link(scene.jobs / job.id / "result.mp4", folder / "result.mp4")
    scene.retention.run_once()
    assert folder.exists(), "a submit may be in progress"
    scene.clock.pass_by(3601)
    scene.retention.run_once()
    assert not folder.exists() and own.exists()
    assert (scene.jobs / job.id / "result.mp4").is_file()


def test_outputs_of_a_removed_job_are_removed_once_the_engine_has_answered(scene: Scene) -> None:
    """A deletion that was pending while the studio was down is done before it knows the engine's folders."""
    job, other = scene.job(), uuid.uuid4().hex
    output = scene.output(f"image_to_video-{job.id}_00001_.mp4")
    foreign = scene.output(f"image_to_video-{other}_00001_.mp4")
    known, scene.comfy = scene.comfy, EngineFolders(None, None)
    scene.retention.remove(job)
    scene.retention.remove_ended_outputs()
    assert output.exists()
    scene.comfy = known
    scene.retention.remove_ended_outputs()
    assert not output.exists() and foreign.exists()


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
