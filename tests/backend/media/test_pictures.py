"""Valid and invalid pictures of each kind, through the real child process."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from backend.errors import BadMedia
from backend.media.decoder import Decoder
from backend.media.facts import MAX_STORED_SIDE
from tests.support import odd_media

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(max_file_mb=100) as decoder:
        yield decoder


def corners(width: int = 120, height: int = 80) -> Image.Image:
    return odd_media.corners(width, height)


def near(pixel: object, expected: tuple[int, int, int], by: int = 6) -> bool:
    return all(abs(a - b) <= by for a, b in zip(pixel, expected, strict=True))  # type: ignore[call-overload]


def rewritten(decoder: Decoder, source: Path, **options: object) -> Image.Image:
    stored = decoder.normalise(source, source.with_suffix(".out.png"), **options)  # type: ignore[arg-type]
    content = stored.path.read_bytes()
    assert stored.name == f"wan-studio/{hashlib.sha256(content).hexdigest()[:32]}.png"
    assert stored.bytes == len(content)
    with Image.open(stored.path) as image:
        image.load()
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (stored.width, stored.height))
    assert not image.info and not image.getexif()
    return image


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_formats(decoder: Decoder, tmp_path: Path, form: str) -> None:
    path = tmp_path / "picture"  # no extension: the content counts
    corners().save(path, format=form)
    facts = decoder.picture(path)
    assert (facts.width, facts.height, facts.frames, facts.note) == (120, 80, 1, "")
    assert facts.format == {"WEBP": "WebP"}.get(form, form)
    assert facts.bytes == path.stat().st_size
    image = rewritten(decoder, path)
    assert image.size == (120, 80)
    assert near(image.getpixel((10, 10)), (255, 0, 0), 30)
    assert near(image.getpixel((10, 70)), (0, 0, 255), 30)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_flags(decoder: Decoder, tmp_path: Path, form: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = corners() if orientation == 1 else corners().transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "phone"
    stored.save(path, format=form, exif=exif)
    facts = decoder.picture(path)
    assert (facts.width, facts.height) == (120, 80)
    image = rewritten(decoder, path)
    assert image.size == (120, 80)
    seen = [image.getpixel(spot) for spot in ((15, 15), (105, 15), (15, 65), (105, 65))]
    wanted = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    assert all(near(a, b, 40) for a, b in zip(seen, wanted, strict=True)), seen


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_invalid_rotation_flag_is_ignored(decoder: Decoder, tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    path = tmp_path / "odd.jpg"
    corners().save(path, exif=exif)
    assert decoder.picture(path).width == 120
    assert rewritten(decoder, path).size == (120, 80)


def test_transparency_becomes_white_with_a_note(decoder: Decoder, tmp_path: Path) -> None:
    clear = corners().convert("RGBA")
    clear.paste((255, 0, 0, 0), (0, 0, 60, 40))
    clear.paste((0, 0, 0, 128), (60, 0, 120, 40))
    grey = Image.merge("LA", (Image.new("L", (120, 80), 100), clear.getchannel("A")))
    palette = corners().quantize(8)
    palette.info["transparency"] = palette.getpixel((10, 10))
    tagged = corners()
    for name, picture, options in (
        ("rgba.png", clear, {}),
        ("rgba.webp", clear, {"lossless": True}),
        ("la.png", grey, {}),
        ("palette.png", palette, {"transparency": palette.getpixel((10, 10))}),
        ("palette.gif", palette, {"transparency": palette.getpixel((10, 10))}),
        ("tagged.png", tagged, {"transparency": (255, 0, 0)}),
    ):
        path = tmp_path / name
        picture.save(path, **options)
        assert decoder.picture(path).note == "Transparent parts become white", name
        image = rewritten(decoder, path)
        assert image.getpixel((10, 10)) == (255, 255, 255), name
        if name.startswith("rgba"):
            assert near(image.getpixel((90, 10)), (127, 127, 127), 2)


def test_an_opaque_alpha_channel_needs_no_note(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "screenshot.png"
    corners().convert("RGBA").save(path)
    assert decoder.picture(path).note == ""


def test_a_fully_transparent_picture_is_refused(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "nothing.png"
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(path)
    with pytest.raises(BadMedia, match="fully transparent"):
        decoder.picture(path)


def test_animations_give_their_first_frame(decoder: Decoder, tmp_path: Path) -> None:
    frames = [corners(), Image.new("RGB", (120, 80), "black"), Image.new("RGB", (120, 80), "grey")]
    for name in ("a.gif", "a.webp", "a.png", "a.avif", "pages.tif"):
        path = tmp_path / name
        frames[0].save(path, save_all=True, append_images=frames[1:])
        facts = decoder.picture(path)
        pages = name == "pages.tif"
        assert facts.note == ("First page of 3" if pages else "First frame of an animation"), name
        assert facts.frames == 3
        assert near(rewritten(decoder, path).getpixel((10, 10)), (255, 0, 0), 40), name


def test_an_animation_with_transparency_has_both_notes(decoder: Decoder, tmp_path: Path) -> None:
    first = corners().convert("RGBA")
    first.paste((0, 0, 0, 0), (0, 0, 60, 40))
    path = tmp_path / "a.png"
    first.save(path, save_all=True, append_images=[corners().convert("RGBA")])
    assert decoder.picture(path).note == "First frame of an animation, transparent parts become white"


def test_a_phone_photograph_with_a_second_picture_behind_it_is_one_picture(
    decoder: Decoder, tmp_path: Path
) -> None:
    path = tmp_path / "depth.jpg"
    corners().save(path, format="MPO", save_all=True, append_images=[Image.new("RGB", (60, 40))])
    facts = decoder.picture(path)
    assert (facts.format, facts.frames, facts.note) == ("JPEG", 1, "")
    assert rewritten(decoder, path).size == (120, 80)


def test_print_colours(decoder: Decoder, tmp_path: Path) -> None:
    for name in ("print.jpg", "print.tif"):
        path = tmp_path / name
        corners().convert("CMYK").save(path)
        assert decoder.picture(path).note == "Print colours become screen colours"
        assert near(rewritten(decoder, path).getpixel((10, 10)), (255, 0, 0), 20)


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16", "I", "F"])
def test_grey_palette_and_deep_pictures(decoder: Decoder, tmp_path: Path, mode: str) -> None:
    ramp = Image.linear_gradient("L").resize((256, 64))
    if mode == "I;16":
        deep = Image.new("I;16", ramp.size)
        deep.frombytes(b"".join(struct.pack("<H", v * 257) for v in ramp.tobytes()))
        picture = deep
    elif mode == "I":
        picture = ramp.convert("I").point(lambda v: v * 257)
    elif mode == "F":
        picture = ramp.convert("F").point(lambda v: v * (1 / 255) + 0)
    else:
        picture = ramp.convert(mode)
    path = tmp_path / ("deep.png" if mode == "I;16" else "deep.tif")
    picture.save(path)
    assert decoder.picture(path).note == ""
    image = rewritten(decoder, path)
    expected = ramp.convert(mode).convert("L") if mode in ("1", "L", "P") else ramp
    for y in (0, 20, 40, 63):
        value = expected.getpixel((100, y))
        assert near(image.getpixel((100, y)), (value, value, value), 1), (y, value)


def test_sixteen_bits_big_endian(decoder: Decoder, tmp_path: Path) -> None:
    """The file is assembled here, because Pillow reads this byte order but does not write it."""
    width, height = 64, 40
    entries = [(256, 3, width), (257, 3, height), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 8)]
    entries += [(277, 3, 1), (278, 3, height), (279, 4, width * height * 2)]
    data = struct.pack(">H", 0x8000) * (width * height)
    directory = struct.pack(">H", len(entries))
    for tag, kind, value in entries:
        directory += struct.pack(">HHI", tag, kind, 1)
        directory += struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value)
    path = tmp_path / "deep.tif"
    path.write_bytes(b"MM\0*" + struct.pack(">I", 8 + len(data)) + data + directory + b"\0" * 4)
    assert near(rewritten(decoder, path).getpixel((5, 5)), (128, 128, 128), 1)


def test_colour_profiles_are_converted_to_srgb(decoder: Decoder, tmp_path: Path) -> None:
    """A grey picture tagged with a profile that is not sRGB is converted to other values; a damaged
    profile and one of another colour space are ignored."""
    xyz = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    linear = linear_rgb_profile()
    plain = Image.new("RGB", (64, 64), (64, 64, 64))
    results = {}
    for name, profile in (("none", None), ("linear", linear), ("xyz", xyz), ("junk", b"not a profile")):
        path = tmp_path / f"{name}.png"
        plain.save(path, icc_profile=profile)
        results[name] = rewritten(decoder, path).getpixel((5, 5))
    assert results["none"] == results["xyz"] == results["junk"] == (64, 64, 64)
    assert near(results["linear"], (137, 137, 137), 2)  # linear 0.25 in sRGB


def linear_rgb_profile() -> bytes:
    """The smallest RGB profile with sRGB's primaries and a linear curve."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv" + bytes(8)
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 7) + b"Linear\0" + bytes(79),
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249),
        b"rXYZ": b"XYZ " + bytes(4) + fixed(0.4361, 0.2225, 0.0139),
        b"gXYZ": b"XYZ " + bytes(4) + fixed(0.3851, 0.7169, 0.0971),
        b"bXYZ": b"XYZ " + bytes(4) + fixed(0.1431, 0.0606, 0.7141),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    header = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + table + body


def test_large_pictures_are_scaled_down(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    corners(6000, 3000).save(path)
    facts = decoder.picture(path)
    assert (facts.width, facts.height) == (6000, 3000)
    image = rewritten(decoder, path)
    assert image.size == (MAX_STORED_SIDE, MAX_STORED_SIDE // 2)
    assert near(image.getpixel((20, 20)), (255, 0, 0), 8)
    assert rewritten(decoder, path, max_side=500).size == (500, 250)


@pytest.mark.parametrize(
    ("size", "pad_to"),
    [((600, 600), (832, 480)), ((400, 1200), (832, 480)), ((4000, 700), (480, 832)), ((50, 40), (1280, 720))],
)
def test_padding_shows_the_whole_picture_in_exactly_the_ratio(
    decoder: Decoder, tmp_path: Path, size: tuple[int, int], pad_to: tuple[int, int]
) -> None:
    path = tmp_path / "pad.png"
    corners(*size).save(path)
    image = rewritten(decoder, path, pad_to=pad_to)
    assert image.width % pad_to[0] == 0 and image.width // pad_to[0] == image.height // pad_to[1]
    assert max(image.size) <= max(MAX_STORED_SIDE, *pad_to)
    scale = min(image.width / size[0], image.height / size[1])
    left, top = (image.width - size[0] * scale) / 2, (image.height - size[1] * scale) / 2
    inner = [(0.05, 0.05), (0.95, 0.05), (0.05, 0.95), (0.95, 0.95)]
    spots = [(int(left + x * size[0] * scale), int(top + y * size[1] * scale)) for x, y in inner]
    wanted = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    for spot, colour in zip(spots, wanted, strict=True):
        assert near(image.getpixel(spot), colour, 8), (spot, image.getpixel(spot))
    edge = image.getpixel((2, 2))
    assert edge != (0, 0, 0) and edge != (255, 0, 0)  # the soft copy: not black, not the picture


def test_padding_a_picture_of_that_ratio_adds_nothing(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "fits.png"
    corners(832, 480).save(path)
    assert rewritten(decoder, path, pad_to=(832, 480)).tobytes() == corners(832, 480).tobytes()


def test_equal_pictures_have_equal_bytes(decoder: Decoder, tmp_path: Path) -> None:
    one, two = tmp_path / "one.png", tmp_path / "two.bmp"
    corners().save(one, optimize=True, dpi=(72, 72))
    corners().save(two)
    first = decoder.normalise(one, tmp_path / "1.png")
    second = decoder.normalise(two, tmp_path / "2.png")
    again = decoder.normalise(first.path, tmp_path / "3.png")
    assert first.name == second.name == again.name
    assert first.path.read_bytes() == again.path.read_bytes()


def test_metadata_is_removed(decoder: Decoder, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET CAMERA"
    path = tmp_path / "place.jpg"
    corners().save(path, exif=exif, comment=b"SECRET COMMENT")
    stored = decoder.normalise(path, tmp_path / "out.png")
    assert b"SECRET" in path.read_bytes()
    assert b"SECRET" not in stored.path.read_bytes()


# What is refused


def refused(decoder: Decoder, path: Path, words: str) -> BadMedia:
    with pytest.raises(BadMedia) as caught:
        decoder.picture(path, field="end_image")
    assert words in caught.value.message, caught.value.message
    assert caught.value.field == "end_image" and caught.value.hint
    assert str(path.parent) not in caught.value.message + caught.value.hint
    with pytest.raises(BadMedia):
        decoder.normalise(path, path.parent / "never.png")
    assert not [p for p in path.parent.iterdir() if p.name.endswith((".part", "never.png"))]
    return caught.value


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("holiday.png", b"Dear diary", "holiday.png is not a picture: it is a text file."),
        ("empty.png", b"", "is empty: it has 0 bytes."),
        ("logo.png", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG"),
        ("clip.png", b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "it is a video."),
        ("noise.jpg", b"\xff\xd8\xff" + b"\x80" * 500, "noise.jpg is"),
        ("head.png", b"\x89PNG\r\n\x1a\n", "is incomplete"),
    ],
)
def test_files_that_are_not_pictures(
    decoder: Decoder, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    refused(decoder, path, words)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated_files(decoder: Decoder, tmp_path: Path, form: str, share: float) -> None:
    path = tmp_path / "cut"
    Image.effect_noise((160, 120), 60).convert("RGB").save(path, format=form)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(decoder, path, "incomplete")


def test_one_pixel_and_a_strip(decoder: Decoder, tmp_path: Path) -> None:
    for size, words in (((1, 1), "1 × 1: too small"), ((2000, 100), "20 times as wide")):
        path = tmp_path / "odd.png"
        Image.new("RGB", size).save(path)
        refused(decoder, path, words)
    Image.new("RGB", (800, 100)).save(path)
    assert decoder.picture(path).width == 800


def test_too_large_a_file(tmp_path: Path) -> None:
    path = tmp_path / "big.png"
    Image.new("RGB", (64, 64)).save(path)
    with path.open("ab") as file:
        file.truncate(3_000_000)  # a hole: takes no space
    with Decoder(max_file_mb=2) as decoder:
        refused(decoder, path, "has 3 MB. Up to 2 MB")


def test_folders_pipes_devices_loops_and_missing_files(decoder: Decoder, tmp_path: Path) -> None:
    refused(decoder, tmp_path / "gone.png", "is no longer there")
    (tmp_path / "folder.png").mkdir()
    refused(decoder, tmp_path / "folder.png", "is a folder")
    os.mkfifo(tmp_path / "pipe.png")
    refused(decoder, tmp_path / "pipe.png", "is not a file")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    refused(decoder, tmp_path / "zero.png", "is not a file")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    refused(decoder, tmp_path / "loop.png", "cannot be opened")
    refused(decoder, tmp_path / ("x" * 300), "cannot be opened")


def test_messages_have_the_name_of_the_request(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "0a1b2c"
    path.write_bytes(b"hello")
    with pytest.raises(BadMedia, match=r"^my cat\.png is not a picture"):
        decoder.picture(path, name="my cat.png")


def bomb(path: Path, width: int, height: int) -> None:
    """A valid grey PNG of zeros: a thousandth of its picture in size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def peak_mb(decoder: Decoder) -> float:
    peaks = []
    for pid in decoder.pids():
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                peaks.append(int(line.split()[1]) / 1024)
    return max(peaks)


def test_a_decompression_bomb_is_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    bomb(path, 12000, 12000)
    assert path.stat().st_size < 200_000
    with Decoder() as decoder:
        refused(decoder, path, "12000 × 12000, 144 megapixels. Up to 80")
        assert peak_mb(decoder) < 80


def test_a_header_alone_allocates_no_memory(tmp_path: Path) -> None:
    """A WebP whose canvas is 16383 x 16383, and a BMP and a GIF that claim 60000 a side."""
    webp = tmp_path / "huge.webp"
    Image.new("RGB", (64, 64)).save(webp, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0")
    content = bytearray(webp.read_bytes())
    content[24:30] = (16382).to_bytes(3, "little") * 2
    webp.write_bytes(content)
    bmp = tmp_path / "huge.bmp"
    Image.new("RGB", (64, 64)).save(bmp)
    content = bytearray(bmp.read_bytes())
    content[18:26] = struct.pack("<ii", 60000, 60000)
    bmp.write_bytes(content)
    gif = tmp_path / "huge.gif"
    Image.new("P", (64, 64)).save(gif)
    content = bytearray(gif.read_bytes())
    content[6:10] = struct.pack("<HH", 60000, 60000)
    gif.write_bytes(content)
    with Decoder() as decoder:
        for path in (webp, bmp, gif):
            refused(decoder, path, "megapixels. Up to 80")
        assert peak_mb(decoder) < 80


def test_the_largest_phone_photograph_works_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    Image.new("L", (12000, 9000), 90).save(path)
    with Decoder() as decoder:
        assert decoder.picture(path).width == 12000
        assert decoder.normalise(path, tmp_path / "out.png").width == MAX_STORED_SIDE
        assert peak_mb(decoder) < 300
