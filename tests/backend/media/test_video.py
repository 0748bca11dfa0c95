from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from backend.errors import BadMedia
from backend.media.decoder import Decoder

pytestmark = pytest.mark.full


def make(path: Path, frames: int = 17, size: tuple[int, int] = (320, 192), sound: bool = False) -> Path:
    """A clip that goes from blue (first) over grey to red (last)."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(16))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        voice = container.add_stream("aac", rate=44100) if sound else None
        for i in range(frames):
            colour = (0, 0, 220) if i == 0 else (220, 0, 0) if i == frames - 1 else (90, 90, 90)
            pixels = np.full((size[1], size[0], 3), colour, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
        if voice is not None:
            silence = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, 0
            container.mux(voice.encode(frame))
            container.mux(voice.encode())
    return path


def test_facts(decoder: Decoder, tmp_path: Path) -> None:
    facts = decoder.video_facts(make(tmp_path / "clip.mp4"))
    assert (facts.width, facts.height, facts.frames, facts.fps) == (320, 192, 17, 16.0)
    assert facts.seconds == pytest.approx(17 / 16)
    assert (facts.codec, facts.pix_fmt, facts.has_audio) == ("h264", "yuv420p", False)
    assert decoder.video_facts(make(tmp_path / "loud.mp4", sound=True)).has_audio


def test_frames_are_counted_when_the_header_has_no_count(decoder: Decoder, tmp_path: Path) -> None:
    assert decoder.video_facts(make(tmp_path / "clip.mkv")).frames == 17


@pytest.mark.parametrize("frames", [1, 17, 81])
def test_the_poster_is_the_first_frame(decoder: Decoder, tmp_path: Path, frames: int) -> None:
    clip = make(tmp_path / "clip.mp4", frames)
    poster = decoder.poster(clip, tmp_path / "poster.jpg", max_side=160)
    assert (poster.width, poster.height) == (160, 96)
    with Image.open(poster.path) as image:
        assert image.format == "JPEG"
        red, _, blue = image.convert("RGB").getpixel((80, 48))
        assert blue > 150 > red
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", "poster.jpg"]


def test_a_poster_is_never_enlarged(decoder: Decoder, tmp_path: Path) -> None:
    poster = decoder.poster(make(tmp_path / "clip.mp4"), tmp_path / "poster.jpg")
    assert (poster.width, poster.height) == (320, 192)


def test_720p_fits_in_the_childs_memory(decoder: Decoder, tmp_path: Path) -> None:
    clip = make(tmp_path / "clip.mp4", 33, (1280, 720))
    assert decoder.poster(clip, tmp_path / "poster.jpg", max_side=1280).width == 1280


@pytest.mark.parametrize(
    "content", [b"text", b"#EXTM3U\n/etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd"]
)
def test_a_file_that_is_not_a_video_is_refused(decoder: Decoder, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    for ask in (decoder.video_facts, lambda p: decoder.poster(p, tmp_path / "p.jpg")):
        with pytest.raises(BadMedia, match=r"clip\.mp4 is not a video"):
            ask(path)


def test_a_truncated_video_is_refused(decoder: Decoder, tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mp4")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(BadMedia, match=r"clip\.mp4 is"):
        decoder.poster(path, tmp_path / "poster.jpg")
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]
