"""Writes small Matroska and WebM files element by element, with exactly the tracks that a test is about."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

_UNKNOWN = b"\x01" + b"\xff" * 7


def element(number: int, *content: bytes) -> bytes:
    body = b"".join(content)
    wide = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return wide + (len(body) | 1 << 56).to_bytes(8, "big") + body


def unsigned(number: int, value: int) -> bytes:
    return element(number, value.to_bytes(8, "big"))


def text(number: int, value: str) -> bytes:
    return element(number, value.encode())


@dataclass
class Track:
    """`frames`: (milliseconds, data) of the blocks; `more`: further elements of the track."""

    codec: str
    size: tuple[int, int]
    frames: Sequence[tuple[int, bytes]]
    more: bytes = b""
    default: bool = True
    private: bytes = b""
    shown: tuple[int, int] = (0, 0)


def _entry(number: int, track: Track) -> bytes:
    wide, high = track.size
    shown = b"".join(unsigned(n, v) for n, v in zip((0x54B0, 0x54BA), track.shown, strict=True) if v)
    return element(
        0xAE,
        unsigned(0xD7, number), unsigned(0x73C5, number), unsigned(0x83, 1), unsigned(0x88, track.default),
        text(0x86, track.codec), *([element(0x63A2, track.private)] if track.private else []),
        element(0xE0, unsigned(0xB0, wide), unsigned(0xBA, high), shown), track.more,
    )  # fmt: skip


def matroska(*tracks: Track, kind: str = "webm") -> bytes:
    """A file of these video tracks, in one cluster."""
    head = element(
        0x1A45DFA3,
        unsigned(0x4286, 1), unsigned(0x42F7, 1), unsigned(0x42F2, 4), unsigned(0x42F3, 8),
        text(0x4282, kind), unsigned(0x4287, 4), unsigned(0x4285, 2),
    )  # fmt: skip
    info = element(0x1549A966, unsigned(0x2AD7B1, 1_000_000), text(0x4D80, "a"), text(0x5741, "a"))
    entries = element(0x1654AE6B, *(_entry(number, track) for number, track in enumerate(tracks, 1)))
    blocks = sorted(
        (time, number, data) for number, track in enumerate(tracks, 1) for time, data in track.frames
    )
    cluster = [
        element(0xA3, bytes([0x80 | number]) + struct.pack(">h", time) + b"\x80" + data)
        for time, number, data in blocks
    ]
    body = info + entries + element(0x1F43B675, unsigned(0xE7, 0), *cluster)
    return head + b"\x18\x53\x80\x67" + _UNKNOWN + body


def encryption(key: bytes = b"k" * 16) -> bytes:
    """What a track says whose frames are encrypted."""
    aes = element(0x5035, unsigned(0x47E1, 5), element(0x47E2, key))
    return element(
        0x6D80, element(0x6240, unsigned(0x5031, 0), unsigned(0x5032, 1), unsigned(0x5033, 1), aes)
    )
