"""Widget values and interface values: there, back, and what goes through unchanged."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from ui.forms import schema, variations
from workflows.modes.registry import MODES

NEGATIVE = "blurred, static"
LENGTH = MODES["image_to_video"].field("seconds")


@pytest.mark.parametrize("mode", MODES)
def test_choices_are_all_on_the_page(mode: str) -> None:
    for field in MODES[mode].fields:
        if field.kind == "choice":
            shown = schema.options(mode, field.name)
            assert sorted(value for _, value in shown) == sorted(field.values)
            assert all(word for word, _ in shown)
            # The page keeps a line for the note of the chosen value: without a note it is a gap.
            assert schema.notes(mode, field.name).keys() in (set(), set(field.values)), field.name


def test_the_page_starts_fast_and_the_api_with_quality() -> None:
    page = schema.page_defaults("image_to_video", NEGATIVE)
    assert (page["speed"], page["seconds"], page["seed"]) == ("fast", 5.0, None)
    assert page["negative_prompt"] == NEGATIVE
    assert MODES["image_to_video"].field("speed").default == "quality"
    assert page["seconds"] in schema.lengths(LENGTH)


@pytest.mark.parametrize("mode", MODES)
def test_untouched_page_is_the_defaults(mode: str) -> None:
    values = schema.to_values(mode, schema.page_defaults(mode, NEGATIVE), NEGATIVE)
    assert values == {field.name: field.start for field in MODES[mode].fields}
    if mode in ("image_to_video", "fast_video", "text_to_video"):
        assert values["seconds"] == 5.0 and isinstance(values["seconds"], float)
    assert schema.to_values(mode, {}, NEGATIVE) == values


CHANGED: dict[str, dict[str, Any]] = {
    "image_to_video": {
        "seconds": 2.5, "resolution": "draft", "fit": "pad", "negative_prompt": "", "motion": "subtle",
        "steps": 8, "cfg": 3.5, "easy_cache": True,
    },
    "fast_video": {"seconds": 2.5, "resolution": "draft", "fit": "pad", "variant": "anti_slow_motion"},
    "sound_to_video": {"start": 10.0, "duration": 42.5, "level": True, "speed": "quality", "fit": "pad"},
    "animate": {"method": "mix", "relight": 1.2, "fps": 24.0, "start": 1.5, "seconds": 3.0},
    "text_to_video": {"aspect": "9:16", "seconds": 2.5, "speed": "quality", "shift": 5.0},
    "text_to_image": {"model": "flux", "aspect": "1:1", "steps": 12},
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_settings_come_back_as_they_were(mode: str) -> None:
    given = {"prompt": "sails", "width": 640, "height": 480, "seed": 271828, **CHANGED[mode]}
    values = {**schema.to_values(mode, {}), **given}
    widgets = schema.from_params(mode, values, NEGATIVE)
    assert schema.to_values(mode, widgets, NEGATIVE) == values
    if mode == "animate":
        assert widgets["seconds"] == 3.0, "a part of a file is a number, not one of a few lengths"


def test_trims_are_parameters_of_their_modes() -> None:
    for mode, spec in MODES.items():
        if spec.trim is not None:
            assert spec.trim.media in schema.file_names(mode)
            assert {spec.trim.start, spec.trim.length} <= {field.name for field in MODES[mode].fields}


def test_a_job_without_a_parameter_ran_with_the_api_default() -> None:
    widgets = schema.from_params("image_to_video", {"prompt": "x"}, NEGATIVE)
    assert widgets["speed"] == "quality"
    assert widgets["negative_prompt"] == NEGATIVE


@pytest.mark.parametrize(("typed", "meant"), [(NEGATIVE, None), ("", ""), ("mine", "mine")])
def test_negative_prompt(typed: str, meant: str | None) -> None:
    values = schema.to_values("image_to_video", {"negative_prompt": typed}, NEGATIVE)
    assert values["negative_prompt"] == meant


@pytest.mark.parametrize(
    ("name", "widget", "value"),
    [
        ("seconds", 8.0, 8.0), ("seconds", 0.5, 0.5), ("seconds", 8, 8.0), ("seconds", None, 5.0),
        ("steps", 20.0, 20), ("steps", None, 0), ("steps", "", 0), ("seed", None, -1), ("seed", 5.0, 5),
        ("cfg", None, 0.0), ("width", None, 0),
        # nonsense goes through, for the compiler's sentence
        ("seconds", "soon", "soon"), ("seconds", "8 s", "8 s"), ("seconds", -1.0, -1.0),
        ("steps", 2.5, 2.5), ("steps", "20", "20"), ("steps", True, True), ("speed", "warp", "warp"),
        ("prompt", 5, 5), ("seed", [], []),
    ],
)  # fmt: skip
def test_one_value(name: str, widget: Any, value: Any) -> None:
    got = schema.to_values("image_to_video", {name: widget})[name]
    assert got == value and type(got) is type(value)


def test_numbers_that_are_none_stay_themselves() -> None:
    for odd in (float("nan"), float("inf")):
        assert repr(schema.to_values("image_to_video", {"steps": odd})["steps"]) == repr(odd)
        assert repr(schema.api_values("image_to_video", {"seed": odd})["seed"]) == repr(odd)


def test_lengths_to_choose_from() -> None:
    assert schema.lengths(LENGTH) == [2.0, 3.0, 5.0, 8.0]
    assert schema.lengths(LENGTH, 4.0) == schema.lengths(LENGTH, 4) == [2.0, 3.0, 4.0, 5.0, 8.0]
    shown = schema.options("image_to_video", "seconds", 0.7498127341234567)
    assert shown[:2] == [("0.7498127341234567 s", 0.7498127341234567), ("2 s", 2.0)]
    for odd in (5.0, None, "4 s", float("nan"), float("inf"), -1, True):
        assert schema.lengths(LENGTH, odd) == schema.lengths(LENGTH)


def test_summary() -> None:
    assert schema.summary("image_to_video", {}) == "480p, balanced motion, random seed"
    widgets = {"width": 640, "height": 480, "experts": "high", "steps": 8, "seed": 7, "motion": "subtle"}
    assert (
        schema.summary("image_to_video", widgets)
        == "640 × 480, subtle motion, high noise only, 8 steps, seed 7"
    )
    assert schema.summary("fast_video", {"resolution": "draft"}) == "Draft, random seed"
    assert schema.summary("animate", {"fps": 24.0, "steps": 8}) == "480p, 24 fps, 8 steps, random seed"
    assert schema.summary("text_to_image", {"seed": 5}) == "seed 5"


@pytest.mark.parametrize(
    ("several", "widgets", "says"),
    [
        ({"count": 4, "draft": True}, {}, "Draft, balanced motion, random seed"),
        ({"count": 4, "draft": False}, {}, "480p, balanced motion, random seed"),
        ({"count": 1, "draft": True}, {}, "480p, balanced motion, random seed"),
        ({"count": 2}, {"width": 1280, "height": 720}, "512 × 288, balanced motion, random seed"),
        ({"count": 2}, {"width": 320, "height": 176}, "320 × 176, balanced motion, random seed"),
    ],
)
def test_the_summary_says_what_is_made(several: dict, widgets: dict, says: str) -> None:
    given = {**widgets, variations.NAME: json.dumps(several)}
    values = schema.to_values("image_to_video", given)
    assert schema.summary("image_to_video", variations.as_made("image_to_video", given, values)) == says


def test_form_is_pure() -> None:
    tree = ast.parse(Path(schema.__file__).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    pure = ("__future__", "collections.abc", "typing", "workflows.", "ui.i18n.")
    assert [name for name in modules if not name.startswith(pure)] == []
