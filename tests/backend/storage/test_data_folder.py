"""The data folder that cannot be written to: the reason, and what to do about it."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from backend.errors import BadSettings
from backend.storage import data_folder, upload_folder


def refused(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> BadSettings:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    with pytest.raises(BadSettings) as caught:
        data_folder.prepare(folder, folder / "jobs")
    assert caught.value.message == f"The data folder {folder} cannot be written: {os.strerror(number)}."
    return caught.value


def test_a_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hint = refused(tmp_path, monkeypatch, errno.EACCES).hint
    assert f"{tmp_path} belongs to user {tmp_path.stat().st_uid}, " in hint
    assert f"Wan Studio runs as user {os.getuid()}." in hint


def test_a_disk_that_takes_no_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "without :ro" in refused(tmp_path, monkeypatch, errno.EROFS).hint


def test_another_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(tmp_path, monkeypatch, errno.EIO).hint == "Set WAN_DATA_DIR to a folder that can be."


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadSettings, match="cannot be written: Not a directory"):
        data_folder.prepare(tmp_path / "file" / "data", tmp_path / "file" / "data" / "jobs")


def test_an_upload_folder_in_a_home_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSettings, match="GRADIO_TEMP_DIR is ~no-such-user/uploads"):
        upload_folder.named("~no-such-user/uploads")
    assert upload_folder.named("uploads") == Path.cwd() / "uploads"
