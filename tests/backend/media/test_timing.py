"""The rules for whole sounds and videos, and their messages."""

from __future__ import annotations

import pytest

from backend.error_texts.arguments import spoken
from backend.errors import BadMedia
from backend.media import budget, sniff, timing


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.02, "0.02 s"), (0.2, "0.2 s"), (0.996, "1 s"), (1.0, "1 s"), (4.9, "4.9 s"), (59.9, "59.9 s"),
        (59.97, "1 min"), (60.0, "1 min"), (200.0, "3 min 20 s"), (3599.9, "1 h"), (3900.0, "1 h 5 min"),
        (10_800.0, "3 h"),
    ],
)  # fmt: skip
def test_lengths_as_text(seconds: float, said: str) -> None:
    assert spoken(seconds) == said


@pytest.mark.parametrize("kind", ["sound", "video"])
def test_whole_files(kind: str) -> None:
    timing.length(30.0, kind, "a")
    timing.length(1800.0, kind, "a")
    for seconds in (0.0, 0.001, 0.1, 3 * 3600.0):
        with pytest.raises(BadMedia) as caught:
            timing.length(seconds, kind, "a", "audio")
        assert caught.value.field == "audio" and caught.value.hint
    with pytest.raises(BadMedia, match=r"less than 0\.01 s long"):
        timing.length(0.001, kind, "a")


@pytest.mark.parametrize(
    ("size", "fits"),
    [((3840, 2160), True), ((2160, 3840), True), ((4096, 2304), True), ((7680, 4320), False),
     ((64, 64), True), ((62, 640), False), ((1024, 128), True), ((1040, 128), False)],
)  # fmt: skip
def test_frames(size: tuple[int, int], fits: bool) -> None:
    if fits:
        timing.frame(*size, "a.mp4")
    else:
        with pytest.raises(BadMedia, match=rf"a\.mp4 is {size[0]} × {size[1]}"):
            timing.frame(*size, "a.mp4", "video")


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"\x00\x00\x00\x20ftypisom" + bytes(20), "mp4"),
        (b"\x00\x00\x00\x14ftypqt  " + bytes(20), "mp4"),
        (b"\x00\x00\x00\x14ftypM4A " + bytes(20), "mp4"),
        (b"\x00\x00\x00\x08wide" + bytes(20), "mp4"),
        (b"\x1aE\xdf\xa3" + bytes(20), "matroska"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "wav"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"fLaC\x00\x00", "flac"),
        (b"OggS\x00\x02", "ogg"),
        (b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xf3\x90\x64", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"\xff\xf9\x50\x80", "aac"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(20), ""),
        (b"\x00\x00\x00\x18ftypavif" + bytes(20), ""),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "avi"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", ""),
        (b"\xff\xd8\xff\xe0", ""),
        (b"\xff\xfeH\x00e\x00l\x00l\x00o\x00", ""),
        (b"\xff\xff\xff\xff", ""),
        (b"#EXTM3U\n", ""),
        (b"ffconcat version 1.0", ""),
        (b"v=0\r\n", ""),
        (b"", ""),
        (b"OggS"[:3], ""),
    ],
)
def test_containers_are_recognised_by_their_first_bytes(head: bytes, form: str) -> None:
    assert sniff.container_of(head) == form


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (b"ID3\x04\x00\x00\x00\x00\x02\x01", 267),
        (b"ID3\x04\x00\x10\x00\x00\x00\x05", 25),
        (b"ID3\x04\x00\x00\x00\x00\x00\xff", 0),
        (b"ID3", 0),
        (b"RIFF", 0),
    ],
)
def test_the_length_of_id3_tags(head: bytes, length: int) -> None:
    assert sniff.id3_bytes(head) == length


def test_budgets_grow_with_the_work_and_have_a_maximum() -> None:
    short = budget.cut_video(0.0, 2.0, 16.0, 0, 0, (832, 480))
    long = budget.cut_video(0.0, 300.0, 16.0, 0, 0, (832, 480))
    segment = budget.cut_video(0.0, 300.0, 16.0, 0, 77, (832, 480))
    assert short.wall < long.wall < 3600 and segment.wall < long.wall and long.long
    assert long.wall == budget.cut_video(0.0, 0.0, 0.0, 0, 0, (0, 0)).wall
    assert budget.cut_video(0.0, 1e9, 240.0, 0, 0, (9000, 9000)).file_bytes == budget.FILE_BYTES_MAX
    assert budget.cut_sound(0.0, 600.0, 0.0).wall < 600
    assert 600 * 48_000 * 4 < budget.cut_sound(0.0, 0.0, 0.0).file_bytes < 250_000_000
    assert not budget.LOOK.long
