"""Finals on the page: what the dialog says before they are made, and the events that make them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from backend.errors import InputsGone
from backend.jobs.views import JobView
from tests.support.fake_studio import FakeStudio
from ui.actions.finish import MOST, Finish, pairs_of
from ui.actions.stage import Stage
from ui.job_card import Card

OWNER = "owner-token-of-a-fake-studio-0001"
VISITOR: Any = SimpleNamespace(username=None)
DRAFT = {"prompt": "A boat", "speed": "fast", "resolution": "draft", "seconds": 0.5, "seed": 7, "steps": 6}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "fjord.jpg"
    Image.new("RGB", (96, 54), (20, 40, 80)).save(path)
    return path


@pytest.fixture
def studio() -> Any:
    return FakeStudio(seconds=1e9)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(gr, "Warning", found.append)
    monkeypatch.setattr(gr, "Info", found.append)
    return found


def draft(studio: Any, picture: Path, mode: str = "image_to_video", **values: Any) -> JobView:
    job = studio.add(mode, {**DRAFT, **values}, picture)
    studio.runs[job.id].view = replace(job, status="done", elapsed=65.0)
    view: JobView = studio.job(job.id, job.key)
    return view


def handlers(studio: Any) -> Finish:
    return Finish(studio, Stage(studio, Card(studio)))


def event(*jobs: JobView, **data: object) -> Any:
    rows = [{"id": job.id, "key": job.key} for job in jobs]
    return SimpleNamespace(_data={"jobs": rows, **data} if len(jobs) > 1 else {**rows[0], **data})


def finals(studio: Any) -> list[JobView]:
    return [run.view for run in studio.runs.values() if run.view.role == "final"]


@pytest.mark.parametrize(
    ("data", "resolution", "speed"),
    [({}, "480p", "quality"), ({"resolution": "720p", "speed": "fast", "seed": 99}, "720p", "fast")],
)
def test_one_press_makes_the_final(
    studio: Any, picture: Path, data: dict[str, object], resolution: str, speed: str
) -> None:
    job = draft(studio, picture)
    html = handlers(studio).finish(OWNER, event(job, **data), VISITOR)
    (final,) = finals(studio)
    assert (final.params["resolution"], final.params["speed"], final.seed) == (resolution, speed, 7)
    assert final.source == job.id and f'data-shown="{final.id}"' in html


def test_several_clips_are_finished_by_one_press_and_a_refused_one_is_named(
    studio: Any, picture: Path, said: list[str]
) -> None:
    drafts = [draft(studio, picture, seed=n, prompt=f"Boat {n}") for n in (1, 2)]
    whole = draft(studio, picture, prompt="Whole", resolution="480p", speed="quality")
    foreign = draft(studio, picture, prompt="Foreign")
    studio.foreign.add(foreign.id)
    gone = replace(drafts[0], id="gone")
    handlers(studio).finish(OWNER, event(drafts[0], whole, foreign, gone, drafts[1]), VISITOR)
    assert [final.seed for final in finals(studio)] == [1, 2]
    assert [line.partition(":")[0] for line in said[:2]] == ["Whole", "Foreign"]
    assert said[2] == "This clip no longer exists."


def test_one_clip_is_refused_without_its_title(studio: Any, picture: Path, said: list[str]) -> None:
    job = draft(studio, picture)
    studio.expired.add(job.id)
    skipped = handlers(studio).finish(OWNER, event(job), VISITOR)
    assert skipped == gr.skip() and said == [InputsGone("The files are no longer kept.").message + HINT]


HINT = " Add the files again and generate a new one."


@pytest.mark.parametrize("change", ["", "[]", "{", '{"resolution": "4k", "seed": 9}', '{"resolution": 7}'])
def test_quality_keeps_the_size_and_the_seed(studio: Any, picture: Path, change: str) -> None:
    job = draft(studio, picture, resolution="480p")
    handlers(studio).quality(OWNER, event(job, change=change), VISITOR)
    (new,) = finals(studio)
    assert (new.params["resolution"], new.params["speed"], new.seed) == ("480p", "quality", 7)
    assert new.params["steps"] == 0, "they were for 4 steps"


def test_a_fast_variant_in_quality_is_image_to_video(studio: Any, picture: Path) -> None:
    job = draft(studio, picture, "fast_video", variant="dynamic")
    handlers(studio).quality(OWNER, event(job, change='{"resolution": "720p"}'), VISITOR)
    (new,) = finals(studio)
    assert (new.mode, new.params["motion"], new.params["resolution"]) == ("image_to_video", "dynamic", "720p")


@pytest.mark.parametrize(
    ("given", "pairs"),
    [
        ({"id": "a", "key": "b"}, [("a", "b")]),
        ({"jobs": [{"id": "a", "key": "b"}] * 2}, [("a", "b")]),
        ({"jobs": [{"id": "a"}, {"id": 7, "key": "b"}, "a", None, {"id": "\ud800", "key": "b"}]}, []),
        ({"jobs": "all", "id": "a", "key": "b"}, [("a", "b")]),
        ({}, []),
    ],
)
def test_what_an_event_is_about(given: dict[str, Any], pairs: list[tuple[str, str]]) -> None:
    assert pairs_of(given) == pairs
    many = [{"id": str(n), "key": "k"} for n in range(500)]
    assert len(pairs_of({"jobs": many})) == MOST


# -- the dialog --------------------------------------------------------------------------------------------


def asked(studio: Any, *jobs: JobView) -> dict[str, Any]:
    rows = [{"id": job.id, "key": job.key} for job in jobs]
    return asyncio.run(handlers(studio).answer({"jobs": rows}))


def test_the_dialog_says_what_will_differ_before_it_is_made(studio: Any, picture: Path) -> None:
    job = draft(studio, picture)
    studio.reduced.add(job.id)
    found = asked(studio, job)
    assert found["heading"] == "Make the final"
    assert found["resolutions"] == [["480p", "480p"], ["720p", "720p"]]
    assert found["speeds"] == [["quality", "Quality"], ["fast", "Fast"]]
    plan = found["plans"]["480p quality"]
    assert plan["possible"] and plan["problems"] == []
    assert [row[0] for row in plan["rows"]] == ["Size", "Speed", "Time"]
    assert plan["rows"][1][1:] == ["Fast", "Quality, 20 steps"]
    assert plan["rows"][2][2].startswith("About 1 min 5 s")
    assert plan["notes"] == [
        "The motion will be close, not identical: another size draws other noise, even from the same seed.",
        "Set for Fast and not carried over: Steps 6.",
        "The original picture is no longer kept. The final starts from the stored copy, 640 × 360.",
    ]
    assert not any("not carried over" in note for note in found["plans"]["480p fast"]["notes"])


def test_a_clip_in_its_own_size_keeps_its_noise(studio: Any, picture: Path) -> None:
    job = draft(studio, picture, resolution="480p", steps=0)
    found = asked(studio, job)
    assert found["plans"]["480p quality"]["notes"] == [
        "It starts from the same noise. Other steps change details and motion."
    ]
    assert not found["plans"]["480p fast"]["possible"] and found["plans"]["480p fast"]["problems"]


def test_of_several_clips_those_that_have_no_final_are_named(studio: Any, picture: Path) -> None:
    drafts = [draft(studio, picture, seed=n) for n in (1, 2)]
    whole = draft(studio, picture, prompt="Whole", resolution="720p", speed="quality")
    found = asked(studio, *drafts, whole)
    plan = found["plans"]["480p quality"]
    assert found["heading"] == "Make 3 finals" and plan["possible"]
    assert [problem.partition(":")[0] for problem in plan["problems"]] == ["Whole"]
    assert plan["rows"][-1][2].startswith("About 2 min 10 s"), "of those that are made"
    assert plan["mark"] == ""


@pytest.mark.parametrize("given", [None, {}, {"jobs": []}, {"jobs": [{"id": "x", "key": "y"}]}, "all"])
def test_nothing_is_said_without_a_key(studio: Any, given: Any) -> None:
    assert asyncio.run(handlers(studio).answer(given)) == {"gone": True}
