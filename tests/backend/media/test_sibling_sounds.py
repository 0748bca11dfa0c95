"""Sounds that are odd in one respect are used to their end, or refused for what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.errors import BadMedia
from backend.media import sound
from tests.support.media_files import samples_of
from tests.support.sibling_sounds import REFUSED, USED, silent_mp3

pytestmark = pytest.mark.full  # encoding and decoding of many files


@pytest.mark.parametrize("which", USED)
def test_used(which: str, tmp_path: Path) -> None:
    expected = USED[which]
    path, out = tmp_path / "song", tmp_path / "cut.wav"
    path.write_bytes(expected.make(tmp_path))
    found = sound.facts(str(path), "song")
    assert found.seconds == pytest.approx(expected.seconds, abs=0.06)
    assert (found.rate, found.channels, found.silent) == (expected.rate, expected.channels, False)
    assert found.peak == pytest.approx(0.5, abs=0.1)
    assert expected.note in found.note and (expected.note or not found.note), found.note
    sound.cut(str(path), str(out), "song", "audio", 0, 0)
    written, rate = samples_of(out)
    assert written.shape[1] / rate == pytest.approx(expected.seconds, abs=0.06)
    middle = written[:, rate // 4 : rate // 2]
    assert float(np.abs(middle[0]).max()) == pytest.approx(0.5, abs=0.2)
    crossings = int(np.count_nonzero(np.diff(np.signbit(middle[0]))))
    assert crossings == pytest.approx(2 * 440 / 4, abs=6), "the tone has its height"


@pytest.mark.parametrize("which", REFUSED)
def test_refused(which: str, tmp_path: Path) -> None:
    make, said = REFUSED[which]
    path = tmp_path / "song"
    path.write_bytes(make(tmp_path))
    with pytest.raises(BadMedia) as caught:
        sound.facts(str(path), "song")
    assert said in caught.value.message and caught.value.hint.endswith(".")


def test_silence_is_said(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(silent_mp3())
    assert sound.facts(str(path), "song.mp3").note == "Silent: nothing can be heard in it"
