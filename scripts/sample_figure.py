"""A walking figure and a character for make_samples.py, drawn with Pillow from a walk cycle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 832, 480
SCALE = 3
"""Supersampling in each direction."""
Point = tuple[float, float]


@dataclass(frozen=True)
class Clothes:
    """Colours of a figure. `plain`: one colour for all of it, for a mask."""

    skin: str = "#d9a27c"
    hair: str = "#2e2420"
    top: str = "#3f6b8f"
    top_dark: str = "#325874"
    legs: str = "#39404c"
    legs_dark: str = "#2d333d"
    shoes: str = "#e8e4da"

    @classmethod
    def plain(cls, colour: str) -> Clothes:
        """One colour for all of it."""
        return cls(*[colour] * 7)


class Canvas:
    """Draws round limbs in picture coordinates on a larger sheet."""

    def __init__(self, picture: Image.Image) -> None:
        self.sheet = picture.resize((picture.width * SCALE, picture.height * SCALE))
        self.draw = ImageDraw.Draw(self.sheet)

    def limb(self, a: Point, b: Point, wide: float, narrow: float, colour: str) -> None:
        """A limb from a to b with round ends; diameters at both."""
        steps = max(2, round(math.dist(a, b)))
        for step in range(steps + 1):
            share = step / steps
            x, y = (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
            self.dot((x, y), wide + (narrow - wide) * share, colour)

    def dot(self, at: Point, size: float, colour: str, tall: float = 1.0) -> None:
        """A disc, or an ellipse `tall` times as high as wide."""
        x, y, r = at[0] * SCALE, at[1] * SCALE, size * SCALE / 2
        self.draw.ellipse((x - r, y - r * tall, x + r, y + r * tall), fill=colour)

    def finished(self) -> Image.Image:
        """The picture in its own size."""
        size = (self.sheet.width // SCALE, self.sheet.height // SCALE)
        return self.sheet.resize(size, Image.Resampling.LANCZOS)


def down(start: Point, angle: float, length: float) -> Point:
    """The end of a limb that hangs from `start`, turned forward by `angle` in radians."""
    return start[0] + math.sin(angle) * length, start[1] + math.cos(angle) * length


def backdrop() -> Image.Image:
    """A studio: a light wall over a floor, without a hard edge."""
    y = np.linspace(0, 1, HEIGHT)[:, None]
    x = np.linspace(-1, 1, WIDTH)[None, :]
    wall = np.array([214, 208, 199]) * (1.02 - 0.16 * (x**2)[..., None])
    floor = np.array([176, 166, 154]) * (1.0 - 0.14 * (x**2)[..., None]) * (0.9 + 0.2 * y[..., None])
    blend = 1 / (1 + np.exp(-(y - 0.79) * 60))
    colours = wall * (1 - blend[..., None]) + floor * blend[..., None]
    return Image.fromarray(np.clip(colours, 0, 255).astype("uint8"))


def walker(picture: Image.Image, share: float, across: float, clothes: Clothes, shadow: bool) -> Image.Image:
    """The picture with a person who walks to the right. share: of the walk cycle, 0 to 1; across: of the
    picture's width."""
    turn = 2 * math.pi * share
    bob = 3.5 * math.cos(2 * turn)
    hip = (across * WIDTH, 262 + bob)
    neck = (hip[0] + 7, hip[1] - 104)
    if shadow:
        dark = Image.new("L", picture.size, 0)
        ImageDraw.Draw(dark).ellipse((hip[0] - 82, 428, hip[0] + 82, 450), fill=90)
        dark = dark.filter(ImageFilter.GaussianBlur(7))
        picture = Image.composite(Image.new("RGB", picture.size, "#5b5147"), picture, dark)
    canvas = Canvas(picture)

    def leg(phase: float, top: str) -> None:
        swing = math.sin(turn + phase)
        bend = max(0.0, math.cos(turn + phase)) * 0.95 + 0.08
        knee = down(hip, 0.47 * swing, 84)
        ankle = down(knee, 0.47 * swing - bend, 80)
        toe = down(ankle, 0.47 * swing - bend * 0.55 + 1.35, 25)
        canvas.limb(ankle, toe, 19, 14, clothes.shoes)
        canvas.limb(hip, knee, 39, 29, top)
        canvas.limb(knee, ankle, 29, 20, top)

    def arm(phase: float, sleeve: str) -> None:
        swing = math.sin(turn + phase)
        shoulder = (neck[0] - 3, neck[1] + 17)
        elbow = down(shoulder, 0.5 * swing - 0.05, 56)
        hand = down(elbow, 0.5 * swing + 0.42, 52)
        canvas.limb(elbow, hand, 19, 13, clothes.skin)
        canvas.dot(hand, 18, clothes.skin)
        canvas.limb(shoulder, elbow, 28, 21, sleeve)

    arm(0.0, clothes.top_dark)
    leg(math.pi, clothes.legs_dark)
    canvas.limb((neck[0] - 2, neck[1] + 22), (hip[0], hip[1] - 6), 52, 46, clothes.top)
    leg(0.0, clothes.legs)
    canvas.limb((hip[0], hip[1] - 8), (hip[0], hip[1] + 2), 45, 40, clothes.top)
    canvas.limb(neck, (neck[0] + 4, neck[1] - 20), 22, 20, clothes.skin)
    head = (neck[0] + 9, neck[1] - 42)
    canvas.dot((head[0] - 3, head[1] - 4), 56, clothes.hair, 1.06)
    canvas.dot((head[0] + 4, head[1] + 3), 47, clothes.skin, 1.1)
    canvas.dot((head[0] + 26, head[1] + 5), 11, clothes.skin)
    canvas.limb((head[0] - 20, head[1] - 14), (head[0] + 17, head[1] - 24), 22, 12, clothes.hair)
    if shadow:
        canvas.dot((head[0] + 16, head[1] - 1), 4.5, "#241d1a", 1.3)
    arm(math.pi, clothes.top)
    return canvas.finished()


def character() -> Image.Image:
    """A person seen from the front before hills at dusk, to be brought to life; 1280 x 720."""
    width, height = 1280, 720
    y = np.linspace(0, 1, height)[:, None, None]
    sky = np.array([38, 50, 84]) * (1 - y) + np.array([246, 178, 122]) * y**1.2
    picture = Image.fromarray(np.clip(sky + np.zeros((height, width, 1)), 0, 255).astype("uint8"))
    draw = ImageDraw.Draw(picture)
    x = np.arange(width + 1)
    for level, colour, waves in (
        (470, "#7b5d75", ((46, 210, 0.4), (16, 77, 1.0))),
        (540, "#4f4560", ((38, 170, 2.0), (12, 61, 0.3))),
        (618, "#2c2b3f", ((26, 240, 1.2), (8, 83, 2.4))),
    ):
        ridge = level + sum(size * np.sin(x / length + start) for size, length, start in waves)
        draw.polygon(
            [*zip(x.tolist(), ridge.tolist(), strict=True), (width, height), (0, height)], fill=colour
        )
    picture = picture.filter(ImageFilter.GaussianBlur(2.2))
    canvas = Canvas(picture)
    skin, shade, hair, coat = "#e2ac86", "#cf9570", "#3a2620", "#c9512f"
    middle = 640.0
    canvas.limb((middle - 132, 700), (middle - 96, 520), 92, 96, "#b24427")
    canvas.limb((middle + 132, 700), (middle + 96, 520), 92, 96, "#b24427")
    canvas.limb((middle, 800), (middle, 545), 270, 232, coat)
    canvas.limb((middle - 42, 492), (middle + 42, 492), 62, 62, "#e9dcc6")
    canvas.limb((middle, 470), (middle, 410), 78, 74, shade)
    canvas.dot((middle, 318), 262, hair, 1.12)
    canvas.limb((middle - 112, 330), (middle - 96, 440), 62, 40, hair)
    canvas.limb((middle + 112, 330), (middle + 96, 440), 62, 40, hair)
    canvas.dot((middle, 340), 206, skin, 1.22)
    canvas.limb((middle - 88, 268), (middle + 72, 234), 66, 52, hair)
    for side in (-1, 1):
        canvas.dot((middle + side * 46, 338), 40, "#fbf7f2", 0.62)
        canvas.dot((middle + side * 46, 339), 21, "#4a5f4a", 1.0)
        canvas.dot((middle + side * 46, 339), 10, "#191513", 1.0)
        canvas.dot((middle + side * 46 + 4, 335), 5, "#ffffff")
        canvas.limb((middle + side * 26, 306), (middle + side * 68, 302), 9, 6, hair)
        canvas.dot((middle + side * 66, 392), 36, "#e09c7b", 0.7)
    canvas.limb((middle, 352), (middle + 7, 384), 9, 15, shade)
    canvas.limb((middle - 30, 420), (middle, 430), 8, 14, "#a8463f")
    canvas.limb((middle + 30, 420), (middle, 430), 8, 14, "#a8463f")
    return canvas.finished()
