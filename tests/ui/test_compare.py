"""What the page shows of two clips that are compared."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backend.jobs.views import JobView
from tests.support.fake_studio import FakeStudio
from tests.support.job_views import job
from ui.actions.choices import Choices
from ui.actions.compare import Compare
from ui.forms.page_files import PageFiles
from ui.views import compare
from workflows.modes.registry import MODES


def rows(one: JobView, other: JobView) -> dict[str, tuple[str, str]]:
    return {name: (a, b) for name, a, b in compare.differing(one, other)}


def test_equal_clips_differ_in_nothing() -> None:
    assert compare.differing(job(), job(id="other", key="k2")) == []


def test_a_draft_and_its_final() -> None:
    params = {"speed": "fast", "resolution": "draft", "prompt": "A boat", "steps": 0}
    draft = job(params=params, width=512, height=288, steps=4, elapsed=12.0)
    final = replace(job(params={**params, "resolution": "480p", "speed": "quality"}, steps=20), elapsed=65.0)
    assert rows(draft, final) == {
        "Size": ("512 × 288", "832 × 480"),
        "Speed": ("Fast", "Quality"),
        "Steps": ("4", "20"),
        "Made in": ("12 s", "1 min 5 s"),
    }


def test_settings_differ_by_what_was_used() -> None:
    one = job(params={"speed": "fast", "motion": "dynamic"}, resolved={"distillation": "1022", "shift": 5.0})
    other = job(params={"speed": "fast", "prompt": "Fog"}, resolved={"distillation": "v1", "shift": 8.0})
    found = rows(one, other)
    assert found["Motion"] == ("Dynamic", "Balanced")
    assert found["Fast model"][0] == "1022" and found["Shift"] == ("5", "8")
    assert list(found)[-1] == "Prompt" and found["Prompt"] == ("None", "Fog")


def test_what_a_mode_lacks_is_a_dash() -> None:
    still = job(mode="text_to_image", params={"model": "wan"}, frames=1, fps=0.0)
    found = rows(job(), still)
    assert found["Length"] == ("5 s", "Picture") and found["Frame rate"][1] == "–"
    assert found["Motion"] == ("Balanced", "–")


@pytest.mark.parametrize("mode", [*MODES, "of_tomorrow"])
def test_every_pair_of_modes_has_rows_that_differ(mode: str) -> None:
    other = job(mode=mode, params={})
    for first in MODES:
        for name, one, two in compare.differing(job(mode=first, params={}), other):
            assert name and one and two and one != two


@pytest.fixture
def studio() -> Any:
    return FakeStudio(seconds=1e9)


def answer(studio: Any, *pairs: tuple[str, str]) -> dict[str, Any]:
    known = Choices(studio, PageFiles(studio))
    clips = [{"id": job_id, "key": key} for job_id, key in pairs]
    return asyncio.run(Compare(studio, known).answer({"clips": clips}))


@pytest.fixture
def clips(studio: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[JobView]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    picture = tmp_path / "a.jpg"
    Image.new("RGB", (96, 54)).save(picture)
    made = [studio.add("image_to_video", {"seed": n, "prompt": f"<b>{n}"}, picture) for n in (1, 2)]
    for one in made:
        studio.runs[one.id].view = replace(one, status="done")
    return made


def test_two_clips_by_their_keys(studio: Any, clips: list[JobView]) -> None:
    found = answer(studio, *((one.id, one.key) for one in clips))
    assert [one["id"] for one in found["clips"]] == [one.id for one in clips]
    first = found["clips"][0]
    assert first["url"].startswith("media/") and first["fps"] == 16.0 and not first["still"]
    assert first["title"] == "<b>1", "the script writes it as text"
    assert ["Seed", "1", "2"] in found["differs"]


@pytest.mark.parametrize("given", [None, {}, {"clips": "all"}, {"clips": [None, 7]}])
def test_malformed_questions(studio: Any, given: Any) -> None:
    known = Choices(studio, PageFiles(studio))
    assert asyncio.run(Compare(studio, known).answer(given)) == {"gone": True}


def test_a_wrong_key_one_clip_three_and_an_unfinished_one(studio: Any, clips: list[JobView]) -> None:
    one, two = ((clip.id, clip.key) for clip in clips)
    for pairs in ([one, (two[0], "wrong")], [one], [one, one], [one, two, ("x", "y")], []):
        assert answer(studio, *pairs) == {"gone": True}
    studio.runs[clips[1].id].view = replace(clips[1], status="running")
    assert answer(studio, one, two) == {"unfinished": "<b>2"}
