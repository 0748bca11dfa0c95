"""Sets of variations of which clips were deleted: what is repeated, and what their recipe asks for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from backend.jobs import kept_children, set_values
from backend.jobs.job import CANCELLED, DONE, FAILED, RUNNING, VARIATIONS, Job
from tests.support.job_views import stored_job
from workflows.params.limits import SEED_MAX

ASKED: dict[str, Any] = {"prompt": "A boat", "seed": 5, "variations": 4}


def child(seed: int, status: str = DONE, **params: Any) -> Job:
    own = {"prompt": "A boat", "seed": seed, **params}
    return stored_job(seed % 1000, id=f"seed{seed}", status=status, parent="set", seed=seed, params=own)


def parent(**changes: Any) -> Job:
    values = {"id": "set", "assembly": VARIATIONS, "status": DONE, "params": ASKED, "seed": 5, **changes}
    return stored_job(9, **values)


def left(earlier: Job | None, values: dict[str, Any], mode: str = "image_to_video") -> list[Job]:
    store: Any = SimpleNamespace(children=lambda job_id: {job_id: [child(5), child(8, FAILED)]})
    return kept_children.left(earlier, mode, values, store)


def test_a_set_that_is_repeated_as_it_was_has_the_clips_that_are_left() -> None:
    assert [one.seed for one in left(parent(), ASKED)] == [5, 8]
    assert [one.seed for one in left(parent(status=CANCELLED), {**ASKED, "cfg": None})] == [5, 8]


@pytest.mark.parametrize(
    ("earlier", "values", "mode"),
    [
        (None, ASKED, "image_to_video"),
        (parent(assembly=""), ASKED, "image_to_video"),
        (parent(status=RUNNING), ASKED, "image_to_video"),
        (parent(), {**ASKED, "seed": -1}, "image_to_video"),
        (parent(), {**ASKED, "prompt": "A ship"}, "image_to_video"),
        (parent(), {**ASKED, "variations": 2}, "image_to_video"),
        (parent(), ASKED, "fast_video"),
    ],
)
def test_anything_else_is_made_as_it_is_asked_for(
    earlier: Job | None, values: dict[str, Any], mode: str
) -> None:
    assert left(earlier, values, mode) == []


@pytest.mark.parametrize(
    ("seeds", "asked", "seed", "count"),
    [
        ((5, 6, 7, 8), 4, 5, 4),  # none was deleted
        ((6, 8), 4, 6, 3),
        ((5, 8), 2, 5, 4),  # a set that was cut and is repeated
        ((7,), 4, 7, None),
        ((SEED_MAX, 1), 2, SEED_MAX, 3),  # seeds begin again at 0
        ((5, 5_000), 2, 5, 2),  # no set of this form makes them
    ],
)
def test_a_recipe_asks_for_the_seeds_that_are_left(
    seeds: tuple[int, ...], asked: int, seed: int, count: int | None
) -> None:
    whole = parent(params={**ASKED, "seed": 5 if asked == 4 else seeds[0], "variations": asked})
    found = set_values.narrowed(whole, [child(one) for one in seeds])
    assert (found.params["seed"], found.params.get("variations")) == (seed, count)
