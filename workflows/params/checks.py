"""What several modes have in common: measured media, prompts, sizes, the figures of a run."""

from __future__ import annotations

import math
from typing import Any

from workflows.params.limits import (
    CHOICE_LABELS,
    CHOICES,
    GUIDANCE_MAX,
    GUIDANCE_MIN,
    MEDIA,
    PROMPT_MAX,
    SEED_MAX,
    STEPS_MAX,
)
from workflows.params.media import Media
from workflows.params.sizes import SIZE_MAX, SIZE_MIN, SIZE_STEP
from workflows.params.values import (
    InvalidParam,
    check_choice,
    check_int,
    check_text,
    check_zero_or_number,
    shown,
)

_LABELS = {
    "image": "The picture",
    "end_image": "The last picture",
    "audio": "The sound",
    "video": "The driving video",
    "pose_video": "The pose video",
    "face_video": "The face video",
    "mask": "The mask video",
}
_WORDS = {"picture": "a picture", "sound": "a sound", "video": "a video"}


def set_clean(params: object, field: str, value: Any) -> None:
    """Keeps the clean value: the dataclass is frozen from its user's side."""
    object.__setattr__(params, field, value)


def check_common(params: Any) -> None:
    """What every mode has: media, prompt, seed, choices, size."""
    for field, (kind, required) in MEDIA[params.MODE].items():
        if required or getattr(params, field) is not None:
            _check_media(field, _LABELS[field], _WORDS[kind], getattr(params, field))
    check_int("seed", "The seed", params.seed, 0, SEED_MAX)
    set_clean(params, "prompt", check_text("prompt", "The prompt", params.prompt, PROMPT_MAX))
    for field, allowed in CHOICES[params.MODE].items():
        check_choice(field, CHOICE_LABELS[field], getattr(params, field), allowed)
    _check_side("width", "Width", params.width)
    _check_side("height", "Height", params.height)
    if (params.width == 0) != (params.height == 0):
        missing = "width" if params.width == 0 else "height"
        raise InvalidParam(
            missing,
            "Width and height belong together, but only one is given.",
            "Give both, or 0 for both to choose the size automatically.",
        )


def check_run(params: Any, two_experts: bool) -> None:
    """Negative prompt, steps, cfg and shift."""
    if params.negative_prompt is not None:
        set_clean(params, "negative_prompt", check_text(
            "negative_prompt", "The negative prompt", params.negative_prompt, PROMPT_MAX))  # fmt: skip
    check_steps(params, two_experts)
    for field, label in (("cfg", "Guidance (cfg)"), ("shift", "Shift")):
        value = check_zero_or_number(field, label, getattr(params, field), GUIDANCE_MIN, GUIDANCE_MAX)
        set_clean(params, field, value)


def check_steps(params: Any, two_experts: bool) -> None:
    """0 or 1 to 100; one step cannot be shared by two experts."""
    check_int("steps", "Steps", params.steps, 0, STEPS_MAX)
    if params.steps == 1 and two_experts:
        hint = "Give at least 2 steps."
        if "experts" in CHOICES[params.MODE]:
            hint = "Give at least 2 steps, or choose one expert."
        raise InvalidParam("steps", "One step cannot be shared by two experts.", hint)


def check_prompt_given(params: Any) -> None:
    """A mode without media needs words."""
    if not params.prompt.strip():
        raise InvalidParam("prompt", "The prompt is empty.", "Describe what is to be seen.")


def _check_side(field: str, label: str, value: Any) -> None:
    hint = f"Give a multiple of {SIZE_STEP} from {SIZE_MIN} to {SIZE_MAX}, or 0 for automatic."
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidParam(field, f"{label} must be a whole number of pixels, not {shown(value)}.", hint)
    if value == 0:
        return
    if not SIZE_MIN <= value <= SIZE_MAX:
        message = f"{label} must lie between {SIZE_MIN} and {SIZE_MAX} pixels, not {shown(value)}."
        raise InvalidParam(field, message, hint)
    if value % SIZE_STEP:
        raise InvalidParam(field, f"{label} must be a multiple of {SIZE_STEP} pixels; {value} is not.", hint)


def _check_media(field: str, label: str, word: str, media: Any) -> None:
    if not isinstance(media, Media):
        raise InvalidParam(field, f"{label} is missing.", f"Add {word}.")
    parts = media.name.replace("\\", "/").split("/") if isinstance(media.name, str) else []
    if not parts or "" in parts or ".." in parts or not media.name.isprintable():
        raise InvalidParam(field, f"{label} has no usable file name.", "Rename the file and try again.")
    for side in (media.width, media.height):
        if isinstance(side, bool) or not isinstance(side, int) or side < 0:
            raise InvalidParam(field, f"{label} has no usable size.", f"Choose another {word[2:]}.")
    if not isinstance(media.seconds, (int, float)) or not 0 <= media.seconds < math.inf:
        raise InvalidParam(field, f"{label} has no usable length.", f"Choose another {word[2:]}.")


def chosen_seconds(
    field: str, label: str, media: Media, start: float, seconds: float, seconds_field: str, longest: float
) -> float:
    """The length of the part from `start` on, `seconds` long (0: to the end), in seconds.

    A part that ends up to 0.1 s behind the file's end is cut there: compressed files know their length no
    better; so is one that is up to half a second longer than `longest`. Raises InvalidParam for the start or
    length that does not lie in the file.
    """
    part = _chosen_seconds(field, label, media, start, seconds, seconds_field)
    return min(part, longest) if part <= longest + _LONGEST_SLACK else part


def _chosen_seconds(
    field: str, label: str, media: Media, start: float, seconds: float, seconds_field: str
) -> float:
    if not media.seconds:
        if not seconds:
            raise InvalidParam(field, f"The length of {label} is not known.", "Choose another file.")
        return seconds
    rest = round(media.seconds - start, 6)  # 12.0 - 11.8 is 0.2, as people reckon
    if rest <= 0:
        raise InvalidParam(
            "start",
            f"The start, {start:g} s, lies beyond the end of {label} at {media.seconds:.4g} s.",
            "Choose an earlier start.",
        )
    if seconds > rest + _LENGTH_SLACK:
        raise InvalidParam(
            seconds_field,
            f"From {start:g} s on, {label} lasts only {rest:.4g} s, not {seconds:g} s.",
            "Choose a shorter part, or 0 to use it to its end.",
        )
    return min(seconds, rest) if seconds else rest


_LENGTH_SLACK = 0.1
_LONGEST_SLACK = 0.5
"""Ten minutes are 10 min 0.03 s where an encoder has left them."""
