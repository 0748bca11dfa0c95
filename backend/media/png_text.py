"""Text chunks of PNG files: read from a file, or written into a copy whose other chunks stay as they are.

Pillow stops reading texts at an internal limit, and compresses the pixels again when it saves.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator, Mapping
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXT = (b"tEXt", b"iTXt", b"zTXt")
KEPT = frozenset({
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"bKGD",
    b"pHYs", b"cICP", b"mDCV", b"cLLI", b"acTL", b"fcTL", b"fdAT",
})  # fmt: skip
"""Chunks that say how a picture looks. Others, such as EXIF, dates and texts, are not copied."""
_PIECE = 1 << 20


class BrokenPng(ValueError):
    """The chunk structure of a file is broken."""


def texts(file: BinaryIO, longest: int, wanted: Collection[str]) -> dict[str, str]:
    """Keyword, in lower case, -> text: of each of `wanted` the first that can be read. Texts of more than
    `longest` bytes are left out, and others are not unpacked. Raises BrokenPng only for a file that is no
    PNG: what precedes a broken chunk is read."""
    found: dict[str, str] = {}
    try:
        for kind, size in _chunks(file):
            if kind not in TEXT or size > longest:
                continue
            data = _exactly(file, size)
            name, _, rest = data.partition(b"\0")
            keyword = name.decode("latin-1").lower()
            if keyword in wanted and keyword not in found:
                text = _text(kind, rest, longest)
                if text is not None:
                    found[keyword] = text
    except _Cut:
        pass
    return found


def rewrite(source: BinaryIO, target: BinaryIO, written: Mapping[str, str], whole: bool = True) -> None:
    """Copies a PNG; these texts replace its own and follow the header. Keywords and texts must be ASCII.
    `whole`: raises BrokenPng for a file that ends too early; else what is there is copied."""
    target.write(SIGNATURE)
    try:
        for kind, size in _chunks(source):
            if kind not in KEPT:
                continue
            target.write(struct.pack(">I", size) + kind)
            left = size + 4  # with the checksum
            while left:
                piece = source.read(min(left, _PIECE))
                if not piece:
                    raise _Cut
                target.write(piece)
                left -= len(piece)
            if kind == b"IHDR":
                for keyword, text in written.items():
                    target.write(_chunk(b"tEXt", keyword.encode("ascii") + b"\0" + text.encode("ascii")))
    except _Cut:
        if whole:
            raise BrokenPng from None


class _Cut(Exception):
    """The file ends within a chunk."""


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """(kind, size) of each chunk up to the end of the picture; the file is at the first byte of its data."""
    file.seek(0)
    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise BrokenPng
    while True:
        size, kind = struct.unpack(">I4s", _exactly(file, 8))
        data = file.tell()
        yield kind, size
        if kind == b"IEND":
            return
        file.seek(data + size + 4)


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise _Cut
    return data


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _text(kind: bytes, rest: bytes, longest: int) -> str | None:
    """The text after a keyword; None for one that cannot be read or is too long."""
    packed, encoding = False, "latin-1"
    if kind == b"zTXt":
        packed, rest = True, rest[1:]
    elif kind == b"iTXt":
        packed, encoding = rest[:1] == b"\x01", "utf-8"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    try:
        if packed:
            unpacker = zlib.decompressobj()
            rest = unpacker.decompress(rest, longest)
            if unpacker.unconsumed_tail:
                return None
        return rest.decode(encoding)
    except (UnicodeDecodeError, zlib.error):
        return None
