"""Home, caches and temporary files of a user that has none, as in a container that runs as any user."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from backend.errors import BadSettings
from backend.system import user_folders


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders named `closed` cannot be written to, also by root."""
    allowed = os.access

    def access(path: str | Path, mode: int) -> bool:
        return allowed(path, mode) and not ("closed" in Path(path).parts and mode & os.W_OK)

    monkeypatch.setattr(os, "access", access)


def test_a_home_and_caches_that_can_be_written_to_stay(temporary: Path, tmp_path: Path) -> None:
    environ = {
        "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "new" / "cache"), "HF_HOME": "~/hf",
        "MPLCONFIGDIR": "", "PATH": "/bin",
    }  # fmt: skip
    before = dict(environ)
    assert user_folders.prepare(environ) == [] and environ == before
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("home", [None, "", "/nonexistent/home"])
def test_without_a_home_there_is_a_private_one(temporary: Path, home: str | None) -> None:
    environ = {} if home is None else {"HOME": home}
    (sentence,) = user_folders.prepare(environ)
    made = Path(environ["HOME"])
    assert made == temporary / f"home-{os.getuid()}" and made.stat().st_mode & 0o777 == 0o700
    why = f"The home folder {home} cannot be written to" if home else "There is no home folder (HOME)"
    assert sentence == f"{why}: caches go into {made}."
    assert user_folders.prepare(dict(environ)) == [], "the next start has it"


def test_a_home_on_a_disk_that_takes_no_changes(temporary: Path, tmp_path: Path, closed: None) -> None:
    (tmp_path / "closed").mkdir()
    environ = {"HOME": str(tmp_path / "closed")}
    assert "cannot be written to" in user_folders.prepare(environ)[0]
    assert environ["HOME"].startswith(str(temporary))


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_name_that_is_in_use_is_not_taken(temporary: Path, tmp_path: Path, kind: str) -> None:
    name = temporary / f"home-{os.getuid()}"
    if kind == "file":
        name.write_text("x")
    else:
        name.symlink_to(tmp_path)
    environ: dict[str, str] = {}
    user_folders.prepare(environ)
    made = Path(environ["HOME"])
    assert made != name and made.parent == temporary and made.is_dir() and not made.is_symlink()


def test_caches_that_cannot_be_used_have_their_default(temporary: Path, tmp_path: Path, closed: None) -> None:
    filled = tmp_path / "closed" / "hf"
    filled.mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    wrong = {
        "XDG_CACHE_HOME": str(tmp_path / "closed"), "MPLCONFIGDIR": str(tmp_path / "closed" / "new"),
        "TORCH_HOME": str(tmp_path / "file" / "torch"), "NUMBA_CACHE_DIR": str(tmp_path / "file"),
    }  # fmt: skip
    environ = {"HOME": str(tmp_path), "HF_HOME": str(filled), **wrong}
    said = user_folders.prepare(environ)
    assert environ == {"HOME": str(tmp_path), "HF_HOME": str(filled)}, "a filled HF_HOME is read"
    for name, given in wrong.items():
        assert f"{name} is {given}, which cannot be used by this user: its default is used instead." in said
    assert len(said) == len(wrong)


def test_without_a_folder_for_temporary_files_the_start_says_what_to_mount() -> None:
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found in ['/tmp']")

    with pytest.raises(BadSettings, match="No folder for temporary files can be written to") as refused:
        user_folders.check_temporary(none)
    assert "--tmpfs /tmp" in refused.value.hint and "TMPDIR" in refused.value.hint
    user_folders.check_temporary()
