"""Frames of MPEG sound: MP2 and MP3, and AAC with ADTS headers. Pure."""

from __future__ import annotations

from typing import NamedTuple

_KBPS = {
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""(version, layer) -> thousands of bits a second by index, from 1 on."""
_RATES = (44_100, 48_000, 32_000)
_ADTS_HEAD = 7
_CHAIN = 4
"""Consecutive frames that tell a sound from noise."""


class Frame(NamedTuple):
    """FFmpeg's name of the container (mp3 or aac), and the length of the frame in bytes."""

    demuxer: str
    length: int


def kind_of_frame(head: bytes) -> str:
    """mp3, aac or "". Both begin with eleven set bits; reserved values in the header rule other files out."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return ""
    layer, rate = head[1] >> 1 & 3, head[2] >> 2
    if layer == 0:
        return "aac" if head[1] & 0xF0 == 0xF0 and rate & 15 < 13 else ""
    version, bits = head[1] >> 3 & 3, head[2] >> 4
    if layer == 3:  # Layer I is obsolete, and UTF-16 text begins like it
        return ""
    return "mp3" if version != 1 and bits not in (0, 15) and rate & 3 != 3 else ""


def frame_at(head: bytes) -> Frame | None:
    """The frame that begins with `head` (7 bytes are enough); None when none does."""
    kind = kind_of_frame(head)
    if kind == "aac" and len(head) >= _ADTS_HEAD:
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        return Frame(kind, length) if length > _ADTS_HEAD else None
    if kind != "mp3":
        return None
    version, layer = (1 if head[1] >> 3 & 3 == 3 else 2), 4 - (head[1] >> 1 & 3)
    kbps = _KBPS[version, layer][(head[2] >> 4) - 1]
    rate = _RATES[head[2] >> 2 & 3] >> {3: 0, 2: 1, 0: 2}[head[1] >> 3 & 3]
    samples = 1152 if version == 1 or layer == 2 else 576
    return Frame(kind, samples * kbps * 125 // rate + (head[2] >> 1 & 1))


def first_frames(data: bytes) -> tuple[str, int]:
    """(mp3 or aac, offset) of the first of several consecutive frames; ("", 0) when there are none."""
    at = data.find(b"\xff")
    while at >= 0:
        if kind := _chain(data, at):
            return kind, at
        at = data.find(b"\xff", at + 1)
    return "", 0


def _chain(data: bytes, at: int) -> str:
    """mp3 or aac when _CHAIN frames of one kind follow each other from `at`, or fewer up to the end."""
    kind = ""
    for count in range(_CHAIN):
        if count > 1 and at >= len(data):
            break
        frame = frame_at(data[at : at + _ADTS_HEAD])
        if frame is None or kind not in ("", frame.demuxer):
            return ""
        kind, at = frame.demuxer, at + frame.length
    return kind
