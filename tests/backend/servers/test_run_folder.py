"""The folder of a running studio's servers, and its lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.servers.run_folder import RunFolder


def test_a_second_release_closes_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = RunFolder(tmp_path / "data")
    folder.release(keep_logs=False)
    with (tmp_path / "other").open("wb") as other:  # has the number that the lock had
        folder.release(keep_logs=False)
        folder.touch()
        other.write(b"x")
    assert (tmp_path / "other").read_bytes() == b"x"


def test_a_folder_is_free_again_after_its_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    first = RunFolder(tmp_path / "data")
    second = RunFolder(tmp_path / "data")
    assert first.first and not second.first and first.folder != second.folder
    first.release(keep_logs=True)
    third = RunFolder(tmp_path / "data")
    assert third.first
    for one in (second, third):
        one.release(keep_logs=False)
    assert [path for path in tmp_path.iterdir() if path.is_dir() and [*path.iterdir()]] == []
