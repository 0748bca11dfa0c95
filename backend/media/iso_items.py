"""Where the pixels of a HEIF or AVIF file lie: the extents of its main picture, from its boxes. Pure.

Depth maps, thumbnails, further pictures, EXIF and XMP may be missing; libheif and libavif want the file to be
as long as its boxes say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from backend.media.spliced import Part

PAD_BYTES = 64_000_000
"""The longest end of a file that is replaced by zeros."""
_META_BYTES = 16_000_000
_BOXES_MAX = 10_000
_ALPHA = (b"alpha", b"hevc:2015:auxid:1")
_OUTER = frozenset(
    {b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip", b"idat", b"uuid", b"mfra", b"moof", b"wide"}
)


class CutShortError(Exception):
    """Pixels are missing."""


class Box(NamedTuple):
    """`start`: of its content; `end`: behind it, as its header says."""

    kind: bytes
    start: int
    end: int


def view(file: BinaryIO, size: int) -> list[Part] | None:
    """The file up to the end of its boxes, with zeros for what is cut off behind the main picture; None for
    the file as it is. Raises CutShortError."""
    outer = list(_outer(file, size))
    end = outer[-1].end if outer else 0
    meta = next((box for box in outer if box.kind == b"meta"), None)
    if meta is None or meta.end > size or meta.end - meta.start > _META_BYTES:
        if end > size or len(outer) < 2:
            raise CutShortError
        return None
    file.seek(meta.start)
    needed = _pixels_end(file.read(meta.end - meta.start))
    if needed is None:
        if end > size:
            raise CutShortError
        return None
    if needed > size or end - size > PAD_BYTES:
        raise CutShortError
    return [(0, min(end, size)), bytes(max(0, end - size))]


def index_is_cut(file: BinaryIO, size: int) -> bool:
    """Whether an MP4 ends in the middle of the box that says what is in it."""
    return any(box.kind == b"moov" and box.end > size for box in _outer(file, size))


def is_cut(file: BinaryIO, size: int) -> bool:
    """Whether the last box of an MP4 is longer than the file."""
    return any(box.end > size for box in _outer(file, size))


def _outer(file: BinaryIO, size: int) -> Iterator[Box]:
    """The boxes of the file up to the first that is none."""
    at = 0
    for _ in range(_BOXES_MAX):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8 or header[4:8] not in _OUTER:
            return
        length, begin = int.from_bytes(header[:4], "big"), 8
        if length == 1:
            length, begin = int.from_bytes(header[8:16], "big"), 16
        elif length == 0:
            length = size - at
        if length < begin:
            return
        yield Box(header[4:8], at + begin, at + length)
        at += length
        if at >= size:
            return


def _inner(data: bytes, start: int, end: int) -> Iterator[Box]:
    at = start
    while at + 8 <= end:
        length = int.from_bytes(data[at : at + 4], "big") or end - at
        if length < 8:
            return
        yield Box(data[at + 4 : at + 8], at + 8, min(at + length, end))
        at += length


class _Bits:
    """Big-endian numbers one after another."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self.at = data, at

    def take(self, count: int) -> int:
        if self.at + count > len(self._data):
            raise ValueError("the box ends early")
        value = int.from_bytes(self._data[self.at : self.at + count], "big")
        self.at += count
        return value


def _pixels_end(meta: bytes) -> int | None:
    """Where the last byte of the main picture lies in the file; None when the boxes do not say."""
    boxes = {box.kind: box for box in _inner(meta, 4, len(meta))}
    if b"iloc" not in boxes or b"pitm" not in boxes:
        return None
    try:
        version = meta[boxes[b"pitm"].start]
        main = _Bits(meta, boxes[b"pitm"].start + 4).take(4 if version else 2)
        ends = _extents(meta, boxes[b"iloc"])
        made_of, auxiliary = _references(meta, boxes.get(b"iref"))
        alphas = _alphas(meta, boxes.get(b"iprp"))
    except ValueError:
        return None
    wanted, queue = set[int](), [main]
    while queue:
        item = queue.pop()
        if item not in wanted:
            wanted.add(item)
            queue += made_of.get(item, [])
            queue += [one for one in auxiliary.get(item, []) if one in alphas]
    if main not in ends and not made_of.get(main):
        return None
    return max((ends[item] for item in wanted if item in ends), default=0)


def _extents(meta: bytes, box: Box) -> dict[int, int]:
    """Item -> end of its data in the file, for items whose data lie there."""
    bits = _Bits(meta, box.start)
    version = bits.take(1)
    bits.take(3)
    sizes = bits.take(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version in (1, 2) else 0
    found: dict[int, int] = {}
    for _ in range(bits.take(4 if version == 2 else 2)):
        item = bits.take(4 if version == 2 else 2)
        method = bits.take(2) & 15 if version in (1, 2) else 0
        bits.take(2)
        base = bits.take(base_size)
        for _ in range(bits.take(2)):
            bits.take(index_size)
            end = base + bits.take(offset_size) + bits.take(length_size)
            if method == 0:
                found[item] = max(found.get(item, 0), end)
    return found


def _references(meta: bytes, box: Box | None) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """(item -> the items that it is made of, item -> those that belong to it, as alpha and depth do)."""
    made_of: dict[int, list[int]] = {}
    auxiliary: dict[int, list[int]] = {}
    if box is None:
        return made_of, auxiliary
    wide = 4 if meta[box.start] else 2
    for inner in _inner(meta, box.start + 4, box.end):
        bits = _Bits(meta, inner.start)
        source = bits.take(wide)
        for _ in range(bits.take(2)):
            target = bits.take(wide)
            if inner.kind == b"dimg":
                made_of.setdefault(source, []).append(target)
            elif inner.kind == b"auxl":
                auxiliary.setdefault(target, []).append(source)
    return made_of, auxiliary


def _alphas(meta: bytes, box: Box | None) -> set[int]:
    """The items that are alpha planes."""
    if box is None:
        return set()
    inside = {inner.kind: inner for inner in _inner(meta, box.start, box.end)}
    if b"ipco" not in inside or b"ipma" not in inside:
        return set()
    properties = list(_inner(meta, inside[b"ipco"].start, inside[b"ipco"].end))
    alpha = {
        number
        for number, one in enumerate(properties, 1)
        if one.kind == b"auxC" and any(word in meta[one.start : one.end] for word in _ALPHA)
    }
    bits = _Bits(meta, inside[b"ipma"].start)
    version, flags = bits.take(1), bits.take(3)
    found = set[int]()
    for _ in range(bits.take(4)):
        item = bits.take(4 if version else 2)
        for _ in range(bits.take(1)):
            number = bits.take(2) & 0x7FFF if flags & 1 else bits.take(1) & 0x7F
            if number in alpha:
                found.add(item)
    return found
