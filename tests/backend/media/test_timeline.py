"""Times in a file on one timeline."""

from __future__ import annotations

import pytest

from backend.media.timeline import GAP_MAX, Timeline


def mapped(times: list[float], **more: float) -> list[float]:
    timeline = Timeline(0.04, 0.25, **more)  # type: ignore[arg-type]
    return [round(timeline.at(time), 6) for time in times]


@pytest.mark.parametrize("start", [0.0, -1.5, 36_000.0])
def test_the_first_time_is_zero(start: float) -> None:
    assert mapped([start, start + 0.04, start + 0.08]) == pytest.approx([0, 0.04, 0.08], abs=1e-6)


def test_a_short_gap_is_kept_and_a_long_one_is_not() -> None:
    assert mapped([0, 0.04, 10]) == [0, 0.04, 10]
    assert mapped([0, 0.04, GAP_MAX + 1, GAP_MAX + 1.04]) == [0, 0.04, 0.08, 0.12]


def test_times_that_run_backwards_follow() -> None:
    assert mapped([0, 0.2, 0.4, 0.0, 0.2]) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert mapped([0, 0.1, 1.1, 0.0]) == [0, 0.1, 1.1, 2.1], "at the distance of the two before"
    assert mapped([0, 0.12, 0.04, 0.08, 0.16]) == [0, 0.12, 0.04, 0.08, 0.16], "frames out of order"


def test_a_track_beside_another_one_starts_from_that_one() -> None:
    assert mapped([36_000.4], origin=36_000.0) == [0.4]
    assert mapped([0.4], origin=36_000.0) == [0], "not from one that is hours away"
