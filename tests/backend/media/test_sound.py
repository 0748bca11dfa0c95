"""Sounds: each accepted kind, each fault, the waveform, and the part that is cut."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from backend.errors import BadMedia
from backend.media import sound, sound_reader
from backend.media.decoder import Decoder
from tests.support.media_files import flat, numbered, repeat, samples_of, tone, write_sound, write_video
from tests.support.tiers import deep

pytestmark = pytest.mark.full


@pytest.mark.parametrize(
    ("name", "codec", "form", "rate", "channels", "tolerance"),
    [
        deep("telephone.wav", "pcm_u8", None, 8_000, 1, 0),
        ("plain.wav", "pcm_s16le", None, 44_100, 2, 0),
        deep("studio.wav", "pcm_s24le", None, 96_000, 2, 0),
        deep("measured.wav", "pcm_f32le", None, 192_000, 2, 0),
        deep("double.wav", "pcm_f64le", None, 48_000, 1, 0),
        ("song.mp3", "libmp3lame", None, 44_100, 2, 0.08),
        deep("old.mp3", "libmp3lame", None, 16_000, 1, 0.15),
        ("song.m4a", "aac", "ipod", 44_100, 2, 0.05),
        deep("bare.aac", "aac", "adts", 48_000, 1, 0.05),
        deep("lossless.m4a", "alac", "ipod", 44_100, 2, 0.0),
        ("song.flac", "flac", None, 44_100, 2, 0),
        ("song.ogg", "libopus", None, 48_000, 2, 0.05),
        deep("vorbis.ogg", "vorbis", None, 44_100, 2, 0.05),
        deep("talk.webm", "libopus", None, 48_000, 1, 0.05),
        deep("talk.mka", "aac", "matroska", 32_000, 1, 0.1),
    ],
)
def test_kinds(
    decoder: Decoder, tmp_path: Path, name: str, codec: str, form: str | None, rate: int, channels: int,
    tolerance: float,
) -> None:  # fmt: skip
    path = write_sound(tmp_path / name, tone(1.5, rate, channels), rate, codec, form)
    facts = decoder.sound(path)
    assert facts.seconds == pytest.approx(1.5, abs=tolerance + 1e-3)
    assert (facts.rate, facts.channels, facts.silent) == (rate, channels, False)
    assert facts.peak == pytest.approx(0.5, abs=0.1)
    cut = decoder.cut_sound(path, tmp_path / "cut.wav", 0.5, 0.5)
    samples, cut_rate = samples_of(cut.path)
    assert cut_rate == min(rate, 48_000) and len(samples) == channels
    assert cut.seconds == pytest.approx(0.5, abs=0.002) == samples.shape[1] / cut_rate
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.1)


def test_the_content_decides_not_the_extension(decoder: Decoder, tmp_path: Path) -> None:
    for name in ("song.mp3", "song.txt", "song.png", "song"):
        assert decoder.sound(write_sound(tmp_path / name, tone(0.5), form="wav")).codec == "pcm_s16le"


@pytest.mark.parametrize("container", ["clip.mp4", "clip.mov", "clip.mkv"])
def test_the_sound_of_a_video(decoder: Decoder, tmp_path: Path, container: str) -> None:
    path = write_video(tmp_path / container, numbered(25), 25, sound=tone(1.0))
    facts = decoder.sound(path)
    assert facts.seconds == pytest.approx(1.0, abs=0.05)
    assert facts.note == "The sound of a video"


@pytest.mark.parametrize(("name", "codec"), [("song.mp3", "libmp3lame"), ("song.flac", "flac")])
def test_a_cover_picture_does_not_make_it_a_video(
    decoder: Decoder, tmp_path: Path, name: str, codec: str
) -> None:
    path = write_sound(tmp_path / name, tone(1.0), 44_100, codec, cover=True)
    assert decoder.sound(path).note == ""
    with pytest.raises(BadMedia, match="no pictures, only sound"):
        decoder.video(path)


def test_notes(decoder: Decoder, tmp_path: Path) -> None:
    loud = write_sound(tmp_path / "loud.wav", tone(0.5, level=1.7), 44_100, "pcm_f32le")
    assert decoder.sound(loud).peak == pytest.approx(1.7, abs=0.01)
    assert decoder.sound(loud).note == "Louder than full scale: normalise the level"
    quiet = write_sound(tmp_path / "quiet.wav", tone(0.5, level=0.01))
    assert decoder.sound(quiet).note.startswith("Very quiet")
    silent = decoder.sound(write_sound(tmp_path / "silent.wav", tone(0.5, level=0.0)))
    assert silent.silent and silent.note.startswith("Silent") and silent.peak == 0
    wide = write_sound(tmp_path / "wide.wav", tone(0.5, 192_000, 6), 192_000)
    assert decoder.sound(wide).note == "6 channels become stereo, 192 kHz become 48 kHz"


def test_nan_samples_become_silence(decoder: Decoder, tmp_path: Path) -> None:
    samples = tone(0.5)
    samples[:, 100:200] = np.nan
    samples[:, 300] = np.inf
    path = write_sound(tmp_path / "broken.wav", samples, 44_100, "pcm_f32le")
    assert decoder.sound(path).peak == 1.0
    assert np.isfinite(samples_of(decoder.cut_sound(path, tmp_path / "cut.wav").path)[0]).all()


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.02, "0.02 s long"), (0.1, "0.1 s long"), (0.199, "0.19 s long")]
)
def test_too_short(decoder: Decoder, tmp_path: Path, seconds: float, said: str) -> None:
    path = write_sound(tmp_path / "blip.wav", tone(seconds, 48_000), 48_000)
    with pytest.raises(BadMedia, match=rf"blip\.wav is {said}. At least 0\.2 s") as caught:
        decoder.sound(path)
    assert caught.value.field == "audio"


def test_just_long_enough(decoder: Decoder, tmp_path: Path) -> None:
    assert decoder.sound(write_sound(tmp_path / "blip.wav", tone(0.2, 48_000), 48_000)).seconds == 0.2


def wav(data: bytes, rate: int = 8000, claimed: int | None = None) -> bytes:
    size = len(data) if claimed is None else claimed
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", (size + 36) & 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1,
                       rate, rate, 1, 8, b"data", size)  # fmt: skip
    return head + data


def test_three_hours_are_refused_by_the_header(
    decoder: Decoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "day.wav"
    with bare.open("wb") as file:
        file.write(wav(b"", claimed=3 * 3600 * 8000))
        file.truncate(44 + 3 * 3600 * 8000)  # a hole: takes no room on the disk
    minute = write_sound(tmp_path / "minute.m4a", tone(60, 8000), 8000, "aac", "ipod")
    packed = repeat(minute, tmp_path / "day.m4a", 180, "audio")
    mp3 = tmp_path / "day.mp3"
    mp3.write_bytes(write_sound(tmp_path / "m.mp3", tone(60, 8000), 8000, "libmp3lame").read_bytes() * 180)
    for path in (bare, packed, mp3):
        with pytest.raises(BadMedia, match=r"is (3 h|3 h \d min|2 h 59 min) long. Files of up to 1 h"):
            decoder.sound(path)
    monkeypatch.setattr(sound_reader.SoundReader, "blocks", lambda *a, **k: pytest.fail("decoded"))
    for path in (bare, packed):
        with pytest.raises(BadMedia, match="3 h"):
            sound.facts(str(path), path.name)


@pytest.mark.parametrize("claimed", [0, 0xFFFFFFFF, 0x7FFFFFFF, 100])
def test_a_wav_with_a_wrong_length_in_its_header(decoder: Decoder, tmp_path: Path, claimed: int) -> None:
    path = tmp_path / "pipe.wav"
    path.write_bytes(wav(bytes(range(100, 156)) * 200, claimed=claimed))
    if claimed == 100:  # a data chunk of 100 bytes and rubbish behind it
        with pytest.raises(BadMedia, match=r"0\.01 s"):
            decoder.sound(path)
    else:
        assert decoder.sound(path).seconds == pytest.approx(1.4, abs=0.01)


BAD = {
    "no samples": wav(b""),
    "riff only": b"RIFF\x24\x00\x00\x00WAVE",
    "no format": b"RIFF\x24\x00\x00\x00WAVEdata\x10\x00\x00\x00" + bytes(16),
    "odd format": wav(bytes(4000)).replace(b"\x01\x00\x01\x00", b"\x55\x55\x00\x00", 1),
    "rate 0": wav(bytes(4000), rate=0),
    "mp3 head only": b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10),
    "mp3 noise": b"\xff\xfb\x90\x64" + bytes(range(256)) * 8,
    "flac head only": b"fLaC" + bytes(60),
    "ogg head only": b"OggS" + bytes(60),
    "mp4 head only": b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00M4A mp42",
    "matroska head only": b"\x1aE\xdf\xa3" + bytes(60),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_corrupt_headers(decoder: Decoder, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(content)
    for ask in (decoder.sound, decoder.waveform, lambda p: decoder.cut_sound(p, tmp_path / "cut.wav")):
        with pytest.raises(BadMedia, match=r"sound\.wav (is|has|holds)"):
            ask(path)
    assert [p.name for p in tmp_path.iterdir()] == ["sound.wav"]


def test_random_damage_does_not_kill_the_child(decoder: Decoder, tmp_path: Path) -> None:
    """Random changes of bytes give facts or BadMedia, and the child survives."""
    sources = [
        write_sound(tmp_path / "a.m4a", tone(1.0), 44_100, "aac", "ipod"),
        write_sound(tmp_path / "a.mp3", tone(1.0), 44_100, "libmp3lame"),
        write_sound(tmp_path / "a.ogg", tone(1.0, 48_000), 48_000, "libopus"),
        write_sound(tmp_path / "a.flac", tone(1.0), 44_100, "flac"),
    ]
    random = np.random.default_rng(3)
    for source in sources:
        for _ in range(6):
            data = bytearray(source.read_bytes())
            for at in random.integers(4, len(data), 30):
                data[at] = random.integers(0, 256)
            path = tmp_path / "damaged"
            path.write_bytes(data)
            try:
                assert decoder.sound(path).seconds < 60
            except BadMedia as error:
                assert error.message.startswith("damaged ") and error.hint


TEXTS = {
    "m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile real.wav\n",
    "sdp": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nm=audio 9999 RTP/AVP 0\r\n",
    "pls": b"[playlist]\nFile1=real.wav\n",
    "asx": b"<asx version='3.0'><entry><ref href='real.wav'/></entry></asx>",
    "text": b"Hello",
    "script": b"#!/bin/sh\n",
}


@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS.keys())
def test_texts_and_playlists_are_never_followed(decoder: Decoder, tmp_path: Path, content: bytes) -> None:
    write_sound(tmp_path / "real.wav", tone(1.0))
    path = tmp_path / "list.wav"
    for disguise in (content, b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + content):
        path.write_bytes(disguise)
        with pytest.raises(BadMedia, match=r"list\.wav is"):
            decoder.sound(path)
        with pytest.raises(BadMedia, match=r"list\.wav (is|has)"):
            decoder.video(path)


def test_a_playlist_is_named_in_the_refusal(decoder: Decoder, tmp_path: Path) -> None:
    (tmp_path / "list.m3u8").write_bytes(TEXTS["m3u8"])
    with pytest.raises(BadMedia, match="is not a sound: it is a playlist, which only names other files"):
        decoder.sound(tmp_path / "list.m3u8")


def test_the_refusal_of_another_file_names_its_kind(decoder: Decoder, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.mp3", format="PNG")
    (tmp_path / "drawing.wav").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "empty.wav").write_bytes(b"")
    write_video(tmp_path / "mute.mp4", numbered(5))
    for name, said in {
        "photo.mp3": "is not a sound: it is a picture",
        "drawing.wav": "is not a sound: it is a drawing",
        "empty.wav": "is empty",
        "mute.mp4": "has no sound",
        "gone.wav": "no longer there",
    }.items():
        with pytest.raises(BadMedia, match=said) as caught:
            decoder.sound(tmp_path / name)
        assert caught.value.field == "audio" and caught.value.hint and "JPEG" not in caught.value.hint
    with pytest.raises(BadMedia, match="folder") as caught:
        decoder.sound(tmp_path)
    assert "WAV" in caught.value.hint


def test_a_file_above_the_upload_limit(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "long.wav", tone(15.0))
    with Decoder(max_file_mb=1) as decoder, pytest.raises(BadMedia, match=r"has 2 MB\. Up to 1 MB"):
        decoder.sound(path)


def test_a_truncated_sound_has_a_note(decoder: Decoder, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.flac", tone(8.0), 44_100, "flac")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    facts = decoder.sound(path)
    assert 3 < facts.seconds < 5 and facts.note.startswith("Cut short: ") and "of 8 s" in facts.note


def test_waveform(decoder: Decoder, tmp_path: Path) -> None:
    samples = np.concatenate((tone(1.0, level=0.2), tone(1.0, level=0.0), tone(2.0, level=0.8)), axis=1)
    path = write_sound(tmp_path / "steps.wav", samples)
    assert decoder.waveform(path, 4) == pytest.approx([0.2, 0.0, 0.8, 0.8], abs=0.01)
    fine = decoder.waveform(path)
    assert len(fine) == 600 and fine[200] == 0.0 and fine[10] == pytest.approx(0.2, abs=0.01)
    assert len(decoder.waveform(path, 10**9)) == 4000
    assert len(decoder.waveform(write_sound(tmp_path / "blip.wav", tone(0.2)), 600)) == 600


def test_a_cut_is_exact_to_the_sample(decoder: Decoder, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    samples = (random.integers(-32768, 32768, (2, 88_200)) / 32768).astype(np.float32)
    path = write_sound(tmp_path / "noise.wav", samples)
    cut = decoder.cut_sound(path, tmp_path / "cut.wav", 0.25, 1.0, silence=0.125)
    written, rate = samples_of(cut.path)
    front = round(0.125 * 44_100)
    assert rate == 44_100 and written.shape == (2, 44_100 + front) and not written[:, :front].any()
    assert np.array_equal(written[:, front:], samples[:, 11_025 : 11_025 + 44_100])
    assert cut.seconds == (44_100 + front) / 44_100
    rest, _ = samples_of(decoder.cut_sound(path, tmp_path / "rest.wav", 1.5).path)
    assert np.array_equal(rest, samples[:, 66_150:])
    beyond, _ = samples_of(decoder.cut_sound(path, tmp_path / "rest.wav", 1.5, 60).path)
    assert np.array_equal(beyond, rest)


def test_equal_cuts_have_equal_names(decoder: Decoder, tmp_path: Path) -> None:
    one = write_sound(tmp_path / "one.mp3", tone(2.0), 44_100, "libmp3lame")
    two = tmp_path / "two.bin"
    two.write_bytes(one.read_bytes())
    first = decoder.cut_sound(one, tmp_path / "1.wav", 0.3, 1.0, level=(0.3, 1.0))
    second = decoder.cut_sound(two, tmp_path / "2.wav", 0.3, 1.0, level=(0.3, 1.0))
    other = decoder.cut_sound(two, tmp_path / "3.wav", 0.4, 1.0, level=(0.4, 1.0))
    assert first.name == second.name != other.name and first.name.endswith(".wav")


@pytest.mark.parametrize("level", [0.01, 0.1, 0.9])
def test_levelling(decoder: Decoder, tmp_path: Path, level: float) -> None:
    """The same loudness for any input, measured without the pauses, and never a clipped peak."""
    samples = np.concatenate((tone(1.0, level=level), np.zeros((1, 88_200), np.float32)), axis=1)
    path = write_sound(tmp_path / "talk.wav", samples)
    written, _ = samples_of(decoder.cut_sound(path, tmp_path / "cut.wav", level=(0.0, 0.0)).path)
    assert np.sqrt(np.mean(written[:, :44_100] ** 2)) == pytest.approx(
        10 ** (sound.LEVEL_RMS_DB / 20), rel=0.03
    )
    assert np.abs(written).max() <= 10 ** (sound.LEVEL_PEAK_DB / 20) + 1e-3


def test_pieces_of_one_part_are_levelled_alike(decoder: Decoder, tmp_path: Path) -> None:
    """A quiet half, then a loud half: all pieces have the same gain, and their samples equal those of one
    cut."""
    samples = np.concatenate((tone(30.0, 16_000, level=0.02), tone(30.0, 16_000, level=0.4)), axis=1)
    path = write_sound(tmp_path / "talk.wav", samples, 16_000)
    part = (1.0, 58.0)

    def cut(start: float, seconds: float, level: tuple[float, float]) -> np.ndarray:
        return samples_of(decoder.cut_sound(path, tmp_path / "cut.wav", start, seconds, level=level).path)[0]

    whole = cut(*part, part)
    pieces = np.concatenate([cut(1.0, 28.0, part), cut(29.0, 22.0, part), cut(51.0, 8.0, part)], axis=1)
    assert np.array_equal(pieces, whole)
    assert whole.shape[1] == 58 * 16_000
    quiet, loud = (float(np.abs(half).max()) for half in (whole[:, :400_000], whole[:, 500_000:]))
    assert loud / quiet == pytest.approx(20, rel=0.02)
    alone = cut(1.0, 28.0, (1.0, 28.0))
    assert np.abs(alone).max() > 5 * quiet  # a piece that is levelled by itself is louder


def test_levelling_leaves_silence_silent_and_clicks_unclipped(decoder: Decoder, tmp_path: Path) -> None:
    silent = write_sound(tmp_path / "silent.wav", tone(0.5, level=0.0))
    assert not samples_of(decoder.cut_sound(silent, tmp_path / "cut.wav", level=(0.0, 0.0)).path)[0].any()
    click = tone(1.0, level=0.01)
    click[:, 20_000] = 0.9
    path = write_sound(tmp_path / "click.wav", click)
    written, _ = samples_of(decoder.cut_sound(path, tmp_path / "cut.wav", level=(0.0, 0.0)).path)
    assert np.abs(written).max() == pytest.approx(10 ** (sound.LEVEL_PEAK_DB / 20), abs=0.01)


def test_a_cut_beyond_the_end(decoder: Decoder, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.wav", tone(1.0))
    with pytest.raises(BadMedia, match=r"song\.wav has no sound at 2 s"):
        decoder.cut_sound(path, tmp_path / "cut.wav", 2.0, 1.0)
    assert [p.name for p in tmp_path.iterdir()] == ["song.wav"]


@pytest.mark.parametrize("container", ["clip.mp4", "clip.mkv"])
def test_sound_that_begins_after_the_pictures(decoder: Decoder, tmp_path: Path, container: str) -> None:
    """Times count from the first picture: the sound of 0.4 s plays at 0.4 s, not at 0."""
    path = write_video(tmp_path / container, numbered(50), 25, sound=tone(1.0), sound_at=0.4)
    facts = decoder.sound(path)
    assert facts.seconds == pytest.approx(1.4, abs=0.06)
    written, rate = samples_of(decoder.cut_sound(path, tmp_path / "cut.wav", 0.0, 1.0).path)
    loud = np.flatnonzero(np.abs(written[0]) > 0.1)
    assert loud[0] / rate == pytest.approx(0.4, abs=0.03)
    later, rate = samples_of(decoder.cut_sound(path, tmp_path / "cut.wav", 0.3, 0.5).path)
    assert np.flatnonzero(np.abs(later[0]) > 0.1)[0] / rate == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [("long.m4a", "aac", "ipod"), ("long.flac", "flac", None), ("long.wav", "pcm_s16le", None),
     ("long.mka", "libopus", "matroska"), ("long.mp3", "libmp3lame", None)],
)  # fmt: skip
def test_a_late_cut_has_the_same_samples(
    decoder: Decoder, tmp_path: Path, name: str, codec: str, form: str | None
) -> None:
    """A late part is reached by seeking, which must not shift its samples."""
    seconds, rate = 40, 48_000
    ticks = np.zeros((1, seconds * rate), np.float32)
    for second in range(seconds):
        ticks[0, second * rate : second * rate + 480] = 0.9
    path = write_sound(tmp_path / name, ticks, rate, codec, form)
    written, _ = samples_of(decoder.cut_sound(path, tmp_path / "cut.wav", 29.5, 2.0).path)
    first = np.flatnonzero(np.abs(written[0]) > 0.4)[0] / rate
    assert first == pytest.approx(0.5, abs=0.03 if codec == "libmp3lame" else 0.006)


def test_the_longest_part_of_a_file_stays_small_in_memory(tmp_path: Path) -> None:
    """Ten minutes at 24 kHz are 58 MB as floats; the child holds one packet."""
    minute = write_sound(tmp_path / "m.m4a", tone(60, 24_000), 24_000, "aac", "ipod")
    path = repeat(minute, tmp_path / "long.m4a", 10, "audio")
    with Decoder() as fresh:
        assert fresh.sound(path).seconds == pytest.approx(600, abs=1)
        (pid,) = fresh.pids()
        peak = next(
            int(line.split()[1]) / 1000
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        )
    assert peak < 120


def test_a_pipe_does_not_block(decoder: Decoder, tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(BadMedia, match="not a file"):
        decoder.sound(tmp_path / "pipe.wav")


def test_write_video_writes_pictures_and_sound(tmp_path: Path) -> None:
    path = write_video(tmp_path / "c.mp4", [flat(9, (64, 64))] * 3, sound=tone(0.3))
    with av.open(str(path)) as container:
        assert container.streams.video and container.streams.audio
