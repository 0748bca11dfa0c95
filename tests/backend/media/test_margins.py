"""What lies around the pixels of a picture never makes it unusable; missing pixels always do."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from backend.errors import BadMedia
from backend.media import pictures
from tests.backend.media.test_pictures import linear_rgb_profile, near
from tests.support.heif_file import DEPTH, Item, auxiliary, heic
from tests.support.odd_media import (
    EXIF_ORIENTATION,
    corner_names,
    corners,
    png_chunk,
    stored_for,
    with_chunks,
)

NOISE = Image.effect_noise((160, 96), 60).convert("RGB")
LARGE = os.urandom(1_500_000)
EMPTY_EXIF = b"II*\0\x08\0\0\0\0\0"


def encoded(form: str, image: Image.Image | None = None, **options: object) -> bytes:
    out = io.BytesIO()
    (image or corners()).save(out, format=form, **options)
    return out.getvalue()


def in_png(*chunks: bytes) -> bytes:
    return with_chunks(encoded("PNG"), *chunks)


def xmp(size: int, *, compressed: bool = False) -> bytes:
    text = packed(b" " * size) if compressed else b" " * size
    return png_chunk(b"iTXt", b"XML:com.adobe.xmp\0" + bytes([compressed]) + b"\0\0\0" + text)


def icc_chunk(packed_profile: bytes) -> bytes:
    return png_chunk(b"iCCP", b"x\0\0" + packed_profile)


def in_segments(code: int, start: bytes, count: int) -> bytes:
    """A JPEG with that many segments of 60 kB."""
    filler = [start + bytes([n + 1, count]) + os.urandom(60_000) for n in range(count)]
    return in_jpeg(*[jpeg_segment(code, one) for one in filler])


def profile(size: int) -> bytes:
    return linear_rgb_profile() + os.urandom(max(0, size - 500))


def packed(data: bytes) -> bytes:
    return zlib.compress(data, 0)


def jpeg_segment(code: int, data: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(data) + 2) + data


def in_jpeg(*segments: bytes, before: int = 2) -> bytes:
    data = encoded("JPEG", quality=92)
    return data[:before] + b"".join(segments) + data[before:]


def big_exif() -> bytes:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    exif[0x010E] = "x" * 400_000
    return exif.tobytes()


def gif(*extensions: bytes) -> bytes:
    data = encoded("GIF")
    at = 13 + (3 << 1 + (data[10] & 7))
    return data[:at] + b"".join(extensions) + data[at:]


def blocks(data: bytes) -> bytes:
    cut = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"".join(bytes([len(one)]) + one for one in cut) + b"\0"


def webp(kind: bytes, data: bytes, cut: int = 0) -> bytes:
    """A WebP with a chunk of metadata behind its picture, of which `cut` bytes are missing."""
    whole = encoded("WEBP", lossless=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    chunk = kind + struct.pack("<I", len(data)) + data + bytes(len(data) & 1)
    made = whole + chunk
    made = made[:4] + struct.pack("<I", len(made) - 8) + made[8:]
    return made[: len(made) - cut]


GOOD: dict[str, Callable[[], bytes]] = {
    "PNG, profile of 1.5 MB": lambda: in_png(icc_chunk(packed(profile(1_500_000)))),
    "PNG, profile of 6 MB": lambda: in_png(icc_chunk(packed(profile(6_000_000)))),
    "PNG, profile that is none": lambda: in_png(icc_chunk(LARGE)),
    "PNG, compressed text": lambda: in_png(png_chunk(b"zTXt", b"k\0\0" + packed(LARGE))),
    "PNG, text that is a bomb": lambda: in_png(png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(9**7)))),
    "PNG, XMP": lambda: in_png(xmp(2_000_000)),
    "PNG, compressed XMP": lambda: in_png(xmp(2_000_000, compressed=True)),
    "PNG, much text": lambda: in_png(*[png_chunk(b"tEXt", b"k\0" + b"v" * 900_000)] * 20),
    "PNG, wrong checksum of a text": lambda: in_png(png_chunk(b"tEXt", b"k\0v")[:-1] + b"!"),
    "PNG, short pHYs": lambda: in_png(png_chunk(b"pHYs", b"\0")),
    "PNG, large EXIF": lambda: in_png(png_chunk(b"eXIf", EMPTY_EXIF + LARGE)),
    "PNG, without its end": lambda: encoded("PNG")[:-12],
    "PNG, without the end of its data": lambda: encoded("PNG", NOISE)[:-20],
    "PNG, bytes behind its end": lambda: encoded("PNG") + LARGE,
    "JPEG, without its end": lambda: encoded("JPEG", quality=92)[:-2],
    "JPEG, half its end": lambda: encoded("JPEG", quality=92)[:-1],
    "JPEG, progressive, without its end": lambda: encoded("JPEG", NOISE, quality=92, progressive=True)[:-2],
    "JPEG, bytes behind its end": lambda: encoded("JPEG", quality=92) + LARGE,
    "JPEG, zeros behind its end": lambda: encoded("JPEG", quality=92) + bytes(100_000),
    "JPEG, XMP of many segments": lambda: in_segments(0xE1, b"http://ns.adobe.com/xap/1.0/\0", 60),
    "JPEG, large profile": lambda: in_segments(0xE2, b"ICC_PROFILE\0", 99),
    "JPEG, a broken profile": lambda: in_jpeg(jpeg_segment(0xE2, b"ICC_PROFILE\0\1\1junk")),
    "JPEG, a broken list of pictures": lambda: in_jpeg(jpeg_segment(0xE2, b"MPF\0" + bytes(40))),
    "JPEG, Photoshop's block": lambda: in_segments(0xED, b"Photoshop 3.0\0", 1),
    "JPEG, junk between segments": lambda: in_jpeg(b"\0\0junk", before=20),
    "JPEG, fill bytes": lambda: in_jpeg(b"\xff" * 9),
    "JPEG, a long comment": lambda: in_segments(0xFE, b"x", 20),
    "WebP, XMP": lambda: webp(b"XMP ", LARGE),
    "WebP, XMP that is cut off": lambda: webp(b"XMP ", LARGE, 700_000),
    "WebP, EXIF that is cut off": lambda: webp(b"EXIF", LARGE, 700_000),
    "WebP, bytes behind its end": lambda: encoded("WEBP", lossless=True) + LARGE,
    "WebP, an unknown chunk": lambda: webp(b"ABCD", b"123"),
    "GIF, a long comment": lambda: gif(b"\x21\xfe" + blocks(LARGE)),
    "GIF, XMP": lambda: gif(b"\x21\xff\x0bXMP DataXMP" + blocks(LARGE)),
    "GIF, without its end": lambda: encoded("GIF")[:-1],
    "GIF, bytes behind its end": lambda: encoded("GIF") + LARGE,
    "BMP, bytes behind its end": lambda: encoded("BMP") + LARGE,
    "TIFF, bytes behind its end": lambda: encoded("TIFF") + LARGE,
    "TIFF, large XMP": lambda: encoded("TIFF", tiffinfo={700: LARGE}),
    "AVIF, bytes behind its end": lambda: encoded("AVIF", quality=95) + LARGE,
    "HEIC, bytes behind its end": lambda: heic(Item(corners())) + LARGE,
    "HEIC, zeros behind its end": lambda: heic(Item(corners())) + bytes(4000),
    "HEIC, EXIF that is cut off": lambda: heic(
        Item(corners()), Item(exif=bytes(4000), refs=[("cdsc", [1])])
    )[:-2000],
    "HEIC, depth that is cut off": lambda: heic(
        Item(corners()), Item(NOISE.convert("L"), properties=[auxiliary(DEPTH)], refs=[("auxl", [1])])
    )[:-500],
}  # fmt: skip


@pytest.mark.parametrize("which", GOOD)
def test_a_picture_is_used_whatever_its_margins(which: str, tmp_path: Path) -> None:
    path, out = tmp_path / "holiday", tmp_path / "out.png"
    path.write_bytes(GOOD[which]())
    facts = pictures.look(str(path), "holiday")
    assert (facts.width, facts.height, facts.frames) == (160, 96, 1)
    assert pictures.rewrite(str(path), str(out), "holiday") == (160, 96)
    if "NOISE" not in which and "end of its data" not in which and "progressive" not in which:
        with Image.open(out) as image:
            assert corner_names(image) == "RGBW"


def test_a_colour_profile_of_a_megabyte_is_used(tmp_path: Path) -> None:
    path, out = tmp_path / "a.png", tmp_path / "out.png"
    grey = encoded("PNG", Image.new("RGB", (64, 64), (64, 64, 64)))
    icc = linear_rgb_profile()
    icc = struct.pack(">I", 1_500_000) + icc[4:] + bytes(1_500_000 - len(icc))
    path.write_bytes(with_chunks(grey, png_chunk(b"iCCP", b"x\0\0" + packed(icc))))
    pictures.rewrite(str(path), str(out), "a.png")
    with Image.open(out) as image:
        assert near(image.getpixel((5, 5)), (137, 137, 137), 2)


def test_the_rotation_of_a_large_exif_block_is_used(tmp_path: Path) -> None:
    path, out = tmp_path / "a.png", tmp_path / "out.png"
    block = big_exif().removeprefix(b"Exif\0\0")
    path.write_bytes(with_chunks(encoded("PNG", stored_for(corners(), 6)), png_chunk(b"eXIf", block)))
    assert pictures.rewrite(str(path), str(out), "a.png") == (160, 96)
    with Image.open(out) as image:
        assert corner_names(image) == "RGBW"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_an_orientation_in_xmp_is_not_one(form: str, tmp_path: Path) -> None:
    """Browsers take the orientation from EXIF alone."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    options: dict[str, object] = {"xmp": xmp}
    if form == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        options = {"pnginfo": info}
    if form == "TIFF":
        options = {"tiffinfo": {700: xmp}}
    path = tmp_path / "a"
    path.write_bytes(encoded(form, **options))
    assert pictures.look(str(path), "a").width == 160


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_missing_pixels_are_missed(form: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    content = encoded(form, NOISE)
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BadMedia, match="is incomplete"):
        pictures.look(str(path), "cut")


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_blocks": 4}, {"subsampling": 0}])
@pytest.mark.parametrize("missing", [40, 400, 4000])
def test_missing_rows_of_a_jpeg_are_missed(options: dict[str, object], missing: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(encoded("JPEG", NOISE, quality=92, **options)[:-missing])
    with pytest.raises(BadMedia, match="is incomplete"):
        pictures.look(str(path), "cut.jpg")


def test_a_missing_alpha_plane_is_missed(tmp_path: Path) -> None:
    from tests.support.heif_file import ALPHA

    alpha = Item(NOISE.convert("L"), properties=[auxiliary(ALPHA)], refs=[("auxl", [1])])
    path = tmp_path / "cut.heic"
    path.write_bytes(heic(Item(corners()), alpha)[:-500])
    with pytest.raises(BadMedia, match="is incomplete"):
        pictures.look(str(path), "cut.heic")
