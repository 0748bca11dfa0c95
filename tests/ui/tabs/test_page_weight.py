"""The measurements of first visits are medians of several, with their range."""

from __future__ import annotations

from scripts.page_weight import MARKS, MEMORY, UNITS, VISITS, summary


def test_a_measurement_is_the_median_of_several_visits() -> None:
    assert VISITS >= 3 and set(MARKS) < set(UNITS)
    (first, *_) = MARKS
    said = summary(first, [3000.0, 1000.0, 1250.0])
    assert said == "Generate usable: 1,250.0 ms (median of 3, 1,000.0 to 3,000.0)"
    assert summary(MEMORY, [12.5, 12.7]).startswith("script memory: 12.6 MB (median of 2")
