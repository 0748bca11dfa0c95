"""The events below a result over a studio without engines: send it on, make a draft in its final size."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from backend.jobs.views import SEVERAL
from tests.support.fake_studio import FakeStudio
from ui.actions.again import Again, in_quality
from ui.actions.choices import Choices
from ui.actions.fill import FillForms
from ui.actions.stage import Stage
from ui.forms.page_files import PageFiles
from ui.forms.planner import Planner
from ui.forms.widgets import Form
from ui.job_card import Card
from ui.tabs.registry import TABS
from workflows.modes.registry import MODES

OWNER = "owner-token-of-a-fake-studio-0001"
VISITOR: Any = SimpleNamespace(username=None)
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
    studio.finish(job)
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


@pytest.mark.parametrize(("mode", "made"), [("image_to_video", 0), ("fast_video", 1)])
def test_a_draft_is_made_in_the_chosen_size(studio: Any, picture: Path, mode: str, made: int) -> None:
    files = PageFiles(studio)
    again = Again(studio, files, Stage(studio, Card(studio)))
    job = done(studio, picture, mode)
    assert job.width * job.height < 832 * 480
    again.quality(OWNER, event(job, change='{"resolution": "720p", "seed": 99, "prompt": "other"}'), VISITOR)
    (new,) = (run.view for run in studio.runs.values() if run.view.id != job.id)
    assert new.mode == "image_to_video" and new.params["speed"] == "quality" and new.seed == 7
    assert new.params["resolution"] == "720p" and new.params["prompt"] == "A boat", "only the size changes"
    assert new.width * new.height > 832 * 480


@pytest.mark.parametrize("change", ["", "[]", "{", '"text"'])
def test_a_malformed_change_keeps_the_size(studio: Any, picture: Path, change: str) -> None:
    job = done(studio, picture, resolution="480p")
    Again(studio, PageFiles(studio), Stage(studio, Card(studio))).quality(
        OWNER, event(job, change=change), VISITOR
    )
    (new,) = (run.view for run in studio.runs.values() if run.view.id != job.id)
    assert new.params["resolution"] == "480p" and new.params["speed"] == "quality"


def test_only_a_size_is_taken_from_the_event(studio: Any, picture: Path) -> None:
    job = done(studio, picture)
    found = in_quality(job, {"resolution": "720p", "seconds": 15})
    assert found is not None and found[1]["resolution"] == "720p" and "seconds" not in found[1]
    assert in_quality(replace(job, mode="gone")) is None


def choices(studio: Any, **asked: object) -> dict[str, Any]:
    return asyncio.run(Choices(studio, PageFiles(studio)).answer(asked))


def test_menus_learn_the_time_of_each_size_and_of_the_sound(studio: Any, picture: Path) -> None:
    job = done(studio, picture)
    found = choices(studio, id=job.id, key=job.key)
    assert found == {"times": {"480p": "About 1 min 5 s", "720p": "About 1 min 5 s"}, "sound": True}
    whole = done(studio, picture, resolution="480p")
    assert choices(studio, id=whole.id, key=whole.key)["times"] == {}
    running = studio.add("image_to_video", DRAFT, picture)
    assert choices(studio, id=running.id, key=running.key)["sound"] is False


@pytest.mark.parametrize("mode", ["image_to_video", "fast_video"])
def test_the_time_of_variations_is_that_of_all(
    studio: Any, picture: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    planned: list[set[str]] = []
    plan = studio.plan

    def noted(mode: str, values: dict[str, Any], facts: dict[str, Any]) -> Any:
        planned.append(set(values) - set(MODES[mode].by_name))
        return plan(mode, values, facts)

    monkeypatch.setattr(studio, "plan", noted)
    job = studio.add(mode, {**DRAFT, "variations": 2}, picture, plan("image_to_video", DRAFT, {}))
    studio.finish(job)
    times = choices(studio, id=job.id, key=job.key)["times"]
    assert times == {"480p": "About 2 min 10 s", "720p": "About 2 min 10 s"}
    assert planned == [set(), set()], "a mode has no such settings"


@pytest.mark.parametrize(
    ("mode", "given", "several"),
    [
        ("image_to_video", {"variations": 3}, {"variations": 3}),
        ("fast_video", {"variations": 3}, {"variations": 3}),
        ("fast_video", {"variations": 2, "vary": {"prompt": ["a", "b"]}}, None),
        (
            "fast_video",
            {"variations": 2, "vary": {"variant": ["subtle", "480p"]}},
            {"variations": 1, "vary": ""},
        ),
        (
            "image_to_video",
            {"variations": 2, "vary": {"speed": ["fast", "quality"]}},
            {"variations": 1, "vary": ""},
        ),
    ],
)
def test_variations_are_made_in_quality_together(
    studio: Any, picture: Path, mode: str, given: dict[str, Any], several: dict[str, Any] | None
) -> None:
    job = replace(done(studio, picture), mode=mode, params={**DRAFT, **given})
    found = in_quality(job)
    assert found is not None
    assert {name: found[1][name] for name in SEVERAL if name in found[1]} == (several or given)


@pytest.mark.parametrize("asked", [{}, {"id": 5, "key": []}, {"id": "x", "key": "y"}])
def test_a_wrong_key_learns_nothing(studio: Any, asked: dict[str, object]) -> None:
    assert choices(studio, **asked) == {"gone": True}


def test_files_that_are_gone_leave_the_sizes_without_times(
    studio: Any, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.errors import InputsGone

    job = done(studio, picture)

    def gone(*_: object) -> Path:
        raise InputsGone("The files this was made from are no longer stored.")

    monkeypatch.setattr(studio, "input_path", gone)
    assert choices(studio, id=job.id, key=job.key)["times"] == {}
