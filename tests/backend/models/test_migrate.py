"""Moving an old models folder: no content is ever lost."""

from __future__ import annotations

import errno
import os
import random
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from backend.models import migrate as migrate_module
from backend.models import move as move_module
from backend.models.errors import MigrateRefused, NoRoom
from backend.models.migrate import Report, migrate
from backend.models.move import move
from backend.models.progress import Progress, Verified
from backend.notices import words
from tests.support import migrate_child
from tests.support.model_files import as_nobody

FILES = {
    "vae/wan_2.1_vae.safetensors": b"vae" * 300,
    "diffusion_models/wan/deep/a.safetensors": b"deep" * 500,
    "clip/b.safetensors": b"b",
    "ipadapter/unknown.bin": b"a folder that we do not know" * 40,
    "loose.txt": b"at the top",
    "loras/empty.safetensors": b"",
}
PLACEHOLDERS = ("vae/put_vae_here", "checkpoints/put_checkpoints_here", "loras/put_loras_here")


def build(source: Path) -> None:
    for name, content in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    for name in PLACEHOLDERS:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()


def contents(folder: Path) -> dict[str, bytes]:
    """The regular files except placeholders; links are not followed."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and "put_" not in path.name
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    build(tmp_path / "ComfyUI" / "models")
    return tmp_path / "ComfyUI" / "models"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(params=["same", "other"])
def filesystem(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs the test with a move by link and with a move by copy."""
    if request.param == "other":
        across(monkeypatch)
    return request.param


def across(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def link(old: Path, new: Path, **options: bool) -> None:
        if not str(old).endswith(move_module.ENDING):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(old, new, **options)

    monkeypatch.setattr(os, "link", link)


def run(
    source: Path, store: Path, *, dry_run: bool = False, verified: Verified = lambda path, sha256: None
) -> tuple[Report, list[str]]:
    said: list[str] = []
    return migrate(source, store, Progress(said.append, verified=verified), dry_run=dry_run), said


def test_every_file_is_moved(source: Path, store: Path, filesystem: str) -> None:
    (source / "clip" / "b.safetensors").chmod(0o640)
    os.utime(source / "clip" / "b.safetensors", (1_700_000_000, 1_700_000_000))
    hashes: dict[Path, str] = {}
    report, said = run(source, store, verified=hashes.__setitem__)
    assert (report.moved, report.same, report.problems, report.notes) == (len(FILES), 0, [], [])
    assert report.bytes == sum(map(len, FILES.values()))
    assert contents(store) == FILES and contents(source) == {}
    copies = {store / name: sha256(content).hexdigest() for name, content in FILES.items()}
    assert hashes == (copies if filesystem == "other" else {}), "what is read anyway is not read again"
    assert all((source / name).exists() for name in PLACEHOLDERS), "ComfyUI's own empty files stay"
    facts = (store / "clip" / "b.safetensors").stat()
    assert facts.st_mode & 0o777 == 0o640 and facts.st_mtime == 1_700_000_000
    again, _ = run(source, store)
    assert (again.moved, again.same, again.problems) == (0, 0, [])
    assert len(said) == len(FILES)


def test_the_same_content_is_kept_once(source: Path, store: Path, filesystem: str) -> None:
    shutil.copytree(source, store)
    report, _ = run(source, store)
    assert (report.moved, report.same, report.problems) == (0, len(FILES), [])
    assert contents(store) == FILES and contents(source) == {}


@pytest.mark.parametrize("other", [b"another", b"VAE" * 300])
def test_another_file_of_the_name_leaves_both(
    source: Path, store: Path, filesystem: str, other: bytes
) -> None:
    name = "vae/wan_2.1_vae.safetensors"
    (store / "vae").mkdir(parents=True)
    (store / name).write_bytes(other)
    report, _ = run(source, store)
    (problem,) = map(words, report.problems)
    assert (
        name in problem and f"{len(other)} bytes, here 900 bytes" in problem and "Both were kept" in problem
    )
    assert (store / name).read_bytes() == other and contents(source) == {name: FILES[name]}
    assert report.moved == len(FILES) - 1


def test_names_that_differ_in_case_are_two_files(source: Path, store: Path) -> None:
    (source / "vae" / "WAN_2.1_VAE.safetensors").write_bytes(b"the other")
    report, _ = run(source, store)
    assert report.problems == [] and len(contents(store)) == len(FILES) + 1


def test_a_file_where_a_folder_should_be_and_the_reverse(source: Path, store: Path, filesystem: str) -> None:
    (store / "loose.txt").mkdir(parents=True)
    (store / "clip").write_bytes(b"a file")
    report, _ = run(source, store)
    assert len(report.problems) == 2 and "a folder" in " ".join(map(words, report.problems))
    assert contents(source).keys() == {"loose.txt", "clip/b.safetensors"}


def test_a_dry_run_predicts_and_changes_nothing(source: Path, store: Path) -> None:
    (store / "vae").mkdir(parents=True)
    (store / "vae" / "wan_2.1_vae.safetensors").write_bytes(b"another")
    (store / "loose.txt").write_bytes(FILES["loose.txt"])
    (source / "vae" / "link").symlink_to("wan_2.1_vae.safetensors")
    before = contents(source), contents(store)
    report, said = run(source, store, dry_run=True)
    assert (contents(source), contents(store)) == before and (source / "vae" / "link").is_symlink()
    assert (report.moved, report.same, len(report.problems)) == (len(FILES) - 1, 1, 1)
    assert any("would be moved" in line for line in said)
    (store / "vae" / "wan_2.1_vae.safetensors").unlink()
    real, _ = run(source, store)
    assert real.problems == []


def test_links(tmp_path: Path, source: Path, store: Path, filesystem: str) -> None:
    outside = tmp_path / "outside.safetensors"
    outside.write_bytes(b"outside")
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "x").write_bytes(b"x")
    vae = source / "vae" / "wan_2.1_vae.safetensors"
    links: dict[str, str | Path] = {
        "vae/relative": "wan_2.1_vae.safetensors",
        "loras/up": "../clip/b.safetensors",
        "vae/absolute": vae,
        "vae/outside": outside,
        "vae/outside_relative": "../../../outside.safetensors",
        "vae/to_a_link": "relative",
        "unet": "diffusion_models",
        "far": tmp_path / "far",
    }
    for name, target in links.items():
        (source / name).symlink_to(target)
    report, _ = run(source, store)
    assert report.problems == [] and report.notes == []
    for name in links:
        assert not os.path.lexists(source / name) and (store / name).is_symlink(), name
    for name in ("relative", "absolute", "to_a_link"):
        assert (store / "vae" / name).read_bytes() == FILES["vae/wan_2.1_vae.safetensors"]
        assert str(source) not in str((store / "vae" / name).readlink())
    assert (store / "loras" / "up").read_bytes() == b"b"
    assert (store / "vae" / "outside").read_bytes() == (store / "vae" / "outside_relative").read_bytes()
    assert (store / "unet" / "wan" / "deep" / "a.safetensors").exists()
    assert (store / "far" / "x").read_bytes() == b"x" and (tmp_path / "far" / "x").exists()
    assert contents(store) == FILES


def test_links_that_stay(source: Path, store: Path) -> None:
    store.mkdir()
    (store / "there").write_bytes(b"there")
    (store / "taken").write_bytes(b"taken")
    (store / "vae").mkdir()
    (store / "vae" / "wan_2.1_vae.safetensors").write_bytes(b"another")
    links = {
        "into": store / "there",
        "nowhere": "gone",
        "one": "two",
        "two": "one",
        "itself": "itself",
        "around": "..",
        "taken": "loose.txt",
        "vae/stays": "wan_2.1_vae.safetensors",
    }
    for name, target in links.items():
        (source / name).symlink_to(target)
    report, _ = run(source, store)
    assert all((source / name).is_symlink() for name in links if name != "around")
    text = "\n".join(map(words, report.notes + report.problems))
    assert "into is a link into the store" in text
    for name in ("nowhere", "one", "two", "itself"):
        assert f"{name} is a broken link" in text
    assert "taken is a link, and the store has something else of this name" in text
    assert "vae/stays is a link to a file that was not moved" in text
    assert (store / "taken").read_bytes() == b"taken"


def test_a_target_that_is_a_link_to_the_source_costs_nothing(
    source: Path, store: Path, filesystem: str
) -> None:
    """The store already has links to the old files: no link may be left dangling."""
    name = "vae/wan_2.1_vae.safetensors"
    (store / "vae").mkdir(parents=True)
    (store / name).symlink_to(source / name)
    (store / "clip").symlink_to(source / "clip")
    report, _ = run(source, store)
    assert (source / name).read_bytes() == FILES[name] and len(report.problems) == 1
    assert (source / "clip" / "b.safetensors").read_bytes() == b"b"


def test_another_path_to_the_store_is_the_store(source: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(source)
    for one, other in ((source, source), (tmp_path / "alias", source), (source, tmp_path / "alias")):
        with pytest.raises(MigrateRefused, match="nothing to move"):
            migrate(one, other, Progress(print))
    assert contents(source) == FILES


def test_nested_folders(source: Path) -> None:
    for one, other in ((source, source / "store"), (source / "vae", source)):
        with pytest.raises(MigrateRefused, match="lie in one another"):
            migrate(one, other, Progress(print))
    with pytest.raises(MigrateRefused, match="is not a folder"):
        migrate(source / "loose.txt", source.parent / "s", Progress(print))


@pytest.mark.full
def test_hard_links_are_one_content_with_two_names(source: Path, store: Path, filesystem: str) -> None:
    subprocess.run(["cp", "-l", source / "loose.txt", source / "second.txt"], check=True)
    report, _ = run(source, store)
    assert report.problems == []
    assert contents(store) == {**FILES, "second.txt": FILES["loose.txt"]}


def test_special_files_are_left(source: Path, store: Path) -> None:
    os.mkfifo(source / "pipe")
    report, _ = run(source, store)
    assert (
        list(map(words, report.notes)) == ["pipe is neither file nor folder: skipped."]
        and report.problems == []
    )


def test_without_hard_links_nothing_is_replaced(
    source: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    (store / "clip").mkdir(parents=True)
    (store / "clip" / "b.safetensors").write_bytes(b"other")
    report, _ = run(source, store)
    assert len(report.problems) == 1 and (store / "clip" / "b.safetensors").read_bytes() == b"other"
    assert contents(source) == {"clip/b.safetensors": b"b"}
    assert len(contents(store)) == len(FILES)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_becomes_full(
    source: Path, store: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as full:
        across(full)
        room = [1000]
        real = os.fsync

        def fsync(file: int) -> None:
            facts = os.fstat(file)
            room[0] -= facts.st_size if stat.S_ISREG(facts.st_mode) else 0
            if room[0] < 0:
                raise OSError(number, os.strerror(number))
            real(file)

        full.setattr(os, "fsync", fsync)
        with pytest.raises(NoRoom) as failure:
            run(source, store)
    assert "became full" in failure.value.message and "Nothing is lost" in failure.value.hint
    assert {**contents(source), **contents(store)} == FILES
    assert not set(contents(source)) & set(contents(store))
    assert not list(store.rglob("*.moving"))
    report, _ = run(source, store)
    assert report.problems == [] and contents(store) == FILES


def test_room_is_needed_only_on_another_filesystem(
    source: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate_module, "room", lambda _: (10, 10_000))
    monkeypatch.setattr(migrate_module, "_device", lambda *_: -7)
    need = sum(map(len, FILES.values()))
    with pytest.raises(NoRoom) as failure:
        run(source, store)
    assert failure.value.message == (
        f"The move needs {migrate_module.size(need)}, and the disk of {store} has 10 bytes free."
        " Nothing was moved."
    )
    assert contents(source) == FILES and not store.exists()
    monkeypatch.setattr(migrate_module, "_device", lambda *_: source.stat().st_dev)
    assert run(source, store)[0].moved == len(FILES)


def test_a_file_that_is_written_meanwhile_stays(
    source: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    across(monkeypatch)
    victim = source / "loose.txt"
    real = move_module.sha256

    def slow(path: Path) -> str:
        if "loose.txt" in path.name:
            victim.write_bytes(b"and more, and more")
        return real(path)

    monkeypatch.setattr(move_module, "sha256", slow)
    report, _ = run(source, store)
    assert len(report.problems) == 1 and "written to while it was copied" in words(report.problems[0])
    assert victim.read_bytes() == b"and more, and more" and not (store / "loose.txt").exists()


def test_a_copy_that_differs_when_read_back_is_discarded(
    source: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    across(monkeypatch)
    monkeypatch.setattr(move_module, "sha256", lambda path: "0" * 64)
    report, _ = run(source, store)
    assert len(report.problems) == len(FILES) and "reads back differently" in words(report.problems[0])
    assert contents(source) == FILES and contents(store) == {}


def test_onto_a_real_other_filesystem(source: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == source.stat().st_dev:
        pytest.skip("no second filesystem here")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        report, _ = run(source, Path(folder) / "store")
        assert report.problems == [] and contents(Path(folder) / "store") == FILES
        assert contents(source) == {}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def everything_of(folder: Path, user: int) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user, user)


@pytest.mark.full
@pytest.mark.skipif(os.getuid() != 0, reason="makes files of another user")
@pytest.mark.parametrize("copied", [False, True])
def test_without_permission_nothing_moves(open_folder: Path, copied: bool) -> None:
    source, store = open_folder / "old", open_folder / "store"
    build(source)
    store.mkdir()
    everything_of(source, 65534)
    everything_of(store, 65534)
    (source / "vae" / "wan_2.1_vae.safetensors").chmod(0)  # a copy cannot read it
    (source / "clip").chmod(0o500)  # nothing can be removed from it
    (source / "loras").chmod(0)  # nothing can be seen in it

    def work() -> str:
        if copied:
            real = os.link
            move_module.os.link = lambda old, new, **kw: (  # type: ignore[assignment]
                real(old, new, **kw)
                if str(old).endswith(move_module.ENDING)
                else (_ for _ in ()).throw(OSError(errno.EXDEV, "x"))
            )
        return "\n".join(map(words, migrate(source, store, Progress(lambda text: None)).problems))

    said = as_nobody(work)
    assert "loras cannot be read" in said and "clip/b.safetensors: Permission denied" in said
    assert ("vae/wan_2.1_vae.safetensors: Permission denied" in said) is copied
    for name in ("clip", "loras"):
        (source / name).chmod(0o755)
    found = {**contents(source), **contents(store)}
    assert found == FILES


def test_two_at_once(source: Path, store: Path) -> None:
    for number in range(200):
        (source / "many").mkdir(exist_ok=True)
        (source / "many" / str(number)).write_bytes(str(number).encode() * 50)
    expected = contents(source)
    threads = [threading.Thread(target=run, args=(source, store)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents(store) == expected and contents(source) == {}


def test_move_leaves_a_name_that_appears_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program creates the target between the check and the move."""
    old, new = tmp_path / "a" / "x", tmp_path / "b" / "x"
    old.parent.mkdir()
    old.write_bytes(b"mine")
    real: Callable[..., bool] = os.path.lexists
    calls = [0]

    def lexists(path: Path) -> bool:
        calls[0] += 1
        there = real(path)
        if calls[0] == 1:
            new.write_bytes(b"theirs")
        return there

    monkeypatch.setattr(os.path, "lexists", lexists)
    assert move(old, new) == "conflict"
    assert (old.read_bytes(), new.read_bytes()) == (b"mine", b"theirs")


# Killed


def prepare(folder: Path) -> tuple[Path, Path]:
    source, store = folder / "old", folder / "store"
    build(source)
    (source / "vae" / "absolute").symlink_to(source / "vae" / "wan_2.1_vae.safetensors")
    (source / "vae" / "relative").symlink_to("wan_2.1_vae.safetensors")
    (store / "clip").mkdir(parents=True)
    (store / "clip" / "b.safetensors").write_bytes(b"b")
    return source, store


@pytest.mark.full
@pytest.mark.parametrize("how", ["link", "copy"])
def test_killed_anywhere_and_run_again(tmp_path: Path, how: str) -> None:
    """Kills at seeded lines of code: after each, every content is complete under its own name."""
    with migrate_child.forked() as child:
        killed_and_run_again(tmp_path, how, child)


def killed_and_run_again(tmp_path: Path, how: str, child: migrate_child.Migrate) -> None:
    status, lines = child(*prepare(tmp_path / "whole"), 0, how)
    assert status == 0 and lines > 200
    chance = random.Random(20 if how == "link" else 21)
    for number, line in enumerate(sorted(chance.sample(range(1, lines + 1), 14))):
        source, store = prepare(tmp_path / str(number))
        assert child(source, store, line, how) == (-9, 0), line
        there = {name: data for name, data in contents(store).items() if not name.endswith(".moving")}
        here = contents(source)
        for name, content in FILES.items():
            assert here.get(name, content) == content and there.get(name, content) == content, (line, name)
            assert name in here or name in there, (line, name)
        assert child(source, store, 0, how)[0] == 0, line
        assert contents(store) == FILES and contents(source) == {}, line
        for name in ("absolute", "relative"):
            link = store / "vae" / name
            assert link.is_symlink() and link.read_bytes() == FILES["vae/wan_2.1_vae.safetensors"], line
            assert not os.path.lexists(source / "vae" / name)
