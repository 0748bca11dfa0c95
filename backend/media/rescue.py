"""Decodes a picture file that ends early, inside the child process, and finds whether pixels are missing.

The file is decoded twice, so that what is not in it differs: a JPEG with two different ends, another format
into two different colours. Equal pictures are complete.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from PIL import Image, ImageFile

from backend.media.spliced import Spliced

_END = b"\xff\xd9"
_NOISE = hashlib.shake_128(b"what a JPEG may not be taken for").digest(4096).replace(b"\xff", b"\x7f")
"""Bytes that decode to other pixels than the grey that libjpeg fills in."""


def decoded(file: BinaryIO, kind: str, side: int) -> Image.Image | None:
    """The picture, at least `side` pixels a side where that is a reduced one; None when pixels are missing.
    kind: Pillow's name of the format."""
    try:
        with _tolerant():
            if kind == "JPEG":
                first = _jpeg(file, _END, side)[0]
                second, image = _jpeg(file, _NOISE + _END, side)
            else:
                first = _filled(file, kind, 0)[0]
                second, image = _filled(file, kind, 255)
    except (OSError, SyntaxError, ValueError, IndexError, TypeError, OverflowError):
        return None
    return image if first == second else None


@contextmanager
def _tolerant() -> Iterator[None]:
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _jpeg(file: BinaryIO, end: bytes, side: int) -> tuple[bytes, Image.Image]:
    size = file.seek(0, os.SEEK_END)
    while size:  # half an end marker
        file.seek(size - 1)
        if file.read(1) != b"\xff":
            break
        size -= 1
    image = Image.open(cast(BinaryIO, Spliced(file, [(0, size), end])), formats=["JPEG"])
    image.draft(None, (side, side))
    image.load()
    return hashlib.sha256(image.tobytes()).digest(), image


def _filled(file: BinaryIO, kind: str, value: int) -> tuple[bytes, Image.Image]:
    file.seek(0)
    image: Any = Image.open(file, formats=[kind])
    prepare = image.load_prepare

    def fill() -> None:
        prepare()
        bands = image.im.bands
        image.im.paste(value if bands == 1 else (value,) * bands, (0, 0, *image.im.size))

    image.load_prepare = fill
    image.load()
    return hashlib.sha256(image.tobytes()).digest(), image
