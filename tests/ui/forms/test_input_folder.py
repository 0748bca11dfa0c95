"""Files of the input folder in the forms: which are offered to whom, and into which field they go."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from backend.storage.input_folder import InputFile
from tests.support.scripted import OWNER, Make
from ui.forms.input_folder import InputFolder, choices, target
from ui.forms.page_files import PageFiles

pytestmark = pytest.mark.full

FILES = (
    InputFile("a.png", 2_000_000, "picture"),
    InputFile("b/c.wav", 5_000, "sound"),
    InputFile("d.mp4", 1, "video"),
)


def test_a_form_is_offered_what_it_has_a_field_for() -> None:
    def names(mode: str) -> list[str]:
        return [name for _, name in choices(mode, FILES)]

    assert names("image_to_video") == names("fast_video") == ["a.png"]
    assert names("animate") == ["a.png", "d.mp4"]
    assert names("sound_to_video") == ["a.png", "b/c.wav", "d.mp4"], "a video's sound counts"
    assert names("text_to_video") == []
    assert choices("fast_video", FILES)[0][0] == "a.png, 2 MB"


def test_it_goes_into_the_first_empty_field() -> None:
    full = Path("x")
    assert target("image_to_video", "picture", {}) == "image"
    assert target("image_to_video", "picture", {"image": full}) == "end_image"
    assert target("image_to_video", "picture", {"image": full, "end_image": full}) == "image"
    assert target("animate", "video", {"video": full}) == "pose_video"
    assert target("sound_to_video", "video", {}) == "audio"
    assert target("fast_video", "sound", {}) == ""


def test_only_the_owner_sees_and_fills(
    make: Make, tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", said.append)
    folder = tmp_path / "inputs"
    folder.mkdir()
    picture.rename(folder / "boat.png")
    studio = make(WAN_INPUT_DIR=str(folder), WAN_AUTH="ann:secret")
    field = InputFolder(studio, PageFiles(studio))
    with gr.Blocks():
        field.box("image_to_video")
    assert field.updates(OWNER, "bob") == {}
    assert field.filled(OWNER, "bob", "image_to_video", "boat.png", {}) == {} and "admin" in said.pop()
    (shown,) = field.updates(OWNER, "ann").values()
    assert shown.visible and [name for _, name in shown.choices] == ["boat.png"]
    (path,) = field.filled(OWNER, "ann", "image_to_video", "boat.png", {}).values()
    assert Path(path).is_relative_to(tmp_path / "uploads") and Path(path).name == "boat.png"
    assert Path(path).read_bytes() == (folder / "boat.png").read_bytes()
    for name in ("../secret", "gone.png", 5, ["boat.png"]):
        assert field.filled(OWNER, "ann", "image_to_video", name, {}) == {} and said.pop()
    assert field.filled(OWNER, "ann", "image_to_video", None, {}) == {} and not said
