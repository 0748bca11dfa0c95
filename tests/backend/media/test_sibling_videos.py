"""Videos that are odd in one respect are shown as players show them, or refused for what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.errors import BadMedia
from backend.media import clip, video
from tests.support.media_files import number_of, pictures_of
from tests.support.sibling_videos import REFUSED, SHOWN

pytestmark = pytest.mark.full  # encoding and decoding of many files


@pytest.mark.parametrize("which", SHOWN)
def test_shown(which: str, tmp_path: Path) -> None:
    expected = SHOWN[which]
    path, out = tmp_path / "dance", tmp_path / "cut.mkv"
    path.write_bytes(expected.make(tmp_path))
    found = clip.facts(str(path), "dance")
    assert (found.width, found.height, found.frames) == (*expected.size, expected.frames)
    assert found.seconds == pytest.approx(expected.seconds, abs=0.05)
    assert expected.note in found.note and (expected.note or not found.note), found.note
    clip.cut(str(path), str(out), "dance", "video", 0, 0, 25, (0, 0), lossless=True)
    shown = pictures_of(out)
    assert len(shown) == pytest.approx(25 * expected.seconds, abs=2)
    high, wide = shown[0].shape[:2]
    for across, down, colour in expected.pixels:
        assert shown[0][int(down * high), int(across * wide)] == pytest.approx(colour, abs=14)
    if found.frames == 25 and not expected.pixels and "HDR" not in found.note and expected.seconds == 1.0:
        numbers = [number_of(frame) for frame in shown]
        if which != "a recording that changes its shape":
            assert np.abs(np.array(numbers[:25]) - np.arange(len(numbers[:25]))).max() <= 2
    assert video.first_frame(str(path), str(tmp_path / "poster.jpg"), "dance", 4096) is not None


def test_a_turned_recording_gets_bars(tmp_path: Path) -> None:
    path, out = tmp_path / "call.ts", tmp_path / "cut.mkv"
    path.write_bytes(SHOWN["a recording that changes its shape"].make(tmp_path))
    clip.cut(str(path), str(out), "call.ts", "video", 0, 0, 25, (0, 0), lossless=True)
    shown = pictures_of(out)
    assert shown[2][48, 5] == pytest.approx((200, 200, 200), abs=6)
    last = shown[-2]
    assert last[48, 5] == pytest.approx((0, 0, 0), abs=6) and last[48, 64] == pytest.approx((200,) * 3, abs=6)
    assert int((last[48, :, 0] > 100).sum()) == pytest.approx(72, abs=3), "96 of 128 in 96 rows"


@pytest.mark.parametrize("which", REFUSED)
def test_refused(which: str, tmp_path: Path) -> None:
    make, said = REFUSED[which]
    path = tmp_path / "dance"
    path.write_bytes(make(tmp_path))
    with pytest.raises(BadMedia) as caught:
        clip.facts(str(path), "dance")
    assert said in caught.value.message and caught.value.hint.endswith(".")
