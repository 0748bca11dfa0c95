"""Uploads as paths: what is taken, what is refused, and that nothing is opened here."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import PIL.Image
import pytest
from gradio.context import LocalContext
from gradio.data_classes import FileData, ImageData

from backend.threads import Threads
from ui.forms.uploads import (
    DEFAULT_MAX_BYTES,
    FileInput,
    PictureInput,
    cached_copy,
    checked_upload,
    guard_uploads,
    max_upload_bytes,
)

META = {"_type": "gradio.FileData"}


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


@pytest.fixture
def no_opening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a picture was opened in this process")

    monkeypatch.setattr(PIL.Image, "open", never)
    yield


def _file(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_an_upload_comes_as_its_path(uploads: Path, no_opening: None) -> None:
    path = _file(uploads / "aa" / "a b.png", b"<svg/> or text, it is all the same here")
    for value in (
        {"path": str(path), "meta": META},
        {"path": str(path)},
        str(path),
        path,
        f"http://127.0.0.1:7860/gradio_api/file={path}",
        f"/gradio_api/file={str(path).replace(' ', '%20')}",
        {"path": None, "url": f"/gradio_api/file={path}"},
    ):
        assert checked_upload(value) == path
    assert checked_upload(None) is None


def test_everything_else_is_refused(uploads: Path, tmp_path: Path) -> None:
    outside = _file(tmp_path / "secret.png")
    beside = _file(tmp_path / "uploads-2" / "a.png")
    (uploads / "link.png").symlink_to(outside)
    (uploads / "folder").mkdir()
    os.mkfifo(uploads / "pipe.png")
    for value in (
        str(outside), str(beside), str(uploads / ".." / "secret.png"), str(uploads / "link.png"),
        str(uploads), str(uploads / "folder"), str(uploads / "pipe.png"), str(uploads / "gone.png"),
        "/dev/zero", "~/a.png", "a.png", "", "a\0b", "\ud800", "x" * 9000, "https://example.com/a.png",
        "ftp://example.com/a.png", f"http://127.0.0.1/gradio_api/file={outside}",
        "data:image/png;base64,AAAA", 5, True, [], {}, [str(outside)], {"path": 5},
        {"path": {"path": str(outside)}}, {"url": str(outside)}, b"/etc/passwd",
    ):  # fmt: skip
        with pytest.raises(gr.Error) as caught:
            checked_upload(value)
        assert caught.value.message.endswith(".") and not caught.value.print_exception
        assert str(tmp_path) not in caught.value.message


def test_too_large(uploads: Path) -> None:
    path = _file(uploads / "a.png", b"x" * 3_000_000)
    assert checked_upload(str(path), max_bytes=3_000_000) == path
    with pytest.raises(gr.Error) as caught:
        checked_upload(str(path), max_bytes=2_000_000)
    assert "3 MB; at most 2 MB" in caught.value.message


def test_the_limit_is_the_one_that_launch_was_given() -> None:
    assert max_upload_bytes(SimpleNamespace(max_file_size=5)) == 5  # type: ignore[arg-type]
    for blocks in (None, SimpleNamespace(), SimpleNamespace(max_file_size=None)):
        assert max_upload_bytes(blocks) == DEFAULT_MAX_BYTES  # type: ignore[arg-type]


def test_component_gives_a_path_and_opens_nothing(uploads: Path, no_opening: None) -> None:
    component = PictureInput(sources=["upload"], label="Picture", render=False)
    path = _file(uploads / "a.png", b"not a picture")
    assert component.preprocess(ImageData(path=str(path), orig_name="a.svg")) == path
    assert component.preprocess(None) is None
    with pytest.raises(gr.Error):
        component.preprocess(ImageData(path="/etc/passwd"))
    with pytest.raises(gr.Error):
        component.preprocess(ImageData(url="data:image/png;base64,AAAA"))
    shown = component.postprocess(str(path))
    assert shown is not None and shown.path == str(path)  # type: ignore[union-attr]


def test_component_is_an_image_to_the_browser() -> None:
    component = PictureInput(sources=["upload"], label="Picture", render=False)
    plain = gr.Image(sources=["upload"], label="Picture", render=False)
    ours, theirs = component.get_config(), plain.get_config()
    assert ours == theirs
    assert component.get_block_name() == "image"
    assert not Path(inspect.getfile(PictureInput)).with_suffix(".pyi").exists()


def test_sounds_and_videos_are_paths_too(uploads: Path, no_opening: None) -> None:
    component = FileInput(label="Sound", file_types=["audio"], render=False)
    component.kind = "sound"
    path = _file(uploads / "a.mp3", b"not a sound")
    assert component.preprocess(FileData(path=str(path), orig_name="a.mp3")) == path
    assert component.preprocess(None) is None
    for wrong in (FileData(path="/etc/passwd"), FileData(path="https://example.com/a.mp3")):
        with pytest.raises(gr.Error, match=r"sound|addresses"):
            component.preprocess(wrong)
    shown = component.postprocess(str(path))
    assert shown is not None and shown.path == str(path)
    plain = gr.File(label="Sound", file_types=["audio"], render=False)
    assert component.get_config() == plain.get_config() and component.get_block_name() == "file"


@pytest.mark.full
def test_guard_knows_the_kind_of_a_file(uploads: Path) -> None:
    component = FileInput(file_types=["video"], render=False)
    component.kind = "video"
    path = _file(uploads / "a.mp4")
    assert _guarded(component, {"path": str(path), "meta": META}, uploads) == path
    wrong: list[Any] = ["/etc/passwd", [{"path": str(path)}], {"path": "/etc/passwd", "meta": META}]
    for value in wrong:
        with pytest.raises(gr.Error, match="video"):
            component = FileInput(file_types=["video"], render=False)
            component.kind = "video"
            _guarded(component, value, uploads)


def _guarded(component: Any, value: Any, uploads: Path) -> Any:
    """What reaches the function when a request sends `value` to one component of a guarded page."""
    seen: list[Any] = []
    with gr.Blocks() as demo:
        component.render()
        button = gr.Button()
        button.click(seen.append, component, None)
        guard_uploads(demo, Threads())

    async def request() -> Any:
        LocalContext.blocks.set(demo)
        return await demo.preprocess_data(demo.fns[0], [value], None)

    return asyncio.run(request())[0]


@pytest.mark.full
def test_guard_takes_a_file_without_meta_and_refuses_what_gradio_would_take(uploads: Path) -> None:
    path = _file(uploads / "a.png")
    assert _guarded(PictureInput(render=False), {"path": str(path)}, uploads) == path
    assert _guarded(PictureInput(render=False), None, uploads) is None
    for value in (
        "/etc/passwd",
        [],
        {"path": "/etc/passwd"},
        {"path": "/etc/passwd", "meta": META},
        {"meta": META},
    ):
        with pytest.raises(gr.Error):
            _guarded(PictureInput(render=False), value, uploads)


@pytest.mark.full
def test_guard_looks_into_every_value(uploads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("an address was fetched")

    monkeypatch.setattr("gradio.processing_utils.async_ssrf_protected_download", never)
    bad = {"path": "https://example.com/a.png", "meta": META}
    for value in (bad, [bad], {"a": [{"b": bad}]}, {"path": "/etc/passwd", "meta": {}}):
        with pytest.raises(gr.Error):
            _guarded(gr.JSON(render=False), value, uploads)
    for value in ("text", 5, None, [1, {"path": "x"}], {"a": {"path": "just a word"}}):
        assert _guarded(gr.JSON(render=False), value, uploads) == value


def test_cached_copy_links_once_under_a_name_that_cannot_be_guessed(uploads: Path, tmp_path: Path) -> None:
    source = _file(tmp_path / "result.mp4", b"video")
    copies = {cached_copy(source, "boat.mp4") for _ in range(3)}
    first = copies.pop()
    assert not copies and first.name == "boat.mp4" and first.stat().st_ino == source.stat().st_ino
    assert first.parent.parent == uploads and len(first.parent.name) == 40
    assert [path.name for path in first.parent.iterdir()] == ["boat.mp4"]
    assert cached_copy(source, "other.mp4").parent != first.parent
    source.write_bytes(b"another video")
    again = cached_copy(source, "boat.mp4")
    assert again != first and again.read_bytes() == b"another video"
    again.unlink()
    assert cached_copy(source, "boat.mp4") == again and again.exists(), "made again where it was removed"


def test_cached_copy_where_links_are_not_possible(
    uploads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _file(tmp_path / "result.mp4", b"video")

    def cross_device(*args: Any) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr(os, "link", cross_device)
    copy = cached_copy(source, "boat.mp4")
    assert copy.read_bytes() == b"video" and copy.stat().st_ino != source.stat().st_ino
    with pytest.raises(OSError, match="gone"):
        cached_copy(tmp_path / "gone.mp4", "boat.mp4")
    assert [path.name for path in uploads.iterdir()] == [copy.parent.name]
