"""The page's upload folder: only files that the app put into a folder of its own are removed."""

from __future__ import annotations

import os
import random
import signal
import time
import urllib.request
from pathlib import Path

import pytest

import app
from backend.errors import BadSettings
from backend.jobs import folders
from backend.models import partial
from backend.models.owner import mark
from backend.storage.upload_folder import KEEP_SECONDS, MARKER, claim, is_ours, sweep
from backend.worker.results import RESULTS, remove_old_results
from tests.support.app_process import app_process
from tests.support.scripted import until

pytestmark = pytest.mark.full

MINE, THEIRS = "the secret of one studio", "the secret of another"
UPLOAD = "a" * 64


def old(path: Path, content: bytes = b"x") -> Path:
    """Creates a file and its folders, unchanged for a month."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    moment = time.time() - 30 * KEEP_SECONDS
    os.utime(path, (moment, moment))
    return path


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def start(folder: Path, monkeypatch: pytest.MonkeyPatch, whose: str = MINE) -> Path:
    """What the app does with GRADIO_TEMP_DIR before it imports Gradio."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    app._gradio_environment(whose)
    return Path(os.environ["GRADIO_TEMP_DIR"])


# -- whose folder it is ---------------------------------------------------------------------------


def test_a_new_folder_is_used_and_recognised_again(tmp_path: Path) -> None:
    given = tmp_path / "some" / "uploads"
    assert claim(given, MINE) == given and is_ours(given, MINE) and not is_ours(given, THEIRS)
    assert claim(given, MINE) == given
    assert given.stat().st_mode & 0o077 == 0


def test_an_existing_folder_gets_a_subfolder_for_each_studio(tmp_path: Path) -> None:
    mine, theirs = claim(tmp_path, MINE), claim(tmp_path, THEIRS)
    assert mine.parent == theirs.parent == tmp_path and mine != theirs
    assert claim(tmp_path, MINE) == mine and not is_ours(tmp_path, MINE)
    first = claim(tmp_path / "first", MINE)
    assert claim(first, THEIRS).parent == first, "the folder of another studio is not used"


def test_a_folder_left_unmarked_by_a_killed_start_is_marked(tmp_path: Path) -> None:
    folder = claim(tmp_path, MINE)
    (folder / MARKER).unlink()
    assert claim(tmp_path, MINE) == folder and is_ours(folder, MINE)


def test_a_folder_of_that_name_with_other_files_is_refused(tmp_path: Path) -> None:
    folder = claim(tmp_path, MINE)
    (folder / MARKER).unlink()
    film = old(folder / "film.mp4")
    with pytest.raises(BadSettings) as refused:
        claim(tmp_path, MINE)
    assert refused.value.hint and film.exists()


def test_a_link_in_place_of_the_folder_is_not_used(tmp_path: Path) -> None:
    folder = claim(tmp_path, MINE)
    moved = folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(moved, target_is_directory=True)
    film = old(moved / UPLOAD / "film.mp4")
    assert not is_ours(folder, MINE)
    with pytest.raises(BadSettings):
        claim(tmp_path, MINE)
    sweep(folder, MINE, time.time())
    assert film.exists()


# -- what goes ------------------------------------------------------------------------------------


def test_only_old_uploads_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = claim(tmp_path / "uploads", MINE)
    gone = [old(folder / UPLOAD / "a.png"), old(folder / ("b" * 40) / "wan.mp4"), old(folder / "tmpabcd_123")]
    new = folder / ("c" * 64) / "new.png"
    new.parent.mkdir()
    new.write_bytes(b"n")
    named_otherwise = old(folder / "holiday.mp4"), old(folder / "films" / "a.mp4")
    beside = claim(folder, THEIRS)
    theirs = old(beside / UPLOAD / "a.png")
    assert start(folder, monkeypatch) == folder
    assert not any(path.exists() for path in gone) and not gone[0].parent.exists()
    assert all(path.exists() for path in (new, *named_otherwise, theirs, folder / MARKER))


@pytest.mark.parametrize("name", [UPLOAD, "b" * 40, "tmpabcd1234", "films", "."])
def test_a_start_removes_nothing_from_a_folder_that_it_did_not_create(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shared = tmp_path / "Downloads"
    old(shared / name / "film.mp4")
    old(shared / name / "deeper" / "film.mp4")
    (shared / "empty").mkdir()
    before = everything(shared)
    folder = start(shared, monkeypatch)
    start(shared, monkeypatch)  # once more: its own folder is there now
    assert [path for path in everything(shared) if not path.startswith(folder.name)] == before
    assert folder.parent == shared


def test_nothing_behind_a_link_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "outside"
    films = [old(outside / "film.mp4"), old(outside / UPLOAD / "film.mp4")]
    (outside / "empty").mkdir()
    folder = claim(tmp_path / "uploads", MINE)
    (folder / ("d" * 64)).symlink_to(outside, target_is_directory=True)
    (folder / "tmpabcd1234").symlink_to(films[0])
    inside = old(folder / UPLOAD / "a.png").parent
    (inside / "all").symlink_to(outside, target_is_directory=True)
    (inside / "one.mp4").symlink_to(films[0])
    given = tmp_path / "given"
    given.symlink_to(outside, target_is_directory=True)
    start(folder, monkeypatch)
    start(given, monkeypatch)
    assert all(film.exists() for film in films) and (outside / "empty").is_dir()


def test_a_folder_swapped_for_a_link_during_the_sweep_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each moment of a sweep, an upload's folder may become a link to a folder of films."""
    list_names = folders.names_in

    def swapped(descriptor: int) -> list[str]:
        names = list_names(descriptor)
        if upload.is_dir() and not upload.is_symlink():
            upload.rename(tmp_path / "aside")
            upload.symlink_to(films, target_is_directory=True)
        return names

    films = old(tmp_path / "films" / "a.png").parent
    folder = claim(tmp_path / "uploads", MINE)
    upload = old(folder / UPLOAD / "a.png").parent
    with monkeypatch.context() as patch:
        patch.setattr(folders, "names_in", swapped)
        sweep(folder, MINE, time.time())
    assert upload.is_symlink() and (films / "a.png").exists()


@pytest.mark.deep
def test_start_and_shutdown_keep_other_files_in_a_shared_folder(tmp_path: Path) -> None:
    """The app as it is started, in a folder with old files, links and another studio's uploads."""
    shared = tmp_path / "shared"
    kept = [old(shared / "film.mp4"), old(shared / UPLOAD / "film.mp4"), old(claim(shared, THEIRS) / "x")]
    (shared / "link").symlink_to(tmp_path, target_is_directory=True)
    with app_process(tmp_path, WAN_ENGINE="demo", GRADIO_TEMP_DIR=str(shared)) as (process, url):

        def uploaded() -> bool:
            body = (
                b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n'
                b"Content-Type: text/plain\r\n\r\nhello\r\n--x--\r\n"
            )
            request = urllib.request.Request(
                f"{url}/gradio_api/upload", body,
                {"Content-Type": "multipart/form-data; boundary=x"},
            )  # fmt: skip
            assert process.poll() is None
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        until(uploaded, 180)
        found = [path for path in shared.rglob("a.txt") if path.is_file()]
        assert len(found) == 1 and found[0].relative_to(shared).parts[0].startswith("wan-studio-uploads-")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert found[0].exists(), "the form that shows it is still open"
    assert all(path.exists() for path in kept) and (shared / "link").is_symlink()


def test_a_link_is_as_old_as_its_folder(tmp_path: Path) -> None:
    """A picture of an old video, put into a form today."""
    folder = claim(tmp_path / "uploads", MINE)
    stored = old(tmp_path / "jobs" / "image")
    fresh, gone = folder / ("d" * 40) / "fjord.jpg", folder / ("e" * 40) / "fjord.jpg"
    moment = time.time() - 30 * KEEP_SECONDS
    for path in (fresh, gone):
        path.parent.mkdir()
        os.link(stored, path)
    os.utime(gone.parent, (moment, moment))
    sweep(folder, MINE, time.time() - KEEP_SECONDS)
    assert fresh.exists() and not gone.parent.exists() and stored.exists()


# -- other places where files are removed ---------------------------------------------------------


def test_emptying_a_folder_follows_no_link(tmp_path: Path) -> None:
    """Seeded trees of files, folders and links: what is outside never changes."""
    outside = tmp_path / "outside"
    old(outside / "film.mp4")
    old(outside / "deeper" / "film.mp4")
    before = everything(outside)
    for seed in range(60):
        chance = random.Random(seed)
        root = tmp_path / f"job-{seed}"
        places = [root]
        root.mkdir()
        for number in range(chance.randrange(1, 12)):
            path = chance.choice(places) / f"n{number}"
            kind = chance.choice(("file", "folder", "link", "folder link", "hanging link"))
            if kind == "file":
                path.write_bytes(b"x")
            elif kind == "folder":
                path.mkdir()
                places.append(path)
            else:
                target = {"link": outside / "film.mp4", "folder link": outside}.get(kind, tmp_path / "no")
                path.symlink_to(target)
        kept = root / "workflow.json"
        kept.write_text("{}")
        folders.empty(root, keep={"workflow.json"})
        assert everything(root) == ["workflow.json"], seed
        assert folders.remove(root) and not root.exists() and everything(outside) == before, seed


def test_a_link_in_place_of_a_folder_is_removed_itself(tmp_path: Path) -> None:
    film = old(tmp_path / "films" / "work" / "film.mp4")
    job = tmp_path / "job"
    job.symlink_to(tmp_path / "films", target_is_directory=True)
    folders.remove_below(job, "work")
    assert film.exists(), "the job's folder is a link: nothing in it is the job's"
    folders.empty(job)
    assert not os.path.lexists(job) and film.exists()
    job.mkdir()
    (job / "work").symlink_to(film.parent, target_is_directory=True)
    folders.remove_below(job, "work")
    assert everything(job) == [] and film.exists()


def test_a_file_below_a_link_is_not_removed(tmp_path: Path) -> None:
    film = old(tmp_path / "films" / "film.mp4")
    (tmp_path / "link").symlink_to(film.parent, target_is_directory=True)
    assert not folders.unlink(tmp_path / "link" / "film.mp4")
    assert not folders.unlink(tmp_path / "link" / "film.mp4", tmp_path) and film.exists()
    assert folders.unlink(film) and not folders.unlink(film)


def test_old_results_on_a_volume_are_removed_and_links_kept(tmp_path: Path) -> None:
    film = old(tmp_path / "films" / "film.mp4")
    results = tmp_path / "volume" / RESULTS
    gone, kept = old(results / "job-1" / "a.mp4").parent, old(results / "notes.txt")
    link = results / "films"
    link.symlink_to(film.parent, target_is_directory=True)
    moment = time.time() - 30 * KEEP_SECONDS
    for path in (gone, film.parent, link):
        os.utime(path, (moment, moment), follow_symlinks=False)
    remove_old_results(tmp_path / "volume", time.time())
    assert not gone.exists() and kept.exists() and film.exists() and link.is_symlink()
    linked = tmp_path / "linked"
    (linked / "wan-studio").mkdir(parents=True)
    (linked / "wan-studio" / "results").symlink_to(tmp_path, target_is_directory=True)
    remove_old_results(linked, time.time())
    assert film.exists()


def test_unfinished_downloads_of_other_programs_are_kept(tmp_path: Path) -> None:
    final = tmp_path / "model.safetensors"
    ours = old(tmp_path / f".model.safetensors.{'a' * 12}.{mark()}.part")
    theirs = [old(tmp_path / f".model.safetensors.{name}.part") for name in ("download", "a.b-1-c")]
    link = tmp_path / f".model.safetensors.{'b' * 12}.{mark()}.part"
    link.symlink_to(old(tmp_path / "film.mp4"))
    partial.clean(final)
    assert not ours.exists() and link.is_symlink() and all(path.exists() for path in theirs)
