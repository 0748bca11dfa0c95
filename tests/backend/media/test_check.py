from __future__ import annotations

import io

import pytest
from PIL import Image

from backend.errors import BadMedia
from backend.media import check, sniff
from backend.media.facts import MAX_NAME, MAX_PIXELS


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/srv/uploads/ab/holiday.png", "holiday.png"),
        ("C:\\pictures\\holiday.png", "holiday.png"),
        ("a\nb\x00c\x1b[31m.png", "abc[31m.png"),
        ("gnp.\u202eexe.png", "gnp.exe.png"),
        ("\udcff.png", ".png"),
        ("", ""),
        ("///", ""),
        ("مرحبا 🎬.png", "مرحبا 🎬.png"),
    ],
)
def test_the_name_in_messages_is_the_base_name_without_control_characters(name: str, expected: str) -> None:
    assert check.cleaned(name) == expected


def test_a_file_without_a_name_is_the_file() -> None:
    assert check.missing("///").message == "The file is no longer there."


def test_a_long_name_is_shortened_in_the_middle() -> None:
    shown = check.cleaned("x" * 500 + ".png")
    assert len(shown) == MAX_NAME
    assert shown.endswith("x.png") and "…" in shown


def test_the_upload_limit_message_has_both_sizes_and_the_field() -> None:
    check.upload(100_000_000, 100, "a.png")
    check.upload(10**12, 0, "a.png")
    with pytest.raises(BadMedia) as caught:
        check.upload(100_000_001, 100, "a.png", "end_image")
    assert "has 101 MB. Up to 100 MB" in caught.value.message
    assert caught.value.hint and caught.value.field == "end_image"
    with pytest.raises(BadMedia, match="0 bytes"):
        check.upload(0, 100, "a.png")


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [
        (12000, 12000, "12000 × 12000, 144 megapixels. Up to 80"),
        (1, 1, "1 × 1: too small. At least 32 × 32"),
        (4000, 31, "too small"),
        (2000, 100, "20 times as wide as it is high. Up to 8"),
        (100, 2000, "20 times as high as it is wide"),
        (0, 0, "too small"),
    ],
)
def test_sizes_that_are_refused(width: int, height: int, words: str) -> None:
    with pytest.raises(BadMedia) as caught:
        check.size(width, height, "a.png", "image")
    assert words in caught.value.message and caught.value.hint
    assert caught.value.field == "image"


def test_sizes_at_the_limits_are_accepted() -> None:
    check.size(32, 32, "a")
    check.size(8000, 1000, "a")
    check.size(10_000, MAX_PIXELS // 10_000, "a")
    check.size(16320, 12240, "a", row_by_row=True)
    with pytest.raises(BadMedia, match="Up to 200"):
        check.size(20000, 20000, "a", row_by_row=True)


def encoded(form: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(out, format=form)
    return out.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_pictures_are_recognised_by_their_first_bytes(form: str) -> None:
    assert sniff.kind_of(encoded(form)[: sniff.HEAD_BYTES]) == sniff.Kind("raster", form)


@pytest.mark.parametrize(
    ("head", "family", "name"),
    [
        (b"hello", "other", "a text file"),
        ("Grüße 🎬".encode(), "other", "a text file"),
        (("ü" * 4000).encode()[:4096], "other", "a text file"),
        (("a" + "ü" * 4000).encode()[:4096], "other", "a text file"),
        (b"BMW is a car", "other", "a text file"),
        (b"\xff\xfeh\x00i\x00", "other", "a text file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "drawing", "SVG"),
        (b"\xef\xbb\xbf <?xml version='1.0'?>\n<!-- x --><SVG>", "drawing", "SVG"),
        (b"<!DOCTYPE html><html>", "other", "a web page"),
        (b"%PDF-1.7", "other", "a PDF"),
        (b"PK\x03\x04abc", "other", "a ZIP archive or an office document"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "raster", "HEIC"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41", "other", "a video"),
        (b"\x00\x00\x00\x1cftypM4A \x00\x00\x00\x00", "other", "a sound"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "other", "a sound"),
        (b"8BPS\x00\x01", "foreign", "Photoshop"),
        (b"\x00\x00\x01\x00\x01\x00", "foreign", "icon"),
        (b"\x89PN", "other", "another kind of file"),
        (b"\x00" * 4096, "other", "another kind of file"),
        (b"", "other", "a text file"),
    ],
)
def test_other_files_are_named_by_their_kind(head: bytes, family: str, name: str) -> None:
    assert sniff.kind_of(head) == sniff.Kind(family, name)


@pytest.mark.parametrize(
    "start", [b"", b"RIFF", b"RIFF\0\0\0\0WEBP", b"\0\0\0\xffftyp", b"BM", b"\xff\xd8\xff"]
)
def test_sniffing_short_heads_never_raises(start: bytes) -> None:
    for length in range(40):
        sniff.kind_of((start + bytes(range(40)))[:length])
        sniff.webp_size((start + bytes(range(40)))[:length])


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"quality": 80}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0"}]
)
def test_webp_sizes_are_read_from_all_three_headers(options: dict[str, object]) -> None:
    out = io.BytesIO()
    Image.new("RGB", (517, 301)).save(out, format="WEBP", **options)
    assert sniff.webp_size(out.getvalue()[:64]) == (517, 301)


def test_messages_have_a_plain_tone() -> None:
    kinds = [("other", "a text file"), ("foreign", "Photoshop"), ("foreign", "icon"), ("drawing", "SVG")]
    errors = [check.not_a_picture(sniff.Kind(*kind), "a.png") for kind in kinds]
    faults = (check.missing, check.not_a_file, check.unreadable, check.cut_short, check.damaged)
    errors += [fault("a.png") for fault in faults]
    errors += [fault("a.png") for fault in (check.invisible, check.too_heavy, check.busy, check.not_a_video)]
    for error in errors:
        assert error.message.startswith("a.png ") and error.message.endswith(".")
        assert error.hint.endswith(".") and "!" not in error.message + error.hint
    assert "an icon picture" in errors[2].message
