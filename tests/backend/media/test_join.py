"""Joining results: lossless frames, segments without gaps, and one sound track."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from backend.errors import BadMedia, InternalError
from backend.media.decoder import Decoder
from tests.support.media_files import (
    coded,
    decoded,
    numbered,
    pictures_of,
    samples_of,
    tone,
    write_sound,
    write_video,
)
from tests.support.tiers import deep

pytestmark = pytest.mark.full


def segment(path: Path, first: int, count: int, size: tuple[int, int] = (64, 48)) -> Path:
    """As ComfyUI writes them: x264 with its own presets, B-frames included."""
    pictures = [coded(i, size) for i in range(first, first + count)]
    return write_video(path, pictures, 16, options={"preset": "medium"})


def numbers(path: Path) -> list[int]:
    return [decoded(picture) for picture in pictures_of(path)]


def times(path: Path, kind: str = "video") -> list[tuple[float, float]]:
    """(decoding time, length) of all packets, in the order of the file."""
    with av.open(str(path)) as container:
        track = (container.streams.video if kind == "video" else container.streams.audio)[0]
        return [
            (float(p.dts * p.time_base), float(p.duration * p.time_base))
            for p in container.demux(track)
            if p.size
        ]


def noise(path: Path, size: tuple[int, int], seed: int) -> Path:
    random = np.random.default_rng(seed)
    Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)
    return path


@pytest.mark.parametrize("size", [deep((96, 64)), (65, 33), deep((832, 480))])
def test_frames_are_lossless(decoder: Decoder, tmp_path: Path, size: tuple[int, int]) -> None:
    pictures = [noise(tmp_path / f"{i:05}_.png", size, i) for i in range(5)]
    made = decoder.frames_to_video(pictures, tmp_path / "tail.mkv", 16.0)
    assert (made.width, made.height, made.frames, made.fps) == (*size, 5, 16.0)
    for shown, picture in zip(pictures_of(made.path), pictures, strict=True):
        assert np.array_equal(shown, np.asarray(Image.open(picture)))
    again = decoder.frames_to_video(pictures, tmp_path / "again.mkv", 16.0)
    assert again.name == made.name and made.name.endswith(".mkv")
    facts = decoder.video_facts(made.path)
    assert (facts.codec, facts.frames, facts.fps) == ("ffv1", 5, 16.0)


def test_frames_of_two_sizes_missing_frames_and_no_frames(decoder: Decoder, tmp_path: Path) -> None:
    pictures = [noise(tmp_path / "1.png", (64, 48), 1), noise(tmp_path / "2.png", (48, 64), 1)]
    with pytest.raises(BadMedia):
        decoder.frames_to_video(pictures, tmp_path / "tail.mkv", 16.0)
    with pytest.raises(BadMedia, match="no longer there"):
        decoder.frames_to_video([tmp_path / "gone.png"], tmp_path / "tail.mkv", 16.0)
    with pytest.raises(InternalError):
        decoder.frames_to_video([], tmp_path / "tail.mkv", 16.0)
    assert not list(tmp_path.glob("*tail*"))


@pytest.mark.parametrize("counts", [deep((20,)), (20, 33), deep((17, 1, 30, 5))])
def test_no_frame_is_lost_or_repeated_between_segments(
    decoder: Decoder, tmp_path: Path, counts: tuple[int, ...]
) -> None:
    parts, first = [], 0
    for i, count in enumerate(counts):
        parts.append(segment(tmp_path / f"{i}.mp4", first, count))
        first += count
    made = decoder.join(parts, tmp_path / "whole.mp4")
    assert (made.width, made.height, made.frames, made.fps) == (64, 48, sum(counts), 16.0)
    assert numbers(made.path) == list(range(sum(counts)))
    row = [at for at, _ in times(made.path)]
    assert all(b > a for a, b in pairwise(row))
    facts = decoder.video_facts(made.path)
    assert (facts.frames, facts.fps, facts.has_audio) == (sum(counts), 16.0, False)
    assert facts.seconds == pytest.approx(sum(counts) / 16, abs=0.001)
    with av.open(str(made.path)) as container:
        shown = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    assert shown == pytest.approx([i / 16 for i in range(sum(counts))], abs=1e-3)
    data = made.path.read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")


def test_pictures_are_copied_not_encoded_again(decoder: Decoder, tmp_path: Path) -> None:
    part = segment(tmp_path / "a.mp4", 0, 20)
    made = decoder.join([part, part], tmp_path / "whole.mp4")

    def content(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]

    assert content(made.path) == content(part) * 2


@pytest.mark.parametrize(
    ("rate", "channels", "codec", "name"),
    [
        (44_100, 2, "pcm_s16le", "a.wav"),
        (8_000, 1, "pcm_u8", "a.wav"),
        (192_000, 2, "pcm_f32le", "a.wav"),
        (16_000, 1, "libmp3lame", "a.mp3"),
        (22_050, 1, "pcm_s16le", "a.wav"),
        (37_800, 1, "pcm_s16le", "a.wav"),
    ],
)
def test_sound_is_added_and_cut_to_the_pictures(
    decoder: Decoder, tmp_path: Path, rate: int, channels: int, codec: str, name: str
) -> None:
    parts = [segment(tmp_path / "a.mp4", 0, 20), segment(tmp_path / "b.mp4", 20, 29)]
    sound = write_sound(tmp_path / name, tone(5.0, rate, channels), rate, codec)
    made = decoder.join(parts, tmp_path / "whole.mp4", sound)
    assert numbers(made.path) == list(range(49))
    row = times(made.path, "audio")
    assert row[-1][0] + row[-1][1] == pytest.approx(49 / 16, abs=1 / 16)
    facts = decoder.sound(made.path)
    assert facts.seconds == pytest.approx(49 / 16, abs=1 / 16) and facts.channels == channels
    written, _ = samples_of(decoder.cut_sound(made.path, tmp_path / "back.wav", 0.5, 2.0).path)
    assert np.sqrt(np.mean(written[0] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    assert np.abs(written).max() < 0.65


def test_sound_keeps_its_position(decoder: Decoder, tmp_path: Path) -> None:
    """A click at 2.0 s of the sound, whose part begins at 1.25 s, is at 0.75 s."""
    samples = np.zeros((1, 4 * 48_000), np.float32)
    samples[0, 96_000:96_480] = 0.9
    sound = write_sound(tmp_path / "click.wav", samples, 48_000)
    cut = decoder.cut_sound(sound, tmp_path / "cut.wav", 1.25, 2.0)
    made = decoder.join([segment(tmp_path / "a.mp4", 0, 32)], tmp_path / "w.mp4", cut.path)
    written, rate = samples_of(decoder.cut_sound(made.path, tmp_path / "back.wav").path)
    assert np.flatnonzero(np.abs(written[0]) > 0.4)[0] / rate == pytest.approx(0.75, abs=0.004)


def test_a_shorter_sound_and_the_sound_of_a_video(decoder: Decoder, tmp_path: Path) -> None:
    part = segment(tmp_path / "a.mp4", 0, 48)
    short = write_sound(tmp_path / "short.wav", tone(1.0))
    made = decoder.join([part], tmp_path / "w.mp4", short)
    assert decoder.sound(made.path).seconds == pytest.approx(1.0, abs=0.05) and made.frames == 48
    drive = write_video(tmp_path / "drive.mkv", numbered(50), 25, sound=tone(2.0))
    made = decoder.join([part], tmp_path / "w.mp4", drive)
    assert decoder.sound(made.path).seconds == pytest.approx(2.0, abs=0.05)


def test_sound_and_pictures_are_interleaved(decoder: Decoder, tmp_path: Path) -> None:
    """For playing during the download: no half of the file has only one of the two."""
    part = segment(tmp_path / "a.mp4", 0, 100)
    sound = write_sound(tmp_path / "a.wav", tone(20.0))
    made = decoder.join([part, part, part], tmp_path / "w.mp4", sound)
    with av.open(str(made.path)) as container:
        kinds = [(p.stream.type, float(p.dts * p.time_base)) for p in container.demux() if p.size]
    sounds = [i for i, (kind, _) in enumerate(kinds) if kind == "audio"]
    pictures = [i for i, (kind, _) in enumerate(kinds) if kind == "video"]
    assert sounds[len(sounds) // 4] < pictures[len(pictures) // 2] < sounds[3 * len(sounds) // 4]


def test_equal_parts_make_equal_files(tmp_path: Path) -> None:
    parts = [segment(tmp_path / "a.mp4", 0, 20), segment(tmp_path / "b.mp4", 20, 20)]
    sound = write_sound(tmp_path / "a.wav", tone(3.0))
    names = set()
    for _ in range(2):
        with Decoder() as decoder:
            names.add(decoder.join(parts, tmp_path / "whole.mp4", sound).name)
    assert len(names) == 1


def test_a_number_of_frames(decoder: Decoder, tmp_path: Path) -> None:
    """Frames beyond the number are kept only where an earlier frame depends on them."""
    parts = [segment(tmp_path / "a.mp4", 0, 20), segment(tmp_path / "b.mp4", 20, 20)]
    sound = write_sound(tmp_path / "a.wav", tone(5.0))
    for wanted in (40, 33, 21, 20):
        made = decoder.join(parts, tmp_path / "w.mp4", sound, frames=wanted)
        shown = numbers(made.path)
        assert wanted <= len(shown) == made.frames <= wanted + 4
        assert shown == list(range(len(shown)))
        assert decoder.sound(made.path).seconds == pytest.approx(wanted / 16, abs=1 / 16)


def test_segments_that_do_not_fit(decoder: Decoder, tmp_path: Path) -> None:
    one = segment(tmp_path / "a.mp4", 0, 10)
    other = segment(tmp_path / "b.mp4", 0, 10, (96, 64))
    hevc = write_video(tmp_path / "c.mp4", numbered(5), 16, "libx265")
    text = tmp_path / "d.mp4"
    text.write_text("Hello")
    for parts in ([one, other], [hevc], [one, hevc], [text], [one, text], [one, tmp_path / "gone.mp4"]):
        with pytest.raises(BadMedia):
            decoder.join(parts, tmp_path / "w.mp4")
    with pytest.raises(BadMedia, match="has no sound"):
        decoder.join([one], tmp_path / "w.mp4", other)
    assert not (tmp_path / "w.mp4").exists() and not list(tmp_path.glob(".*.part"))
