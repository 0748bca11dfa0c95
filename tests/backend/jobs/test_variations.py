"""What differs between variations: seeds, or one setting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backend.errors import BadInput
from backend.jobs.variations import each, read
from backend.notices import words
from workflows.params.limits import SEED_MAX

VALUES = {"prompt": "Waves", "motion": "balanced"}


def numbers(*given: int) -> Callable[[int], int]:
    left = list(given)
    return lambda below: left.pop(0)


def seeds(count: int, seed: Any, *drawn: int) -> list[int]:
    return [
        one["seed"] for one in each("image_to_video", {**VALUES, "seed": seed}, count, {}, numbers(*drawn))
    ]


def test_one_is_an_ordinary_job() -> None:
    assert each("image_to_video", VALUES, 1, {}, numbers(5)) == [{**VALUES, "seed": 5}]
    assert each("image_to_video", {**VALUES, "seed": 7}, 1, {}, numbers()) == [{**VALUES, "seed": 7}]


def test_random_seeds_are_counted_up_from_the_drawn_one() -> None:
    """So that a parent, which keeps the first seed, can be repeated with all of them."""
    assert seeds(3, -1, 4) == [4, 5, 6]
    assert seeds(2, None, 9) == [9, 10]


def test_a_given_seed_is_counted_up_from() -> None:
    assert seeds(3, 7) == [7, 8, 9]
    assert seeds(2, SEED_MAX) == [SEED_MAX, 0]


def test_one_setting_is_varied_at_one_seed() -> None:
    found = each("image_to_video", VALUES, 1, {"motion": ["subtle", "dynamic"]}, numbers(3))
    assert [(one["motion"], one["seed"]) for one in found] == [("subtle", 3), ("dynamic", 3)]
    found = each("image_to_video", VALUES, 2, {"prompt": ["Rain", "Snow"]}, numbers(3))
    assert [one["prompt"] for one in found] == ["Rain", "Snow"]


@pytest.mark.parametrize(
    ("count", "vary", "field"),
    [
        (0, {}, "variations"),
        (10, {}, "variations"),
        (500, {}, "variations"),
        (True, {}, "variations"),
        (2.5, {}, "variations"),
        ("3", {}, "variations"),
        (1, {"seed": [1, 2]}, "vary"),
        (1, {"image": ["a", "b"]}, "vary"),
        (1, {"sparkle": [1, 2]}, "vary"),
        (1, {"motion": ["subtle", "dynamic"], "steps": [4, 5]}, "vary"),
        (1, {"motion": ["subtle"]}, "vary"),
        (1, {"motion": "subtle"}, "vary"),
        (1, {"steps": list(range(4, 14))}, "vary"),
        (1, {"motion": ["subtle", "subtle"]}, "vary"),
        (3, {"motion": ["subtle", "dynamic"]}, "variations"),
    ],
)
def test_what_is_refused(count: Any, vary: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        each("image_to_video", VALUES, count, vary, numbers(1, 2, 3))
    assert refused.value.field == field
    assert "{" not in words(refused.value.notice).replace('{"motion"', "")


@pytest.mark.parametrize("text", ["[]", "nonsense", "3", "[" * 10_000, " " * 50_001 + "x", 7, ["a"]])
def test_unreadable_text_is_refused(text: Any) -> None:
    with pytest.raises(BadInput) as refused:
        read(text)
    assert refused.value.field == "vary"


def test_readable_text() -> None:
    assert read("") == read(None) == read("  ") == {}
    assert read('{"motion": ["subtle"]}') == read({"motion": ["subtle"]}) == {"motion": ["subtle"]}
