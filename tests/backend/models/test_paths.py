from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from backend.models.errors import ModelStoreError, NoRoom
from backend.models.paths import FOLDERS, MARK, render, write
from backend.models.roots import IN_STORE
from tests.support.paths import ROOT
from workflows.catalog import load_catalog


def lines_of(text: str) -> dict[str, str]:
    (section,) = yaml.safe_load(text).values()
    return section


def test_every_folder_of_the_catalogue_is_listed() -> None:
    section = lines_of(render(Path("/workspace/models")))
    assert section.pop("base_path") == "/workspace/models"
    assert section == {name: f"{name}/" for name in FOLDERS}
    assert {file.folder for file in load_catalog().files} <= section.keys()
    assert "audio_encoders" in section and "is_default" not in section


def test_the_file_in_the_repository_is_what_would_be_written() -> None:
    assert (ROOT / "extra_model_paths.yaml").read_text() == render(Path("/workspace/models"))


def test_the_order_is_the_one_that_the_inventory_looks_in() -> None:
    for folders in IN_STORE.values():
        assert list(folders) == sorted(folders, key=FOLDERS.index)


def test_other_folders_of_the_store_are_listed_but_none_with_code(tmp_path: Path) -> None:
    for name in ("ipadapter", "custom_nodes", ".hidden", "with space", "loras", "true", "123"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    section = lines_of(render(tmp_path))
    assert set(section) - {"base_path", *FOLDERS} == {"ipadapter", "true", "123"}, "all of them texts"


@pytest.mark.parametrize("name", ["plain", "with space", "it's: a #folder", "ümläut", "{braces}", "x" * 200])
def test_any_folder_name_survives(tmp_path: Path, name: str) -> None:
    store = tmp_path / name / "models"
    assert lines_of(render(store))["base_path"] == str(store)


@pytest.mark.parametrize("name", ["a$HOME", "line\nbreak", "end "])
def test_a_name_that_comfyui_would_change_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelStoreError, match="would change its name"):
        render(tmp_path / name)


def test_written_updated_unchanged(tmp_path: Path) -> None:
    target = tmp_path / "data" / "extra_model_paths.yaml"
    assert write(tmp_path / "one", target).state == "new"
    before = target.stat().st_mtime_ns
    assert write(tmp_path / "one", target).state == "unchanged"
    assert target.stat().st_mtime_ns == before
    assert write(tmp_path / "two", target).state == "updated"
    assert target.read_text() == render(tmp_path / "two")
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_foreign_file_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "extra_model_paths.yaml"
    for number in ("", "2", "3"):
        target.write_text(f"mine{number}: {{}}\n")
        written = write(tmp_path / "store", target)
        assert written.state == "replaced" and MARK in target.read_text()
        assert written.backup == tmp_path / f"extra_model_paths.yaml.bak{number}"
    assert (tmp_path / "extra_model_paths.yaml.bak").read_text() == "mine: {}\n"


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelStoreError, match="cannot be used"):
        write(tmp_path, tmp_path / "file" / "x.yaml")

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    target = tmp_path / "x.yaml"
    target.write_text(MARK)
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(NoRoom):
        write(tmp_path, target)
    assert target.read_text() == MARK and len(list(tmp_path.iterdir())) == 2
