"""Whether any frame of a picture, animated or not, has a pixel that is not black."""

from __future__ import annotations

from PIL import Image, ImageSequence

from backend.media.levels import levels

DARK = 8
"""The brightest level, of 255, that counts as black."""


def any_light(path: str) -> bool:
    """Decodes all frames until one is not black. Raises what Pillow raises for a damaged file."""
    with Image.open(path) as picture:
        return any(_brightest(frame) > DARK for frame in ImageSequence.Iterator(picture))


def _brightest(frame: Image.Image) -> int:
    return int(levels(frame.convert("L"))[1])
