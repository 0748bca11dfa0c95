"""A real file of every container of the table that an encoder or tests/support/rare_media.py can write."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from backend.errors import BadMedia
from backend.media import clip, formats, sniff, sound
from backend.media.decoder import Decoder
from tests.backend.media import test_odd_sounds, test_odd_videos
from tests.support import rare_media
from tests.support.media_files import has_encoder, numbered, tone, write_sound, write_video
from tests.support.paths import ROOT

SOUNDS = {"ircam": ("pcm_s16le", "ircam"), "wtv": ("mp2", "wtv"), "wav": ("pcm_s16le", "wav"),
          "flac": ("flac", "flac"), "ogg": ("libopus", "ogg")}  # fmt: skip
TELEVISION = {"gxf": "mpeg2video", "dv": "dvvideo"}
OTHER_NAMES = {
    "adts": "aac", "latm": "loas", "3gp": "mp4", "mov": "mp4", "mpeg2video": "mpegvideo", "webm": "matroska",
    "mp2": "mp3",
}  # fmt: skip
"""FFmpeg's name of the writer -> that of the reader."""
_WITHOUT = {one.demuxer: one for one in formats.CONTAINERS if one.demuxer in formats.UNTESTED}


def written() -> set[str]:
    """The containers of which a test reads a file."""
    made = {form for codec, form in test_odd_sounds.KINDS.values() if has_encoder(codec)}
    made |= {form for _, form, _ in test_odd_videos.KINDS.values()}
    made |= {*(form for _, form in SOUNDS.values()), *TELEVISION, *rare_media.SOUNDS, *rare_media.VIDEOS}
    return {OTHER_NAMES.get(form, form) for form in made}


def test_every_container_is_read_here_or_said_not_to_be() -> None:
    assert written() ^ set(formats.BY_DEMUXER) == set(formats.UNTESTED)
    page = " ".join((ROOT / "docs/files.md").read_text(encoding="utf-8").split())
    titles = ", ".join(dict.fromkeys(one.title for one in _WITHOUT.values()))
    assert f"no test reads a file of these: {titles}." in page


@pytest.mark.full
@pytest.mark.parametrize("kind", rare_media.SOUNDS)
def test_a_sound_of_no_encoder(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "sound"
    path.write_bytes(rare_media.SOUNDS[kind](tmp_path))
    assert sniff.container_of(path.read_bytes()[:4096]) == kind
    found = sound.facts(str(path), "sound")
    assert 0.4 < found.seconds < 1.5 and (kind == "qcp" or not found.silent)
    assert "first part" not in found.note
    sound.cut(str(path), str(tmp_path / "cut.wav"), "sound", "audio", 0.1, 0.2)


@pytest.mark.full
@pytest.mark.parametrize("kind", rare_media.VIDEOS)
def test_a_video_of_no_encoder(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "video"
    path.write_bytes(rare_media.VIDEOS[kind](tmp_path))
    assert sniff.container_of(path.read_bytes()[:4096]) == kind
    found = clip.facts(str(path), "video")
    assert (found.frames, found.height, found.note) == (25, 144, "")
    out = str(tmp_path / "cut.mkv")
    assert clip.cut(str(path), out, "video", "video", 0.0, 0.4, 25, (0, 0), lossless=True)[2] == 10


@pytest.mark.full
@pytest.mark.parametrize("kind", SOUNDS)
def test_a_sound_of_an_encoder(kind: str, tmp_path: Path) -> None:
    codec, form = SOUNDS[kind]
    path = write_sound(tmp_path / "sound", tone(0.5, 48_000), 48_000, codec, form)
    assert sniff.container_of(path.read_bytes()[:4096]) == OTHER_NAMES.get(form, form)
    assert sound.facts(str(path), "sound").seconds == pytest.approx(0.5, abs=0.1)


@pytest.mark.full
@pytest.mark.parametrize("kind", TELEVISION)
def test_a_recording_of_television(kind: str, tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "tape", numbered(8, (720, 576)), 25, TELEVISION[kind], form=kind,
        sound=tone(0.32, 48_000, 2 if kind == "dv" else 1), sound_codec="pcm_s16le", sound_rate=48_000,
    )  # fmt: skip
    found = clip.facts(str(path), "tape")
    assert found.frames == 8 and found.height == 576 and found.has_audio
    assert sniff.container_of(path.read_bytes()[:4096]) == kind


def damaged(one: formats.Container) -> bytes:
    """The first bytes of such a file, then noise."""
    head = bytearray(64)
    for at, mark in one.magic[0]:
        head[at : at + len(mark)] = mark
    noise = np.random.default_rng(len(one.demuxer)).integers(0, 256, 50_000, np.uint8).tobytes()
    return bytes(head) + noise


@pytest.mark.full
def test_noise_that_begins_like_a_format_is_refused(decoder: Decoder, tmp_path: Path) -> None:
    """In the child: of every format that no test reads."""
    child = None
    for name, one in _WITHOUT.items():
        path = tmp_path / "noise"
        for data in (damaged(one), damaged(one)[:70], damaged(one)[:9]):
            path.write_bytes(data)
            with pytest.raises(BadMedia) as caught:
                decoder.sound(path)
            assert caught.value.hint, name
        child = child or decoder.pids()
    assert decoder.pids() == child, "no child has died"


def test_the_decoder_has_the_codecs_of_the_formats_that_no_test_reads() -> None:
    from av.codec.codec import Codec

    codecs = {
        "dts": "dca", "dtshd": "dca", "truehd": "truehd", "mlp": "mlp", "ape": "ape", "tak": "tak",
        "mpc": "mpc7", "mpc8": "mpc8", "osq": "osq", "rka": "rka", "dss": "dss_sp",
    }  # fmt: skip
    assert codecs.keys() == set(formats.UNTESTED)
    for codec in codecs.values():
        assert codec in formats.CODECS and Codec(codec, "r").is_decoder


def dts_frames(count: int) -> bytes:
    """Headers of DTS frames of 96 bytes (48 kHz, stereo) with nothing in them."""
    head = 0x7FFE8001 << 96 | 1 << 95 | 31 << 90 | 15 << 83 | 95 << 69 | 2 << 63 | 13 << 59 | 8 << 54
    return (head.to_bytes(16, "big") + bytes(80)) * count


@pytest.mark.full
def test_dts_without_content_and_cut_short(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "film.dts"
    for data in (dts_frames(200), dts_frames(200)[:1000], struct.pack(">I", 0x7FFE8001)):
        path.write_bytes(data)
        try:
            assert decoder.sound(path).seconds >= 0
        except BadMedia as error:
            assert error.hint and "film.dts" in error.message
    assert decoder.pids()
