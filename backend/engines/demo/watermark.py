"""The watermark of all demo images: DEMO on a small dark plate in the upper left corner."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TEXT = "DEMO"
INK = (255, 255, 255, 242)
OVERSAMPLE = 4  # drawn larger by this factor and scaled down, for smooth corners
SHARE_OF_SIDE = 0.034  # letter height as a share of the image's shorter side
SMALLEST, LARGEST = 6.0, 30.0  # letter height in pixels

LIGHT, DARK = 185, 140  # luminance: the letters are brighter, the plate around them is darker
EDGE = 3  # pixels around a watermark that are covered too


@lru_cache(maxsize=8)
def plate(width: int, height: int) -> tuple[Image.Image, tuple[int, int]]:
    """The watermark (RGBA) for an image of this size in pixels, and the position of its upper left corner."""
    letter = min(LARGEST, max(SMALLEST, SHARE_OF_SIDE * min(width, height)))
    scale = OVERSAMPLE
    font = ImageFont.load_default(size=letter * 1.25 * scale)
    gap = letter * 0.2 * scale
    boxes = [font.getbbox(char) for char in TEXT]
    text_width = sum(box[2] - box[0] for box in boxes) + gap * (len(TEXT) - 1)
    cap = max(box[3] for box in boxes) - min(box[1] for box in boxes)
    weight = letter * 0.035 * scale  # makes the font slightly bolder
    pad_x, pad_y = letter * 0.62 * scale, letter * 0.42 * scale
    plate_width = int(text_width + 2 * pad_x)
    plate_height = int(cap + 2 * pad_y)
    image = Image.new("RGBA", (plate_width, plate_height), (12, 12, 16, 0))
    draw = ImageDraw.Draw(image)
    radius = plate_height * 0.32
    draw.rounded_rectangle((0, 0, plate_width - 1, plate_height - 1), radius, fill=(12, 12, 16, 158))
    x = pad_x
    top = min(box[1] for box in boxes)
    for char, box in zip(TEXT, boxes, strict=True):
        position = (x - box[0], pad_y - top)
        draw.text(position, char, font=font, fill=INK, stroke_width=weight, stroke_fill=INK)
        x += box[2] - box[0] + gap
    small = (max(1, round(plate_width / scale)), max(1, round(plate_height / scale)))
    margin = max(2, round(letter * 0.75))
    return image.resize(small, Image.Resampling.LANCZOS), (margin, margin)


def add_watermark(image: Image.Image) -> Image.Image:
    """Draws the watermark into the image and returns it."""
    label, corner = plate(image.width, image.height)
    image.paste(label, corner, label)
    return image


def without_watermark(image: Image.Image) -> Image.Image:
    """The image with its watermark, if it has one, filled from its edges: a clip that begins with a frame of
    another demo clip would show the mark twice, once moving with the camera."""
    label, (left, top) = plate(image.width, image.height)
    width, height = label.size
    if min(left, top) <= EDGE or left + width + EDGE >= image.width or top + height + EDGE >= image.height:
        return image
    mark = np.asarray(label).astype(np.float32)
    here = image.crop((left, top, left + width, top + height)).convert("L")
    letters = mark[..., :3].mean(axis=2) * mark[..., 3] / 255
    seen = np.asarray(here).astype(np.float32)
    around = (mark[..., 3] > 140) & (letters < 20)
    if not (seen[letters > 230].mean() > LIGHT and seen[around].mean() < DARK):
        return image
    pixels = np.asarray(image.convert("RGB")).astype(np.float32)
    covered = pixels.copy()
    down = slice(top - EDGE, top + height + EDGE)
    across = slice(left - EDGE, left + width + EDGE)
    rows = np.arange(1, down.stop - down.start + 1, dtype=np.float32)[:, None, None]
    columns = np.arange(1, across.stop - across.start + 1, dtype=np.float32)[None, :, None]
    sides = (
        (pixels[down, across.start - 1][:, None], 1 / columns),
        (pixels[down, across.stop][:, None], 1 / columns[:, ::-1]),
        (pixels[down.start - 1, across][None], 1 / rows),
        (pixels[down.stop, across][None], 1 / rows[::-1]),
    )
    covered[down, across] = sum(side * near for side, near in sides) / sum(near for _, near in sides)
    return Image.fromarray(covered.astype(np.uint8))
