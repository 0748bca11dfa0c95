"""Extend on the page: its events and what the dialog asks, over a studio without engines; the parts."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from backend import requester
from backend.errors import BadInput, QueueFull
from backend.jobs.job import EXTENSION
from backend.jobs.views import PartView, SeamView
from tests.support.extend_studio import OWNER, PLAN, VALUES, ExtendStudio
from tests.support.job_views import job as job_view
from ui.actions.extend import Extend, clean, values
from ui.actions.stage import Stage
from ui.job_card import Card
from ui.views import extend, parts
from ui.views.next_steps import next_steps
from ui.views.player import player
from workflows.notice import made, notice

OTHER = "owner-token-of-another-one-00002"
VISITOR: Any = SimpleNamespace(username=None)


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    path = tmp_path / "1" / "fjord.png"
    path.parent.mkdir()
    Image.new("RGB", (96, 54), (20, 40, 80)).save(path)
    return path


@pytest.fixture
def studio() -> Any:
    return ExtendStudio()


@pytest.fixture
def clip(studio: Any, picture: Path) -> Any:
    made_job = studio.add("image_to_video", VALUES, picture)
    studio.complete(made_job)
    return studio.job(made_job.id, made_job.key)


@pytest.fixture
def actions(studio: Any) -> Extend:
    card = Card(studio)
    return Extend(studio, card, Stage(studio, card))


def url(job: Any, name: str, download: bool = False) -> str:
    return f"/media/{name}"


def event(job: Any, path: str = "", **data: Any) -> Any:
    about = {"id": job.id, "key": job.key, "path": path, "press": "one", "data": json.dumps(data)}
    return SimpleNamespace(_data=about)


def test_what_the_dialog_holds_reaches_the_studio(
    studio: Any, actions: Extend, clip: Any, picture: Path
) -> None:
    data = {"prompt": "It turns", "seconds": 3, "frame": 12, "method": "svi", "speed": "quality"}
    html, answer = actions.extend(OWNER, event(clip, str(picture), **data), VISITOR)
    ((act, given),) = studio.asked
    assert act == "extend" and given == {
        "prompt": "It turns", "seconds": 3.0, "frame": 12, "end_image": picture, "method": "svi",
        "speed": "quality", "seed": -1, "user": "",
    }  # fmt: skip
    found = re.search(r'data-made="([\w-]+)"', html)
    assert found and found[1] != clip.id and 'class="notice said"' not in html
    assert json.loads(answer) == {"press": "one", "made": found[1], "problem": "", "field": ""}


def test_a_part_is_drawn_again(studio: Any, actions: Extend, clip: Any) -> None:
    html, _ = actions.reroll(OWNER, event(clip, part=2, prompt="Slower"), VISITOR)
    assert studio.asked == [("reroll", {"part": 2, "prompt": "Slower", "seed": -1, "user": ""})]
    assert "data-made=" in html


@pytest.mark.parametrize("act", ["extend", "reroll"])
def test_a_refusal_stands_at_its_field_and_makes_nothing(
    studio: Any, actions: Extend, clip: Any, act: str
) -> None:
    studio.refusal = BadInput.of("too_long", length=130.0, longest=120.0, field="seconds")
    html, answer = getattr(actions, act)(OWNER, event(clip, part=1), VISITOR)
    said = json.loads(answer)
    assert (said["field"], said["made"]) == ("seconds", "") and "2 min 10 s" in said["problem"]
    assert 'class="notice said" data-field="seconds"' in html and "data-made" not in html
    assert f'data-shown="{clip.id}"' in html, "the clip stays on the stage"
    studio.refusal = RuntimeError("a bug")
    html, answer = getattr(actions, act)(OWNER, event(clip, part=1), VISITOR)
    assert "notice said" in html and json.loads(answer)["problem"]


def test_an_end_picture_must_be_an_upload(studio: Any, actions: Extend, clip: Any) -> None:
    html, answer = actions.extend(OWNER, event(clip, "/etc/passwd"), VISITOR)
    assert 'data-field="end_image"' in html and studio.asked == []
    assert json.loads(answer)["field"] == "end_image"


@pytest.mark.parametrize("act", ["extend", "reroll"])
def test_a_clip_of_another_visitor_is_left_alone(studio: Any, actions: Extend, clip: Any, act: str) -> None:
    shown, answer = getattr(actions, act)(OTHER, event(clip, part=1), VISITOR)
    assert shown == gr.skip() and studio.asked == []
    assert json.loads(answer)["problem"] and not json.loads(answer)["made"]


def test_a_repeated_request_makes_one_job(studio: Any, actions: Extend, clip: Any) -> None:
    with requester.attempt("press-number-one"):
        first, second = (actions.extend(OWNER, event(clip), VISITOR)[0] for _ in range(2))
    assert len(studio.asked) == 1
    assert re.findall(r'data-made="([\w-]+)"', first) == re.findall(r'data-made="([\w-]+)"', second)


def asked(clip: Any, owner: str = OWNER, **given: Any) -> dict[str, Any]:
    return {"owner": owner, "id": clip.id, "key": clip.key, **given}


def test_the_dialog_is_answered_with_route_lengths_and_problems(
    studio: Any, actions: Extend, clip: Any
) -> None:
    found = asyncio.run(actions.plan(asked(clip, seconds=5, frame=-1, method="auto"), VISITOR))
    assert found["route"] == "" and found["reason"] == "There is no SVI Pro LoRA."
    assert found["length"] == "5 s now, 10 s with the new part" and found["problems"] == {}
    assert studio.asked == [("plan", {"frame": -1, "method": "auto", "seconds": 5.0, "speed": "fast"})]
    assert found["notes"] == ""
    studio.answer = replace(PLAN, notes=(made("part_of_speed", {"settings": ("steps", "cfg")}),))
    found = asyncio.run(actions.plan(asked(clip), VISITOR))
    assert found["notes"] == "Set for the other speed and not used for the part: Steps and CFG."
    problem = BadInput.of("too_long", length=130.0, longest=120.0).notice
    studio.answer = replace(PLAN, problems=(problem, notice("said", message="Full.", hint="")))
    found = asyncio.run(actions.plan(asked(clip), VISITOR))
    assert found["problems"].keys() == {""}, "nothing is lost that is about no field"
    why = made("extend_method", {"method": "x", "names": ()})
    refused = notice("refused", error="bad_input", reason=why, field="method")
    studio.answer = replace(PLAN, problems=(refused,))
    assert asyncio.run(actions.plan(asked(clip), VISITOR))["problems"].keys() == {"method"}
    studio.plan_refusal = BadInput.of("too_long", length=130.0, longest=120.0, field="seconds")
    assert asyncio.run(actions.plan(asked(clip), VISITOR))["problems"].keys() == {"seconds"}


def test_what_a_part_is_drawn_again_without_is_said(studio: Any, actions: Extend, clip: Any) -> None:
    why = made("lora_missing", {"lora": "style.safetensors"})
    studio.reroll_answer = replace(PLAN, notes=(made("part_without_lora", {"because": why}),))
    found = asyncio.run(actions.plan(asked(clip, part=2), VISITOR))
    said = "The LoRA style.safetensors is not on this engine. The part is drawn without it."
    assert found == {"notes": said, "problems": {}} and studio.asked == [("reroll_plan", {"part": 2})]


def test_an_end_picture_goes_with_the_last_frame(studio: Any, actions: Extend, clip: Any) -> None:
    found = asyncio.run(actions.plan(asked(clip, end=True), VISITOR))
    assert studio.asked[-1][1]["method"] == "last_frame" and "end picture" in found["reason"]
    studio.answer = replace(PLAN, reason=None)
    found = asyncio.run(actions.plan(asked(clip, method="last_frame"), VISITOR))
    assert (found["route"], found["reason"]) == ("Last frame", "")
    studio.answer = replace(PLAN, route="svi")
    found = asyncio.run(actions.plan(asked(clip, end=True, method="svi"), VISITOR))
    assert found["problems"].keys() == {"end_image"}


@pytest.mark.parametrize("given", [None, [], {"id": 5}, {"owner": OTHER}])
def test_the_dialog_is_refused_to_all_others(studio: Any, actions: Extend, clip: Any, given: Any) -> None:
    about = {**asked(clip), **given} if given == {"owner": OTHER} else given
    found = asyncio.run(actions.plan(about, VISITOR))
    assert found.get("gone") or found["problems"]
    assert studio.asked == []


@pytest.mark.parametrize(
    "data", ["", "{", "[1]", "null", "[" * 5000, '{"seconds": "5", "frame": true, "prompt": 7}',
             '{"seconds": 1e999, "frame": 2.5, "part": null, "prompt": "\\ud800"}']
)  # fmt: skip
def test_values_of_a_forged_request_count_as_the_defaults(data: str) -> None:
    assert values(data) == clean({})


def test_a_long_prompt_is_cut_beyond_what_the_studio_refuses() -> None:
    assert len(clean({"prompt": "x" * 99_999})["prompt"]) == 4001
    assert clean({"seconds": 3, "frame": 12.0}) == {**clean({}), "seconds": 3.0, "frame": 12}


def test_the_button_stands_behind_use_frame_for_the_owner_alone() -> None:
    row = next_steps(job_view(params={"prompt": 'A "boat" & sea'}), url)
    assert row.index('data-act="frame"') < row.index('data-open="extend"') < row.index('data-act="again"')
    assert "A &quot;boat&quot; &amp; sea" in row
    assert "data-open" not in next_steps(job_view(), url, mine=False)
    assert "data-open" not in next_steps(job_view(mode="text_to_image"), url)
    fast = next_steps(job_view(), url)
    assert 'data-act="quality"' in fast and "quality" not in next_steps(
        job_view(parts=PARTS, assembly=EXTENSION), url
    )


SEAM = SeamView(False, 0.42, 0.2, 1.13)
PARTS = (
    PartView(1, "a", "k", 5, "A boat", "", "done", False, 0, 81),
    PartView(2, "b", "k", 6, "It <turns>", "svi", "done", False, 81, 80, SEAM),
    PartView(3, "c", "k", 7, "It stops", "last_frame", "done", True, 161, 40, replace(SEAM, doubled=True)),
)


def test_the_strip_has_a_row_for_each_part() -> None:
    view = job_view(parts=PARTS, frames=201)
    html = parts.strip(view, True)
    assert (
        html.count("<li ") == 3 and html.count(" data-stale") == 1 and html.count('data-open="reroll"') == 3
    )
    assert [int(one) for one in re.findall(r'data-jump="(\d+)"', html)] == [0, 81, 161]
    assert (
        "no doubled frame, brightness changes by 0.4 of 255, colour by 0.2 of 255, motion 1.1 times" in html
    )
    assert 'aria-label="Re-roll part 3"' in html and 'aria-label="Jump to part 3"' in html
    assert "a doubled frame" in html and "<turns>" not in html and "It &lt;turns&gt;" in html
    assert (
        "<span>5 s</span>" in html
        and "<span>2.5 s</span>" in html
        and "SVI Pro" in html
        and "Last frame" in html
    )
    assert "reroll" not in parts.strip(view, False) and 'data-jump="81"' in parts.strip(view, False)


def test_a_clip_of_one_part_has_neither_strip_nor_marks() -> None:
    for one in (job_view(), job_view(parts=PARTS[:1])):
        assert parts.strip(one, True) == "" and parts.marks(one) == ""
    assert "scrub" not in player(job_view(), url)
    bar = player(job_view(parts=PARTS, frames=201), url)
    loop = {"prompt": "A boat", "loop": True}
    assert "data-loop" in player(job_view(params=loop), url)
    assert "data-loop" not in player(job_view(params=loop, parts=PARTS), url), "what goes on is no loop"
    assert re.findall(r'--at:([\d.]+)" data-part="(\d)"', bar) == [("0.4050", "2"), ("0.8050", "3")]


def test_the_dialog_starts_with_the_prompt_of_the_last_part() -> None:
    assert 'data-prompt="It stops"' in extend.button(job_view(parts=PARTS))


def test_the_dialogs_have_a_field_for_every_value() -> None:
    found = extend.dialogs()
    assert set(re.findall(r'data-field="(\w+)"', found["extend"])) == {
        "frame", "prompt", "seconds", "speed", "end_image", "method",
    }  # fmt: skip
    assert re.findall(r'data-field="(\w+)"', found["reroll"]) == ["prompt"]


def test_length_and_time_stand_below_what_they_depend_on() -> None:
    body = extend.dialogs()["extend"]
    places = [body.index(one) for one in ('"seconds"', '"speed"', 'data-x="length"', 'data-x="end-name"')]
    assert places == sorted(places) and body.count('data-x="length"') == body.count('data-x="time"') == 1


def test_a_full_queue_is_said_in_the_dialog(studio: Any, actions: Extend, clip: Any) -> None:
    studio.refusal = QueueFull.of("queue_full", most=100)
    html, _ = actions.extend(OWNER, event(clip), VISITOR)
    assert 'class="notice said"><' in html
