"""The texts of an MP4 as ComfyUI's page reads them: boxes moov, udta, meta, keys and ilst, without FFmpeg."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

Box = tuple[bytes, bytes]


def boxes(data: bytes) -> Iterator[Box]:
    """(kind, content) of the boxes in a row."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", data[at + 8 : at + 16])[0], 16
        size = size or len(data) - at
        assert size >= head, f"a box of {size} bytes"
        yield kind, data[at + head : at + size]
        at += size


def mdta_texts(path: Path) -> dict[str, str]:
    """Key -> text; {} without metadata."""
    data = path.read_bytes()
    for kind in (b"moov", b"udta", b"meta"):
        found = dict(boxes(data)).get(kind)
        if found is None:
            return {}
        data = found
    parts = dict(boxes(data[4:]))  # after version and flags
    if b"keys" not in parts or b"ilst" not in parts:
        return {}
    keys, texts = _keys(parts[b"keys"]), {}
    for number, content in boxes(parts[b"ilst"]):
        value = dict(boxes(content))[b"data"][8:]  # after type and locale
        texts[keys[struct.unpack(">I", number)[0]]] = value.decode()
    return texts


def _keys(data: bytes) -> dict[int, str]:
    (count,) = struct.unpack(">I", data[4:8])
    names = [content.decode() for _, content in boxes(data[8:])]
    assert len(names) == count
    return dict(enumerate(names, 1))
