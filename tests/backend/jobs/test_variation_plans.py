"""The plan of several videos: the number, the time and the bytes of all, and problems of single ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from backend.jobs.variation_plans import plan_several
from backend.jobs.views import Estimate, Plan
from workflows.notice import notice

MODE = "image_to_video"


def plan(values: Mapping[str, Any]) -> Plan:
    """5 s for a step, and no guidance above 20."""
    seconds = 5.0 * (4 if values.get("speed") == "fast" else 20)
    problems = {"cfg": f"{values['cfg']} is too much."} if values.get("cfg", 1) > 20 else {}
    obstacle = notice("servers_differ") if problems else None
    return Plan(
        estimate=Estimate(MODE, seconds), bytes=100, width=512, problems=problems, obstacle=obstacle,
        warnings=(notice("tiled_decode"),),
    )  # fmt: skip


def test_other_seeds_take_as_many_times_as_long() -> None:
    found = plan_several(plan, MODE, {"speed": "fast", "seed": -1}, 4, "")
    assert (found.count, found.bytes, found.estimate) == (4, 400, Estimate(MODE, 80.0))


def test_each_value_takes_its_own_time() -> None:
    found = plan_several(plan, MODE, {"seed": 7}, 2, {"speed": ["fast", "quality"]})
    assert (found.count, found.bytes, found.estimate) == (2, 200, Estimate(MODE, 120.0))
    assert found.warnings == (notice("tiled_decode"),), "once for all"


def test_a_time_that_is_not_known_for_one_is_not_known_for_all() -> None:
    def partly(values: Mapping[str, Any]) -> Plan:
        return Plan(estimate=Estimate(MODE, 9.0 if values["speed"] == "fast" else None))

    found = plan_several(partly, MODE, {}, 2, {"speed": ["fast", "quality"]})
    assert found.estimate is not None and found.estimate.is_first
    assert plan_several(lambda _: Plan(), MODE, {}, 3, "").estimate is None


def test_a_value_that_cannot_be_used_is_a_problem_of_what_varies() -> None:
    found = plan_several(plan, MODE, {}, 3, {"cfg": [3.5, 50.0, 60.0]})
    assert found.problems == {"vary": "50.0 is too much."} and found.obstacle is not None
    shared = plan_several(plan, MODE, {"cfg": 50.0}, 2, {"speed": ["fast", "quality"]})
    assert shared.problems == {"cfg": "50.0 is too much."}


@pytest.mark.parametrize(
    ("count", "vary", "field"),
    [
        (10, "", "variations"), (0, "", "variations"), (2, {"image": [1, 2]}, "vary"), (2, "[", "vary"),
        (2, {"speed": ["fast"]}, "vary"), (2, {"speed": ["fast", "fast"]}, "vary"),
        (3, {"speed": ["fast", "quality"]}, "variations"),
    ],
)  # fmt: skip
def test_what_cannot_be_varied_is_said_and_never_raised(count: int, vary: Any, field: str) -> None:
    found = plan_several(plan, MODE, {}, count, vary)
    assert field in found.problems and found.obstacle is not None and found.width == 512
