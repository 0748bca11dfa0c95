"""The events below a result over a studio without engines: send it on, look up what its menus show."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from tests.support.fake_studio import FakeStudio
from ui.actions.choices import Choices
from ui.actions.fill import FillForms
from ui.forms.page_files import PageFiles
from ui.forms.planner import Planner
from ui.forms.widgets import Form
from ui.tabs.registry import TABS

OWNER = "owner-token-of-a-fake-studio-0001"
DRAFT = {"prompt": "A boat", "speed": "fast", "resolution": "draft", "seconds": 0.5, "seed": 7, "steps": 4}


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    path = tmp_path / "fjord.jpg"
    Image.new("RGB", (960, 540), (20, 40, 80)).save(path)
    return path


@pytest.fixture
def studio() -> Any:
    return FakeStudio(seconds=1e-9, hold=0.62)


@pytest.fixture(scope="module")
def forms() -> dict[str, Form]:
    with gr.Blocks():
        made = [form for tab in TABS for form in tab.build(100, "").forms]
    return {one.mode: one for one in made}


@pytest.fixture
def fill(studio: Any, forms: dict[str, Form]) -> FillForms:
    return FillForms(studio, Planner(studio, ""), forms, gr.Tabs(), {}, [])


def done(studio: Any, picture: Path, mode: str = "image_to_video", **values: Any) -> Any:
    job = studio.add(mode, {**DRAFT, **values}, picture)
    studio.complete(job)
    return studio.job(job.id, job.key)


def event(job: Any, **data: object) -> Any:
    return SimpleNamespace(_data={"id": job.id, "key": job.key, **data})


@pytest.mark.parametrize(("mode", "field"), [("animate", "video"), ("sound_to_video", "audio")])
def test_a_video_is_sent_as_driving_video_or_sound(
    studio: Any, fill: FillForms, picture: Path, mode: str, field: str
) -> None:
    job = done(studio, picture)
    updates = fill.send(OWNER, event(job, mode=mode, field=field))
    widgets = fill.forms[mode].widgets
    sent = updates[widgets[field]]
    assert Path(sent).read_bytes() == studio.result_path(job.id, job.key).read_bytes()
    assert Path(sent).name == "video-7.mp4" and Path(sent).is_relative_to(picture.parent / "uploads")
    assert updates[widgets["start"]] == 0, "a new file is used as a whole"


def test_a_result_without_sound_is_refused_as_one(
    studio: Any, fill: FillForms, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", said.append)
    monkeypatch.setattr(fill.files, "has_sound", lambda job, path: False)
    job = done(studio, picture)
    assert fill.send(OWNER, event(job, mode="sound_to_video", field="audio")) == fill.nothing()
    assert said == ["This video has no sound."]


@pytest.mark.parametrize(
    ("mode", "field"),
    [("animate", "image"), ("image_to_video", "prompt"), ("gone", "video"), ("animate", ""), ("", "")],
)
def test_what_does_not_fit_changes_nothing(
    studio: Any, fill: FillForms, picture: Path, mode: str, field: str
) -> None:
    assert list(fill.send(OWNER, event(done(studio, picture), mode=mode, field=field))) == [fill.tabs]


def test_a_result_of_another_visitor_is_not_sent(
    studio: Any, fill: FillForms, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Info", said.append)
    job = done(studio, picture)
    raw = SimpleNamespace(_data={"id": job.id, "key": "wrong", "mode": "animate", "field": "video"})
    assert list(fill.send(OWNER, raw)) == [fill.tabs] and said == ["This clip no longer exists."]


def choices(studio: Any, **asked: object) -> dict[str, Any]:
    return asyncio.run(Choices(studio, PageFiles(studio)).answer(asked))


def test_menus_learn_of_the_sound(studio: Any, picture: Path) -> None:
    job = done(studio, picture)
    assert choices(studio, id=job.id, key=job.key) == {"sound": True}
    running = studio.add("image_to_video", DRAFT, picture)
    assert choices(studio, id=running.id, key=running.key)["sound"] is False


@pytest.mark.parametrize("asked", [{}, {"id": 5, "key": []}, {"id": "x", "key": "y"}])
def test_a_wrong_key_learns_nothing(studio: Any, asked: dict[str, object]) -> None:
    assert choices(studio, **asked) == {"gone": True}
