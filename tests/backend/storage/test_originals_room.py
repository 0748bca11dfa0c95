"""Originals count in their owner's share once, and are dropped before any clip is removed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.errors import OverQuota
from backend.jobs.job import DONE, Job, StoredInput
from tests.support.data_folder import BLOCK, DataFolder
from workflows.params.media import Media

MB = 1 << 20
Add = Callable[..., Job]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path, total=1000 * MB)
    yield folder
    folder.store.close()


def add(folder: DataFolder, owner: str, original: int, result: int, twin: Job | None = None, **more) -> Job:
    """A finished clip of a picture whose original has `original` bytes, or is that of `twin`."""
    name, days = uuid.uuid4().hex, more.get("days", 1.0)
    item = StoredInput(
        Media("wan-studio/a.png", 4000, 3000), "inputs/image", title="beach.jpg", digest="d" * 64,
        upload="originals/image", copy=Media("wan-studio/a.png", 864, 648),
    )  # fmt: skip
    job = Job(
        name, owner, "image_to_video", {"prompt": "x"}, {"image": item}, created=folder.wall, status=DONE,
        finished=folder.wall - days * 86400, size=result,
    )  # fmt: skip
    folder.store.add(job)
    if more.get("pinned"):
        folder.store.pin(name, True)
    folder._write(name, "inputs/image", BLOCK)
    folder._write(name, "result.mp4", result)
    if twin is None:
        folder._write(name, "originals/image", original)
    else:
        (folder.jobs / name / "originals").mkdir()
        os.link(folder.jobs / twin.id / "originals/image", folder.jobs / name / "originals/image")
    return job


def has_original(folder: DataFolder, job: Job) -> bool:
    stored = folder.store.get(job.id)
    assert stored is not None
    there = (folder.jobs / job.id / "originals/image").exists()
    assert bool(stored.inputs["image"].upload) is there, "the record says what is on the disk"
    return there


def test_a_file_of_several_jobs_counts_once(folder: DataFolder) -> None:
    first = add(folder, "ann", 40 * MB, MB)
    rest = [add(folder, "ann", 0, MB, twin=first) for _ in range(3)]
    used = folder.retention.quota.count.refresh().used["ann"]
    assert 44 * MB <= used < 45 * MB
    folder.retention.remove(first)
    assert 43 * MB <= folder.retention.quota.count.refresh().used["ann"] < 44 * MB
    folder.retention.remove(rest[0])
    quota = folder.retention.quota
    assert 42 * MB <= quota.count.current().used["ann"] < 43 * MB, "also without measuring everything again"


def test_originals_go_before_clips_on_a_full_disk(folder: DataFolder) -> None:
    old, pinned = add(folder, "ann", 100 * MB, 10 * MB, days=9), add(folder, "ann", 100 * MB, MB, pinned=True)
    twins = [old, add(folder, "ann", 0, 10 * MB, twin=old, days=8)]
    new = add(folder, "ann", 100 * MB, 10 * MB, days=0.01)
    folder.others = 560 * MB
    folder.retention.make_room()
    assert not any(has_original(folder, job) for job in twins), "freed with the last link"
    assert has_original(folder, pinned) and has_original(folder, new)
    assert len(folder.clips()["ann"]) == 4, "no clip was removed"
    notice = folder.store.get(old.id).inputs["image"].gone  # type: ignore[union-attr]
    assert notice is not None and notice.code == "original_gone" and notice.arg("width") == 864
    folder.others = 700 * MB
    folder.retention.make_room()
    assert old.id not in folder.clips()["ann"] and has_original(folder, pinned)


def test_a_new_job_takes_the_room_of_its_owners_originals(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path, total=1000 * MB, owner_bytes=100 * MB)
    mine = [add(folder, "ann", 30 * MB, 10 * MB, days=9 - n) for n in range(2)]
    other = add(folder, "bob", 60 * MB, 10 * MB)
    made = folder.submit("ann", 60 * MB)
    assert made is not None and not folder.failures
    assert [has_original(folder, job) for job in mine] == [False, False] and has_original(folder, other)
    assert {job.id for job in mine} == folder.clips()["ann"]
    folder.submit("ann", 200 * MB)
    assert isinstance(folder.failures[0], OverQuota)
    folder.store.close()
