"""Checks of measured media, and of parameters that belong together."""

from __future__ import annotations

import math
from typing import Any

from workflows.params.media import Media
from workflows.params.values import InvalidParam

_KINDS = {"picture": "a picture", "sound": "a sound", "video": "a video"}
_LENGTH_SLACK = 0.1
"""Seconds by which a part may reach beyond the end of its file: the length of compressed files is rounded."""
_LONGEST_SLACK = 0.5
"""Seconds by which a part may exceed the longest: an encoder makes 10 min 0.03 s of ten minutes."""


def check_media(field: str, subject: str, kind: str, media: Any) -> Media:
    """A file with a usable name, size and length. kind: picture, sound or video. Raises InvalidParam."""
    word = _KINDS[kind]
    if not isinstance(media, Media):
        raise InvalidParam(field, f"{subject} is missing.", f"Add {word}.")
    parts = media.name.replace("\\", "/").split("/") if isinstance(media.name, str) else []
    if not parts or "" in parts or ".." in parts or not media.name.isprintable():
        raise InvalidParam(field, f"{subject} has no usable file name.", "Rename the file and try again.")
    for side in (media.width, media.height):
        if isinstance(side, bool) or not isinstance(side, int) or side < 0:
            raise InvalidParam(field, f"{subject} has no usable size.", f"Choose another {kind}.")
    if not isinstance(media.seconds, (int, float)) or not 0 <= media.seconds < math.inf:
        raise InvalidParam(field, f"{subject} has no usable length.", f"Choose another {kind}.")
    return media


def check_sides(params: Any) -> None:
    """Width and height: both, or neither. Raises InvalidParam naming the missing one."""
    if (params.width == 0) != (params.height == 0):
        raise InvalidParam(
            "width" if params.width == 0 else "height",
            "Width and height belong together, but only one is given.",
            "Give both, or 0 for both to choose the size automatically.",
        )


def check_shared_steps(params: Any, *, one_expert: bool = False, hint: str = "") -> None:
    """One step cannot be shared by two experts. `one_expert`: this run uses one only. Raises InvalidParam."""
    if params.steps == 1 and not one_expert:
        raise InvalidParam(
            "steps", "One step cannot be shared by two experts.", hint or "Give at least 2 steps."
        )


def check_prompt_given(params: Any) -> None:
    """A mode without media needs a prompt. Raises InvalidParam."""
    if not params.prompt.strip():
        raise InvalidParam("prompt", "The prompt is empty.", "Describe the scene.")


def chosen_seconds(
    field: str, label: str, media: Media, start: float, seconds: float, seconds_field: str, longest: float
) -> float:
    """The length in seconds of the part that begins at `start` and is `seconds` long (0: to the end).

    A part that reaches up to 0.1 s beyond the end of the file is cut there, and one up to half a second
    longer than `longest` is cut to it. Raises InvalidParam for a start or a length outside the file.
    """
    part = _part_seconds(field, label, media, start, seconds, seconds_field)
    return min(part, longest) if part <= longest + _LONGEST_SLACK else part


def _part_seconds(
    field: str, label: str, media: Media, start: float, seconds: float, seconds_field: str
) -> float:
    if not media.seconds:
        if not seconds:
            raise InvalidParam(field, f"The length of {label} is not known.", "Choose another file.")
        return seconds
    rest = round(media.seconds - start, 6)  # 12.0 - 11.8 is 0.2, whatever binary fractions say
    if rest <= 0:
        raise InvalidParam(
            "start",
            f"The start, {start:g} s, is past the end of {label} at {media.seconds:.4g} s.",
            "Choose an earlier start.",
        )
    if seconds > rest + _LENGTH_SLACK:
        raise InvalidParam(
            seconds_field,
            f"From {start:g} s on, {label} lasts only {rest:.4g} s, not {seconds:g} s.",
            "Choose a shorter part, or 0 to use it to its end.",
        )
    return min(seconds, rest) if seconds else rest
