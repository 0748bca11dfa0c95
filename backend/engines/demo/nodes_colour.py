"""ColorTransfer: gives frames the colours of other frames, by the three methods of ComfyUI 0.33."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from backend.engines.demo.executor import Context
from backend.engines.demo.nodes_finish import progress_of_frames
from backend.engines.demo.values import DerivedFrames, FrameRange, Frames

Array = Any  # of numpy, float64; colours are rows of three channels
Change = Callable[[Array, int], Array]
"""Colours of a frame (pixels x 3) and its index -> the corrected ones."""
Method = Callable[[Array, Array], Callable[[Array], Array]]
"""Colours of the frames and of the reference -> the change."""
LEAST = 1e-6
LEVELS = 256
TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
BEND, SLOPE, FOOT, KNEE = 0.008856, 7.787, 4.0 / 29.0, 0.0031308


def to_lab(rgb: Array) -> Array:
    """sRGB from 0 to 1 in CIE Lab (D65), as rows."""
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = linear @ TO_XYZ.T / WHITE
    bent = np.where(xyz > BEND, np.cbrt(np.maximum(xyz, BEND)), SLOPE * xyz + FOOT)
    x, y, z = bent.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def to_rgb(lab: Array) -> Array:
    """CIE Lab as sRGB, limited to 0 to 1."""
    level, green_red, blue_yellow = lab.T
    y = (level + 16) / 116
    bent = np.stack([y + green_red / 500, y, np.maximum(y - blue_yellow / 200, 0)], axis=1)
    xyz = np.where(bent > 0.2068966, bent**3, (bent - FOOT) / SLOPE) * WHITE
    linear = xyz @ np.linalg.inv(TO_XYZ).T
    curved = 1.055 * np.maximum(linear, KNEE) ** (1 / 2.4) - 0.055
    rgb = np.where(linear > KNEE, curved, linear * 12.92)
    return np.clip(rgb, 0, 1)


@dataclass(frozen=True)
class Recoloured(DerivedFrames):
    """Frames in other colours. `strength`: 0 keeps the old ones, 1 takes the new ones, 10 goes far beyond."""

    change: Change
    lab: bool
    strength: float

    def frame(self, index: int) -> Image.Image:
        rgb = _colours(self.frames, index)
        old = to_lab(rgb) if self.lab else rgb
        mixed = old + self.strength * (self.change(old, index) - old)
        new = to_rgb(mixed) if self.lab else np.clip(mixed, 0, 1)
        pixels = np.rint(new * 255).astype(np.uint8).reshape(self.height, self.width, 3)
        return Image.fromarray(pixels)


def color_transfer(
    ctx: Context,
    image_target: Frames,
    image_ref: Frames,
    method: str,
    source_stats: str,
    strength: float = 1.0,
    **more: Any,
) -> tuple[Any, ...]:
    """Implements ColorTransfer. `more`: "source_stats.target_index", of the choice target_frame."""
    if strength == 0:
        return (image_target,)
    progress_of_frames(ctx, image_target.count)
    lab = method != "histogram"
    base: Frames | None = image_target
    if source_stats == "per_frame":
        base = None
    elif source_stats == "target_frame":
        index = min(int(more.get("source_stats.target_index", 0)), image_target.count - 1)
        base = FrameRange(image_target, index, 1)
    make = {"reinhard_lab": _reinhard, "mkl_lab": _mkl, "histogram": _histogram}[method]
    return (Recoloured(image_target, _change(make, base, image_ref, lab), lab, strength),)


def _change(make: Method, base: Frames | None, reference: Frames, lab: bool) -> Change:
    """One change for all frames, from the statistics of `base` and of the reference; without `base` each
    frame is changed to match the reference frame of the same index."""
    if base is not None:
        same = make(_all(base, lab), _all(reference, lab))
        return lambda colours, index: same(colours)

    def each(colours: Array, index: int) -> Array:
        beside = _colours(reference, min(index, reference.count - 1))
        return make(colours, to_lab(beside) if lab else beside)(colours)

    return each


def _reinhard(source: Array, reference: Array) -> Callable[[Array], Array]:
    """Mean and spread of each channel."""
    spread = reference.std(axis=0) / np.maximum(source.std(axis=0), LEAST)
    middle, target = source.mean(axis=0), reference.mean(axis=0)
    return lambda colours: (colours - middle) * spread + target


def _mkl(source: Array, reference: Array) -> Callable[[Array], Array]:
    """Mean and covariance, by the linear map that moves colours least (Monge-Kantorovich)."""
    values, vectors = np.linalg.eigh(np.cov(source.T, bias=True))
    root = np.maximum(np.sqrt(np.maximum(values, 0)), LEAST)
    scaled = vectors * root
    between, turn = np.linalg.eigh(scaled.T @ np.cov(reference.T, bias=True) @ scaled)
    back = vectors / root
    matrix = back @ (turn * np.sqrt(np.maximum(between, 0))) @ turn.T @ back.T
    middle, target = source.mean(axis=0), reference.mean(axis=0)
    return lambda colours: (colours - middle) @ matrix.T + target


def _histogram(source: Array, reference: Array) -> Callable[[Array], Array]:
    """The distribution of each channel, in 256 levels."""
    tables = []
    for channel in range(3):
        shares = [_cumulated(colours[:, channel]) for colours in (source, reference)]
        tables.append(np.minimum(np.searchsorted(shares[1], shares[0]), LEVELS - 1) / (LEVELS - 1))

    def change(colours: Array) -> Array:
        levels = np.clip((colours * (LEVELS - 1)).astype(int), 0, LEVELS - 1)
        return np.stack([table[levels[:, n]] for n, table in enumerate(tables)], axis=1)

    return change


def _cumulated(channel: Array) -> Array:
    levels = np.clip((channel * (LEVELS - 1)).astype(int), 0, LEVELS - 1)
    sums = np.bincount(levels, minlength=LEVELS).cumsum()
    return sums / sums[-1]


def _colours(frames: Frames, index: int) -> Array:
    return np.asarray(frames.frame(index).convert("RGB"), float).reshape(-1, 3) / 255


def _all(frames: Frames, lab: bool) -> Array:
    """The colours of all frames, every n-th pixel of a long batch: a fixed amount of memory."""
    step = max(1, frames.count * frames.width * frames.height // 2_000_000)
    rows = [_colours(frames, index)[::step] for index in range(frames.count)]
    colours = np.concatenate(rows)
    return to_lab(colours) if lab else colours
