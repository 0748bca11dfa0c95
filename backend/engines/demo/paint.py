"""Generates slowly moving gradients whose colours depend on the prompt."""

from __future__ import annotations

import hashlib
import math
import re

import numpy as np
from PIL import Image

GRID = 96  # the gradient is computed on this many points along the longer side and scaled up
Colour = tuple[int, int, int]

# From dark to light. The first palette whose pattern matches is used, else one chosen by the prompt's hash.
PALETTES: tuple[tuple[str, tuple[Colour, Colour, Colour, Colour]], ...] = (
    (r"night|moon|star|space|dark", ((9, 12, 30), (28, 36, 84), (74, 74, 140), (196, 190, 222))),
    (r"sunset|sunrise|dawn|dusk|fire|warm", ((44, 20, 54), (146, 52, 78), (232, 122, 84), (252, 214, 158))),
    (r"sea|ocean|water|lake|river|rain", ((8, 34, 54), (20, 82, 112), (70, 150, 168), (204, 232, 226))),
    (r"forest|tree|grass|garden|green|jungle", ((14, 34, 30), (34, 84, 62), (112, 148, 92), (226, 226, 176))),
    (
        r"snow|ice|winter|cloud|fog|mist|white",
        ((58, 74, 98), (118, 142, 168), (178, 196, 212), (240, 243, 246)),
    ),
    (r"desert|sand|gold|autumn|wood", ((58, 34, 26), (138, 84, 52), (206, 154, 96), (246, 226, 186))),
    (r"flower|pink|rose|love", ((52, 26, 62), (138, 62, 112), (214, 122, 146), (250, 218, 212))),
    (r"$^", ((20, 24, 48), (58, 62, 128), (138, 118, 186), (236, 206, 214))),
)


def palette(text: str) -> np.ndarray:
    """The four colours for a prompt, dark to light: float32 of shape (4, 3), 0 to 255."""
    for pattern, colours in PALETTES:
        if re.search(pattern, text.lower()):
            return np.array(colours, np.float32)
    digest = hashlib.sha256(text.encode()).digest()
    return np.array(PALETTES[digest[0] % len(PALETTES)][1], np.float32)


class Painting:
    """A moving gradient, determined by text and seed. Sizes in pixels."""

    def __init__(self, text: str, seed: int, width: int, height: int) -> None:
        self.size = (width, height)
        self._colours = palette(text)
        digest = hashlib.sha256(f"{text}\n{seed}".encode()).digest()
        rng = np.random.default_rng(list(digest[:8]))
        self._phases = rng.uniform(0, 2 * math.pi, 6)
        self._tilt = rng.uniform(-0.35, 0.35)
        self._glow = rng.uniform((0.25, 0.2), (0.75, 0.5))
        across = GRID if width >= height else max(8, GRID * width // height)
        down = max(8, across * height // width)
        self._y, self._x = np.mgrid[0 : 1 : down * 1j, 0 : 1 : across * 1j].astype(np.float32)
        self._ratio = width / height
        self._grain = rng.integers(0, 4, (height, width, 1), dtype=np.uint8)

    def frame(self, at: float, seconds: float, beat: float = 0.0) -> Image.Image:
        """One frame. at: position in the clip, 0 to 1; seconds: time; beat: loudness, 0 to 1."""
        p, t = self._phases, seconds * 0.45
        x, y = self._x * self._ratio, self._y
        warp_x = x + 0.16 * np.sin(3.1 * y + p[0] + 0.7 * t) + 0.07 * np.sin(5.3 * y - p[1] - 0.5 * t)
        warp_y = y + 0.12 * np.sin(2.7 * x + p[2] - 0.6 * t) + 0.05 * np.sin(4.9 * x + p[3] + 0.8 * t)
        field = 1.05 - warp_y + self._tilt * (warp_x - self._ratio / 2)
        field += 0.09 * np.sin(4.2 * warp_x + p[4] + 0.5 * t) * np.sin(3.4 * warp_y + p[5])
        gx = (self._glow[0] + 0.06 * math.sin(0.5 * t + p[0])) * self._ratio
        gy = self._glow[1] - 0.08 * at
        away = np.hypot(x - gx, y - gy)
        field += (0.42 + 0.2 * beat) * np.exp(-((away / 0.34) ** 2))
        level = np.clip(field * 1.9 + 0.1, 0, 2.999)
        low = level.astype(np.int32)
        part = (level - low)[..., None]
        part = part * part * (3 - 2 * part) * 0.5 + part * 0.5
        colour = self._colours[low] * (1 - part) + self._colours[low + 1] * part
        small = Image.fromarray(np.clip(colour, 0, 251).astype(np.uint8))
        large = np.asarray(small.resize(self.size, Image.Resampling.BICUBIC))
        return Image.fromarray(np.minimum(large, 251) + self._grain)  # the grain hides banding
