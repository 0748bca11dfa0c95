"""Unusual videos: any container, all orientations, late starts, jumps. Without a child process."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.errors import BadMedia
from backend.media import clip, video
from backend.media.facts import VideoFacts
from tests.support.media_files import flat, number_of, numbered, pictures_of, tone, write_video
from tests.support.odd_media import (
    corner_names,
    corners,
    encrypted_video,
    late_video,
    one_channel,
    orient,
    remux,
    stored_for,
)
from tests.support.tiers import deep

pytestmark = pytest.mark.full  # encoding and decoding of many files

PROJECTION, ROLL = b"\x76\x70", b"\x76\x75"
"""Ids of elements of a Matroska track."""


def facts(path: Path) -> VideoFacts:
    return clip.facts(str(path), path.name)


def cut(path: Path, start: float = 0.0, seconds: float = 0.0, fps: float = 25) -> list[np.ndarray]:
    """The frames of the part."""
    out = path.with_name("cut.mkv")
    clip.cut(str(path), str(out), path.name, "video", start, seconds, fps, (0, 0), lossless=True)
    return pictures_of(out)


def numbers(frames: list[np.ndarray]) -> list[int]:
    return [number_of(frame) for frame in frames]


@pytest.mark.parametrize("exif", range(1, 9))
def test_all_orientations(exif: int, tmp_path: Path) -> None:
    stored = np.ascontiguousarray(stored_for(corners(), exif))
    path = orient(write_video(tmp_path / "phone.mp4", [stored] * 8, 25), exif)
    found = facts(path)
    assert (found.width, found.height) == (160, 96)
    shown = cut(path)[0]
    assert shown.shape == (96, 160, 3) and corner_names(Image.fromarray(shown)) == "RGBW"
    poster = tmp_path / "poster.png"
    assert video.first_frame(str(path), str(poster), "phone.mp4", 640) == (160, 96)
    with Image.open(poster) as image:
        assert corner_names(image) == "RGBW"


@pytest.mark.parametrize("exif", [*map(deep, (1, 2, 3, 4, 5, 8)), 6, 7])
def test_all_orientations_in_matroska(exif: int, tmp_path: Path) -> None:
    """As the pose of a projection, which FFmpeg writes for a rotated or mirrored track."""
    stored = np.ascontiguousarray(stored_for(corners(), exif))
    phone = orient(write_video(tmp_path / "phone.mp4", [stored] * 8, 25), exif)
    path = remux(phone, tmp_path / "phone.mkv", "matroska")
    assert (PROJECTION in path.read_bytes()) == (exif != 1)
    assert (facts(path).width, facts(path).height) == (160, 96)
    assert corner_names(Image.fromarray(cut(path)[0])) == "RGBW"


@pytest.mark.parametrize("roll", [float("nan"), float("inf"), 33.0, 1e30])
def test_an_odd_pose_of_a_projection_is_no_reason(roll: float, tmp_path: Path) -> None:
    path = remux(orient(write_video(tmp_path / "a.mp4", numbered(8), 25), 6), tmp_path / "a.mkv", "matroska")
    data = bytearray(path.read_bytes())
    at = data.index(ROLL) + len(ROLL)
    data[at + 1 : at + 1 + (data[at] & 0x7F)] = struct.pack(">d" if data[at] & 0x7F == 8 else ">f", roll)
    path.write_bytes(data)
    assert {facts(path).width, facts(path).height} == {128, 96}


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.ts", "a.flv"])
def test_a_recording_that_starts_at_ten_hours(name: str, tmp_path: Path) -> None:
    path = late_video(tmp_path / name, numbered(50), 36_000)
    found = facts(path)
    assert (found.frames, found.note) == (50, "")
    assert found.seconds == pytest.approx(2.0, abs=0.05)
    assert numbers(cut(path, 1.0, 0.4)) == pytest.approx(list(range(25, 35)), abs=1)


def test_a_late_part_of_a_late_recording(tmp_path: Path) -> None:
    """Reached by seeking."""
    frames = [flat(20 + 2 * (i % 100), (64, 64)) for i in range(150)]
    for name in ("a.mp4", "a.mkv", "a.ts"):
        path = late_video(tmp_path / name, frames, 36_000)
        shown = [round((float(frame.mean()) - 20) / 2) for frame in cut(path, 5.0, 0.4)]
        assert shown == pytest.approx([25 + i for i in range(10)], abs=1), name


def test_a_short_gap_is_kept(tmp_path: Path) -> None:
    times = [i / 25 for i in range(25)] + [3 + i / 25 for i in range(25)]
    path = write_video(tmp_path / "gap.mkv", numbered(50), 25, times=times)
    assert facts(path).seconds == pytest.approx(4.0, abs=0.05)
    assert numbers(cut(path, 3.0)) == pytest.approx(list(range(25, 50)), abs=1)


@pytest.mark.parametrize("jump", [7200.0, 100.0])
@pytest.mark.parametrize("name", ["jump.mkv", "jump.mp4", "jump.ts"])
def test_a_jump_is_not_waited_out(jump: float, name: str, tmp_path: Path) -> None:
    times = [i / 25 for i in range(25)] + [jump + i / 25 for i in range(75)]
    frames = [flat(20 + 2 * i, (64, 64)) for i in range(100)]
    path = write_video(tmp_path / name, frames, 25, times=times)
    assert facts(path).seconds == pytest.approx(4.0, abs=0.1)
    assert len(cut(path)) == pytest.approx(100, abs=2)
    late = [round((float(frame.mean()) - 20) / 2) for frame in cut(path, 3.0, 0.4)]
    assert late == pytest.approx([75 + i for i in range(10)], abs=2)


def test_two_recordings_in_one_file(tmp_path: Path) -> None:
    one = write_video(tmp_path / "1.ts", numbered(25), 25).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(one * 2)
    found = facts(path)
    assert found.frames == 50 and found.seconds == pytest.approx(2.0, abs=0.1)
    assert numbers(cut(path))[-1] == pytest.approx(24, abs=1)


def test_frames_before_zero(tmp_path: Path) -> None:
    path = late_video(tmp_path / "a.mkv", numbered(25), -0.4)
    assert facts(path).seconds == pytest.approx(1.0, abs=0.05)


KINDS: dict[str, tuple[str, str, str]] = {
    "Xvid in AVI": ("mpeg4", "avi", "yuv420p"),
    "MJPEG in AVI": ("mjpeg", "avi", "yuvj420p"),
    "H.264 in AVI": ("libx264", "avi", "yuv420p"),
    "TS": ("libx264", "mpegts", "yuv420p"),
    "HEVC in TS": ("libx265", "mpegts", "yuv420p"),
    "MPG": ("mpeg2video", "mpeg", "yuv420p"),
    "M2V": ("mpeg2video", "mpeg2video", "yuv420p"),
    "WMV": ("wmv2", "asf", "yuv420p"),
    "MS MPEG-4 in ASF": ("msmpeg4", "asf", "yuv420p"),
    "FLV": ("flv", "flv", "yuv420p"),
    "H.264 in FLV": ("libx264", "flv", "yuv420p"),
    "3GP": ("mpeg4", "3gp", "yuv420p"),
    "GIF": ("gif", "gif", "rgb8"),
    "APNG": ("apng", "apng", "rgb24"),
    "Y4M": ("rawvideo", "yuv4mpegpipe", "yuv420p"),
    "IVF": ("libvpx-vp9", "ivf", "yuv420p"),
    "bare H.264": ("libx264", "h264", "yuv420p"),
    "bare HEVC": ("libx265", "hevc", "yuv420p"),
    "MXF": ("mpeg2video", "mxf", "yuv420p"),
    "NUT": ("ffv1", "nut", "yuv420p"),
    "DNxHR in MOV": ("prores_ks", "mov", "yuv422p10le"),
    "Animation with alpha in MOV": ("qtrle", "mov", "argb"),
    "VP8 in WebM": ("libvpx", "webm", "yuv420p"),
    "RM": ("rv10", "rm", "yuv420p"),
}
"""What it is -> (encoder, container, pixel format)."""


@pytest.mark.parametrize("kind", KINDS)
def test_containers_and_codecs(kind: str, tmp_path: Path) -> None:
    codec, form, pixels = KINDS[kind]
    path = write_video(tmp_path / "dance", numbered(25, (176, 144)), 25, codec, pixels, form=form)
    found = facts(path)
    assert (found.width, found.height) == (176, 144)
    assert found.frames == pytest.approx(25, abs=1)
    assert found.seconds == pytest.approx(1.0, abs=0.1) and found.fps == pytest.approx(25, rel=0.05)
    shown = numbers(cut(path))
    assert len(shown) == pytest.approx(25, abs=2)
    assert np.abs(np.array(shown[:24]) - np.arange(len(shown[:24]))).max() <= 2


@pytest.mark.parametrize("form", ["GIF", "PNG", "AVIF"])
def test_animations_as_driving_videos(form: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (96, 64), (20 + 20 * i, 0, 0)) for i in range(10)]
    path = tmp_path / "dance"
    frames[0].save(path, format=form, save_all=True, append_images=frames[1:], duration=100)
    found = facts(path)
    assert (found.width, found.height, found.frames) == (96, 64, 10)
    assert found.seconds == pytest.approx(1.0, abs=0.05)
    shown = [int(frame[30, 40, 0]) for frame in cut(path, fps=10)]
    assert shown == pytest.approx([20 + 20 * i for i in range(10)], abs=12)


def test_transparent_parts_of_an_animation_become_white(tmp_path: Path) -> None:
    frames = [Image.new("RGBA", (96, 64), (200, 0, 0, 255)) for _ in range(5)]
    for i, frame in enumerate(frames):
        frame.paste((0, 0, 0, 0), (0, 0, 40 + i, 64))
    path = tmp_path / "dance.png"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    assert facts(path).note == "Transparent parts become white"
    assert cut(path, fps=10)[0][30, 10] == pytest.approx((255, 255, 255), abs=6)


def test_a_still_gif_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "still.gif"
    corners().save(path)
    with pytest.raises(BadMedia, match="has one frame: it is a picture"):
        facts(path)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG"])
def test_a_still_picture_is_no_video(form: str, tmp_path: Path) -> None:
    path = tmp_path / "still"
    corners().save(path, format=form)
    with pytest.raises(BadMedia, match="is not a video: it is a picture"):
        facts(path)


def test_an_encrypted_video_is_refused(tmp_path: Path) -> None:
    path = encrypted_video(tmp_path / "film.mp4", numbered(25))
    with pytest.raises(BadMedia, match=r"film\.mp4 is encrypted \(copy protection, DRM\)") as caught:
        facts(path)
    assert caught.value.hint == "Choose a video without copy protection."


def test_what_is_said_of_the_sound_of_a_video(tmp_path: Path) -> None:
    plain = write_video(tmp_path / "a.mp4", numbered(12), 25, sound=tone(0.48))
    assert (facts(plain).has_audio, facts(plain).channels, facts(plain).note) == (True, 1, "")
    eight = write_video(
        tmp_path / "b.mp4", numbered(12), 25, sound=one_channel(8, 0, 0.48, 48_000), sound_rate=48_000
    )
    assert facts(eight).channels == 8 and facts(eight).note == "The 8 channels of its sound become stereo"
    data = eight.read_bytes().replace(b"mp4a", b"ac-4").replace(b"esds", b"free")
    eight.write_bytes(data)
    found = facts(eight)
    assert not found.has_audio and found.sound_lost and found.note.endswith("is left out")
