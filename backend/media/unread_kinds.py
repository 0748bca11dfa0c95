"""Variants of picture formats that are whole and cannot be read here: raw files of cameras, floats."""

from __future__ import annotations

import struct
from typing import BinaryIO

from PIL import Image

RAW = "camera raw"
_WORDS = (
    "unknown pixel mode",
    "unknown data organization",
    "unsupported",
    "cannot handle",
    "samples per pixel",
)
"""What Pillow says of a variant that it does not read."""
_JPEG_READ = frozenset({0xC0, 0xC1, 0xC2})
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Markers of frame headers; F7: JPEG-LS."""
_SEGMENTS_MAX = 10_000
_ENTRY = 12
_SUBFILE, _PHOTOMETRIC, _SUB_PAGES, _DNG_VERSION = 0x00FE, 0x0106, 0x014A, 0xC612
_REDUCED = 1
_SENSOR = (32803, 34892)
"""Values of PhotometricInterpretation: a sensor's colour filters, and its linear values."""


def is_raw(file: BinaryIO) -> bool:
    """Whether a TIFF is a camera's raw file, whose first page is a thumbnail or the sensor's data."""
    file.seek(0)
    header = file.read(12)
    order = ">" if header[:2] == b"MM" else "<"
    if len(header) < 12 or header[2:4] not in (b"*\0", b"\0*"):
        return False
    if header[8:10] == b"CR":
        return True
    file.seek(struct.unpack_from(f"{order}I", header, 4)[0])
    found = dict[int, int]()
    (count,) = struct.unpack(f"{order}H", file.read(2).ljust(2, b"\0"))
    page = file.read(_ENTRY * count)
    for at in range(0, len(page) - _ENTRY + 1, _ENTRY):
        tag, kind = struct.unpack_from(f"{order}HH", page, at)
        (found[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", page, at + 8)
    thumbnail = bool(found.get(_SUBFILE, 0) & _REDUCED) and _SUB_PAGES in found
    return _DNG_VERSION in found or found.get(_PHOTOMETRIC) in _SENSOR or thumbnail


def unread(file: BinaryIO, kind: str) -> bool:
    """Whether a picture that could not be opened is of a variant that is not read. kind: Pillow's name of the
    format."""
    file.seek(0)
    if kind == "PNG":
        return file.read(16)[12:] == b"CgBI"  # of programs for iPhones: pixels without a zlib header
    if kind == "JPEG" and _jpeg_frame(file) not in (*_JPEG_READ, 0):
        return True
    file.seek(0)
    try:
        Image.OPEN[kind][0](file, "")
    except Exception as error:  # whatever a plugin raises
        return any(word in str(error).lower() for word in _WORDS)
    return False


def _jpeg_frame(file: BinaryIO) -> int:
    """The marker of a JPEG's first frame header; 0 when there is none."""
    at = 2
    for _ in range(_SEGMENTS_MAX):
        file.seek(at)
        header = file.read(4)
        if len(header) < 4 or header[0] != 0xFF:
            return 0
        if header[1] in _JPEG_FRAMES:
            return header[1]
        at += 2 + int.from_bytes(header[2:], "big")
    return 0
