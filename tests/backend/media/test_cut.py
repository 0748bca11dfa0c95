"""The part of a driving video that is cut and re-timed."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from backend.errors import BadMedia
from backend.media.decoder import Decoder
from tests.support.media_files import (
    flat,
    number_of,
    numbered,
    pictures_of,
    repeat,
    write_video,
)

pytestmark = pytest.mark.full


@pytest.mark.parametrize("rate", [25, 60, 12])
def test_retiming_shows_the_nearest_frame(decoder: Decoder, tmp_path: Path, rate: int) -> None:
    path = write_video(tmp_path / "drive.mp4", numbered(48), rate)
    cut = decoder.cut_video(path, tmp_path / "cut.mkv", fps=16)
    shown = [number_of(p) for p in pictures_of(cut.path)]
    assert cut.frames == len(shown) == pytest.approx(48 / rate * 16, abs=1)
    for i, number in enumerate(shown):
        assert abs(number / rate - i / 16) <= 0.5 / rate + 1e-3
    with av.open(str(cut.path)) as container:
        times = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    assert times == pytest.approx([i / 16 for i in range(len(shown))], abs=0.001)


def test_start_and_length(decoder: Decoder, tmp_path: Path) -> None:
    path = write_video(tmp_path / "drive.mp4", numbered(50), 25)
    cut = decoder.cut_video(path, tmp_path / "cut.mkv", 0.4, 0.8, fps=25)
    assert [number_of(p) for p in pictures_of(cut.path)] == list(range(10, 30))
    rest = decoder.cut_video(path, tmp_path / "rest.mkv", 1.6, fps=25)
    assert [number_of(p) for p in pictures_of(rest.path)] == list(range(40, 50))


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx265"), ("a.webm", "libvpx-vp9")]
)
def test_segments_fit_together(decoder: Decoder, tmp_path: Path, name: str, codec: str) -> None:
    """Pieces cut separately, by seeking to key frames, equal one cut: no frame is repeated or lost."""
    options = {"libx264": {"g": "30", "bf": "3"}, "libx265": {"x265-params": "keyint=30:log-level=none"}}
    pictures = [flat(20 + 2 * (i % 100), (64, 64)) for i in range(200)]
    path = write_video(tmp_path / name, pictures, 25, codec, options=options.get(codec))
    whole = decoder.cut_video(path, tmp_path / "whole.mkv", 0.3, 7.5, fps=16)
    expected = pictures_of(whole.path)
    assert len(expected) == 120
    for first in (0, 40, 77, 100):
        part = decoder.cut_video(path, tmp_path / "part.mkv", 0.3, 7.5, fps=16, first_frame=first, frames=20)
        shown = pictures_of(part.path)
        assert len(shown) == part.frames == 20
        assert all(np.array_equal(a, b) for a, b in zip(shown, expected[first : first + 20], strict=True))


def test_the_number_of_frames_is_exact(decoder: Decoder, tmp_path: Path) -> None:
    path = write_video(tmp_path / "drive.mp4", numbered(25), 25)
    cut = decoder.cut_video(path, tmp_path / "cut.mkv", fps=25, first_frame=20, frames=12)
    assert [number_of(p) for p in pictures_of(cut.path)] == [20, 21, 22, 23, 24] + [24] * 7
    cut = decoder.cut_video(path, tmp_path / "cut.mkv", 0.8, 60, fps=25)
    assert [number_of(p) for p in pictures_of(cut.path)] == [20, 21, 22, 23, 24]


def test_a_cut_beyond_the_end(decoder: Decoder, tmp_path: Path) -> None:
    path = write_video(tmp_path / "drive.mp4", numbered(25), 25)
    with pytest.raises(BadMedia, match=r"drive\.mp4 has no picture at 5 s") as caught:
        decoder.cut_video(path, tmp_path / "cut.mp4", 5.0, 1.0)
    assert caught.value.field == "video" and [p.name for p in tmp_path.iterdir()] == ["drive.mp4"]


def test_a_part_is_never_longer_than_allowed(decoder: Decoder, tmp_path: Path) -> None:
    minute = write_video(tmp_path / "m.mp4", [flat(90, (64, 64))] * 120, 2)
    path = repeat(minute, tmp_path / "long.mp4", 6)
    cut = decoder.cut_video(path, tmp_path / "cut.mp4", fps=2)
    assert cut.frames == 600


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_equal_cuts_have_equal_names(decoder: Decoder, tmp_path: Path, suffix: str) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(25)]
    one = write_video(tmp_path / "one.mp4", noise)
    two = tmp_path / "two"
    two.write_bytes(one.read_bytes())
    names = set()
    for source in (one, two, one):
        with Decoder() as fresh:
            cut = fresh.cut_video(source, tmp_path / f"cut{suffix}", 0.2, 0.5, width=64, height=48)
            names.add(cut.name)
    assert len(names) == 1 and names.pop().endswith(suffix)
    other = decoder.cut_video(one, tmp_path / f"cut{suffix}", 0.24, 0.5, width=64, height=48)
    assert other.name not in names


def test_h264_cuts_play_everywhere(decoder: Decoder, tmp_path: Path) -> None:
    path = write_video(tmp_path / "drive.mkv", numbered(25, (161, 97)), pix_fmt="yuv444p")
    cut = decoder.cut_video(path, tmp_path / "cut.mp4")
    facts = decoder.video(cut.path)
    assert (facts.codec, facts.pix_fmt, facts.fps) == ("h264", "yuv420p", 16.0)
    data = cut.path.read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")
