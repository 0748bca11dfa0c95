"""Uploads are kept as they were sent, once per owner, and every later job starts from them."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from backend.errors import InputsGone, NotAllowed
from backend.jobs import originals
from backend.jobs.originals import OriginalLimits, filename_of, kept, plain
from backend.jobs.views import JobView, SourceFile
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, Make, ended, speak

SMALL = {"width": 64, "height": 64, "seconds": 0.5, "seed": 7}
OTHER = "owner-token-of-another-01"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "Strand im März.jpg"
    Image.radial_gradient("L").resize((1000, 750)).convert("RGB").save(path)
    return path


def draw(studio: Studio, picture: Path, owner: str = OWNER) -> JobView:
    return ended(studio, studio.submit(owner, "image_to_video", SMALL, {"image": picture}))


def source(studio: Studio, job: JobView, name: str = "image") -> SourceFile:
    return studio.sources(OWNER, job.id, job.key)[name]


def drop(studio: Studio, job: JobView) -> JobView:
    """What housekeeping does while the disk is too full."""
    assert studio.retention._drop_originals(job.id)
    return studio.job(job.id, job.key)


def test_the_original_comes_back_under_its_own_name(make: Make, photo: Path) -> None:
    studio, sent = make(), photo.read_bytes()
    job = draw(studio, photo)
    found = source(studio, job)
    assert found.path.read_bytes() == sent and found.filename == photo.name and not found.reduced
    assert found.path.suffix == "" and studio.input_path(job.id, job.key, "image") == found.path
    assert found.path.samefile(photo), "no second copy of an upload that nothing else links to"
    photo.unlink()
    another = draw(studio, found.path)
    again = source(studio, another)
    assert again.filename == "Strand im März.jpg" and again.path.samefile(found.path)
    assert not studio.job(another.id, another.key).record()["warning_codes"]


def test_a_file_that_is_linked_elsewhere_is_copied(make: Make, photo: Path) -> None:
    os.link(photo, photo.with_name("in-use.jpg"))
    studio = make()
    job = draw(studio, photo)
    photo.with_name("in-use.jpg").write_bytes(b"changed in place")
    with Image.open(source(studio, job).path) as kept_picture:
        assert kept_picture.size == (1000, 750)


def test_equal_files_are_stored_once_for_each_owner(make: Make, photo: Path, tone: Path) -> None:
    studio = make()
    first = draw(studio, photo)
    again = photo.with_name("again.jpg")
    shutil.copyfile(photo, again)
    second = draw(studio, again)
    one, two = source(studio, first), source(studio, second)
    assert one.path.samefile(two.path) and two.filename == "again.jpg"
    third = photo.with_name("third.jpg")
    shutil.copyfile(photo, third)
    other = draw(studio, third, OTHER)
    theirs = studio.sources(OTHER, other.id, other.key)["image"]
    assert not theirs.path.samefile(one.path)
    sounds = [ended(studio, speak(studio, tone)) for _ in range(2)]
    paths = [source(studio, job, "audio").path for job in sounds]
    assert paths[0].samefile(paths[1]) and source(studio, sounds[1], "audio").filename == "tone.wav"
    studio.delete(OWNER, first.id, first.key)
    studio.delete(OWNER, sounds[0].id, sounds[0].key)
    assert two.path.is_file() and paths[1].is_file() and photo.is_file()


def test_when_only_the_copy_is_left_it_is_said(make: Make, photo: Path) -> None:
    studio = make()
    job = draw(studio, photo)
    assert job.record()["warnings"] == []
    now = drop(studio, job)
    text = "The original is no longer kept; this copy is 128 × 96."
    assert now.record()["warning_codes"] == ["original_gone"] and now.record()["warnings"] == [text]
    found = source(studio, job)
    assert found.reduced and found.filename == photo.name
    with Image.open(found.path) as copy:
        assert copy.size == (128, 96)
    another = draw(studio, found.path)
    assert another.record()["warning_codes"] == ["original_gone"], "a job made from the copy says it too"
    assert source(studio, another).reduced and source(studio, another).filename == photo.name
    sent_again = draw(studio, photo)
    assert not sent_again.record()["warning_codes"] and not source(studio, sent_again).reduced


def test_a_picture_over_the_limit_leaves_its_copy(make: Make, photo: Path) -> None:
    studio = make()
    studio._services.files.limits = OriginalLimits(file=photo.stat().st_size - 1)
    job = draw(studio, photo)
    assert job.record()["warning_codes"] == ["original_gone"] and source(studio, job).reduced


def test_limits_of_file_and_job(tmp_path: Path) -> None:
    files = {}
    for name, size in (("image", 600), ("end_image", 600), ("mask", 300)):
        path = tmp_path / name
        path.write_bytes(os.urandom(size))
        files[name] = plain(path)
    assert kept(files, OriginalLimits(file=1000, job=1000)) == {"image", "mask"}
    assert kept(files, OriginalLimits(file=500, job=5000)) == {"mask"}


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("beach.heic", "beach.heic"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("two\nlines\x00 .png", "twolines .png"),
        ("e\u0301te\u0301.png", "\u00e9t\u00e9.png"),
        ("…", "…"),
        ("..", ""),
        ("\u65e5" * 100 + ".jpeg", "\u65e5" * 38 + ".jpeg"),
    ],
)
def test_names_are_stored_as_text(name: str, stored: str) -> None:
    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

    assert filename_of(Named(name)) == stored  # type: ignore[arg-type]


def test_jobs_of_an_earlier_version_are_used_again(make: Make, photo: Path) -> None:
    """Their records have neither names nor uploads; their pictures are the small copies."""
    studio = make()
    job = draw(studio, photo)
    stored = studio.store.get(job.id)
    assert stored is not None
    shutil.rmtree(studio.settings.jobs_dir / job.id / "originals")
    old = {
        name: {key: value for key, value in item.to_json().items()
               if key not in ("title", "digest", "upload", "copy")}
        for name, item in stored.inputs.items()
    }  # fmt: skip
    with sqlite3.connect(studio.settings.database) as database:
        database.execute("UPDATE job SET inputs = ? WHERE id = ?", (json.dumps(old), job.id))
    found = source(studio, job)
    assert found.path.is_file() and found.filename == ""
    another = draw(studio, found.path)
    assert another.record()["warning_codes"] == ["original_gone"], "the record says how large it was"


def test_originals_and_deleting_are_the_owners(make: Make, photo: Path) -> None:
    studio = make()
    job = draw(studio, photo)
    for refused in (
        lambda who: studio.sources(who, job.id, job.key),
        lambda who: studio.delete(who, job.id, job.key),
        lambda who: studio.delete(who, job.id, job.key, undo=True),
        lambda who: studio.undo_delete(who, job.id, job.key),
        lambda who: studio.pin(who, job.id, job.key, True),
    ):
        for who in (OTHER, "", None, job.key):
            with pytest.raises(NotAllowed, match="owner of this video"):
                refused(who)
    assert studio.owns(OWNER, job) and not studio.owns(OTHER, job)
    assert not studio.job(job.id, job.key).pinned and source(studio, job).path.is_file()


def test_a_kept_file_that_disappeared_leaves_the_copy(make: Make, engine: FakeEngine, photo: Path) -> None:
    studio = make()
    job = draw(studio, photo)
    source(studio, job).path.unlink()
    assert source(studio, job).reduced
    stored = studio.store.get(job.id)
    assert stored is not None and replace(stored.inputs["image"], upload="").gone is not None
    shutil.rmtree(studio.settings.jobs_dir / job.id / "inputs")
    with pytest.raises(InputsGone):
        source(studio, job)


def test_a_file_is_read_once(photo: Path) -> None:
    assert originals.digest_of(photo) == plain(photo).digest
