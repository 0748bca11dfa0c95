"""The rules for sounds, videos and the part chosen of them: pure, sentence by sentence."""

from __future__ import annotations

import math

import pytest

from backend.errors import BadInput, BadMedia
from backend.media import budget, part, sniff
from backend.media.facts import PictureFacts, SoundFacts, VideoFacts


def sound(seconds: float) -> SoundFacts:
    return SoundFacts(seconds, 44_100, 2, "mp3", 0.8)


def video(seconds: float = 10.0, width: int = 1920, height: int = 1080, frames: int = 250) -> VideoFacts:
    return VideoFacts(width, height, frames, 25.0, seconds, "h264", "yuv420p", True)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.02, "0.02 s"), (0.2, "0.2 s"), (0.996, "1 s"), (1.0, "1 s"), (4.9, "4.9 s"), (59.9, "59.9 s"),
        (59.97, "1 min"), (60.0, "1 min"), (200.0, "3 min 20 s"), (3599.9, "1 h"), (3900.0, "1 h 5 min"),
        (10_800.0, "3 h"),
    ],
)  # fmt: skip
def test_lengths_are_said_as_people_do(seconds: float, said: str) -> None:
    assert part.spoken(seconds) == said


@pytest.mark.parametrize(("start", "seconds", "taken"), [
    (0.0, 0.0, (0.0, 20.0)), (5.0, 0.0, (5.0, 15.0)), (5.0, 3.0, (5.0, 3.0)), (15.0, 60.0, (15.0, 5.0)),
    (19.8, 0.0, (19.8, 0.2)), (0.0, 0.2, (0.0, 0.2)),
])  # fmt: skip
def test_a_part_of_a_sound(start: float, seconds: float, taken: tuple[float, float]) -> None:
    assert part.chosen(sound(20.0), start, seconds) == pytest.approx(taken)


@pytest.mark.parametrize(
    ("start", "seconds", "field", "said"),
    [
        (20.0, 0.0, "start", "The start, 20 s, is beyond the end: the sound is 20 s long"),
        (90.0, 5.0, "start", "The start, 1 min 30 s, is beyond the end"),
        (-0.1, 0.0, "start", "must be 0 s or later"),
        (math.nan, 0.0, "start", "must be 0 s or later"),
        (math.inf, 0.0, "start", "must be 0 s or later"),
        (0.0, -1.0, "duration", "must be more than 0 s"),
        (0.0, math.nan, "duration", "must be more than 0 s"),
        (0.0, 0.1, "duration", "Only 0.10 s of the sound"),
        (0.0, 1e-9, "duration", "Only 0.01 s of the sound"),
        (19.9, 0.0, "start", "Only 0.10 s of the sound"),
        (19.9, 5.0, "start", "Only 0.10 s of the sound"),
    ],
)
def test_a_part_that_is_none(start: float, seconds: float, field: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        part.chosen(sound(20.0), start, seconds)
    assert not isinstance(caught.value, BadMedia)
    assert caught.value.field == field and said in caught.value.message and caught.value.hint


def test_parts_that_are_too_long() -> None:
    with pytest.raises(BadInput, match=r"11 min 40 s of the sound are chosen. Up to 10 min") as caught:
        part.chosen(sound(700.0))
    assert caught.value.field == "duration"
    assert part.chosen(sound(700.0), 0.0, 600.0) == (0.0, 600.0)
    assert part.chosen(sound(600.02)) == (0.0, 600.0)
    with pytest.raises(BadInput, match=r"6 min of the video are chosen. Up to 5 min") as caught:
        part.chosen(video(360.0), seconds_field="seconds")
    assert caught.value.field == "seconds"
    assert part.chosen(video(360.0), 60.0) == (60.0, 300.0)


@pytest.mark.parametrize("kind", ["sound", "video"])
def test_whole_files(kind: str) -> None:
    part.length(30.0, kind, "a")
    part.length(1800.0, kind, "a")
    for seconds in (0.0, 0.001, 0.1, 3 * 3600.0):
        with pytest.raises(BadMedia) as caught:
            part.length(seconds, kind, "a", "audio")
        assert caught.value.field == "audio" and caught.value.hint
    with pytest.raises(BadMedia, match=r"less than 0\.01 s long"):
        part.length(0.001, kind, "a")


@pytest.mark.parametrize(
    ("size", "fits"),
    [((3840, 2160), True), ((2160, 3840), True), ((4096, 2304), True), ((7680, 4320), False),
     ((64, 64), True), ((62, 640), False), ((1024, 128), True), ((1040, 128), False)],
)  # fmt: skip
def test_frames(size: tuple[int, int], fits: bool) -> None:
    if fits:
        part.frame(*size, "a.mp4")
    else:
        with pytest.raises(BadMedia, match=rf"a\.mp4 is {size[0]} × {size[1]}"):
            part.frame(*size, "a.mp4", "video")


def test_a_mask_that_fits() -> None:
    part.companion(video(), video(), "mask", "mask")
    part.companion(video(10.04), video(), "mask", "mask")
    part.companion(video(width=960, height=540), video(), "mask", "mask")  # half the size, the same shape
    part.companion(PictureFacts(1920, 1080), video(), "mask", "mask")
    part.companion(video(width=512, height=512), video(), "face video", "face_video", any_shape=True)


@pytest.mark.parametrize(
    ("given", "what", "said"),
    [
        (video(8.0), "mask", "The mask is 8 s long, the video 10 s"),
        (video(width=1080, height=1920), "mask", "The mask is 1080 × 1920, the video 1920 × 1080"),
        (video(width=512, height=512), "pose video", "they do not cover each other"),
        (PictureFacts(512, 512), "mask", "they do not cover each other"),
        (PictureFacts(1920, 1080), "pose video", "The pose video is a picture"),
        (video(12.0), "pose video", "The pose video is 12 s long"),
    ],
)
def test_a_mask_of_another_video(given: VideoFacts | PictureFacts, what: str, said: str) -> None:
    with pytest.raises(BadMedia) as caught:
        part.companion(given, video(), what, "mask")
    assert caught.value.field == "mask" and said in caught.value.message and caught.value.hint


@pytest.mark.parametrize(
    ("picture", "driving", "said"),
    [
        ((1080, 1920), (1920, 1080), "The picture is tall, the video wide"),
        ((1920, 1080), (1080, 1920), "The picture is wide, the video tall"),
        ((1000, 1000), (1080, 1920), "The picture is square, the video tall"),
        ((3000, 1000), (1280, 960), "The picture is 3000 × 1000, the video 1280 × 960"),
        ((1080, 1920), (1080, 1920), ""),
        ((960, 1280), (1080, 1920), ""),
        ((1024, 1024), (1280, 960), ""),
    ],
)
def test_framing(picture: tuple[int, int], driving: tuple[int, int], said: str) -> None:
    warning = part.framing(PictureFacts(*picture), video(width=driving[0], height=driving[1]))
    assert warning.startswith(said) and bool(warning) == bool(said)


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
        (b"RIFF\x00\x00\x00\x00AVI LIST", ""),
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
def test_containers_by_their_first_bytes(head: bytes, form: str) -> None:
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
def test_tags_are_stepped_over(head: bytes, length: int) -> None:
    assert sniff.id3_bytes(head) == length


def test_budgets_grow_with_the_work_and_end_somewhere() -> None:
    short = budget.cut_video(0.0, 2.0, 16.0, 0, 0, (832, 480))
    long = budget.cut_video(0.0, 300.0, 16.0, 0, 0, (832, 480))
    segment = budget.cut_video(0.0, 300.0, 16.0, 0, 77, (832, 480))
    assert short.wall < long.wall < 3600 and segment.wall < long.wall and long.long
    assert long.wall == budget.cut_video(0.0, 0.0, 0.0, 0, 0, (0, 0)).wall
    assert budget.cut_video(0.0, 1e9, 240.0, 0, 0, (9000, 9000)).file_bytes == budget.FILE_BYTES_MAX
    assert budget.cut_sound(0.0, 600.0, 0.0).wall < 600
    assert 600 * 48_000 * 4 < budget.cut_sound(0.0, 0.0, 0.0).file_bytes < 250_000_000
    assert not budget.LOOK.long
