"""The margins of a picture file: what lies before, between and behind its pixels; bounded or dropped.

Pillow and its libraries refuse a picture for its metadata: a large colour profile or text, a wrong checksum
in an optional chunk, junk between segments, a block that is cut off. So a file is read through a view that
has the pixels, the colour profile up to PROFILE_BYTES and the EXIF block up to EXIF_BYTES.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from backend.media import iso_items
from backend.media.iso_items import CutShortError
from backend.media.spliced import Part, Spliced

__all__ = ["CutShortError", "without"]

PROFILE_BYTES = 4_000_000
EXIF_BYTES = 1 << 18
_PIECES_MAX = 200_000
"""More chunks than this are left as they are."""
_PNG_START = 8
_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"})
_WEBP_PIXELS = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
_WEBP_ICC, _WEBP_EXIF, _WEBP_XMP = 0x20, 0x08, 0x04
_JPEG_TABLES = frozenset({*range(0xC0, 0xD0), 0xDB, 0xDC, 0xDD}) - {0xC8}
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_JPEG_HEIGHT = b"\xff\xdc\x00\x04"
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_GIF_IMAGE, _GIF_EXTENSION, _GIF_CONTROL, _GIF_END = 0x2C, 0x21, 0xF9, 0x3B


def without(file: BinaryIO, kind: str, size: int) -> BinaryIO:
    """The picture file of `size` bytes without its margins. kind: Pillow's name of the format.

    Raises CutShortError.
    """
    view = _VIEWS.get(kind)
    parts = view(file, size) if view is not None else None
    file.seek(0)
    return file if parts is None else cast(BinaryIO, Spliced(file, parts))


def _png(file: BinaryIO, size: int) -> list[Part] | None:
    parts: list[Part] = [(0, _PNG_START)]
    at = _PNG_START
    for _ in range(_PIECES_MAX):
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            return parts
        length, kind = int.from_bytes(header[:4], "big"), header[4:]
        if kind in _PNG_PIXELS:
            parts.append((at, min(12 + length, size - at)))
        elif kind in (b"iCCP", b"tRNS", b"eXIf"):
            parts += _png_chunk(kind, file.read(min(length, PROFILE_BYTES) + 4), length)
        at += 12 + length
        if kind == b"IEND" or at > size:
            return parts
    return None


def _png_chunk(kind: bytes, data: bytes, length: int) -> list[Part]:
    """An optional chunk, bounded; nothing when it is damaged. `data`: with its checksum if that was read."""
    whole = len(data) == length + 4
    if whole and zlib.crc32(kind + data[:length]) != int.from_bytes(data[length:], "big"):
        return []
    content = data[:length]
    if kind == b"eXIf":
        content = content[:EXIF_BYTES]
    elif not whole or (kind == b"iCCP" and not _small_profile(content)):
        return []
    checksum = zlib.crc32(kind + content)
    return [struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)]


def _small_profile(content: bytes) -> bool:
    """Whether a PNG's compressed colour profile can be read and is not too large."""
    packed = content.partition(b"\0")[2][1:]
    unpack = zlib.decompressobj()
    try:
        data = unpack.decompress(packed, PROFILE_BYTES + 1)
    except zlib.error:
        return False
    return 0 < len(data) <= PROFILE_BYTES and unpack.eof


def _jpeg(file: BinaryIO, size: int) -> list[Part] | None:
    """The tables, the first EXIF block and the colour profile; all from the first scan on."""
    parts: list[Part] = [(0, 2)]
    profile: list[tuple[int, int]] = []
    exif = False
    at = 2
    for _ in range(_PIECES_MAX):
        at = _next_marker(file, at)
        file.seek(at)
        header = file.read(4 + 12)
        if len(header) < 4 or header[1] == _JPEG_END:
            return None
        code, length, inside = header[1], int.from_bytes(header[2:4], "big"), header[4:]
        if code in _JPEG_ALONE:
            at += 2
            continue
        if code == _JPEG_SCAN:
            parts.append((at, size - at))
            return [*parts[:1], *_bounded(profile), *parts[1:]]
        if length < 2 or at + 2 + length > size:
            return None
        whole = (at, 2 + length)
        if code in _JPEG_FRAMES and inside[1:3] == bytes(2):
            parts += _with_height(file, at, length)
        elif code in _JPEG_TABLES or (code == 0xEE and inside.startswith(b"Adobe")):
            parts.append(whole)
        elif code == 0xE0 and inside.startswith(b"JFIF\0"):
            parts.insert(1, whole)
        elif code == 0xE1 and inside.startswith(b"Exif\0") and not exif:
            parts.append(whole)
            exif = True
        elif code == 0xE2 and inside.startswith(b"ICC_PROFILE\0"):
            profile.append(whole)
        at += 2 + length
    return None


def _with_height(file: BinaryIO, at: int, length: int) -> list[Part]:
    """A frame header without a height, with that of the segment behind the first scan, if there is one."""
    file.seek(at)
    header = file.read(2 + length)
    before = b""
    while data := file.read(1 << 16):
        window = before + data
        if (found := window.find(_JPEG_HEIGHT)) >= 0 and len(window) >= found + 6:
            return [header[:5] + window[found + 4 : found + 6] + header[7:]]
        before = window[-5:]
    return [header]


def _bounded(profile: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return profile if sum(length for _, length in profile) <= PROFILE_BYTES else []


def _next_marker(file: BinaryIO, at: int) -> int:
    """Where the next marker begins: behind junk and fill bytes. The end of the file when there is none."""
    file.seek(at)
    before = b""
    while data := file.read(4096):
        window = before + data
        found = next(
            (i for i in range(len(window) - 1) if window[i] == 0xFF and window[i + 1] not in (0x00, 0xFF)), -1
        )
        if found >= 0:
            return at - len(before) + found
        at, before = at + len(data), window[-1:]
    return at


def _gif(file: BinaryIO, size: int) -> list[Part] | None:
    file.seek(0)
    header = file.read(13)
    if len(header) < 13:
        return None
    at = 13 + (3 << 1 + (header[10] & 7) if header[10] & 0x80 else 0)
    parts: list[Part] = [(0, min(at, size))]
    for _ in range(_PIECES_MAX):
        file.seek(at)
        mark = file.read(2)
        if mark[:1] == bytes([_GIF_EXTENSION]) and len(mark) == 2:
            end = _gif_blocks(file, at + 2)
            if mark[1] == _GIF_CONTROL:
                parts.append((at, min(end, size) - at))
        elif mark[:1] == bytes([_GIF_IMAGE]):
            file.seek(at)
            descriptor = file.read(10)
            if len(descriptor) < 10:
                return parts
            colours = 3 << 1 + (descriptor[9] & 7) if descriptor[9] & 0x80 else 0
            end = _gif_blocks(file, at + 10 + colours + 1)
            parts.append((at, min(end, size) - at))
        else:
            return [*parts, bytes([_GIF_END])] if at < size else parts
        at = end
        if at >= size:
            return parts
    return None


def _gif_blocks(file: BinaryIO, at: int) -> int:
    """Where a chain of blocks ends, with its terminator; beyond the end of the file for one that is cut."""
    file.seek(at)
    while (count := file.read(1)) and count != b"\0":
        file.seek(count[0], 1)
    return file.tell() + (0 if count else 1)


def _webp(file: BinaryIO, size: int) -> list[Part] | None:
    chunks: list[Part] = []
    extended = b""
    flags = 0
    at, pixels = 12, False
    for _ in range(_PIECES_MAX):
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            break
        kind, length = header[:4], int.from_bytes(header[4:], "little")
        whole = at + 8 + length <= size
        if kind in _WEBP_PIXELS:
            if not whole and (not pixels or kind != b"ANMF"):
                raise CutShortError
            pixels = pixels or kind not in (b"ALPH", b"ANIM")
            chunks += [(at, 8 + length), bytes(length & 1)] if whole else []
        elif kind == b"VP8X" and whole:
            extended = file.read(length)
        elif kind == b"ICCP" and whole and length <= PROFILE_BYTES:
            chunks += [(at, 8 + length), bytes(length & 1)]
            flags |= _WEBP_ICC
        elif kind == b"EXIF":
            block = file.read(min(length, EXIF_BYTES))
            chunks.append(kind + struct.pack("<I", len(block)) + block + bytes(len(block) & 1))
            flags |= _WEBP_EXIF
        at += 8 + length + (length & 1)
    if not pixels:
        raise CutShortError
    if extended:
        known = _WEBP_ICC | _WEBP_EXIF | _WEBP_XMP
        extended = bytes([extended[0] & ~known | flags]) + extended[1:]
        chunks.insert(0, b"VP8X" + struct.pack("<I", len(extended)) + extended)
    total = 4 + sum(len(part) if isinstance(part, bytes) else part[1] for part in chunks)
    return [b"RIFF" + struct.pack("<I", total) + b"WEBP", *chunks]


_VIEWS: dict[str, Callable[[Any, int], list[Part] | None]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "GIF": _gif,
    "WEBP": _webp,
    "HEIC": iso_items.view,
    "AVIF": iso_items.view,
}
