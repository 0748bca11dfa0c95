"""HEIC pictures as iPhones and others make them, through the real child process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from backend.errors import BadMedia
from backend.media.decoder import Decoder
from tests.backend.media.test_pictures import corners, linear_rgb_profile, near, rewritten
from tests.support.heif_file import (
    ALPHA,
    DEPTH,
    Item,
    auxiliary,
    box,
    colour_profile,
    heic,
    mirrored,
    turned,
)
from tests.support.media_files import coded, write_video
from tests.support.paths import ROOT

pytestmark = pytest.mark.full

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
PICTURE = corners(128, 96)
GREY = Image.linear_gradient("L").resize(PICTURE.size)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(max_file_mb=100) as decoder:
        yield decoder


def shows(image: Image.Image, *colours: Sequence[int]) -> None:
    """The colours of the four corners, by rows."""
    right, low = image.width - 6, image.height - 6
    found = [image.getpixel(at) for at in ((5, 5), (right, 5), (5, low), (right, low))]
    assert all(near(pixel, (c[0], c[1], c[2]), 12) for pixel, c in zip(found, colours, strict=True)), found


def stored(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "picture"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("brands", [("heic", "mif1", "heic"), ("mif1", "mif1", "heic"), ("heix", "heix")])
@pytest.mark.parametrize("ten_bit", [False, True])
def test_a_picture(decoder: Decoder, tmp_path: Path, brands: Sequence[str], ten_bit: bool) -> None:
    path = stored(tmp_path, heic(Item(PICTURE, ten_bit), brands=brands))
    facts = decoder.picture(path)
    assert (facts.width, facts.height, facts.format, facts.frames, facts.note) == (128, 96, "HEIC", 1, "")
    shows(rewritten(decoder, path), RED, GREEN, BLUE, WHITE)


TURNS = [
    ([turned(1)], (GREEN, WHITE, RED, BLUE)),
    ([turned(2)], (WHITE, BLUE, GREEN, RED)),
    ([turned(3)], (BLUE, RED, WHITE, GREEN)),
    ([mirrored(0)], (BLUE, WHITE, RED, GREEN)),
    ([mirrored(1)], (GREEN, RED, WHITE, BLUE)),
    ([turned(1), mirrored(1)], (WHITE, GREEN, BLUE, RED)),
]


@pytest.mark.parametrize(("turns", "expected"), TURNS)
def test_its_rotation_is_applied_once(
    decoder: Decoder, tmp_path: Path, turns: list[bytes], expected: Sequence[Sequence[int]]
) -> None:
    """The rotation in the EXIF block, which cameras also write, is ignored as browsers do."""
    exif = Image.Exif()
    exif[0x0112] = 6
    about = Item(exif=exif.tobytes(), refs=[("cdsc", [1])])
    path = stored(tmp_path, heic(Item(PICTURE, properties=turns), about))
    image = rewritten(decoder, path)
    facts = decoder.picture(path)
    assert (facts.width, facts.height) == image.size
    shows(image, *expected)


def test_tiles_as_a_phone_writes_them(decoder: Decoder, tmp_path: Path) -> None:
    tiles = [Item(PICTURE.crop((x, 0, x + 64, 96)), hidden=True) for x in (0, 64)]
    whole = Item(Image.new("RGB", (128, 96)), grid=(1, 2), refs=[("dimg", [1, 2])], properties=[turned(2)])
    path = stored(tmp_path, heic(*tiles, whole, primary=3))
    assert decoder.picture(path).frames == 1
    shows(rewritten(decoder, path), WHITE, BLUE, GREEN, RED)


def test_what_lies_beside_the_picture_is_ignored(decoder: Decoder, tmp_path: Path) -> None:
    depth = Item(GREY, properties=[auxiliary(DEPTH)], refs=[("auxl", [1])])
    small = Item(Image.new("RGB", (64, 48), "black"), refs=[("thmb", [1])])
    path = stored(tmp_path, heic(Item(PICTURE), depth, small))
    facts = decoder.picture(path)
    assert (facts.width, facts.height, facts.frames, facts.note) == (128, 96, 1, "")
    shows(rewritten(decoder, path), RED, GREEN, BLUE, WHITE)


def test_the_main_picture_of_several_is_used(decoder: Decoder, tmp_path: Path) -> None:
    other = Item(Image.new("RGB", (64, 64), "black"))
    path = stored(tmp_path, heic(other, Item(PICTURE), other, primary=2))
    assert decoder.picture(path).note == "Main picture of 3"
    shows(rewritten(decoder, path), RED, GREEN, BLUE, WHITE)


def test_transparent_parts_become_white(decoder: Decoder, tmp_path: Path) -> None:
    alpha = Image.new("L", PICTURE.size, 255)
    alpha.paste(0, (0, 0, 64, 48))
    hidden = Item(alpha, properties=[auxiliary(ALPHA)], refs=[("auxl", [1])])
    path = stored(tmp_path, heic(Item(PICTURE), hidden))
    assert decoder.picture(path).note == "Transparent parts become white"
    shows(rewritten(decoder, path), WHITE, GREEN, BLUE, WHITE)


def test_its_colours_become_srgb(decoder: Decoder, tmp_path: Path) -> None:
    grey = Image.new("RGB", (64, 64), (64, 64, 64))
    path = stored(tmp_path, heic(Item(grey, properties=[colour_profile(linear_rgb_profile())])))
    assert near(rewritten(decoder, path).getpixel((5, 5)), (137, 137, 137), 4)  # linear 0.25 in sRGB


def test_the_first_frame_of_an_animation(decoder: Decoder, tmp_path: Path) -> None:
    """An image sequence without a main picture, which is a film under another brand."""
    film = tmp_path / "film.mp4"
    write_video(film, [coded(200, (128, 96)), coded(3, (128, 96))], codec="libx264")
    content = film.read_bytes()
    ftyp = int.from_bytes(content[:4], "big")
    brand = box("ftyp", b"msf1", bytes(4), b"msf1")
    path = stored(tmp_path, brand + box("free", bytes(ftyp - len(brand) - 8)) + content[ftyp:])
    facts = decoder.picture(path)
    assert (facts.width, facts.height, facts.note) == (128, 96, "First frame of an animation")
    rewritten(decoder, path)
    both = stored(tmp_path, heic(Item(PICTURE), brands=("mif1", "mif1", "msf1", "hevc")))
    assert decoder.picture(both).note == "First frame of an animation"


def test_a_truncated_file_is_refused_wherever_it_ends(decoder: Decoder, tmp_path: Path) -> None:
    content = heic(Item(PICTURE))
    for end in range(24, len(content), 41):
        with pytest.raises(BadMedia) as refused:
            decoder.picture(stored(tmp_path, content[:end]), name="beach.heic")
        assert refused.value.message == "beach.heic is incomplete: part of the file is missing.", end


def test_a_damaged_file_is_refused(decoder: Decoder, tmp_path: Path) -> None:
    content = bytearray(heic(Item(PICTURE)))
    at = content.index(b"hvcC")
    content[at + 10 : at + 60] = bytes(50)
    with pytest.raises(BadMedia, match=r"beach\.heic"):
        decoder.picture(stored(tmp_path, bytes(content)), name="beach.heic")
    content = bytearray(heic(Item(PICTURE)))
    at = content.index(b"ispe") + 8
    content[at : at + 8] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(BadMedia, match="3,600 megapixels"):
        decoder.picture(stored(tmp_path, bytes(content)), name="beach.heic")
    with pytest.raises(BadMedia, match="of a kind that cannot be read here"):
        decoder.picture(stored(tmp_path, heic(Item(PICTURE)).replace(b"hvc1", b"avc1")))


def test_a_file_of_another_encoder(decoder: Decoder) -> None:
    """tests/data/heic says how it was made."""
    path = ROOT / "tests/data/heic/corners.heic"
    facts = decoder.picture(path)
    assert (facts.width, facts.height, facts.note) == (128, 96, "Transparent parts become white")
    assert decoder.picture(path.with_name("corners.avif")).format == "AVIF"
