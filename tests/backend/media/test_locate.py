"""Where a sound begins in its file: behind tags, noise and padding."""

from __future__ import annotations

import io
import random

import pytest

from backend.media.locate import Located, locate
from backend.media.mpeg_frames import first_frames, frame_at
from backend.media.spliced import Spliced
from tests.support.odd_media import id3, mp3_frames


def found(data: bytes) -> Located:
    return locate(io.BytesIO(data), data[:4096])


def noise(count: int) -> bytes:
    return random.Random(3).randbytes(count)


@pytest.mark.parametrize(
    "before",
    [b"", noise(60_000), bytes(60_000), b"HTTP/1.1 200 OK\r\nicy-name: x\r\n\r\n", b"\xff" * 3000,
     id3(100), id3(300_000), id3(10) + id3(200_000) + bytes(5000), noise(900_000)],
    ids=["nothing", "noise", "zeros", "a text", "set bits", "a tag", "a large tag", "tags", "much noise"],
)  # fmt: skip
def test_the_first_frame_of_an_mp3(before: bytes) -> None:
    assert found(before + mp3_frames(9)) == Located("mp3", len(before))


def test_a_sound_of_aac_behind_a_tag() -> None:
    frame = bytes([0xFF, 0xF1, 0x50, 0x80, 0x04, 0x1F, 0xFC]) + bytes(25)
    assert found(id3(5000) + frame * 9) == Located("aac", 5010)


def test_other_containers_behind_a_tag() -> None:
    assert found(id3(300_000) + b"fLaC" + bytes(90)) == Located("flac", 300_010)
    assert found(b"fLaC" + bytes(90)) == Located("flac", 0)


@pytest.mark.parametrize("data", [noise(200_000), bytes(5000), b"la la la" * 900, b"", b"\xff\xfb" * 900])
def test_noise_alone_is_no_sound(data: bytes) -> None:
    assert found(data).demuxer == "" or data[:1] == b"\xff"
    assert first_frames(data) == ("", 0)


@pytest.mark.parametrize(
    ("head", "length"),
    [(b"\xff\xfb\x90\x00", 417), (b"\xff\xfb\x92\x00", 418), (b"\xff\xf3\x80\x00", 208),
     (b"\xff\xfd\xa0\x00", 626), (b"\xff\xe3\x80\x00", 417)],
)  # fmt: skip
def test_the_length_of_frames(head: bytes, length: int) -> None:
    frame = frame_at(head + bytes(4))
    assert frame is not None and (frame.demuxer, frame.length) == ("mp3", length)


def test_a_spliced_file_reads_like_its_parts() -> None:
    whole = bytes(range(200))
    spliced = Spliced(io.BytesIO(whole), [(10, 5), b"--", (15, 5), (20, 5), b"", (190, 10)])
    expected = whole[10:15] + b"--" + whole[15:25] + whole[190:]
    assert spliced.size == len(expected)
    assert spliced.read() == expected
    for at in range(len(expected) + 2):
        assert spliced.seek(at) == at
        assert spliced.read(4) == expected[at : at + 4]
    assert spliced.seek(-3, io.SEEK_END) == len(expected) - 3
    assert io.BufferedReader(spliced).read() == expected[-3:]
