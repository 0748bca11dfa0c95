"""Brushes for make_starters.py: noise, a terrain renderer, blur, film finish. Colours are linear light."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]
WIDTH, HEIGHT = 1280, 720

_table = np.random.default_rng(20240229)
_PERMUTATION = np.tile(_table.permutation(256).astype(np.int32), 2)
_ANGLES = np.linspace(0, 2 * np.pi, 256, endpoint=False)
_GRADIENTS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1).astype(np.float32)


def rgb(text: str) -> Array:
    """`#rrggbb` in linear light, shape (3,)."""
    values = np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


def mix(a: Array | float, b: Array | float, t: Array | float) -> Array:
    """a where t is 0, b where t is 1. A `t` of shape (h, w) is widened for colours of shape (3,)."""
    if isinstance(t, np.ndarray) and max(np.ndim(a), np.ndim(b)) in (1, 3) and t.ndim == 2:
        t = t[..., None]
    return np.asarray(a + (b - a) * t, np.float32)


def step(low: float, high: float, x: Array) -> Array:
    """Smooth step: 0 below `low`, 1 above `high`."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def ramp(x: Array, *stops: tuple[float, str]) -> Array:
    """Colour gradient along x through (position, colour) stops; shape of x plus (3,)."""
    places = [place for place, _ in stops]
    colours = np.stack([rgb(colour) for _, colour in stops])
    return np.stack([np.interp(x, places, colours[:, i]) for i in range(3)], -1).astype(np.float32)


def noise(x: Array, y: Array, seed: int = 0) -> Array:
    """Gradient noise, about -1..1, one feature per unit."""
    x, y = np.broadcast_arrays(np.asarray(x, np.float32), np.asarray(y, np.float32))
    ix, iy = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    fx, fy = x - ix, y - iy
    ux, uy = fx * fx * fx * (fx * (fx * 6 - 15) + 10), fy * fy * fy * (fy * (fy * 6 - 15) + 10)

    def corner(dx: int, dy: int) -> Array:
        row = _PERMUTATION[(ix + dx + seed * 37) & 255]
        g = _GRADIENTS[_PERMUTATION[row + ((iy + dy + seed * 101) & 255)]]
        return g[..., 0] * (fx - dx) + g[..., 1] * (fy - dy)

    top = corner(0, 0) + ux * (corner(1, 0) - corner(0, 0))
    low = corner(0, 1) + ux * (corner(1, 1) - corner(0, 1))
    return np.asarray((top + uy * (low - top)) * 1.5, np.float32)


def fbm(x: Array, y: Array, octaves: int = 5, seed: int = 0, gain: float = 0.5) -> Array:
    """Layers of noise, each twice as fine and `gain` as strong; about -1..1."""
    total, strength, sum_ = np.float32(0), 1.0, 0.0
    for i in range(octaves):
        total = total + strength * noise(x * 2.03**i + 17.3 * i, y * 2.03**i - 9.1 * i, seed + i)
        sum_ += strength
        strength *= gain
    return np.asarray(total / sum_, np.float32)


def ridged(x: Array, y: Array, octaves: int = 6, seed: int = 0) -> Array:
    """Mountain-like noise with sharp crests, 0..1."""
    total, strength, weight, sum_ = np.float32(0), 1.0, np.float32(1), 0.0
    for i in range(octaves):
        n = (1 - np.abs(noise(x * 2.07**i + 5.7 * i, y * 2.07**i + 3.3 * i, seed + i))) ** 2
        total = total + strength * n * weight
        weight = np.clip(n * 1.6, 0, 1)
        sum_ += strength
        strength *= 0.5
    return np.asarray(total / sum_, np.float32)


def blur(picture: Array, radius: float) -> Array:
    """Three box passes, close to a Gaussian of that radius; edges are repeated."""
    size = max(1, round(radius))
    out = picture
    for axis in (0, 1):
        for _ in range(3):
            pad = [(0, 0)] * out.ndim
            pad[axis] = (size + 1, size)
            total = np.cumsum(np.pad(out, pad, mode="edge"), axis=axis, dtype=np.float64)
            upper = np.take(total, range(2 * size + 1, total.shape[axis]), axis)
            lower = np.take(total, range(0, total.shape[axis] - 2 * size - 1), axis)
            out = ((upper - lower) / (2 * size + 1)).astype(np.float32)
    return out


class View:
    """A frame `scale` times 1280 x 720 with a camera: pixel grids and rays.

    `x`, `y`: 0..1 across and down; `horizon` its height as a share; `dx`, `dy`: slope of the ray through
    a pixel (right and up) for a depth of one.
    """

    def __init__(self, scale: int, horizon: float, zoom: float) -> None:
        self.w, self.h = WIDTH * scale, HEIGHT * scale
        self.scale, self.horizon, self.focal = scale, horizon, zoom * WIDTH * scale
        px = np.arange(self.w, dtype=np.float32) + 0.5
        py = np.arange(self.h, dtype=np.float32) + 0.5
        self.x, self.y = (a.astype(np.float32) for a in np.meshgrid(px / self.w, py / self.h))
        self.dx = (self.x - 0.5) * self.w / self.focal
        self.dy = (horizon - self.y) * self.h / self.focal

    def terrain(
        self, height: Callable[[Array, Array], Array], eye: float, near: float, far: float, slices: int = 1400
    ) -> tuple[Array, Array]:
        """Depth (inf for sky) and world x of the first ground under every pixel.

        The ground is walked outwards slice by slice; a pixel belongs to the first slice that rises to it.
        """
        depths = np.geomspace(near, far, slices).astype(np.float32)
        across = self.dx[0]
        rows = np.stack([(eye - height(across * z, np.full_like(across, z))) / z for z in depths])
        rows = self.horizon * self.h + self.focal * rows
        seen = np.minimum.accumulate(rows, axis=0)
        wanted = self.y[:, 0] * self.h
        depth = np.full((self.h, self.w), np.inf, np.float32)
        for column in range(self.w):
            first = np.searchsorted(-seen[:, column], -wanted)
            hit = first < slices
            i = np.clip(first, 1, slices - 1)
            before, here = rows[i - 1, column], rows[i, column]
            share = np.where(before > wanted, (before - wanted) / np.maximum(before - here, 1e-6), 1)
            z = depths[i - 1] + np.clip(share, 0, 1) * (depths[i] - depths[i - 1])
            depth[:, column] = np.where(hit, z, np.inf)
        return depth, self.dx * np.where(np.isinf(depth), 0, depth)


def slope(height: Callable[[Array, Array], Array], x: Array, z: Array, eps: Array | float) -> Array:
    """Unit normals (x, up, z) of a ground, shape (..., 3)."""
    here = height(x, z)
    n = np.stack(
        [-(height(x + eps, z) - here) / eps, np.ones_like(here), -(height(x, z + eps) - here) / eps], -1
    )
    return np.asarray(n / np.linalg.norm(n, axis=-1, keepdims=True), np.float32)


def lit(
    height: Callable[[Array, Array], Array], x: Array, z: Array, sun: Array, reach: float, steps: int = 40
) -> Array:
    """1 where the sun reaches the ground, 0 in another hill's shadow, soft between."""
    base = height(x, z) + 0.02
    clear = np.ones_like(base)
    for i in range(1, steps + 1):
        t = reach * (i / steps) ** 1.7
        over = base + sun[1] * t - height(x + sun[0] * t, z + sun[2] * t)
        clear = np.minimum(clear, 0.5 + over / (0.05 * t + 0.05))
    return np.asarray(np.clip(clear, 0, 1), np.float32)


def finish(
    picture: Array,
    seed: int,
    *,
    exposure: float = 1.0,
    contrast: float = 0.12,
    saturation: float = 1.0,
    bloom: float = 0.12,
    vignette: float = 0.28,
    grain: float = 0.008,
) -> Image.Image:
    """From linear light at any scale to a graded 1280 x 720 picture: bloom, film curve, vignette, grain."""
    scale = picture.shape[1] // WIDTH
    small = picture.reshape(HEIGHT, scale, WIDTH, scale, 3).mean((1, 3)) * exposure
    small = small + bloom * (blur(np.minimum(small, 4), 14) + blur(np.minimum(small, 4), 44)) / 2
    x, y = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
    small = small * (1 - vignette * np.clip((x**2 * 0.75 + y**2 * 0.6), 0, 1.4) ** 1.4)[..., None]
    small = small * (2.51 * small + 0.03) / (small * (2.43 * small + 0.59) + 0.14)  # ACES fit, Narkowicz 2015
    small = np.clip(small, 0, 1)
    screen = np.where(small <= 0.0031308, small * 12.92, 1.055 * small ** (1 / 2.4) - 0.055)
    grey = screen @ np.array([0.2126, 0.7152, 0.0722])
    screen = grey[..., None] + (screen - grey[..., None]) * saturation
    screen = screen + contrast * (screen - 0.5) * (1 - np.abs(2 * screen - 1)) * 2
    rng = np.random.default_rng(seed)
    film = rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    film = film + np.roll(film, 1, 0) + np.roll(film, 1, 1)
    strength = grain * (1.1 - 0.6 * grey) / film.std()
    screen = screen + (film * strength)[..., None]
    return Image.fromarray((np.clip(screen, 0, 1) * 255 + 0.5).astype(np.uint8))
