"""Sizes and lengths: which width, height and number of frames a video gets. Pure arithmetic."""

from __future__ import annotations

from functools import lru_cache

SIZE_STEP = 16
"""Both sides are multiples of this many pixels: the VAE divides by 8 and the model takes 2x2 patches."""
SIZE_MIN = 64
SIZE_MAX = 1920
AREAS: dict[str, int] = {"draft": 512 * 288, "480p": 832 * 480, "720p": 1280 * 720}
"""resolution -> area budget in pixels. 480p and 720p are the two areas WAN 2.2 A14B was trained for."""
SHAPES: dict[str, tuple[int, int]] = {"draft": (512, 288), "480p": (832, 480), "720p": (1280, 720)}
"""resolution -> (width, height) when nothing is known of the picture."""
FPS = 16.0
"""Frames a second of every WAN 2.2 A14B model (WAN's config `sample_fps`)."""

_CROP_WEIGHT = 1.5
"""How much a share of the picture lost counts against the same share of the area budget left unused.

Chosen so that 16:9 gives 832x480 in 480p (2.5 % cropped) and a square stays square (624x624)."""


@lru_cache(maxsize=1024)
def fit_size(image_w: int, image_h: int, resolution: str) -> tuple[int, int]:
    """(width, height) for a picture of image_w x image_h pixels: its own ratio within the area budget.

    Both sides are multiples of 16 between 64 and 1920, whatever the ratio; the area never exceeds the
    budget. An unknown picture (a side of 0) gets the resolution's own 16:9 shape. Raises KeyError for an
    unknown resolution.
    """
    if image_w <= 0 or image_h <= 0:
        return SHAPES[resolution]
    area = AREAS[resolution]
    best = (SIZE_MIN, SIZE_MIN)
    best_score = float("inf")
    for width in range(SIZE_MIN, SIZE_MAX + 1, SIZE_STEP):
        tallest = min(SIZE_MAX, area // width // SIZE_STEP * SIZE_STEP)
        exact = width * image_h / image_w
        for height in (int(exact // SIZE_STEP) * SIZE_STEP, (int(exact // SIZE_STEP) + 1) * SIZE_STEP):
            height = max(SIZE_MIN, min(tallest, height))
            lost = sum(crop_fraction(image_w, image_h, width, height))
            score = _CROP_WEIGHT * lost + 1 - width * height / area
            if score < best_score:
                best, best_score = (width, height), score
    return best


def crop_fraction(image_w: int, image_h: int, w: int, h: int) -> tuple[float, float]:
    """Which share of the picture a centre crop to the ratio w:h cuts off: (of its width, of its height).

    0 <= share < 1; one of the two is always 0. (0, 0) when a side is unknown (0).
    """
    if min(image_w, image_h, w, h) <= 0:
        return (0.0, 0.0)
    wide = image_w * h
    tall = image_h * w
    if wide >= tall:
        return (1 - tall / wide, 0.0)
    return (0.0, 1 - wide / tall)


def frames_for(seconds: float) -> int:
    """Frames of a clip of `seconds` at 16 fps, always 4n+1 (four frames to a latent, one alone in front).

    0.5 s is 9, 1 s is 17, 5 s is 81 (what the model was trained for).
    """
    return 4 * round(4 * seconds) + 1
