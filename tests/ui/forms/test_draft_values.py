"""What a browser stored is checked field by field: what a widget cannot show is dropped alone."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.support.legal_values import legal
from ui.forms import draft_values, schema
from workflows.modes.registry import MODES

NEGATIVE = "blurred"
ODD: tuple[Any, ...] = (
    [], {}, [1], {"a": 1}, "x" * (draft_values.TEXT_MAX + 1), "\ud800", float("nan"), float("inf"),
    -float("inf"), 10**400, 2.0**60,
)  # fmt: skip
"""Values that no widget can show."""


@pytest.mark.parametrize("mode", MODES)
def test_every_legal_value_comes_back(mode: str) -> None:
    draw, start = random.Random(mode), schema.page_defaults(mode, NEGATIVE)
    for _ in range(100):
        held = schema.from_params(mode, legal(mode, draw), NEGATIVE)
        assert draft_values.restored(mode, held, start) == held


@pytest.mark.parametrize("mode", MODES)
def test_an_unusable_value_is_dropped_alone(mode: str) -> None:
    draw, start = random.Random(f"odd {mode}"), schema.page_defaults(mode, NEGATIVE)
    held = schema.from_params(mode, legal(mode, draw), NEGATIVE)
    for name in held:
        for odd in ODD:
            assert draft_values.restored(mode, {**held, name: odd}, start) == {**held, name: start[name]}, odd


def test_kinds_are_not_mixed_up() -> None:
    fields = {field.name: field for field in MODES["image_to_video"].fields}
    cases = [
        ("prompt", 5), ("prompt", None), ("speed", "warp"), ("speed", None), ("speed", 1), ("steps", "20"),
        ("steps", True), ("tiled_decode", 1), ("tiled_decode", "yes"), ("seconds", 0), ("seconds", "long"),
        ("seconds", "5"), ("seconds", True), ("seconds", None), ("seconds", 1e6),
    ]  # fmt: skip
    assert [case for case in cases if draft_values.showable(fields[case[0]], case[1])] == []


def test_what_was_typed_stays_although_it_is_out_of_its_limits() -> None:
    start = schema.page_defaults("image_to_video", NEGATIVE)
    typed = {"width": 17, "steps": 999, "cfg": None, "prompt": "x" * 5000, "seconds": 8.25}
    assert draft_values.restored("image_to_video", typed, start) == {**start, **typed}


@pytest.mark.parametrize("given", [None, [], "text", 7, {"unknown": 1}])
def test_anything_else_counts_as_nothing(given: object) -> None:
    start = schema.page_defaults("animate", NEGATIVE)
    assert draft_values.restored("animate", given, start) == start


@pytest.mark.parametrize(("stored", "meant"), [("8 s", 8.0), ("0.75 s", 0.75), ("8", 5.0), ("8 s ", 5.0)])
def test_a_length_that_an_earlier_version_stored_is_understood(stored: str, meant: float) -> None:
    start = schema.page_defaults("text_to_video", NEGATIVE)
    assert draft_values.restored("text_to_video", {"seconds": stored}, start)["seconds"] == meant
