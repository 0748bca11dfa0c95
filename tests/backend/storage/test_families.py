"""Retention of parents with their children: together or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.errors import DiskFull
from backend.jobs.job import DONE, FAILED, QUEUED, VARIATIONS, Job, JobSummary
from backend.jobs.layout import SOURCES
from backend.storage.families import families
from backend.storage.retention_policy import Disk
from tests.support.retention_scene import GB, Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.store.close()


def of(scene: Scene, days_ago: float, *children: float, size: int = 1000) -> tuple[Job, list[Job]]:
    """A parent that ended so many days ago, and its children by theirs."""
    parent = scene.job(days_ago, size=size, assembly=VARIATIONS)
    made = [
        scene.job(each, size=size, parent=parent.id, role=str(number))
        for number, each in enumerate(children, 1)
    ]
    return parent, made


def ids(*jobs: Job) -> set[str]:
    return {job.id for job in jobs}


def test_by_age_they_go_with_their_parent(scene: Scene) -> None:
    gone, gone_children = of(scene, 31, 32, 31.5)
    kept, kept_children = of(scene, 29, 40, 35)
    orphan = scene.job(31, parent="0" * 32, role="1")
    scene.retention.run_once()
    assert scene.there() == ids(kept, *kept_children)
    assert gone.id not in scene.there() and orphan.id not in scene.there() and gone_children


@pytest.mark.parametrize("pinned", ["parent", "child"])
def test_a_pin_of_one_protects_all(scene: Scene, pinned: str) -> None:
    parent, children = of(scene, 60, 60, 60)
    scene.store.pin(parent.id, True)
    if pinned == "child":
        scene.store.pin(parent.id, False)
        scene.store.pin(children[1].id, True)
    scene.retention.run_once()
    scene.disk = Disk(100 * GB, 1 * GB)
    scene.retention.make_room()
    assert scene.there() == ids(parent, *children)


def test_a_child_that_has_not_ended_protects_all(scene: Scene) -> None:
    parent, children = of(scene, 60, 60)
    waiting = scene.job(0, status=QUEUED, parent=parent.id, role="2")
    scene.retention.run_once()
    assert scene.there() == ids(parent, *children, waiting)


def test_for_room_the_oldest_family_goes_as_a_whole(scene: Scene) -> None:
    old, old_children = of(scene, 9, 9, 9, size=GB // 1000)
    single = scene.job(8, size=GB // 1000)
    new, new_children = of(scene, 7, 20, 20, size=GB // 1000)
    scene.disk = Disk(GB // 10, GB // 10 - 80 * GB // 1000 - GB // 1000)
    scene.retention.make_room()
    there = scene.there()
    assert not there & ids(old, *old_children), "the oldest by its parent's end"
    assert there >= ids(new, *new_children), "although its children ended first"
    assert single.id in there


def test_an_end_in_the_future_removes_no_family(scene: Scene) -> None:
    """What ended in the future by this clock is not removed for its age; children go with their parent."""
    parent, children = of(scene, -40, 60)
    other, more = of(scene, 60, -40)
    scene.retention.run_once()
    assert scene.there() == ids(parent, *children)
    assert other.id not in scene.there() and more[0].id not in scene.there()


def test_an_interrupted_removal_is_completed(scene: Scene) -> None:
    parent, children = of(scene, 60, 60, 60)
    scene.retention.remove(children[0])
    scene.retention.run_once()
    assert not scene.there() and parent.id in scene.forgotten


def test_results_that_are_linked_count_once(scene: Scene) -> None:
    parent, (child,) = of(scene, 2, 2, size=5_000_000)
    result = scene.jobs / parent.id / "result.mp4"
    result.unlink()
    os.link(scene.jobs / child.id / "result.mp4", result)
    next_clip = scene.job(1, size=1000)
    os.link(scene.jobs / child.id / "result.mp4", scene.jobs / next_clip.id / "inputs" / "video")
    usage = scene.retention.quota.count.refresh()
    assert 5_000_000 <= usage.total < 5_200_000
    scene.retention.remove(child)
    assert 5_000_000 <= scene.retention.quota.count.refresh().total < 5_200_000, "still there for the others"


def test_what_cannot_be_saved_for_others_is_not_removed(scene: Scene) -> None:
    job = scene.job(60)

    def full(_: Job) -> None:
        raise DiskFull.of("disk_is_full")

    scene.retention._before_removal = full
    scene.retention.run_once()
    assert scene.there() == {job.id}
    with pytest.raises(DiskFull):
        scene.retention.remove(job)


def test_links_that_a_killed_process_left_are_removed(scene: Scene) -> None:
    done, waiting = scene.job(1), scene.job(0, status=QUEUED)
    for job in (done, waiting):
        (scene.jobs / job.id / SOURCES).mkdir()
        (scene.jobs / job.id / SOURCES / "image").write_bytes(b"x")
    scene.retention.run_once()
    assert not (scene.jobs / done.id / SOURCES).exists() and (scene.jobs / waiting.id / SOURCES).exists()


def test_jobs_that_are_parts_of_each_other_are_one(scene: Scene) -> None:
    """Only a changed database has them."""
    row = JobSummary("a", "me", DONE, 1.0, False, "b")
    rows = [row, replace(row, id="b", parent="a"), replace(row, id="c", parent="b", status=FAILED)]
    (one,) = families([*rows, replace(row, id="own", parent="own")][:3])
    assert one.id == "a" and set(one.members) == {"a", "b", "c"}
    assert [each.id for each in families([replace(row, id="own", parent="own")])] == ["own"]
