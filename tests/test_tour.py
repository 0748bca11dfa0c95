"""The tour of the documentation has its planned length, however slow the machine is that records it."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from scripts.tour_file import FPS, HEIGHT, WIDTH, Tour


@pytest.mark.parametrize(("took", "shown"), [(10.0, 2.0), (1.5, 2.0), (300.0, 2.0)])
def test_a_slow_step_is_shown_in_its_planned_time(took: float, shown: float) -> None:
    tour = Tour([(100.0, b"")], steps=[(101.0, 101.0 + took, shown)], end=102.0 + took)
    assert len(tour.times()) / FPS == pytest.approx(2.0 + min(took, shown), abs=2 / FPS)


def test_the_pointer_goes_its_way_and_rests() -> None:
    file = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT)).save(file, "JPEG")
    tour = Tour([(0.0, file.getvalue())], moves=[(0.2, 200, 300), (0.4, 400, 300)], end=0.6)
    bright = [frame.getbbox() for frame in tour.frames()]
    lefts = [box[0] if box else None for box in bright]
    assert lefts[0] is None, "it has not moved yet"
    seen = [left for left in lefts if left is not None]
    assert seen == sorted(seen) and 195 <= seen[0] <= 270 and seen[-1] == seen[-2] and 395 <= seen[-1] <= 401
