"""The mark that no demo picture goes without: DEMO on a small dark plate, top left."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

TEXT = "DEMO"
INK = (255, 255, 255, 242)
OVERSAMPLE = 4  # drawn larger and scaled down: smooth corners at any size
SHARE_OF_SIDE = 0.034  # cap height and plate follow the shorter side of the picture
SMALLEST, LARGEST = 6.0, 30.0  # letter size in pixels


@lru_cache(maxsize=8)
def plate(width: int, height: int) -> tuple[Image.Image, tuple[int, int]]:
    """The mark for a picture of this size, as RGBA, and where its top left corner goes."""
    letter = min(LARGEST, max(SMALLEST, SHARE_OF_SIDE * min(width, height)))
    scale = OVERSAMPLE
    font = ImageFont.load_default(size=letter * 1.25 * scale)
    gap = letter * 0.2 * scale
    boxes = [font.getbbox(char) for char in TEXT]
    text_width = sum(box[2] - box[0] for box in boxes) + gap * (len(TEXT) - 1)
    cap = max(box[3] for box in boxes) - min(box[1] for box in boxes)
    weight = letter * 0.035 * scale  # the font at hand has one weight: a hair more
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
        place = (x - box[0], pad_y - top)
        draw.text(place, char, font=font, fill=INK, stroke_width=weight, stroke_fill=INK)
        x += box[2] - box[0] + gap
    small = (max(1, round(plate_width / scale)), max(1, round(plate_height / scale)))
    margin = max(2, round(letter * 0.75))
    return image.resize(small, Image.Resampling.LANCZOS), (margin, margin)


def add_watermark(image: Image.Image) -> Image.Image:
    """The picture with the mark on it; draws into the picture given."""
    label, corner = plate(image.width, image.height)
    image.paste(label, corner, label)
    return image
