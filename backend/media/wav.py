"""WAV files that FFmpeg takes for something else: 24 bits in 32, and numbers in the other order (RIFX)."""

from __future__ import annotations

import struct
from typing import BinaryIO

from backend.media.spliced import Part

_CHUNKS_MAX = 1000
_EXTENSIBLE, _PCM, _FLOAT = 0xFFFE, 1, 3
_VALID_BITS_AT = 18
"""In the format chunk: how many bits of a sample are used, from the highest on."""
_AU = {(_PCM, 16): 3, (_PCM, 24): 4, (_PCM, 32): 5, (_FLOAT, 32): 6, (_FLOAT, 64): 7}
"""(format, bits) of samples in the order of RIFX -> the number that AU has for them."""


def view(file: BinaryIO, start: int, size: int) -> tuple[str, list[Part]] | None:
    """(demuxer, parts of the file) of a WAV at `start` that is to be read otherwise; None for all others."""
    file.seek(start)
    order = ">" if file.read(4) == b"RIFX" else "<"
    at, header = start + 12, b""
    for _ in range(_CHUNKS_MAX):
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        (length,) = struct.unpack(f"{order}I", chunk[4:])
        if chunk[:4] == b"fmt ":
            header = file.read(min(length, 40))
            if order == "<":
                return _all_bits(header, start, at + 8, size)
        elif chunk[:4] == b"data" and header:
            return _as_au(header, at + 8, min(length, size - at - 8))
        at += 8 + length + (length & 1)
    return None


def _all_bits(header: bytes, start: int, at: int, size: int) -> tuple[str, list[Part]] | None:
    """With all bits of a sample used: FFmpeg takes 24 of 32 for a float."""
    if len(header) < 26:
        return None
    tag, bits, valid, kind = struct.unpack_from("<H12xH2xH4xH", header)
    if tag != _EXTENSIBLE or kind != _PCM or valid in (0, bits):
        return None
    after = at + _VALID_BITS_AT + 2
    return "wav", [(start, at + _VALID_BITS_AT - start), struct.pack("<H", bits), (after, size - after)]


def _as_au(header: bytes, at: int, length: int) -> tuple[str, list[Part]] | None:
    if len(header) < 16:
        return None
    tag, channels, rate, bits = struct.unpack_from(">HHI6xH", header)
    known = _AU.get((tag, bits))
    if known is None:
        return None
    return "au", [b".snd" + struct.pack(">IIIII", 24, length, known, rate, channels), (at, length)]
