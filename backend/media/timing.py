"""Rules for the length and frame size of whole sounds and videos, and their error messages. Pure.

Which part of them a mode accepts is checked by its workflow.
"""

from __future__ import annotations

import math

from backend.errors import BadMedia
from backend.media.check import CHOOSE, shown
from backend.media.facts import (
    MAX_RATIO,
    SOUND_FILE_MAX,
    SOUND_PART_MAX,
    SOUND_SECONDS_MIN,
    VIDEO_FILE_MAX,
    VIDEO_MAX_PIXELS,
    VIDEO_MIN_SIDE,
    VIDEO_PART_MAX,
    VIDEO_SECONDS_MIN,
)

_LIMITS = {
    "sound": (SOUND_SECONDS_MIN, SOUND_PART_MAX, SOUND_FILE_MAX),
    "video": (VIDEO_SECONDS_MIN, VIDEO_PART_MAX, VIDEO_FILE_MAX),
}


def spoken(seconds: float) -> str:
    """A length as text: 0.02 s, 4.9 s, 3 min 20 s, 1 h 5 min."""
    if seconds < 0.995:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    if seconds < 3599.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def length(seconds: float, kind: str, name: str, field: str = "") -> None:
    """Raise BadMedia when a whole file (`kind`: sound or video) is too short or too long to choose from."""
    shortest, part, longest = _LIMITS[kind]
    if seconds < shortest:
        # Rounded down: 0.199 s must not be shown as 0.2 s when 0.2 s is the minimum.
        has = spoken(math.floor(seconds * 100) / 100) if seconds >= 0.01 else "less than 0.01 s"
        raise BadMedia(
            f"{shown(name)} is {has} long. At least {spoken(shortest)} are needed.",
            f"Choose a longer {kind}.",
            field=field,
        )
    if seconds > longest:
        raise BadMedia(
            f"{shown(name)} is {spoken(seconds)} long. Files of up to {spoken(longest)} can be used, "
            f"and {spoken(part)} of one at a time.",
            "Cut out the part that you need, then choose that.",
            field=field,
        )


def frame(width: int, height: int, name: str, field: str = "") -> None:
    """Raise BadMedia when a video's frame is too large, too small or too narrow."""
    figures = f"{shown(name)} is {width} × {height}"
    if width * height > VIDEO_MAX_PIXELS:
        raise BadMedia(
            f"{figures}. Videos of up to 4096 × 2304 (4K) can be used.",
            "Save it smaller: 1280 pixels on the longer side are enough for any video made here.",
            field=field,
        )
    if min(width, height) < VIDEO_MIN_SIDE:
        raise BadMedia(
            f"{figures}: too small. At least {VIDEO_MIN_SIDE} × {VIDEO_MIN_SIDE} pixels are needed.",
            "Choose a larger video.",
            field=field,
        )
    if max(width, height) > MAX_RATIO * min(width, height):
        raise BadMedia(
            f"{figures}: one side is more than {MAX_RATIO:g} times the other.",
            "Cut out the part with the person, then choose it.",
            field=field,
        )


def no_frame(name: str, field: str = "") -> BadMedia:
    return BadMedia(f"{shown(name)} has no frames: nothing is in it.", CHOOSE["video"], field=field)


def one_frame(name: str, field: str = "") -> BadMedia:
    return BadMedia(
        f"{shown(name)} has one frame: it is a picture, nothing moves in it.", CHOOSE["video"], field=field
    )
