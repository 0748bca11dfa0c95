"""The orientation in an EXIF block, read as browsers do: whatever else in the block is wrong. Pure."""

from __future__ import annotations

import struct

_ORIENTATION = 0x0112
_SHORT = 3
_ENTRY = 12


def orientation(block: bytes) -> int:
    """1 to 8; 1 where the block does not say. `block`: with or without "Exif" before it, or its beginning."""
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return 1
    (at,) = struct.unpack_from(f"{order}I", block, 4)
    if at + 2 > len(block):
        return 1
    (count,) = struct.unpack_from(f"{order}H", block, at)
    for entry in range(at + 2, min(at + 2 + count * _ENTRY, len(block) - _ENTRY + 1), _ENTRY):
        tag, kind, values, value = struct.unpack_from(f"{order}HHIH", block, entry)
        if tag == _ORIENTATION:
            return value if kind == _SHORT and values == 1 and 1 <= value <= 8 else 1
    return 1
