"""Interlaced recordings become progressive: the lines of a picture are of one moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.media import clip, video
from tests.support.media_files import numbered, pictures_of, write_video

pytestmark = pytest.mark.full

FIELDS = {
    "libx264": {"flags": "+ildct+ilme", "x264-params": "tff=1", "preset": "ultrafast"},
    "mpeg2video": {"flags": "+ildct+ilme", "b": "6M"},
}
KINDS = [("libx264", "mpegts", "a.mts"), ("mpeg2video", "mpeg", "a.mpg"), ("libx264", "mp4", "a.mp4")]


def woven(count: int, width: int = 352, height: int = 288) -> list[np.ndarray]:
    """A bar that moves by 6 pixels from one field to the next."""
    pictures = []
    for index in range(count):
        picture = np.full((height, width, 3), 20, np.uint8)
        for parity in (0, 1):
            at = (2 * index + parity) * 6
            picture[parity::2, at : at + 40] = 230
        pictures.append(picture)
    return pictures


def combed(picture: np.ndarray) -> float:
    """How far lines lie from the mean of their neighbours."""
    lines = picture.astype(float)
    return float(np.abs(lines[2:-2:2] - (lines[1:-3:2] + lines[3:-1:2]) / 2).mean())


@pytest.mark.parametrize(("codec", "form", "name"), KINDS)
def test_the_lines_of_a_picture_are_of_one_moment(codec: str, form: str, name: str, tmp_path: Path) -> None:
    source = woven(20)
    path = write_video(tmp_path / name, source, 25, codec, form=form, options=FIELDS[codec])
    found = clip.facts(str(path), name)
    assert (found.frames, found.note) == (20, "Interlaced: becomes progressive")
    out = tmp_path / "cut.mkv"
    assert clip.cut(str(path), str(out), name, "video", 0.0, 0.0, 25, (0, 0), lossless=True)[2] == 20
    shown = pictures_of(out)
    assert len(shown) == 20 and combed(source[9]) > 5
    assert all(combed(picture) < 0.2 for picture in shown), "the first and the last too"
    middles = [np.flatnonzero(picture[100, :, 1] > 120).mean() for picture in shown]
    assert np.diff(middles) == pytest.approx(12, abs=4), "each at its own moment"


def test_the_poster_and_a_part_too(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", woven(20), 25, form="mp4", options=FIELDS["libx264"])
    poster = tmp_path / "poster.jpg"
    assert video.first_frame(str(path), str(poster), "a.mp4", 640) == (352, 288)
    with Image.open(poster) as image:
        assert combed(np.asarray(image)) < 2
    out = tmp_path / "cut.mkv"
    assert clip.cut(str(path), str(out), "a.mp4", "video", 0.4, 0.2, 25, (0, 0), lossless=True)[2] == 5
    assert all(combed(picture) < 0.2 for picture in pictures_of(out))


def test_progressive_recordings_stay_as_they_are(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", numbered(12), 25)
    assert clip.facts(str(path), "a.mp4").note == ""
