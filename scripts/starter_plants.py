"""Plants for the scenes of make_starters.py: firs, a lone tree, wheat. Drawn with Pillow, mixed as light."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from starter_paint import Array, View, blur, fbm, mix, step


def fir(draw: ImageDraw.ImageDraw, x: float, foot: float, tall: float, rng: np.random.Generator) -> None:
    """One fir as a white silhouette: a trunk and drooping branches, with twigs where it is large."""
    rows = int(np.clip(tall / 7, 9, 64))
    lean = rng.normal(0, 0.006) * tall
    broad = tall * rng.uniform(0.15, 0.21)
    trunk = tall / 75
    draw.polygon([(x + lean, foot - tall), (x + trunk, foot), (x - trunk, foot)], fill=255)
    for i in range(rows):
        t = ((i + rng.uniform(0, 0.7)) / rows) * 0.96 + 0.02
        y, at = foot - tall * (1 - t), x + lean * (1 - t)
        thick = tall / rows * (0.34 + 0.5 * t)
        for side in (-1, 1):
            reach = broad * (t**0.82) * rng.uniform(0.6, 1.15) + tall * 0.002
            droop = reach * rng.uniform(0.22, 0.5)
            tip = (at + side * reach, y + droop)
            middle = (at + side * reach * 0.55, y + droop * 0.35)
            draw.polygon(
                [(at, y - thick), middle, tip, (at + side * reach * 0.5, y + droop * 0.75), (at, y + thick)],
                255,
            )
            for _ in range(int(reach / 7)):
                s = rng.uniform(0.25, 0.98)
                a = (at + side * reach * s, y + droop * s**1.5)
                hang = thick * rng.uniform(0.5, 1.5)
                out = side * thick * rng.uniform(-0.1, 0.7)
                draw.polygon(
                    [(a[0] - thick * 0.25, a[1]), (a[0] + thick * 0.25, a[1]), (a[0] + out, a[1] + hang)], 255
                )


def firs(view: View, feet: Array, tall: tuple[float, float], count: int, rng: np.random.Generator) -> Array:
    """A row of firs along `feet` (the ground's height in pixels for every column): coverage 0..1."""
    mask = Image.new("L", (view.w, view.h))
    draw = ImageDraw.Draw(mask)
    for x in np.sort(rng.uniform(-0.03, 1.03, count)) * view.w:
        column = int(np.clip(x, 0, view.w - 1))
        size = rng.uniform(*tall) * view.h * (1.25 if rng.random() < 0.12 else 1)
        fir(draw, float(x), float(feet[column]) + 0.03 * size, float(size), rng)
    cover = np.asarray(mask, np.float32) / 255
    return np.maximum(cover, (view.y * view.h > feet[None, :]).astype(np.float32))


def screen(picture: Array) -> Image.Image:
    """Linear light as an 8-bit layer to draw on."""
    light = np.clip(picture, 0, 1)
    light = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return Image.fromarray((light * 255 + 0.5).astype(np.uint8))


def linear(layer: Image.Image) -> Array:
    """A drawn layer in linear light, alpha (if any) untouched."""
    pixels = np.asarray(layer, np.float32) / 255
    colour = pixels[..., :3]
    colour = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return np.concatenate([colour, pixels[..., 3:]], -1).astype(np.float32)


def lone_tree(
    view: View, picture: Array, x: float, foot: float, tall: float, rng: np.random.Generator
) -> Array:
    """A trunk, limbs, and a crown of leafy clumps lit from the upper left."""
    layer = Image.new("RGBA", (view.w, view.h))
    draw = ImageDraw.Draw(layer)
    clumps = []
    for i in range(46):
        turn, out = i * 2.4, np.sqrt((i + 0.5) / 46)
        cx = x + tall * (0.02 + 0.37 * out * np.cos(turn) + rng.normal(0, 0.012))
        cy = foot - tall * (0.69 + 0.235 * out * np.sin(turn) * (1.0 if np.sin(turn) > 0 else 0.8))
        clumps.append(
            (rng.random() - 0.5 * out, cx, cy, tall * rng.uniform(0.062, 0.105) * (1.15 - 0.35 * out))
        )
    bark = (44, 37, 30, 255)
    split = (x + 0.012 * tall, foot - 0.36 * tall)
    half = 0.026 * tall
    draw.polygon(
        [
            (x - half * 1.7, foot),
            (x - half * 0.8, foot - 0.08 * tall),
            (split[0] - half * 0.7, split[1] - 0.05 * tall),
            (split[0] + half * 0.7, split[1] - 0.05 * tall),
            (x + half * 0.9, foot - 0.08 * tall),
            (x + half * 1.8, foot),
        ],
        fill=bark,
    )
    for _, cx, cy, _ in clumps[::2]:
        points = []
        for j in range(9):
            t = j / 8
            bow = 4 * t * (1 - t) * 0.05 * tall
            points.append(
                (split[0] + (cx - split[0]) * t**1.15, split[1] + (cy - split[1]) * t + bow * (0.4 - t))
            )
        for j in range(8):
            draw.line(points[j : j + 2], fill=bark, width=max(1, round(half * 0.9 * (1 - j / 9) ** 1.3)))
    middle = foot - 0.70 * tall
    for _, cx, cy, radius in sorted(clumps):
        for _ in range(620):
            turn, out = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random()) * rng.choice([1.0, 1.0, 1.3])
            nx, ny = out * np.cos(turn), out * np.sin(turn)
            lx, ly = cx + radius * nx * 1.12, cy + radius * ny * 0.9
            facing = -0.50 * nx - 0.62 * ny + 0.45 * np.sqrt(max(0.0, 1 - out * out))
            place = -0.22 * (lx - x) / (0.4 * tall) - 0.34 * (ly - middle) / (0.26 * tall)
            a = float(np.clip(0.20 + 0.46 * facing + place + rng.normal(0, 0.10), 0, 1))
            colour = (round(24 + 120 * a**1.15), round(36 + 102 * a), round(27 + 38 * a), 255)
            r = tall * rng.uniform(0.0028, 0.0058)
            draw.ellipse([lx - r * 1.4, ly - r, lx + r * 1.4, ly + r], fill=colour)
    painted = linear(layer)
    spot = ((view.x * view.w - x - 0.16 * tall) / (0.46 * tall)) ** 2
    dark = np.exp(-spot - ((view.y * view.h - foot - 0.01 * tall) / (0.028 * tall)) ** 2)
    return mix(mix(picture, picture * 0.38, dark * 0.85), painted[..., :3], painted[..., 3])


def stalks(view: View, picture: Array, rng: np.random.Generator) -> Array:
    """Wheat from the middle distance to the lens: leaning stalks with ears, far ones first."""
    layer = screen(picture)
    draw = ImageDraw.Draw(layer)
    count = 30000
    for t in np.sort(rng.random(count) ** 1.9):  # 0 far .. 1 at the lens
        size = view.h * (0.006 + 0.26 * t**1.3)
        foot = view.h * (0.632 + 0.66 * t) + rng.normal(0, 0.004) * view.h
        x = rng.uniform(-0.05, 1.05) * view.w
        wave = float(fbm(np.array([x / view.w * (7 - 4.5 * t)]), np.array([t * 8.0]), 3, 240)[0])
        lean = size * (0.22 + 0.30 * wave + rng.normal(0, 0.07))
        tone = float(np.clip(0.80 + 0.36 * wave + rng.normal(0, 0.10), 0.3, 1.08)) * (1 - 0.10 * t)
        colour = (round(min(255, 240 * tone)), round(min(255, 209 * tone)), round(128 * tone))
        stem = (round(colour[0] * 0.80), round(colour[1] * 0.78), round(colour[2] * 0.68))
        low = (round(colour[0] * 0.50), round(colour[1] * 0.46), round(colour[2] * 0.40))
        top, bend = (x + lean, foot - size), (x + lean * 0.35, foot - size * 0.6)
        width = max(1, round(size / 80))
        draw.line([(x, foot), bend], fill=low, width=width)
        draw.line([bend, top], fill=stem, width=width)
        ear, thick = size * 0.22, max(0.7, size * 0.019)
        tip = (top[0] + ear * (0.40 + 0.35 * wave), top[1] - ear * 0.75)
        across = ((tip[1] - top[1]) / ear * thick, (top[0] - tip[0]) / ear * thick)
        middle = ((top[0] + tip[0]) / 2, (top[1] + tip[1]) / 2)
        sides = [(middle[0] + s * across[0], middle[1] + s * across[1]) for s in (1, -1)]
        draw.polygon([top, sides[0], tip, sides[1]], fill=colour)
        if size > 0.05 * view.h:
            for s in (0.2, 0.4, 0.6, 0.8, 1.0):
                for side in (-1, 1):
                    a = (top[0] + (tip[0] - top[0]) * s, top[1] + (tip[1] - top[1]) * s)
                    hair = (a[0] + ear * 0.28 + side * ear * 0.15, a[1] - ear * 0.45)
                    draw.line([a, hair], fill=colour, width=max(1, round(size / 280)))
    painted = linear(layer)
    # The lens is set to the tree: what is near goes softly out of focus.
    near = step(0.80, 1.02, view.y)
    return mix(painted, blur(painted, 2.2 * view.scale), near)
