"""The rules for sounds and videos and the part chosen of them, and their sentences. Pure: facts in.

What is wrong with a file is BadMedia with the file's field, what is wrong with a chosen value is BadInput
with the value's. Functions that return a sentence return "" when there is nothing to say.
"""

from __future__ import annotations

import math

from backend.errors import BadInput, BadMedia
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
    PictureFacts,
    SoundFacts,
    VideoFacts,
)

_LIMITS = {
    "sound": (SOUND_SECONDS_MIN, SOUND_PART_MAX, SOUND_FILE_MAX),
    "video": (VIDEO_SECONDS_MIN, VIDEO_PART_MAX, VIDEO_FILE_MAX),
}
# Two clips of one length differ by a frame or two after editing; a tenth of a second is no mistake.
_SAME_SECONDS = 0.15
_SAME_RATIO = 0.02
_SHARE_LOST = 0.35
"""Cropping more than this share of a side changes who is in the frame."""


def spoken(seconds: float) -> str:
    """A length for a sentence: 0.02 s, 4.9 s, 3 min 20 s, 1 h 5 min."""
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
        # Rounded down: 0.199 s must not be said to be 0.2 s when 0.2 s is the least.
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
    """Raise BadMedia when a video's frame is too large, too small or a strip."""
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


def chosen(
    facts: SoundFacts | VideoFacts,
    start: float = 0.0,
    seconds: float = 0.0,
    *,
    start_field: str = "start",
    seconds_field: str = "duration",
) -> tuple[float, float]:
    """Start and length in seconds of the part that is used; `seconds` 0 means to the end.

    A part that goes beyond the end is cut there. Raises BadInput (`start_field`, `seconds_field`) when the
    part begins beyond the end, is negative, too short or too long.
    """
    kind = "sound" if isinstance(facts, SoundFacts) else "video"
    shortest, longest, _ = _LIMITS[kind]
    if not math.isfinite(start) or start < 0:
        raise BadInput("The start must be 0 s or later.", "Choose where it begins.", field=start_field)
    if not math.isfinite(seconds) or seconds < 0:
        raise BadInput(
            "The length must be more than 0 s.", "0 s stands for all up to the end.", field=seconds_field
        )
    if start >= facts.seconds:
        raise BadInput(
            f"The start, {spoken(start)}, is beyond the end: the {kind} is {spoken(facts.seconds)} long.",
            "Choose an earlier start.",
            field=start_field,
        )
    left = facts.seconds - start
    taken = min(seconds, left) if seconds else left
    if taken < shortest - 1e-6:
        field = seconds_field if seconds and seconds <= left else start_field
        raise BadInput(
            f"Only {max(taken, 0.01):.2f} s of the {kind} are chosen. {spoken(shortest)} or more are needed.",
            "Choose a longer part." if field == seconds_field else "Choose an earlier start.",
            field=field,
        )
    if taken > longest + 0.5:  # 10 min 0.02 s, as encoders leave it, is 10 min
        raise BadInput(
            f"{spoken(taken)} of the {kind} are chosen. Up to {spoken(longest)} can be used at a time.",
            "Choose a shorter part.",
            field=seconds_field,
        )
    return start, min(taken, longest)


def companion(
    given: VideoFacts | PictureFacts, video: VideoFacts, what: str, field: str, *, any_shape: bool = False
) -> None:
    """Raise BadMedia when a mask, pose or face video (`what`: "mask", "pose video") does not belong to the
    driving video: another length, or another shape (`any_shape`: a face crop is always square)."""
    if isinstance(given, PictureFacts) or given.frames == 1:
        if what != "mask":
            raise BadMedia(
                f"The {what} is a picture; it must move as the video does.", CHOOSE["video"], field=field
            )
    elif abs(given.seconds - video.seconds) > _SAME_SECONDS:
        raise BadMedia(
            f"The {what} is {spoken(given.seconds)} long, the video {spoken(video.seconds)}.",
            f"Choose the {what} that was made from this video.",
            field=field,
        )
    ratio = (given.width / given.height) / (video.width / video.height)
    if not any_shape and abs(math.log(ratio)) > _SAME_RATIO:
        raise BadMedia(
            f"The {what} is {given.width} × {given.height}, the video {video.width} × {video.height}: "
            "they do not cover each other.",
            f"Choose the {what} that was made from this video.",
            field=field,
        )


def framing(picture: PictureFacts, video: VideoFacts) -> str:
    """A warning when picture and driving video are cut very differently, as far as their shapes tell."""
    ratio = (picture.width / picture.height) / (video.width / video.height)
    lost = 1 - min(ratio, 1 / ratio)
    if lost < _SHARE_LOST:
        return ""
    shapes = [_shape(facts.width, facts.height) for facts in (picture, video)]
    if shapes[0] == shapes[1]:
        shapes = [f"{facts.width} × {facts.height}" for facts in (picture, video)]
    return (
        f"The picture is {shapes[0]}, the video {shapes[1]}: the person is framed differently in them. "
        "It works best when both show the same part of the person."
    )


def _shape(width: int, height: int) -> str:
    if width > 1.15 * height:
        return "wide"
    return "tall" if height > 1.15 * width else "square"
