"""Writes small HEIC files box by box from HEVC frames, with exactly the properties that a test is about."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from PIL import Image

ALPHA = "urn:mpeg:hevc:2015:auxid:1"
DEPTH = "urn:mpeg:hevc:2015:auxid:2"


FULL_RANGE = 2
"""FFmpeg's number: 0 to 255, as an alpha plane is stored."""


@dataclass
class Item:
    """A picture in the file. refs: (type, item numbers) of its references, numbers from 1. hidden: not a
    picture of its own, as a tile. grid: (rows, columns) of an item made of tiles. exif: an EXIF block instead
    of a picture."""

    picture: Image.Image | None = None
    ten_bit: bool = False
    properties: Sequence[bytes] = ()
    refs: Sequence[tuple[str, Sequence[int]]] = ()
    hidden: bool = False
    grid: tuple[int, int] | None = None
    exif: bytes = b""
    data: bytes = field(default=b"", init=False)
    config: bytes = field(default=b"", init=False)


def box(kind: str, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def full(kind: str, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def turned(quarters: int) -> bytes:
    """Rotation by quarters of a turn, counter-clockwise."""
    return box("irot", bytes([quarters]))


def mirrored(axis: int) -> bytes:
    """axis 0: top and bottom change places; 1: left and right."""
    return box("imir", bytes([axis]))


def auxiliary(kind: str) -> bytes:
    return full("auxC", kind.encode() + b"\0")


def colour_profile(icc: bytes) -> bytes:
    return box("colr", b"prof", icc)


def hevc(picture: Image.Image, ten_bit: bool = False) -> list[bytes]:
    """The NAL units of one HEVC frame."""
    form = "yuv420p10le" if ten_bit else "yuv420p"
    encoder: Any = av.CodecContext.create("libx265", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *picture.size, form
    encoder.time_base = Fraction(1, 10)
    encoder.options = {"preset": "ultrafast", "x265-params": "log-level=none:info=0:crf=6"}
    frame = av.VideoFrame.from_image(picture.convert("RGB"))
    frame = frame.reformat(format=form, dst_color_range=FULL_RANGE if picture.mode == "L" else None)
    frame.pts = 0
    stream = b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
    if not stream.startswith((b"\0\0\1", b"\0\0\0\1")) or b"\x42\x01" not in stream:
        stream = bytes(encoder.extradata or b"") + stream
    return [unit.rstrip(b"\0") for unit in stream.split(b"\0\0\1")[1:]]


def _kind(unit: bytes) -> int:
    return unit[0] >> 1 & 63


VPS, SPS, PPS = 32, 33, 34


def configuration(units: Sequence[bytes], ten_bit: bool) -> bytes:
    """The hvcC box of these NAL units."""
    sets = [unit for kind in (VPS, SPS, PPS) for unit in units if _kind(unit) == kind]
    profile = next(u for u in sets if _kind(u) == SPS).replace(b"\0\0\3", b"\0\0")[3:15]
    depth = 0xF8 | (2 if ten_bit else 0)
    arrays = b"".join(struct.pack(">BHH", 0x80 | _kind(u), 1, len(u)) + u for u in sets)
    head = struct.pack(">HBBBBHBB", 0xF000, 0xFC, 0xFD, depth, depth, 0, 0x0F, len(sets))
    return box("hvcC", b"\1", profile, head, arrays)


def _coded(item: Item) -> None:
    """Fills in an item's bitstream and its decoder configuration."""
    if item.picture is None:
        item.data = bytes(4) + item.exif
        return
    if item.grid is not None:
        rows, columns = item.grid
        item.data = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *item.picture.size)
        return
    units = hevc(item.picture, item.ten_bit)
    item.config = configuration(units, item.ten_bit)
    slices = [unit for unit in units if _kind(unit) < VPS]
    item.data = b"".join(struct.pack(">I", len(unit)) + unit for unit in slices)


def heic(*items: Item, primary: int = 1, brands: Sequence[str] = ("heic", "mif1", "heic")) -> bytes:
    """A HEIC file of these items; the first is number 1."""
    infos: list[bytes] = []
    offsets: list[bytes] = []
    refs: list[bytes] = []
    ipma: list[bytes] = []
    properties: list[bytes] = []

    def place(one: bytes) -> int:
        if one not in properties:
            properties.append(one)
        return properties.index(one) + 1

    for number, item in enumerate(items, 1):
        _coded(item)
        kind = "Exif" if item.picture is None else "grid" if item.grid else "hvc1"
        infos.append(
            full("infe", struct.pack(">HH4s", number, 0, kind.encode()), b"\0", version=2, flags=item.hidden)
        )
        mine = []
        if item.picture is not None:
            mine.append(place(full("ispe", struct.pack(">II", *item.picture.size))))
        if item.config:
            mine.append(place(item.config) | 0x80)
        mine += [place(one) | (0x80 if one[4:8] in (b"irot", b"imir") else 0) for one in item.properties]
        ipma.append(struct.pack(">HB", number, len(mine)) + bytes(mine))
        for name, to in item.refs:
            refs.append(box(name, struct.pack(f">HH{len(to)}H", number, len(to), *to)))

    def meta(start: int) -> bytes:
        offsets.clear()
        for number, item in enumerate(items, 1):
            offsets.append(struct.pack(">HHHII", number, 0, 1, start, len(item.data)))
            start += len(item.data)
        return full(
            "meta",
            full("hdlr", struct.pack(">I4s12x", 0, b"pict"), b"\0"),
            full("pitm", struct.pack(">H", primary)),
            full("iloc", struct.pack(">BBH", 0x44, 0, len(items)), *offsets),
            full("iinf", struct.pack(">H", len(items)), *infos),
            *([full("iref", *refs)] if refs else []),
            box("iprp", box("ipco", *properties), full("ipma", struct.pack(">I", len(items)), *ipma)),
        )

    ftyp = box("ftyp", brands[0].encode(), bytes(4), *(brand.encode() for brand in brands[1:]))
    start = len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(start) + box("mdat", *(item.data for item in items))
