"""What browsers show of a decoded picture and Pillow does not: transparency that it leaves out, alpha that it
takes at its word. Inside the child process."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

Box = tuple[int, int, int, int]


def drawn_box(image: Image.Image) -> Box | None:
    """The part of a GIF's screen that its first frame covers, to be read before decoding; None for all."""
    tiles: Any = getattr(image, "tile", None)
    if image.format != "GIF" or not tiles:
        return None
    left, top, right, bottom = map(int, tiles[0][1])
    box = (left, top, right, bottom)
    return None if box == (0, 0, *image.size) else box


def raw_mode(image: Image.Image) -> str:
    """How the pixels are stored, to be read before decoding."""
    tiles: Any = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def shown(image: Image.Image, box: Box | None, raw: str) -> Image.Image:
    """The decoded picture with its transparency as browsers have it. `box`, `raw`: of the two functions
    above."""
    if image.mode.startswith("I;16") and "transparency" in image.info:
        return _without_key(image)
    if image.mode == "RGB" and ";16" in raw and isinstance(image.info.get("transparency"), tuple):
        # The key is of 16 bits, the pixels are of 8 by now.
        image.info["transparency"] = tuple(value >> 8 for value in image.info["transparency"])
    if image.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        return _like(image, image.convert("RGB"))  # the fourth byte was never set
    if box is not None and "transparency" not in image.info:
        opaque = Image.new("L", image.size, 0)
        opaque.paste(255, box)
        with_alpha = image.convert("RGBA")
        with_alpha.putalpha(opaque)
        return _like(image, with_alpha)
    return image


def _without_key(image: Image.Image) -> Image.Image:
    """A grey picture of 16 bits with a transparent level, as grey and alpha of 8."""
    levels = np.asarray(image)
    grey = Image.fromarray(((levels.astype(np.uint32) + 128) // 257).astype(np.uint8))
    alpha = Image.fromarray(np.where(levels == image.info.pop("transparency"), 0, 255).astype(np.uint8))
    return _like(image, Image.merge("LA", (grey, alpha)))


def _like(image: Image.Image, made: Image.Image) -> Image.Image:
    """`made` with the format and the metadata of `image`."""
    made.format = image.format
    made.info = {key: value for key, value in image.info.items() if key != "transparency"}
    for name in ("n_frames", "is_animated"):
        if (value := getattr(image, name, None)) is not None:
            setattr(made, name, value)
    return made
