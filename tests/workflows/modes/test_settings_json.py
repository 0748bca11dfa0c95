"""The versioned JSON of a mode's parameters: what is written reads as the same, and nothing else gets in."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.support.legal_values import legal
from workflows.modes.earlier import EARLIER_SHIFT, FIRST, VERSION
from workflows.modes.registry import MODES
from workflows.modes.settings_json import (
    NAME_MAX,
    NAMED_MAX,
    NAMES_MAX,
    TEXT_MAX,
    UnreadableSettings,
    from_json,
    parsed,
    read,
    to_json,
)
from workflows.params.loras import loras_text

MODE = "image_to_video"


def written(values: dict[str, Any], mode: str = MODE, version: Any = VERSION) -> dict[str, Any]:
    return {"version": version, "mode": mode, "values": values}


@pytest.mark.parametrize("mode", MODES)
def test_every_legal_value_comes_back(mode: str) -> None:
    for seed in range(60):
        values = legal(mode, random.Random(seed))
        text = json.dumps(to_json(mode, values), ensure_ascii=False)
        found = read(parsed(text))
        assert (found.mode, found.left_out) == (mode, ())
        clean = {f.name: f.check(values[f.name]) for f in MODES[mode].fields}
        clean["loras"] = loras_text(clean["loras"])
        assert found.values == clean
        assert json.dumps(to_json(*from_json(json.loads(text)))) == json.dumps(to_json(mode, clean))


@pytest.mark.parametrize("mode", MODES)
def test_what_is_no_parameter_is_not_written(mode: str) -> None:
    values = {"seed": 1, "owner": "abc", "image": "/home/me/a.png", "variations": 1, "vary": ""}
    assert to_json(mode, values)["values"] == {"seed": 1, "variations": 1}


def test_variations_come_back() -> None:
    values = {"seed": 3, "variations": 2, "vary": {"motion": ["subtle", "dynamic"]}}
    assert from_json(to_json(MODE, values)) == (MODE, values)
    for name, wrong in (
        ("variations", 10), ("variations", True), ("variations", "2"), ("vary", {}), ("vary", [1]),
        ("vary", {"motion": ["subtle"]}), ("vary", {"motion": ["subtle", "fast"]}), ("vary", {"x": [1, 2]}),
        ("vary", {"motion": ["subtle", "dynamic"], "seed": [1, 2]}), ("vary", {"motion": "ab"}),
        ("vary", {1: [1, 2]}),
    ):  # fmt: skip
        found = read(written({"seed": 3, name: wrong}))
        assert (found.values, found.left_out) == ({"seed": 3}, (name,)), wrong


def test_an_earlier_version_is_brought_to_the_present() -> None:
    early = written({"seed": 1, "speed": "quality"}, version=FIRST)
    assert read(early).values["shift"] == EARLIER_SHIFT
    assert "shift" not in read(early, media=("end_image",)).values


@pytest.mark.parametrize("mode", MODES)
def test_values_of_the_wrong_kind_are_left_out_and_named(mode: str) -> None:
    wrong: dict[str, Any] = {
        "text": 5, "choice": "none of them", "whole": "4", "number": "5", "side": 17, "switch": "yes",
        "loras": [{"name": "../up.safetensors"}],
    }  # fmt: skip
    for field in MODES[mode].fields:
        if field.name != "seed":
            found = read(written({"seed": 7, field.name: wrong[field.kind]}, mode))
            assert (found.values, found.left_out) == ({"seed": 7}, (field.name,))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, -5, True, [], {}, "x" * 100])
def test_numbers_that_are_none_are_left_out(value: Any) -> None:
    assert read(written({"seconds": value, "seed": value})).left_out == ("seconds", "seed")


def test_a_whole_number_may_be_a_float_and_a_seed_random() -> None:
    assert read(written({"steps": 20.0, "seed": -1, "cfg": None})).values == {"steps": 20, "seed": -1}


def nested(depth: int) -> Any:
    found: Any = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize("name", ["loras", "prompt", "seconds", "seed", "vary", "something"])
def test_deep_values_are_left_out(name: str) -> None:
    assert read(written({name: nested(100_000)})).left_out == (name,)


def test_names_in_a_report_are_few_and_short() -> None:
    names = {f"<b>{number}\n{'x' * 500}": 1 for number in range(NAMES_MAX)}
    named = read(written(names)).left_out
    assert len(named) == NAMED_MAX
    assert all(len(name) <= NAME_MAX and name.isprintable() for name in named)


@pytest.mark.parametrize(
    ("data", "reason", "name"),
    [
        (None, "malformed", ""), ([], "malformed", ""), ("{}", "malformed", ""), ({}, "malformed", ""),
        ({"version": VERSION, "mode": MODE}, "malformed", ""),
        (written([]), "malformed", ""),  # type: ignore[arg-type]
        (written({}, version=None), "malformed", ""), (written({}, version=True), "malformed", ""),
        (written({}, version="3"), "malformed", ""), (written({}, version=0), "malformed", ""),
        (written({str(number): 1 for number in range(NAMES_MAX + 1)}), "malformed", ""),
        (written({}, version=VERSION + 1), "later", str(VERSION + 1)),
        (written({}, version=10**5000), "later", ""),
        (written({}, mode="paint"), "mode", "paint"), (written({}, mode=["x"]), "malformed", ""),
        (written({}, mode="x" * 10**6), "mode", "x" * NAME_MAX),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_read(data: object, reason: str, name: str) -> None:
    with pytest.raises(UnreadableSettings) as caught:
        from_json(data)
    assert (caught.value.reason, caught.value.name) == (reason, name)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, b"\xff\xfe\x00", '{"a": ' * 30_000, " " * (TEXT_MAX + 1), "9" * 10_000]
)
def test_texts_that_are_no_json(text: str | bytes) -> None:
    with pytest.raises(UnreadableSettings):
        parsed(text)
