"""Pictures and shapes that make a poor video are pointed out; ordinary ones are not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from backend.notices import words
from workflows.modes.registry import MODES
from workflows.params.media import Media
from workflows.stages.picture_fit import picture_warnings

MEDIA = MODES["image_to_video"].media


def said(picture: Media, width: int, height: int, fit: str = "crop", end: Media | None = None) -> list[str]:
    params = SimpleNamespace(image=picture, end_image=end, fit=fit)
    return [words(warning) for warning in picture_warnings(params, MEDIA, width, height)]


def test_a_picture_much_smaller_than_the_video() -> None:
    small = Media("a.png", 320, 180)
    assert said(small, 832, 480) == [
        "This picture is 320 × 180; it is enlarged 2.7 times and may look soft.",
    ]
    assert said(small, 832, 480, fit="pad") == [
        "This picture is 320 × 180; it is enlarged 2.6 times and may look soft.",
    ]
    end = said(Media("a.png", 832, 480), 832, 480, end=small)
    assert end == ["This end frame is 320 × 180; it is enlarged 2.7 times and may look soft."]


@pytest.mark.parametrize("size", [(1920, 1080), (832, 480), (640, 360), (0, 0)])
def test_an_ordinary_picture_has_no_warning(size: tuple[int, int]) -> None:
    assert said(Media("a.png", *size), 832, 480) == []


def test_a_shape_that_makes_a_strip() -> None:
    assert said(Media("a.png", 2500, 500), 1408, 272) == [
        "This picture is 5:1, so the video is a strip of 1408 × 272. Crop it, or set width and height.",
    ]
    assert said(Media("a.png", 500, 2500), 272, 1408)[0].startswith("This picture is 1:5, so")
    assert said(Media("a.png", 2400, 1000), 976, 400) == [], "a cinema shape is no strip"
    assert said(Media("a.png", 2500, 500), 832, 480) == [], "a size of one's own is no strip"
    assert said(Media("a.png", 1600, 900), 1600, 320) == [
        "1600 × 320 is a strip (5:1); the model was trained for shapes up to 16:9.",
    ]
