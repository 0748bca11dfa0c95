"""The watermark of all demo images: DEMO on a small dark plate in the upper left corner."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

TEXT = "DEMO"
INK = (255, 255, 255, 242)
OVERSAMPLE = 4  # drawn larger by this factor and scaled down, for smooth corners
SHARE_OF_SIDE = 0.034  # letter height as a share of the image's shorter side
SMALLEST, LARGEST = 6.0, 30.0  # letter height in pixels


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
