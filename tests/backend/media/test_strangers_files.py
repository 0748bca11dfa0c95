"""Files as devices, editors and web sites leave them: odd in one respect each, and used all the same."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.errors import BadMedia
from backend.media import clip, pictures, sound
from tests.support.media_files import numbered, tone, write_sound, write_video
from tests.support.odd_media import EXIF_ORIENTATION, corner_names, corners, id3, one_channel, wav

pytestmark = pytest.mark.full

RATE = 44_100


def streamed_wav(folder: Path) -> bytes:
    """Written to a pipe: lengths that are not known."""
    data = bytearray(wav(one_channel(1, 0, 1.0)))
    data[4:8] = b"\xff\xff\xff\xff"
    at = data.index(b"data")
    data[at + 4 : at + 8] = b"\xff\xff\xff\xff"
    return bytes(data)


def zero_length_wav(folder: Path) -> bytes:
    """A recorder without power: lengths of nothing."""
    data = bytearray(wav(one_channel(1, 0, 1.0)))
    at = data.index(b"data")
    data[4:8] = data[at + 4 : at + 8] = bytes(4)
    return bytes(data)


def tagged_flac(folder: Path) -> bytes:
    return id3(5_000) + write_sound(folder / "a.flac", tone(1.0), RATE, "flac").read_bytes()


def tagged_mp3(folder: Path) -> bytes:
    """APE and ID3v1 tags behind the frames."""
    head = b"APETAGEX" + struct.pack("<IIII", 2_000, 64, 0, 0) + bytes(8)
    content = write_sound(folder / "a.mp3", tone(1.0), RATE, "libmp3lame").read_bytes()
    return content + head + bytes(64) + head + b"TAG" + bytes(125)


def radio_ogg(folder: Path) -> bytes:
    """A recorded stream: two songs in one file."""
    parts = [tone(0.5, 48_000), 0.5 * tone(0.5, 48_000)]
    return b"".join(write_sound(folder / "a.ogg", part, 48_000, "libopus").read_bytes() for part in parts)


def covered_m4a(folder: Path) -> bytes:
    """With a cover picture, which is no video."""
    return write_sound(folder / "a.m4a", tone(1.0), RATE, "aac", "mp4", cover=True).read_bytes()


def unfinished_mkv(folder: Path) -> bytes:
    """A recording that was never closed: no index, lengths unknown."""
    data = write_sound(folder / "a.mka", tone(1.0), RATE, "flac", "matroska").read_bytes()
    segment, cluster = data.index(b"\x18\x53\x80\x67"), data.index(b"\x1f\x43\xb6\x75")
    unknown = b"\x01" + b"\xff" * 7
    head = data[: segment + 4] + unknown + data[segment + 12 : cluster + 4]
    cues = data.find(b"\x1c\x53\xbb\x6b", cluster)
    return head + data[cluster + 4 : cues if cues > 0 else len(data)]


SOUNDS: dict[str, Callable[[Path], bytes]] = {
    "a WAV from a pipe": streamed_wav,
    "a WAV of length 0": zero_length_wav,
    "FLAC behind ID3": tagged_flac,
    "MP3 before tags": tagged_mp3,
    "two songs in an OGG": radio_ogg,
    "M4A with a cover": covered_m4a,
    "an MKV without lengths": unfinished_mkv,
}


@pytest.mark.parametrize("which", SOUNDS)
def test_sounds(which: str, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(SOUNDS[which](tmp_path))
    found = sound.facts(str(path), "song")
    assert found.seconds == pytest.approx(1.0, abs=0.12) and not found.silent


def test_a_sound_whose_rest_cannot_be_read_says_so(tmp_path: Path) -> None:
    """FFmpeg does not go on where an OGG changes from mono to stereo."""
    path = tmp_path / "radio.ogg"
    one = write_sound(tmp_path / "1.ogg", tone(0.5, 48_000), 48_000, "libopus").read_bytes()
    path.write_bytes(
        one + write_sound(tmp_path / "2.ogg", tone(0.5, 48_000, 2), 48_000, "libopus").read_bytes()
    )
    assert sound.facts(str(path), "radio.ogg").note == "Only its first part can be read"


def fast_start_mp4(folder: Path) -> bytes:
    return write_video(folder / "a.mp4", numbered(25), 25, movflags="faststart").read_bytes()


def open_ended_mp4(folder: Path) -> bytes:
    """The last box, of media, has the length 0: to the end of the file."""
    data = bytearray(fast_start_mp4(folder))
    at = data.index(b"mdat") - 4
    data[at : at + 4] = bytes(4)
    return bytes(data)


def fragmented_mp4(folder: Path) -> bytes:
    """As sites stream it."""
    flags = "frag_keyframe+empty_moov+default_base_moof"
    return write_video(folder / "a.mp4", numbered(25), 25, movflags=flags).read_bytes()


def unindexed_avi(folder: Path) -> bytes:
    """The camera lost power before it wrote the index."""
    data = write_video(folder / "a.avi", numbered(25), 25, "mjpeg", "yuvj420p", form="avi").read_bytes()
    return data[: data.rindex(b"idx1")]


def cut_start_ts(folder: Path) -> bytes:
    """Recorded from the middle of a packet on."""
    return write_video(folder / "a.ts", numbered(30), 25, form="mpegts", options={"g": "5"}).read_bytes()[77:]


def appended_mp4(folder: Path) -> bytes:
    """A motion photo's trailer, or a signature, behind the end."""
    return fast_start_mp4(folder) + b"MotionPhoto_Data" + bytes(5_000)


def hasty_gif(folder: Path) -> bytes:
    """Without delays: browsers show ten pictures a second."""
    frames = [Image.new("RGB", (96, 64), (25 * index, 0, 0)) for index in range(10)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=0)
    return out.getvalue()


VIDEOS: dict[str, Callable[[Path], bytes]] = {
    "MP4 that begins with its index": fast_start_mp4,
    "MP4 of open length": open_ended_mp4,
    "MP4 in fragments": fragmented_mp4,
    "AVI without an index": unindexed_avi,
    "TS from the middle": cut_start_ts,
    "MP4 before a trailer": appended_mp4,
    "GIF without delays": hasty_gif,
}


@pytest.mark.parametrize("which", VIDEOS)
def test_videos(which: str, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(VIDEOS[which](tmp_path))
    found = clip.facts(str(path), "dance")
    assert found.seconds == pytest.approx(1.0, abs=0.25) and found.frames >= 10
    made = clip.cut(str(path), str(tmp_path / "cut.mkv"), "dance", "video", 0, 0, 16, (0, 0), lossless=True)
    assert made[2] == pytest.approx(16, abs=4)


def jpeg(**more: object) -> bytes:
    out = io.BytesIO()
    corners().save(out, "JPEG", quality=95, **more)
    return out.getvalue()


def odd_orientation() -> bytes:
    block = Image.Exif()
    block[EXIF_ORIENTATION] = 9
    return jpeg(exif=block)


def cmyk() -> bytes:
    out = io.BytesIO()
    corners().convert("CMYK").save(out, "JPEG", quality=95)
    return out.getvalue()


def sixteen_bit() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.asarray(corners().convert("L")).astype(np.uint16) * 257).save(out, "PNG")
    return out.getvalue()


def one_byte_more() -> bytes:
    return b"\xff\xd8" + b"\xff\xfe\x00\x02" * 300 + jpeg()[2:]


PICTURES: dict[str, Callable[[], bytes]] = {
    "an orientation that is none": odd_orientation,
    "CMYK": cmyk,
    "16 bits of grey": sixteen_bit,
    "300 empty comments": one_byte_more,
    "progressive, restart markers": lambda: jpeg(progressive=True, restart_marker_rows=1),
}


@pytest.mark.parametrize("which", PICTURES)
def test_pictures(which: str, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(PICTURES[which]())
    pictures.rewrite(str(path), str(tmp_path / "out.png"), "photo")
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (160, 96)
        if which != "16 bits of grey":
            assert corner_names(image.convert("RGB")) == "RGBW"


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 5_000, b"\xff" * 5_000, b"RIFF\xff\xff\xff\xffWAVE", b"OggS" * 999]
)
def test_nothing_is_refused_with_a_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    for read in (sound.facts, clip.facts):
        with pytest.raises(BadMedia) as caught:
            read(str(path), "gift.bin")
        assert "gift.bin" in caught.value.message and caught.value.hint
