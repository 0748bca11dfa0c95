"""Driving videos: each accepted kind, and each fault."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from backend.error_texts.arguments import spoken
from backend.errors import BadMedia
from backend.media import clip
from backend.media.decoder import Decoder
from tests.support.media_files import (
    flat,
    number_of,
    numbered,
    pictures_of,
    repeat,
    rotate_flag,
    tone,
    write_sound,
    write_video,
)
from tests.support.tiers import deep

pytestmark = pytest.mark.full


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "said"),
    [
        ("a.mp4", "libx264", "yuv420p", "h264"),
        deep("a.mov", "libx264", "yuv420p", "h264"),
        deep("a.mkv", "libx264", "yuv444p", "h264"),
        ("a.mp4", "libx265", "yuv420p", "hevc"),
        deep("a.mov", "libx265", "yuv420p10le", "hevc"),
        ("a.webm", "libvpx-vp9", "yuv420p", "vp9"),
        ("a.mp4", "libsvtav1", "yuv420p", "av1"),
        ("a.webm", "libsvtav1", "yuv420p10le", "av1"),
        ("a.mkv", "ffv1", "yuv420p", "ffv1"),
        deep("a.mov", "mpeg4", "yuv420p", "mpeg4"),
        ("a.mov", "prores_ks", "yuv422p10le", "prores"),
    ],
)
def test_kinds(decoder: Decoder, tmp_path: Path, name: str, codec: str, pix_fmt: str, said: str) -> None:
    path = write_video(tmp_path / name, numbered(25, (160, 96)), 25, codec, pix_fmt)
    facts = decoder.video(path)
    assert (facts.width, facts.height, facts.frames, facts.fps) == (160, 96, 25, 25.0)
    assert facts.seconds == pytest.approx(1.0, abs=0.002)
    assert (facts.codec, facts.pix_fmt, facts.has_audio) == (said, pix_fmt, False)
    assert (facts.rotated, facts.variable, facts.note) == (0, False, "")
    cut = decoder.cut_video(path, tmp_path / "cut.mp4", fps=25)
    assert (cut.width, cut.height, cut.frames, cut.seconds) == (160, 96, 25, 1.0)
    assert [number_of(p) for p in pictures_of(cut.path)] == pytest.approx(range(25), abs=1)


def test_the_content_decides_and_sound_is_detected(decoder: Decoder, tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mkv", numbered(25), sound=tone(1.0))
    path = path.rename(tmp_path / "clip.jpg")
    facts = decoder.video(path)
    assert facts.has_audio and facts.codec == "h264"
    cut = decoder.cut_video(path, tmp_path / "cut.mp4")
    assert not decoder.video(cut.path).has_audio


def test_an_old_mov_without_an_ftyp_box(decoder: Decoder, tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mov", numbered(10))
    data = path.read_bytes()
    size = int.from_bytes(data[:4], "big")
    assert data[4:8] == b"ftyp"
    path.write_bytes(b"\x00\x00\x00" + bytes([size]) + b"free" + data[8:])
    assert decoder.video(path).frames == 10


@pytest.mark.parametrize("fps", [24, Fraction(30000, 1001), 60, 12.5])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_frame_rates_are_exact(decoder: Decoder, tmp_path: Path, name: str, fps: float) -> None:
    facts = decoder.video(write_video(tmp_path / name, numbered(30), fps))
    assert facts.fps == pytest.approx(float(fps), rel=1e-3) and not facts.variable


def test_variable_rate(decoder: Decoder, tmp_path: Path) -> None:
    """Half a second at 50 a second, then half a second at 10 a second."""
    times = [i / 50 for i in range(25)] + [0.5 + i / 10 for i in range(5)]
    path = write_video(tmp_path / "phone.mp4", numbered(30), 50, times=times)
    facts = decoder.video(path)
    assert facts.variable and facts.frames == 30
    assert facts.seconds == pytest.approx(0.92, abs=0.11)
    cut = decoder.cut_video(path, tmp_path / "cut.mkv", fps=10)
    shown = [number_of(p) for p in pictures_of(cut.path)]
    assert shown[:8] == [0, 5, 10, 15, 20, 25, 26, 27]


@pytest.mark.parametrize(("degrees", "size"), [(90, (96, 160)), (180, (160, 96)), (270, (96, 160))])
def test_rotated_by_metadata(decoder: Decoder, tmp_path: Path, degrees: int, size: tuple[int, int]) -> None:
    picture = flat(40, (160, 96))
    picture[:48, :80] = 230  # bright at the top left
    path = rotate_flag(write_video(tmp_path / "phone.mp4", [picture] * 10), degrees)
    facts = decoder.video(path)
    assert (facts.width, facts.height, facts.rotated) == (*size, degrees)
    cut = decoder.cut_video(path, tmp_path / "cut.mp4")
    assert (cut.width, cut.height) == size
    facts = decoder.video(cut.path)
    assert (facts.width, facts.height, facts.rotated) == (*size, 0)
    shown = pictures_of(cut.path)[0]
    expected = np.rot90(picture, -degrees // 90)
    assert np.abs(shown.astype(int) - expected.astype(int)).mean() < 6
    poster = decoder.poster(path, tmp_path / "poster.png")
    assert (poster.width, poster.height) == size


def test_stretched_pixels(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "dv.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 72, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 9)
        for picture in numbered(10, (72, 96)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
    facts = decoder.video(path)
    assert (facts.width, facts.height) == (128, 96)
    cut = decoder.cut_video(path, tmp_path / "cut.mp4")
    assert (cut.width, cut.height) == (128, 96)


def test_odd_sizes(decoder: Decoder, tmp_path: Path) -> None:
    path = write_video(tmp_path / "odd.mkv", numbered(10, (161, 97)), pix_fmt="yuv444p")
    facts = decoder.video(path)
    assert (facts.width, facts.height) == (161, 97)
    cut = decoder.cut_video(path, tmp_path / "cut.mp4")
    assert cut.width % 2 == cut.height % 2 == 0 and abs(cut.width - 161) == abs(cut.height - 97) == 1


@pytest.mark.parametrize(
    ("source", "size", "stored"),
    [
        ((3840, 2160), (832, 480), (854, 480)),
        ((1080, 1920), (480, 832), (480, 854)),
        ((640, 360), (832, 480), (640, 360)),
        ((640, 360), (0, 0), (640, 360)),
        ((2000, 250), (480, 480), (2000, 250)),
        ((4000, 4000), (832, 480), (832, 832)),
    ],
)
def test_sizes_just_cover(source: tuple[int, int], size: tuple[int, int], stored: tuple[int, int]) -> None:
    assert clip.covering(source, size) == stored


def test_colours_survive(decoder: Decoder, tmp_path: Path) -> None:
    """HD without a tag is BT.709; the written file has the right colours with and without its tag."""
    colour = (200, 40, 30)
    path = tmp_path / "hd.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for _ in range(8):
            rgb = np.full((720, 1280, 3), colour, np.uint8)
            frame = av.VideoFrame.from_ndarray(rgb).reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range=1
            )
            frame.colorspace = 2
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    cut = decoder.cut_video(path, tmp_path / "cut.mp4", width=320, height=180)
    with av.open(str(cut.path)) as container:
        frame = next(container.decode(video=0))
        assert frame.to_ndarray(format="rgb24")[90, 160] == pytest.approx(colour, abs=5)
        plain = frame.to_ndarray(format="rgb24", src_colorspace="ITU601")
        assert plain[90, 160] == pytest.approx(colour, abs=5)


def test_full_range_is_converted(decoder: Decoder, tmp_path: Path) -> None:
    path = write_video(tmp_path / "phone.mkv", [flat(0, (128, 96))] * 8, pix_fmt="yuvj420p")
    shown = pictures_of(decoder.cut_video(path, tmp_path / "cut.mp4").path)
    assert shown[0].max() <= 3


def faults(tmp_path: Path) -> dict[str, tuple[Callable[[Path], object], str]]:
    def one_frame(path: Path) -> None:
        write_video(path, numbered(1))

    def no_frame(path: Path) -> None:
        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            container.start_encoding()

    def no_cluster(path: Path) -> None:
        made = write_video(tmp_path / "m.mkv", numbered(25))
        path.write_bytes(made.read_bytes().split(b"\x1f\x43\xb6\x75")[0])

    def short(path: Path) -> None:
        write_video(path, numbered(5), 25)

    def hour(path: Path) -> None:
        minute = write_video(tmp_path / "m.mp4", numbered(60, (64, 64), 2), 1)
        repeat(minute, path, 60)

    def cut_off(path: Path) -> None:
        write_video(path, numbered(25))
        path.write_bytes(path.read_bytes()[:400])

    def only_sound(path: Path) -> None:
        write_sound(path, tone(1.0), 44_100, "aac", "mp4")

    def photo(path: Path) -> None:
        Image.new("RGB", (64, 64)).save(path, format="JPEG")

    def strip(path: Path) -> None:
        write_video(path, [flat(9, (1024, 64))] * 10)

    def tiny(path: Path) -> None:
        write_video(path, [flat(9, (32, 32))] * 10)

    return {
        "one frame": (one_frame, "has one frame: it is a picture"),
        "no frame": (no_frame, "has no frames: nothing is in it"),
        "no cluster": (no_cluster, "has no frames|is damaged"),
        "short": (short, r"is 0\.2 s long. At least 0\.25 s"),
        "hour": (hour, r"is 1 h long. Files of up to 30 min can be used, and 5 min of one"),
        "truncated": (cut_off, "is damaged or incomplete"),
        "only sound": (only_sound, "has no pictures, only sound"),
        "photo": (photo, r"is not a video: it is a picture \(JPEG\)"),
        "strip": (strip, "is 1024 × 64: one side"),
        "tiny": (tiny, "is 32 × 32: too small"),
        "empty": (lambda path: path.write_bytes(b""), "is empty"),
        "text": (lambda path: path.write_text("Hello"), "is not a video: it is a text file"),
        "list": (
            lambda path: path.write_text("#EXTM3U\n/etc/passwd\n"),
            "is not a video: it is a playlist, which only names other files",
        ),
        "sdp": (lambda path: path.write_text("v=0\no=- 0 0 IN IP4 1.2.3.4\n"), "a playlist"),
        "avi": (
            lambda path: path.write_bytes(b"RIFF\x00\x00\x00\x00AVI LIST" + bytes(99)),
            "is damaged|has no frames",
        ),
        "noise": (lambda path: path.write_bytes(os.urandom(5000)), "is not a video"),
        "mp4 noise": (
            lambda path: path.write_bytes(b"\x00\x00\x00\x18ftypisom" + os.urandom(5000)),
            "is damaged",
        ),
    }


NAMES = list(faults(Path()))


@pytest.mark.parametrize("which", NAMES)
def test_faults(decoder: Decoder, tmp_path: Path, which: str) -> None:
    make, said = faults(tmp_path)[which]
    path = tmp_path / "drive.mp4"
    make(path)
    with pytest.raises(BadMedia, match=rf"drive\.mp4 .*{said}|drive\.mp4 {said}") as caught:
        decoder.video(path)
    assert caught.value.field == "video" and caught.value.hint and "JPEG" not in caught.value.hint
    before = sorted(p.name for p in tmp_path.iterdir())
    if which not in ("one frame", "short", "hour", "strip", "tiny"):
        with pytest.raises(BadMedia):
            decoder.cut_video(path, tmp_path / "cut.mp4")
        assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_8k_is_refused_before_a_frame_of_it_is_kept(decoder: Decoder, tmp_path: Path) -> None:
    path = write_video(tmp_path / "8k.mp4", [flat(90, (7680, 4320))] * 2)
    with pytest.raises(BadMedia, match=r"8k\.mp4 is 7680 × 4320. Videos of up to 4096 × 2304"):
        decoder.video(path)


def test_a_truncated_video_has_a_note_with_its_length(decoder: Decoder, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(50)]
    path = write_video(tmp_path / "drive.mp4", noise, 25, movflags="+faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    facts = decoder.video(path)
    assert 10 < facts.frames < 40 and facts.note == f"Cut short: {spoken(facts.seconds)} of 2 s are there"
    cut = decoder.cut_video(path, tmp_path / "cut.mp4", fps=25)
    assert abs(cut.frames - facts.frames) <= 1


def test_a_video_whose_second_half_cannot_be_decoded_is_not_silently_half_as_long(
    decoder: Decoder, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(50)]
    path = write_video(tmp_path / "drive.mp4", noise, 25, movflags="+faststart")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    with pytest.raises(BadMedia, match="damaged"):
        decoder.cut_video(path, tmp_path / "cut.mp4", fps=25)


def test_damage_in_the_middle_does_not_kill_the_child(decoder: Decoder, tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    for name, codec in (("a.mp4", "libx264"), ("a.mkv", "libx265"), ("a.webm", "libvpx-vp9")):
        source = write_video(tmp_path / name, numbered(40), 25, codec).read_bytes()
        for _ in range(5):
            data = bytearray(source)
            for at in random.integers(40, len(data), 40):
                data[at] = random.integers(0, 256)
            path = tmp_path / "damaged"
            path.write_bytes(data)
            for ask in (decoder.video, lambda p: decoder.cut_video(p, tmp_path / "cut.mp4", 0.0, 1.0)):
                try:
                    ask(path)
                except BadMedia as error:
                    assert error.message.startswith("damaged ") and error.hint
