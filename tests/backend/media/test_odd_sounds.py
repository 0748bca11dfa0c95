"""Unusual sounds: any layout, any container, joined files, late starts. Without a child process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.errors import BadMedia
from backend.media import sound
from backend.media.facts import SoundFacts
from tests.support.media_files import has_encoder, numbered, samples_of, tone, write_sound, write_video
from tests.support.odd_media import id3, one_channel, wav

pytestmark = pytest.mark.full  # encoding and decoding of many files


def facts(path: Path) -> SoundFacts:
    return sound.facts(str(path), path.name)


def cut(path: Path, start: float = 0.0, seconds: float = 0.0) -> np.ndarray:
    """The samples of the part (channels, samples)."""
    out = path.with_name("cut.wav")
    sound.cut(str(path), str(out), path.name, "audio", start, seconds)
    return samples_of(out)[0]


def level(samples: np.ndarray) -> list[float]:
    return [float(np.sqrt(np.mean(channel**2))) for channel in samples]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 16, 24, 32])
def test_every_channel_of_a_wav_is_audible(channels: int, tmp_path: Path) -> None:
    """Channels that the file does not name; the fourth of 6, 7 and 8 is the LFE."""
    path = tmp_path / "many.wav"
    for index in {0, 1, channels // 2, channels - 1} & set(range(channels)):
        path.write_bytes(wav(one_channel(channels, index)))
        found = facts(path)
        assert (found.channels, found.rate) == (channels, 16_000)
        said = found.note.lower().endswith(f"{channels} channels become stereo")
        assert said == (channels > 2)
        lfe = channels in (6, 7, 8) and index == 3
        assert found.silent == lfe, index
        written = cut(path)
        assert len(written) == min(2, channels)
        assert any(level(written)) != lfe


@pytest.mark.parametrize(
    ("index", "left", "right"),
    [(0, 1, 0), (1, 0, 1), (2, 1, 1), (3, 0, 0), (4, 1, 0), (5, 0, 1), (6, 1, 0), (7, 0, 1)],
)  # fmt: skip
@pytest.mark.parametrize(("codec", "name"), [("aac", "a.m4a"), ("flac", "a.flac"), ("pcm_s24le", "a.caf")])
def test_eight_channels_of_a_codec(
    codec: str, name: str, index: int, left: int, right: int, tmp_path: Path
) -> None:
    path = write_sound(tmp_path / name, one_channel(8, index, 0.5, 48_000), 48_000, codec)
    audible = [float(one > 0.01) for one in level(cut(path))]
    assert facts(path).channels == 8
    assert audible == [left, right]


@pytest.mark.parametrize("codec", ["libopus", "ac3"])
def test_six_channels_of_other_codecs(codec: str, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mka", one_channel(6, 0, 0.5, 48_000), 48_000, codec)
    left, right = level(cut(path))
    assert left > 0.05 and right < 0.02


def test_the_sound_of_a_video_with_eight_channels(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mov", numbered(12), 25, sound=one_channel(8, 4, 0.48, 48_000), sound_rate=48_000
    )
    assert facts(path).note == "The sound of a video, 8 channels become stereo"
    left, right = level(cut(path))
    assert left > 0.05 > right


def joined(folder: Path, codec: str, form: str) -> bytes:
    """A second of mono at 22 kHz, then a second of stereo at 44 kHz, as one file."""
    mono = write_sound(folder / "1", tone(1.0, 22_050), 22_050, codec, form).read_bytes()
    stereo = write_sound(folder / "2", tone(1.0, 44_100, 2), 44_100, codec, form).read_bytes()
    return mono + stereo


@pytest.mark.parametrize(("codec", "form"), [("libmp3lame", "mp3"), ("aac", "adts")])
def test_a_sound_that_changes_in_the_middle(codec: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / "joined"
    path.write_bytes(joined(tmp_path, codec, form))
    found = facts(path)
    assert found.seconds == pytest.approx(2.0, abs=0.2)
    assert (found.rate, found.channels, found.note) == (44_100, 2, "")
    written = cut(path)
    assert len(written) == 2 and written.shape[1] == pytest.approx(88_200, rel=0.08)
    first, second = level(written[:, 8_000:36_000]), level(written[:, 56_000:80_000])
    assert first[0] == pytest.approx(first[1], rel=0.05) and first[0] == pytest.approx(0.35, abs=0.05)
    assert second[0] == pytest.approx(2 * second[1], rel=0.1)
    assert len(cut(path, 0.1, 0.5)) == 1, "a part that is mono stays mono"


def test_joined_files_of_one_kind_are_read_to_the_end(tmp_path: Path) -> None:
    one = write_sound(tmp_path / "1.mp3", tone(1.0), 44_100, "libmp3lame").read_bytes()
    path = tmp_path / "joined.mp3"
    path.write_bytes(b"".join(id3(900) + one for _ in range(3)))
    assert facts(path).seconds == pytest.approx(3.0, abs=0.3)


@pytest.mark.parametrize("before", [60_000, 0], ids=["noise", "tag"])
def test_what_lies_before_an_mp3(before: int, tmp_path: Path) -> None:
    content = write_sound(tmp_path / "1.mp3", tone(1.0), 44_100, "libmp3lame").read_bytes()
    path = tmp_path / "late.mp3"
    noise = np.random.default_rng(1).integers(0, 256, before, np.uint8).tobytes()
    path.write_bytes((noise or id3(3_000_000)) + content)
    assert facts(path).seconds == pytest.approx(1.0, abs=0.1) and facts(path).note == ""


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.mp4", "a.mov", "a.flv"])
@pytest.mark.parametrize("start", [36_000.0, -2.0, 0.0])
def test_the_sound_of_a_recording_that_starts_late(name: str, start: float, tmp_path: Path) -> None:
    times = [max(start, 0) + i / 25 for i in range(25)]
    path = write_video(
        tmp_path / name, numbered(25), 25, times=times, sound=tone(1.0), sound_at=max(start, 0),
    )  # fmt: skip
    assert facts(path).seconds == pytest.approx(1.0, abs=0.1)
    assert cut(path).shape[1] == pytest.approx(44_100, rel=0.1)


KINDS: dict[str, tuple[str, str]] = {
    "aiff": ("pcm_s16be", "aiff"), "caf": ("alac", "caf"), "au": ("pcm_s16be", "au"),
    "w64": ("pcm_s16le", "w64"),
    "wma": ("wmav2", "asf"), "mp2": ("mp2", "mp2"), "ac3": ("ac3", "ac3"), "eac3": ("eac3", "eac3"),
    "voc": ("pcm_u8", "voc"), "tta": ("tta", "tta"), "wv": ("wavpack", "wv"),
    "amr": ("libopencore_amrnb", "amr"),
    "adts": ("aac", "adts"), "rf64": ("pcm_s16le", "wav"), "sox": ("pcm_s32le", "sox"),
    "mka": ("flac", "matroska"),
    "3gp": ("aac", "3gp"), "latm": ("aac", "latm"), "spx": ("libspeex", "ogg"), "ts": ("aac", "mpegts"),
    "flv": ("libmp3lame", "flv"), "avi": ("pcm_s16le", "avi"), "dts": ("dca", "dts"),
    "thd": ("truehd", "truehd"),
    "nut": ("flac", "nut"), "adpcm": ("adpcm_ima_wav", "wav"), "s64": ("pcm_s64le", "wav"),
}  # fmt: skip
"""Name -> (encoder, container). Those whose encoder the bundled FFmpeg lacks are skipped."""


@pytest.mark.parametrize("kind", KINDS)
def test_containers_and_codecs(kind: str, tmp_path: Path) -> None:
    codec, form = KINDS[kind]
    rate = 8_000 if kind == "amr" else 48_000
    if not has_encoder(codec):
        pytest.skip(f"no encoder of {codec}")
    path = write_sound(tmp_path / "sound", tone(0.5, rate), rate, codec, form)
    found = facts(path)
    assert found.seconds == pytest.approx(0.5, abs=0.15)
    assert found.rate == pytest.approx(rate, rel=0.01), "VOC stores a divisor"
    assert found.peak == pytest.approx(0.5, abs=0.2) and not found.silent
    assert "first part" not in found.note
    assert cut(path).shape[1] == pytest.approx(found.rate * found.seconds, rel=0.02)


def test_an_encrypted_sound_is_refused(tmp_path: Path) -> None:
    import av

    path = tmp_path / "song.m4a"
    options = {
        "encryption_scheme": "cenc-aes-ctr", "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    }  # fmt: skip
    plain = write_sound(tmp_path / "plain.m4a", tone(1.0), 44_100, "aac", "ipod")
    with (
        av.open(str(plain)) as source,
        av.open(str(path), "w", format="mp4", container_options=options) as target,
    ):
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    with pytest.raises(BadMedia, match=r"song\.m4a is encrypted \(copy protection, DRM\)"):
        facts(path)
