"""Matches brightness and colour of a part to the frames that it follows, inside the child process.

A part begins with frames that repeat the last frames of the clip before it. The mean and spread of each plane
in these pairs give the difference. The part is corrected to begin as the clip ended, and the correction is
eased out so slowly that no step can be seen. Frames with other content are a cut, where nothing is matched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

STEP = 0.5
"""The largest change of a plane's mean from one frame to the next, in levels of 255."""
SHORTEST = 8
"""Frames over which even a small difference is eased out."""
GAIN = (0.8, 1.25)
FLAT = 2.0
"""Spread of a plane, in levels, below which it has no contrast to compare."""
SAME = 0.6
"""Correlation of the luma of two frames from which on they show the same."""
FLAT_APART = 40.0
"""Levels by which two flat frames may differ and still show the same."""
SIDE = 64

_DITHER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.uint16)
"""Bayer's pattern, in sixteenths of a level."""

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Y, U and V of a frame, 8 bit."""


@dataclass(frozen=True)
class Match:
    """The correction that matches a part to the one before it: mean of the part, gain and offset of each
    plane; `length`: frames until it has been eased out."""

    means: tuple[float, ...]
    gains: tuple[float, ...]
    offsets: tuple[float, ...]
    length: int

    def apply(self, planes: Planes, number: int) -> Planes:
        """The planes of the part's frame `number`, counted from its first one that is shown."""
        weight = self.weight(number)
        if weight <= 0.0:
            return planes
        first, second, third = (
            _rounded(_table(mean, gain, offset, weight)[plane])
            for plane, mean, gain, offset in zip(planes, self.means, self.gains, self.offsets, strict=True)
        )
        return first, second, third

    def weight(self, number: int) -> float:
        """How much of the difference is still corrected: 1 in the frames shown twice, then down to 0."""
        at = min(1.0, max(0.0, (number + 1) / self.length))
        return 1.0 - at * at * (3.0 - 2.0 * at)


def match(before: Sequence[Planes], again: Sequence[Planes]) -> Match | None:
    """The match of a part. `before`: the last frames before it; `again`: the frames of the part that repeat
    them. None where the content differs, or where there is nothing to correct."""
    if not before or len(before) != len(again) or not _same(before[-1][0], again[-1][0]):
        return None
    means, gains, offsets, largest = [], [], [], 0.0
    for plane in range(3):
        wanted = np.concatenate([frame[plane].ravel() for frame in before])
        given = np.concatenate([frame[plane].ravel() for frame in again])
        mean, spread = float(given.mean()), float(given.std())
        gain = 1.0 if spread < FLAT else float(np.clip(wanted.std() / spread, *GAIN))
        offset = float(wanted.mean()) - mean
        means.append(mean)
        gains.append(gain)
        offsets.append(offset)
        largest = max(largest, abs(offset) + abs(gain - 1.0) * spread)
    if largest < STEP / 2:
        return None
    # The steepest change of the easing curve is 1.5 / length a frame.
    return Match(tuple(means), tuple(gains), tuple(offsets), max(SHORTEST, ceil(1.5 * largest / STEP)))


def _table(mean: float, gain: float, offset: float, weight: float) -> np.ndarray:
    """Level -> corrected level in sixteenths."""
    levels = np.arange(256, dtype=np.float64)
    changed = (levels - mean) * (1.0 + weight * (gain - 1.0)) + mean + weight * offset
    return np.clip(np.rint(16 * changed), 0, 16 * 255).astype(np.uint16)


def _rounded(sixteenths: np.ndarray) -> np.ndarray:
    """Whole levels, dithered: rounding alone would move a flat area by a whole level at once."""
    rows, columns = sixteenths.shape
    pattern = np.tile(_DITHER, (-(-rows // 4), -(-columns // 4)))[:rows, :columns]
    return ((sixteenths + pattern) >> 4).astype(np.uint8)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two lumas of one size show the same, however bright."""
    first, second = _small(one), _small(other)
    if first.std() < FLAT or second.std() < FLAT:
        both = first.std() < FLAT and second.std() < FLAT
        return both and abs(float(first.mean() - second.mean())) < FLAT_APART
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1]) >= SAME


def _small(luma: np.ndarray) -> np.ndarray:
    steps = [max(1, side // SIDE) for side in luma.shape]
    rows, columns = (side // step * step for side, step in zip(luma.shape, steps, strict=True))
    blocks = luma[:rows, :columns].reshape(rows // steps[0], steps[0], columns // steps[1], steps[1])
    return blocks.mean(axis=(1, 3))
