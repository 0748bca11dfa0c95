"""Rules for the length and frame size of whole sounds and videos. Pure.

Which part of them a mode accepts is checked by its workflow.
"""

from __future__ import annotations

import math

from backend.errors import BadMedia
from backend.media.check import cleaned
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
from backend.media.format_names import USUAL

_LIMITS = {
    "sound": (SOUND_SECONDS_MIN, SOUND_PART_MAX, SOUND_FILE_MAX),
    "video": (VIDEO_SECONDS_MIN, VIDEO_PART_MAX, VIDEO_FILE_MAX),
}


def length(seconds: float, kind: str, name: str, field: str = "") -> None:
    """Raises BadMedia when a whole file (`kind`: sound or video) is too short or too long to choose from."""
    shortest, part, longest = _LIMITS[kind]
    upload = cleaned(name)
    if seconds < shortest:
        # Rounded down: 0.199 s must not be shown as 0.2 s when 0.2 s is the minimum.
        lasts = math.floor(seconds * 100) / 100
        raise BadMedia.of(
            f"too_short_{kind}", upload=upload, lasts=lasts, least_seconds=shortest, field=field
        )
    if seconds > longest:
        raise BadMedia.of(
            "file_too_long",
            upload=upload,
            lasts=seconds,
            most_seconds=longest,
            part_seconds=part,
            field=field,
        )


def frame(width: int, height: int, name: str, field: str = "") -> None:
    """Raises BadMedia when a video's frame is too large, too small or too narrow."""
    upload = cleaned(name)
    if width * height > VIDEO_MAX_PIXELS:
        raise BadMedia.of("video_over_4k", upload=upload, width=width, height=height, field=field)
    if min(width, height) < VIDEO_MIN_SIDE:
        raise BadMedia.of(
            "video_too_small", upload=upload, width=width, height=height, least=VIDEO_MIN_SIDE, field=field
        )
    if max(width, height) > MAX_RATIO * min(width, height):
        raise BadMedia.of(
            "video_too_narrow", upload=upload, width=width, height=height, most=MAX_RATIO, field=field
        )


def no_frame(name: str, field: str = "") -> BadMedia:
    return BadMedia.of("video_without_frames", upload=cleaned(name), formats=USUAL["video"], field=field)


def one_frame(name: str, field: str = "") -> BadMedia:
    return BadMedia.of("video_of_one_frame", upload=cleaned(name), formats=USUAL["video"], field=field)
