"""The eight orientations, of EXIF and of display matrices, on pictures and on frames."""

from __future__ import annotations

import av
import numpy as np
import pytest

from backend.media.encode import upright
from backend.media.orientation import BY_EXIF, of_matrix
from tests.support.odd_media import corner_names, corners, display_matrix, stored_for


@pytest.mark.parametrize("exif", BY_EXIF)
def test_a_picture(exif: int) -> None:
    shown = BY_EXIF[exif].of_image(stored_for(corners(), exif))
    assert shown.size == (160, 96) and corner_names(shown) == "RGBW"
    assert BY_EXIF[exif].size(*stored_for(corners(), exif).size) == (160, 96)


@pytest.mark.parametrize("exif", BY_EXIF)
def test_a_frame(exif: int) -> None:
    stored = np.asarray(stored_for(corners(), exif))
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(stored)).reformat(format="yuv444p")
    shown = upright(frame, BY_EXIF[exif])
    assert (shown.width, shown.height) == (160, 96)
    assert corner_names(shown.to_image()) == "RGBW"


@pytest.mark.parametrize("exif", BY_EXIF)
@pytest.mark.parametrize("scale", [1, 3])
def test_a_display_matrix(exif: int, scale: int) -> None:
    matrix = display_matrix(exif)
    assert of_matrix(tuple(value * scale for value in matrix)) == BY_EXIF[exif]


def test_what_a_matrix_of_no_use_asks_for() -> None:
    assert of_matrix((0,) * 9) == BY_EXIF[1]


@pytest.mark.parametrize(("exif", "degrees", "turned_over"), [
    (1, 0, False), (2, 0, True), (3, 180, False), (4, 180, True),
    (5, 90, True), (6, 90, False), (7, 270, True), (8, 270, False),
])  # fmt: skip
def test_as_a_rotation_and_a_mirror(exif: int, degrees: int, turned_over: bool) -> None:
    assert (BY_EXIF[exif].degrees, BY_EXIF[exif].turned_over) == (degrees, turned_over)
