"""What a form's variations become: values for the studio, a plan of all, and back from a job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from tests.support.fake_studio import FakeStudio
from tests.support.job_views import job
from ui.forms import draft_values, schema, script_tables, variations
from ui.forms.planner import Planner
from ui.forms.variations import Wanted, draft_size, from_job, problem, read, submitted
from ui.forms.widgets import Form
from ui.tabs.registry import TABS
from workflows.modes.registry import MODES
from workflows.params.limits import PROMPT_MAX

MODE = "image_to_video"
OWNER = "owner-token-of-a-fake-studio-0001"
STYLE, LIGHT = "styles/ink.safetensors", "light.safetensors"


def asked(count: int = 4, vary: str = "", values: Any = (), **more: Any) -> str:
    data = {"count": count, "vary": vary, "values": {vary: values} if vary else {}, **more}
    return json.dumps(data, ensure_ascii=False)


def given(**changes: Any) -> dict[str, Any]:
    return {**schema.to_values(MODE, schema.page_defaults(MODE)), **changes}


@pytest.mark.parametrize(
    "value",
    [
        None, "", "{", "[]", "4", 4, '{"count": 0}', '{"count": 10}', '{"count": true}', '{"count": "4"}',
        "[" * 10_000, '{"count": 4}' + " " * variations.TEXT_MAX,
    ],
)  # fmt: skip
def test_anything_else_is_one_video(value: Any) -> None:
    assert read(MODE, value) == Wanted()
    assert submitted(MODE, given(), read(MODE, value)) == (given(), 1, "")


def test_seeds_at_draft_size_unless_it_is_switched_off() -> None:
    values, count, vary = submitted(MODE, given(), read(MODE, asked(4)))
    assert (values["resolution"], count, vary) == ("draft", 4, "")
    whole, _, _ = submitted(MODE, given(), read(MODE, asked(4, draft=False)))
    assert whole["resolution"] == "480p"
    assert "resolution" not in submitted("text_to_image", {"prompt": "a"}, Wanted(4))[0]


def test_a_size_given_by_hand_keeps_its_shape_as_a_draft() -> None:
    assert draft_size(MODE, given(width=720, height=1280)) == {"width": 288, "height": 512}
    assert draft_size(MODE, given(width=320, height=240)) == {}, "small already"


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_says_what_its_variations_can_differ_in(mode: str) -> None:
    rows = script_tables.forms()[mode]["varied"]
    assert [row["name"] for row in rows] == [field.name for field in MODES[mode].varied]
    assert {"prompt", "loras"} <= {row["name"] for row in rows} and "seed" not in [r["name"] for r in rows]
    for row in rows:
        field = MODES[mode].field(row["name"])
        if row["kind"] == "choice":
            assert [value for value, _ in row["options"]] == [one.value for one in field.choices]
        elif row["kind"] != "text":
            assert len(set(row["compared"])) == variations.MOST
            for value in row["compared"]:
                assert row["low"] <= value <= row["high"]
                if row["kind"] != "loras":
                    field.check(schema.as_number(field, float(value)))


@pytest.mark.parametrize(
    ("vary", "values", "expected"),
    [
        ("motion", ["subtle", "dynamic"], ["subtle", "dynamic"]),
        ("cfg", [1, 2.5, 4.0], [1, 2.5, 4.0]),
        ("steps", [8.0, 20], [8, 20]),
        ("prompt", ["One\nline", "Two"], ["One\nline", "Two"]),
    ],
)
def test_one_setting_differs(vary: str, values: list[Any], expected: list[Any]) -> None:
    wanted = read(MODE, asked(len(values), vary, values))
    assert problem(MODE, given(), wanted) == ("", False)
    _, count, found = submitted(MODE, given(), wanted)
    assert (count, found) == (len(values), {vary: expected})
    assert all(type(a) is type(b) for a, b in zip(found[vary], expected, strict=True))  # type: ignore[index]


def test_the_strength_of_one_lora_differs_and_keeps_its_share() -> None:
    listed = json.dumps([{"name": LIGHT}, {"name": STYLE, "strength": 1.0, "strength_low": 0.5}])
    wanted = read(MODE, asked(2, "loras", [0.4, 2], lora=STYLE))
    _, count, vary = submitted(MODE, given(loras=listed), wanted)
    assert isinstance(vary, dict) and count == 2
    assert [[one["strength"], one["strength_low"]] for row in vary["loras"] for one in row] == [
        [1.0, 1.0], [0.4, 0.2], [1.0, 1.0], [2, 1.0],
    ]  # fmt: skip
    for row in vary["loras"]:
        MODES[MODE].field("loras").check(row)


@pytest.mark.parametrize(
    ("vary", "values", "said", "missing"),
    [
        ("motion", ["subtle"], "at least 2", True),
        ("motion", [], "at least 2", True),
        ("prompt", ["One", " "], "prompt 2", True),
        ("cfg", [1, None, 3], "value 2", True),
        ("cfg", [1, 2, 1], "1 and 3", False),
        ("loras", [0.5, 1.0], "Add a LoRA", True),
        ("loras", [0.5, 7.0], "from -5 to 5", False),
    ],
)
def test_what_is_missing_or_wrong(vary: str, values: list[Any], said: str, missing: bool) -> None:
    held = json.dumps([{"name": STYLE}]) if not said.startswith("Add") else ""
    found = problem(MODE, given(loras=held), read(MODE, asked(max(2, len(values)), vary, values)))
    assert said in found[0] and found[1] is missing


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ""),
        ({"variations": 4}, {"count": 4}),
        ({"variations": 2, "vary": {"motion": ["subtle", "dynamic"]}}, {"vary": "motion"}),
        ({"variations": 2, "vary": {"prompt": ["a", "b"]}}, {"values": {"prompt": ["a", "b"]}}),
    ],
)
def test_a_job_comes_back_as_it_was_asked_for(params: dict[str, Any], expected: Any) -> None:
    view = job(params={"resolution": "draft", **params}, assembly="variations" if params else "")
    text = from_job(view)
    assert text == "" if expected == "" else json.loads(text).items() >= expected.items()
    wanted = read(MODE, text)
    assert submitted(MODE, given(), wanted)[1:] == (params.get("variations", 1), params.get("vary", ""))
    assert wanted.draft or not params


def test_the_strengths_of_a_job_come_back() -> None:
    base = [{"name": LIGHT, "strength": 1.0, "strength_low": 1.0}]
    rows = [[*base, {"name": STYLE, "strength": s, "strength_low": s / 2}] for s in (0.4, 0.8)]
    params = {"loras": rows[0], "variations": 2, "vary": {"loras": rows}}
    wanted = read(MODE, from_job(job(params=params, assembly="variations")))
    assert (wanted.lora, wanted.values, wanted.draft) == (STYLE, (0.4, 0.8), False)
    assert submitted(MODE, given(loras=schema.from_params(MODE, params)["loras"]), wanted)[2] == {
        "loras": rows
    }


def test_a_stored_draft_keeps_nine_of_the_longest_prompts() -> None:
    held = asked(9, "prompt", ["ü" * PROMPT_MAX] * 9)
    start = {**schema.page_defaults(MODE), variations.NAME: ""}
    assert draft_values.restored(MODE, {variations.NAME: held}, start)[variations.NAME] == held
    for broken in ("{", "x" * (variations.TEXT_MAX + 1), 5, None):
        assert draft_values.restored(MODE, {variations.NAME: broken}, start)[variations.NAME] == ""


@pytest.fixture(scope="module")
def form() -> Form:
    with gr.Blocks():
        made = [form for tab in TABS for form in tab.build(100, "").forms]
    return next(one for one in made if one.mode == MODE)


@pytest.fixture
def studio() -> Iterator[Any]:
    made = FakeStudio(seconds=1e-9, hold=0.62)
    yield made
    made.close()


@pytest.fixture
def filled(form: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    path = tmp_path / "1" / "fjord.jpg"
    path.parent.mkdir()
    Image.new("RGB", (960, 540)).save(path)
    return {**form.start, "image": path, "prompt": "The boat drifts"}


def test_size_and_time_are_those_of_all(studio: Any, form: Form, filled: dict[str, Any]) -> None:
    hint = Planner(studio, "").view(form, {**filled, "variations": asked(4)}, OWNER).hint
    assert "4 videos, 640 × 368, 5 s at 16 fps" in hint and "About 4 min 20 s on this GPU for all 4" in hint
    assert 'data-ready="1"' in hint


def test_what_is_wrong_is_said_where_it_is_put(studio: Any, form: Form, filled: dict[str, Any]) -> None:
    planner = Planner(studio, "")
    twice = planner.view(form, {**filled, "variations": asked(2, "cfg", [3, 3])}, OWNER)
    assert not twice.ready and "Values 1 and 2 are the same." in twice.hint
    assert "&quot;variations&quot;: &quot;Values 1 and 2" in twice.hint
    empty = planner.view(form, {**filled, "variations": asked(2, "prompt", ["a", ""])}, OWNER)
    assert 'data-ready="missing"' in empty.hint and "Write prompt 2." in empty.hint


def test_generate_makes_all_of_them(studio: Any, form: Form, filled: dict[str, Any]) -> None:
    text = asked(2, "motion", ["subtle", "dynamic"])
    made = Planner(studio, "").submit(OWNER, form, {**filled, "variations": text}).job
    assert made is not None and len(made.children) == 2
    children = [studio.job(one.id, one.key).params for one in made.children]
    assert [one["motion"] for one in children] == ["subtle", "dynamic"]
    assert {one["resolution"] for one in children} == {"draft"} and len(
        {one["seed"] for one in children}
    ) == 1
    refused = Planner(studio, "").submit(OWNER, form, {**filled, "variations": asked(2, "cfg", [3, 3])})
    assert refused.job is None and "Values 1 and 2" in refused.view.hint


def test_a_draft_by_hand_counts_as_one() -> None:
    held = replace(job(), assembly="variations", params={"variations": 2, "width": 288, "height": 512})
    view = replace(held, width=288, height=512)
    assert json.loads(from_job(view))["draft"] is True
