"""Pictures that are odd in one respect: those that browsers show, and those that are refused with a reason.

The shown ones are `corners` of 160 x 96.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from tests.support.heif_file import Item, auxiliary, heic, mirrored, turned
from tests.support.odd_media import EXIF_ORIENTATION, corners, png_chunk, stored_for

WIDTH, HEIGHT = 160, 96
Maker = Callable[[], bytes]


def encoded(form: str, image: Image.Image | None = None, **options: object) -> bytes:
    out = io.BytesIO()
    (image or corners()).save(out, format=form, **options)
    return out.getvalue()


# -- PNG

PNG_START = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def _rows(pixels: np.ndarray, depth: int) -> bytes:
    """Rows without filters; `pixels` (rows, columns, channels)."""
    rows = pixels.reshape(len(pixels), -1)
    if depth == 16:
        packed = [row.astype(">u2").tobytes() for row in rows]
    elif depth == 8:
        packed = [row.astype("u1").tobytes() for row in rows]
    else:
        bits = (rows[:, :, None] >> np.arange(depth - 1, -1, -1) & 1).reshape(len(rows), -1)
        packed = [np.packbits(row.astype("u1")).tobytes() for row in bits]
    return b"".join(b"\0" + row for row in packed)


def png(
    pixels: np.ndarray, depth: int, kind: int, *chunks: bytes, interlaced: bool = False, raw: bool = False
) -> bytes:
    """A PNG of any kind of pixels; `chunks` lie before the data. raw: data without a zlib header."""
    high, wide = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", wide, high, depth, kind, 0, 0, interlaced)
    if interlaced:
        passes = [pixels[y::down, x::across] for x, y, across, down in _ADAM7]
        data = b"".join(_rows(one, depth) for one in passes if one.size)
    else:
        data = _rows(pixels, depth)
    packer = zlib.compressobj(wbits=-15 if raw else 15)
    packed = packer.compress(data) + packer.flush()
    body = (png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", packed), png_chunk(b"IEND", b""))
    return PNG_START + b"".join(body)


def _corner_pixels(depth: int = 8) -> np.ndarray:
    eight = np.asarray(corners()).astype(np.uint32)
    return eight * 257 if depth == 16 else eight


def _palette_pixels() -> tuple[np.ndarray, bytes]:
    """Indices of `corners`, and its palette of four colours."""
    index = np.zeros((HEIGHT, WIDTH, 1), np.uint32)
    index[: HEIGHT // 2, WIDTH // 2 :] = 1
    index[HEIGHT // 2 :, : WIDTH // 2] = 2
    index[HEIGHT // 2 :, WIDTH // 2 :] = 3
    return index, bytes((255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255))


def _palette(depth: int, *more: bytes, interlaced: bool = False) -> bytes:
    index, colours = _palette_pixels()
    return png(index, depth, PALETTE, png_chunk(b"PLTE", colours), *more, interlaced=interlaced)


def wrong_checksum(data: bytes, kind: bytes) -> bytes:
    at = data.index(kind)
    end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
    return data[:end] + bytes(4) + data[end + 4 :]


def _with(*chunks: bytes) -> bytes:
    return png(_corner_pixels(), 8, RGB, *chunks)


def _bomb() -> bytes:
    return zlib.compress(bytes(43_000_000))


def _header(width: int, height: int) -> bytes:
    """The beginning of a PNG of this size."""
    return PNG_START + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, RGB, 0, 0, 0))


def _of_a_program() -> bytes:
    made = png(_corner_pixels(), 8, RGB, raw=True)
    return made[:8] + png_chunk(b"CgBI", bytes(4)) + made[8:]


def _hidden_default() -> bytes:
    """An APNG whose IDAT is for programs without animation: its frames begin behind it."""
    shown = zlib.compress(_rows(_corner_pixels(), 8))
    hidden = zlib.compress(_rows(np.full((HEIGHT, WIDTH, 3), 90, np.uint32), 8))
    control = struct.pack(">IIIIHHBB", WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0)
    chunks = [
        png_chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, RGB, 0, 0, 0)),
        png_chunk(b"acTL", struct.pack(">II", 2, 0)),
        png_chunk(b"IDAT", hidden),
    ]
    for number in range(2):
        chunks.append(png_chunk(b"fcTL", struct.pack(">I", 2 * number) + control))
        chunks.append(png_chunk(b"fdAT", struct.pack(">I", 2 * number + 1) + shown))
    return PNG_START + b"".join((*chunks, png_chunk(b"IEND", b"")))


def linear_grey(*chunks: bytes) -> bytes:
    """A PNG of grey 64 with these chunks of colour."""
    return png(np.full((64, 64, 3), 64, np.uint32), 8, RGB, *chunks)


GAMMA_LINEAR = png_chunk(b"gAMA", struct.pack(">I", 100_000))
SRGB = png_chunk(b"sRGB", b"\0")
P3_PRIMARIES = png_chunk(
    b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
) + png_chunk(b"gAMA", struct.pack(">I", 45_455))


# -- JPEG


def segment(code: int, data: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(data) + 2) + data


def jpeg(*segments: bytes, image: Image.Image | None = None, **options: object) -> bytes:
    data = encoded("JPEG", image, **{"quality": 95, **options})
    return data[:2] + b"".join(segments) + data[2:]


def exif_block(*entries: tuple[int, int, int, bytes], order: str = "<") -> bytes:
    """An EXIF segment of these entries (tag, type, count, value)."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    made = b"".join(struct.pack(f"{order}HHI", *entry[:3]) + entry[3].ljust(4, b"\0") for entry in entries)
    body = mark + struct.pack(f"{order}IH", 8, len(entries)) + made + bytes(4)
    return segment(0xE1, b"Exif\0\0" + body)


def _orientation(value: int, order: str = "<") -> bytes:
    return exif_block((EXIF_ORIENTATION, 3, 1, struct.pack(f"{order}H", value)), order=order)


def _frame_header(data: bytes) -> int:
    """Where the content of the frame header begins, at its precision."""
    at = 2
    while data[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at + 4


def _height_behind_the_scan() -> bytes:
    data = bytearray(jpeg())
    at = _frame_header(data) + 1
    data[at : at + 2] = bytes(2)
    return bytes(data[:-2]) + segment(0xDC, struct.pack(">H", HEIGHT)) + b"\xff\xd9"


def _patched(change: Callable[[bytearray, int], None]) -> bytes:
    data = bytearray(jpeg())
    change(data, _frame_header(data))
    return bytes(data)


def _twelve_bit(data: bytearray, at: int) -> None:
    data[at] = 12


def _lossless(data: bytearray, at: int) -> None:
    data[at - 3] = 0xF7


def _no_height(data: bytearray, at: int) -> None:
    data[at + 1 : at + 3] = bytes(2)


def _ycck() -> bytes:
    """Four channels of print, stored as brightness and colour."""
    inverted = Image.fromarray(255 - np.asarray(corners()))
    channels = [Image.fromarray(255 - np.asarray(one)) for one in inverted.convert("YCbCr").split()]
    stored = Image.merge("CMYK", (*channels, Image.new("L", (WIDTH, HEIGHT), 0)))
    data = bytearray(encoded("JPEG", stored, quality=95))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def _without_tables() -> bytes:
    """A frame of a motion JPEG: its Huffman tables are the standard ones."""
    data = encoded("JPEG", quality=95, optimize=False)
    at, kept = 2, data[:2]
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        kept += data[at:end] if data[at + 1] != 0xC4 else b""
        at = end
    return kept + data[at:]


# -- BMP


def bmp(
    data: bytes, height: int, bits: int, compression: int = 0, masks: bytes = b"", size: int = 40
) -> bytes:
    form = struct.pack("<IiiHHIIiiII", size, WIDTH, height, 1, bits, compression, len(data), 0, 0, 0, 0)
    form = (form + masks).ljust(size, b"\0") if size > 40 else form + masks
    start = 14 + len(form)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + form + data


def _bgr(alpha: int | None = None) -> np.ndarray:
    pixels = np.asarray(corners())[:, :, ::-1]
    if alpha is None:
        return np.ascontiguousarray(pixels)
    return np.dstack((pixels, np.full((HEIGHT, WIDTH), alpha, np.uint8)))


MASKS = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)


def _five_six_five() -> bytes:
    red, green, blue = (np.asarray(corners())[:, :, i].astype(np.uint16) for i in range(3))
    packed = (red >> 3 << 11 | green >> 2 << 5 | blue >> 3)[::-1].astype("<u2").tobytes()
    return bmp(packed, HEIGHT, 16, 3, struct.pack("<III", 0xF800, 0x7E0, 0x1F))


def _os2() -> bytes:
    pixels = _bgr()[::-1].tobytes()
    return (
        b"BM" + struct.pack("<IHHI", 26 + len(pixels), 0, 0, 26)
        + struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24) + pixels
    )  # fmt: skip


# -- GIF


def _gif_of_part() -> bytes:
    """The first frame covers the upper half of the screen; browsers draw nothing on the rest."""
    data = encoded("GIF", corners().crop((0, 0, WIDTH, HEIGHT // 2)))
    return data[:6] + struct.pack("<HH", WIDTH, HEIGHT) + data[10:]


# -- TIFF


def tiff(
    *entries: tuple[int, int, int, int], pixels: bytes = b"", data: bytes = b"", mark: bytes = b"II*\0"
) -> bytes:
    """A TIFF of one page with these entries (tag, type, count, value), of `pixels` at 8."""
    at = 8 + len(pixels) + len(data)
    rows = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return mark + struct.pack("<I", at) + pixels + data + struct.pack("<H", len(entries)) + rows + bytes(4)


def _page(
    bits: int, samples: int, photometric: int, pixels: bytes, *more: tuple[int, int, int, int]
) -> bytes:
    depths = struct.pack(f"<{samples}H", *[bits] * samples)
    where = 8 + len(pixels)
    depth = (258, 3, samples, where) if samples > 2 else (258, 3, samples, bits | bits << 16)
    return tiff(
        (256, 4, 1, WIDTH), (257, 4, 1, HEIGHT), depth, (259, 3, 1, 1), (262, 3, 1, photometric),
        (273, 4, 1, 8), (277, 3, 1, samples), (278, 4, 1, HEIGHT), (279, 4, 1, len(pixels)), *more,
        pixels=pixels, data=depths,
    )  # fmt: skip


def _floats() -> bytes:
    samples = (np.asarray(corners()) / np.float32(255)).astype("<f4").tobytes()
    return _page(32, 3, 2, samples, (339, 3, 1, 3))


def _many_channels() -> bytes:
    samples = np.dstack([np.asarray(corners())] + [np.zeros((HEIGHT, WIDTH), np.uint8)] * 4)
    return _page(8, 7, 2, samples.tobytes())


def _sixteen_bit_rgb() -> bytes:
    return _page(16, 3, 2, (np.asarray(corners()).astype("<u2") * 257).tobytes())


def _lab() -> bytes:
    from PIL import ImageCms

    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    made = ImageCms.applyTransform(corners(), to_lab)
    assert made is not None
    return encoded("TIFF", made)


def dng() -> bytes:
    """A camera's raw file: a thumbnail first, and the sensor's data elsewhere."""
    thumbnail = np.asarray(corners()).tobytes()
    return _page(8, 3, 2, thumbnail, (254, 4, 1, 1), (0xC612, 1, 4, 0x0401), (0x014A, 4, 1, 0))


def _sensor(camera: int = 0) -> bytes:
    """A page of the sensor's colour filters."""
    return _page(16, 1, 32803, bytes(2 * WIDTH * HEIGHT))


def _with_sub_pages() -> bytes:
    """As Nikon and Sony write it: a small first page, the others below it."""
    thumbnail = np.asarray(corners()).tobytes()
    return _page(8, 3, 2, thumbnail, (254, 4, 1, 1), (0x014A, 4, 2, 0))


def canon_raw() -> bytes:
    return b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + tiff()[8:] + bytes(500)


# -- WebP and HEIF


def animated_webp(offset: bool = False) -> bytes:
    frames = [corners(), corners().transpose(Image.Transpose.ROTATE_180), corners()]
    return encoded("WEBP", frames[0], save_all=True, append_images=frames[1:], duration=100, lossless=True)


def ftyp(brand: bytes) -> bytes:
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + brand + b"isom" + bytes(300)


GAIN_MAP = "urn:com:apple:photo:2020:aux:hdrgainmap"

SHOWN: Mapping[str, Maker] = {
    "PNG, checksum of a text": lambda: wrong_checksum(_with(png_chunk(b"tEXt", b"k\0v")), b"tEXt"),
    "PNG, checksum of gAMA": lambda: wrong_checksum(_with(GAMMA_LINEAR), b"gAMA"),
    "PNG, checksum of its pixels": lambda: wrong_checksum(_with(), b"IDAT"),
    "PNG, profile that is a bomb": lambda: _with(png_chunk(b"iCCP", b"x\0\0" + _bomb())),
    "PNG, iTXt that is a bomb": lambda: _with(png_chunk(b"iTXt", b"k\0\1\0\0\0" + _bomb())),
    "PNG, animation behind a still picture": _hidden_default,
    "PNG, 16 bit": lambda: png(_corner_pixels(16), 16, RGB),
    "PNG, 16 bit, interlaced": lambda: png(_corner_pixels(16), 16, RGB, interlaced=True),
    "PNG, 16 bit with a transparent colour": lambda: png(
        np.where(_corner_pixels(16) == 65535, 65535, 0), 16, RGB,
        png_chunk(b"tRNS", struct.pack(">HHH", 65535, 65535, 65535)),
    ),
    "PNG, 2 bit palette, interlaced": lambda: _palette(2, interlaced=True),
    "PNG, 4 bit palette with alpha": lambda: _palette(4, png_chunk(b"tRNS", b"\xff\xff\xff\0")),
    "PNG, palette of one bit too few": lambda: _palette(8, png_chunk(b"tRNS", b"\xff\xff\xff\0")),
    "PNG, a profile of greys": lambda: _with(png_chunk(b"iCCP", b"x\0\0" + zlib.compress(b"GRAY" * 99))),
    "JPEG, YCCK": _ycck,
    "JPEG, CMYK": lambda: encoded("JPEG", corners().convert("CMYK"), quality=95),
    "JPEG, its height behind the scan": _height_behind_the_scan,
    "JPEG, without Huffman tables": _without_tables,
    "JPEG, two of them": lambda: jpeg() + jpeg(image=Image.new("RGB", (64, 64), "red")),
    "JPEG, orientation 0": lambda: jpeg(_orientation(0)),
    "JPEG, orientation 9": lambda: jpeg(_orientation(9)),
    "JPEG, orientation as a text": lambda: jpeg(exif_block((EXIF_ORIENTATION, 2, 2, b"6"))),
    "JPEG, orientation as a long": lambda: jpeg(exif_block((EXIF_ORIENTATION, 4, 1, b"\6\0\0\0"))),
    "JPEG, two orientations": lambda: jpeg(_orientation(6), _orientation(3), image=stored_for(corners(), 6)),
    "JPEG, orientation of a camera": lambda: jpeg(_orientation(8, ">"), image=stored_for(corners(), 8)),
    "JPEG, progressive, 4:1:1": lambda: jpeg(progressive=True, subsampling=2),
    "BMP, top down": lambda: bmp(_bgr().tobytes(), -HEIGHT, 24),
    "BMP, alpha that is never set": lambda: bmp(_bgr(0)[::-1].tobytes(), HEIGHT, 32, 3, MASKS, 124),
    "BMP, fourth byte unused": lambda: bmp(_bgr(0)[::-1].tobytes(), HEIGHT, 32),
    "BMP, 5 6 5 bits": _five_six_five,
    "BMP of OS/2": _os2,
    "GIF, first frame smaller than the screen": _gif_of_part,
    "GIF, interlaced": lambda: encoded("GIF", interlace=1),
    "TIFF, 16 bit": _sixteen_bit_rgb,
    "TIFF, LAB": _lab,
    "TIFF, CMYK": lambda: encoded("TIFF", corners().convert("CMYK")),
    "TIFF, JPEG inside": lambda: encoded("TIFF", compression="jpeg", quality=95),
    "TIFF, big": lambda: encoded("TIFF", big_tiff=True),
    "WebP, animated": animated_webp,
    "HEIC, rotated and mirrored": lambda: heic(
        Item(stored_for(corners(), 5), properties=[turned(1), mirrored(0)])
    ),
    "HEIC, gain map": lambda: heic(
        Item(corners()),
        Item(Image.new("L", (80, 48), 90), properties=[auxiliary(GAIN_MAP)], refs=[("auxl", [1])]),
    ),
    "AVIF, orientation in EXIF alone": lambda: encoded("AVIF", quality=95, exif=_mere_exif()),
}  # fmt: skip
"""What is odd -> what writes a picture that is shown as `corners`."""


def _mere_exif() -> bytes:
    block = Image.Exif()
    block[EXIF_ORIENTATION] = 1
    return block.tobytes()


LETTERS = {"GIF, first frame smaller than the screen": "RGWW"}
"""The corners of those that are shown as something else."""
REFUSED: Mapping[str, tuple[Maker, str]] = {
    "JPEG, progressive, without its last scan": (
        lambda: jpeg(image=Image.effect_noise((WIDTH, HEIGHT), 60).convert("RGB"), progressive=True)[:-900],
        "is incomplete",
    ),
    "JPEG, 12 bit": (lambda: _patched(_twelve_bit), "is a JPEG picture of a kind that cannot be read here"),
    "JPEG, without a height": (lambda: _patched(_no_height), "is damaged or incomplete"),
    "PNG, without a width": (
        lambda: _header(0, 96) + _with()[33:],
        "is damaged or incomplete",
    ),
    "PNG of an iPhone's program": (
        _of_a_program,
        "is a PNG picture of a kind that cannot be read here",
    ),
    "PNG of 60,000 x 60,000": (
        lambda: _header(60_000, 60_000) + _with()[33:],
        "is 60000 × 60000, 3,600 megapixels",
    ),
    "GIF of 65,535 x 65,535": (
        lambda: (made := encoded("GIF"))[:6] + b"\xff\xff\xff\xff" + made[10:], "megapixels",
    ),
    "BMP, JPEG inside": (lambda: bmp(jpeg(), HEIGHT, 0, 4), "is a BMP picture of a kind that cannot be read"),
    "TIFF, floats": (_floats, "is a TIFF picture of a kind that cannot be read here"),
    "TIFF, seven channels": (_many_channels, "is a TIFF picture of a kind that cannot be read here"),
    "DNG": (dng, "is a camera raw picture, which cannot be read here"),
    "NEF or ARW": (_with_sub_pages, "is a camera raw picture, which cannot be read here"),
    "a sensor's page": (_sensor, "is a camera raw picture, which cannot be read here"),
    "CR2": (canon_raw, "is a camera raw picture, which cannot be read here"),
    "CR3": (lambda: ftyp(b"crx "), "is a camera raw picture, which cannot be read here"),
    "RAF": (lambda: b"FUJIFILMCCD-RAW 0201" + bytes(900), "is a camera raw picture"),
    "ORF": (lambda: b"IIRO\x08\0\0\0" + bytes(900), "is a camera raw picture"),
    "RW2": (lambda: b"IIU\0\x18\0\0\0" + bytes(900), "is a camera raw picture"),
    "JPEG XL": (lambda: b"\xff\x0a" + bytes(900), "is a JPEG XL picture, which cannot be read here"),
    "JPEG XL in boxes": (lambda: b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(900), "is a JPEG XL picture"),
    "JPEG XR": (lambda: b"II\xbc\x01" + bytes(900), "is a JPEG XR picture"),
    "JPEG-LS": (lambda: _patched(_lossless), "is a JPEG picture of a kind that cannot be read here"),
    "TGA": (lambda: encoded("TGA"), "is a Targa picture, which cannot be read here"),
    "TGA, compressed": (lambda: encoded("TGA", compression="tga_rle"), "is a Targa picture"),
    "ICO": (lambda: encoded("ICO"), "is an icon picture"),
    "CUR": (lambda: b"\0\0\2\0\1\0" + bytes(900), "is a cursor picture"),
    "DDS": (lambda: encoded("DDS"), "is a DDS picture"),
    "PPM": (lambda: encoded("PPM"), "is a Netpbm picture"),
    "PCX": (lambda: encoded("PCX"), "is a PCX picture"),
    "QOI": (lambda: b"qoif" + struct.pack(">II", 160, 96) + bytes(900), "is a QOI picture"),
    "Radiance": (lambda: b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n" + bytes(900), "is a Radiance picture"),
    "EPS": (lambda: encoded("EPS"), "is an EPS picture"),
    "MNG": (lambda: b"\x8aMNG\r\n\x1a\n" + bytes(900), "is an MNG picture"),
    "DjVu": (lambda: b"AT&TFORM" + bytes(900), "is a DjVu picture"),
    "Apple icons": (lambda: b"icns" + bytes(900), "is an icon picture"),
    "Illustrator": (lambda: b"%!PS-Adobe-3.0\n%%Creator: x\n" + bytes(900), "is an EPS picture"),
}  # fmt: skip
"""What it is -> (what writes it, words of the refusal)."""
