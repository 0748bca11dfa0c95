"""What stands in the widgets <-> what interface.md's parameters take. Pure: no gradio, nothing is refused.

A value that makes no sense goes through unchanged, so that the one check, in `workflows`, can name it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.modes.registry import CHOICES

FILE, TEXT, CHOICE, SECONDS, WHOLE, NUMBER, SWITCH = (
    "file", "text", "choice", "seconds", "whole", "number", "switch",
)  # fmt: skip
RANDOM_SEED = -1
LENGTHS = (2.0, 3.0, 5.0, 8.0)
"""Seconds that the page offers; any other comes from the API or from a job made there."""

LABELS: Mapping[str, Mapping[str, str]] = {
    "resolution": {"draft": "Draft", "480p": "480p", "720p": "720p"},
    "motion": {"balanced": "Balanced", "dynamic": "Dynamic", "subtle": "Subtle", "official": "Official"},
    "experts": {"both": "Both", "high": "High-noise only", "low": "Low-noise only"},
    "speed": {"fast": "Fast", "quality": "Quality"},
    "variant": {
        "balanced": "Balanced",
        "dynamic": "Dynamic",
        "subtle": "Subtle",
        "480p": "480p",
        "anti_slow_motion": "Anti slow motion",
    },
    "fit": {"crop": "Crop", "pad": "Pad"},
    "method": {"move": "Move", "mix": "Mix"},
    "model": {"wan": "WAN", "flux": "Flux"},
}
"""field -> value -> word on the page, in the page's order."""


@dataclass(frozen=True)
class Field:
    """One parameter. `default`: the API's; `page`: what the page starts with where that differs."""

    name: str
    kind: str
    default: Any = None
    page: Any = None
    in_api: bool = True

    @property
    def start(self) -> Any:
        return self.default if self.page is None else self.page


_SIDES = (Field("width", WHOLE, 0), Field("height", WHOLE, 0))
_SIZE = (Field("resolution", CHOICE, "480p"), *_SIDES)
_SPEED = Field("speed", CHOICE, "quality", page="fast")
_RUN = (
    Field("steps", WHOLE, 0),
    Field("cfg", NUMBER, 0.0),
    Field("shift", NUMBER, 0.0),
    Field("seed", WHOLE, RANDOM_SEED),
)
_FIT = Field("fit", CHOICE, "crop", in_api=False)

FIELDS: Mapping[str, tuple[Field, ...]] = {
    "image_to_video": (
        Field("image", FILE),
        Field("prompt", TEXT, ""),
        Field("negative_prompt", TEXT),
        Field("end_image", FILE),
        *_SIZE,
        Field("seconds", SECONDS, 5.0),
        Field("motion", CHOICE, "balanced"),
        Field("experts", CHOICE, "both"),
        _SPEED,
        *_RUN,
        _FIT,
        Field("clip_vision", SWITCH, False, in_api=False),
        Field("tiled_decode", SWITCH, False, in_api=False),
        Field("easy_cache", SWITCH, False, in_api=False),
    ),
    "fast_video": (
        Field("image", FILE),
        Field("prompt", TEXT, ""),
        Field("variant", CHOICE, "balanced"),
        *_SIZE,
        Field("seconds", SECONDS, 5.0),
        Field("seed", WHOLE, RANDOM_SEED),
        _FIT,
    ),
    "sound_to_video": (
        Field("audio", FILE),
        Field("image", FILE),
        Field("prompt", TEXT, ""),
        Field("negative_prompt", TEXT),
        Field("start", NUMBER, 0.0),
        Field("duration", NUMBER, 0.0),
        *_SIZE,
        _SPEED,
        *_RUN,
        Field("level", SWITCH, False),
        _FIT,
    ),
    "animate": (
        Field("image", FILE),
        Field("video", FILE),
        Field("prompt", TEXT, ""),
        Field("negative_prompt", TEXT),
        Field("method", CHOICE, "move"),
        Field("relight", NUMBER, 0.8),
        Field("pose_video", FILE),
        Field("face_video", FILE),
        Field("mask", FILE),
        Field("fps", NUMBER, 16.0),
        *_SIZE,
        Field("seconds", NUMBER, 0.0),
        _SPEED,
        *_RUN,
        Field("start", NUMBER, 0.0),
        _FIT,
    ),
    "text_to_video": (
        Field("prompt", TEXT, ""),
        Field("negative_prompt", TEXT),
        Field("aspect", CHOICE, "16:9"),
        *_SIZE,
        Field("seconds", SECONDS, 5.0),
        _SPEED,
        *_RUN,
    ),
    "text_to_image": (
        Field("prompt", TEXT, ""),
        Field("model", CHOICE, "wan"),
        Field("aspect", CHOICE, "16:9"),
        *_SIDES,
        Field("steps", WHOLE, 0),
        Field("seed", WHOLE, RANDOM_SEED),
    ),
}
"""mode -> its parameters in the order of interface.md; later ones and those that only the page has follow."""
TRIMS: Mapping[str, tuple[str, str, str]] = {
    "sound_to_video": ("audio", "start", "duration"),
    "animate": ("video", "start", "seconds"),
}
"""mode -> (the file of which a part is chosen, where the part starts, how long it is; 0: to the end)."""


def api_fields(mode: str) -> tuple[Field, ...]:
    """The parameters of the endpoint, in order."""
    return tuple(field for field in FIELDS[mode] if field.in_api)


def value_names(mode: str) -> tuple[str, ...]:
    """All parameters of a mode that are no files: the keys of to_values and from_params."""
    return tuple(field.name for field in FIELDS[mode] if field.kind != FILE)


def file_names(mode: str) -> tuple[str, ...]:
    """The parameters that are files; none for a mode that does not exist."""
    return tuple(field.name for field in FIELDS.get(mode, ()) if field.kind == FILE)


def page_defaults(mode: str, default_negative: str = "") -> dict[str, Any]:
    """What the widgets start with. default_negative: the catalog's text, shown in full to be edited."""
    return from_params(mode, {field.name: field.start for field in FIELDS[mode]}, default_negative)


def options(mode: str, name: str) -> list[tuple[str, str]]:
    """(word on the page, value) of a choice, in the page's order."""
    allowed = CHOICES[mode][name]
    words = LABELS.get(name, {})
    known = [(word, value) for value, word in words.items() if value in allowed]
    return known + [(value, value) for value in allowed if value not in words]


def length_text(seconds: float) -> str:
    """5.0 -> "5 s", 2.5 -> "2.5 s"; every digit that it takes to mean the same number again."""
    short = f"{seconds:g}"
    return f"{short if float(short) == seconds else repr(float(seconds))} s"


def lengths(seconds: Any = None) -> list[str]:
    """The lengths to choose from, with `seconds` among them when it is a usable number."""
    known = set(LENGTHS)
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 < seconds < 1e6:
        known.add(float(seconds))
    return [length_text(value) for value in sorted(known)]


def to_values(mode: str, widgets: Mapping[str, Any], default_negative: str | None = None) -> dict[str, Any]:
    """Interface values from what stands in the widgets. A widget that is not given counts as its default.

    "5 s" -> 5.0; an emptied number -> its default (0: the mode's own, seed -1: random); a whole float
    (20.0) -> int; the catalog's negative prompt, left as it is -> None ("": none at all).
    """
    values: dict[str, Any] = {}
    for field in FIELDS[mode]:
        if field.kind == FILE:
            continue
        value = widgets.get(field.name, field.start)
        if value is None or (value == "" and field.kind != TEXT):
            value = field.default
        if field.name == "negative_prompt" and value is not None and value == default_negative:
            value = None
        values[field.name] = _number(field, value)
    return values


def api_values(mode: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Interface values from the arguments of an endpoint: null counts as the default, 20.0 as 20."""
    values: dict[str, Any] = {}
    for field in api_fields(mode):
        if field.kind == FILE:
            continue
        value = given.get(field.name)
        values[field.name] = _number(field, field.default if value is None else value)
    return values


def from_params(mode: str, params: Mapping[str, Any], default_negative: str = "") -> dict[str, Any]:
    """What the widgets must hold to make a job's video again: JobView.params, seed and all.

    A parameter that the job did not have gets the API's default, which is what it ran with.
    """
    widgets: dict[str, Any] = {}
    for field in FIELDS[mode]:
        if field.kind == FILE:
            continue
        value = params.get(field.name, field.default)
        if field.name == "negative_prompt" and value is None:
            value = default_negative
        if field.kind == SECONDS and isinstance(value, (int, float)):
            value = length_text(value)
        widgets[field.name] = value
    return widgets


def summary(mode: str, widgets: Mapping[str, Any]) -> str:
    """The present values beside "Advanced": "480p, balanced motion, random seed"."""
    values = to_values(mode, widgets)
    width, height = values["width"], values["height"]
    parts = []
    if width and height:
        parts.append(f"{width} × {height}")
    elif "resolution" in values:
        parts.append(_word("resolution", values["resolution"]))
    if "motion" in values:
        parts.append(f"{_word('motion', values['motion']).lower()} motion")
        if values["experts"] != "both":
            parts.append(_word("experts", values["experts"]).lower())
    if "fps" in values:
        parts.append(f"{_plain(values['fps'])} fps")
    if values.get("steps"):
        parts.append(f"{_plain(values['steps'])} steps")
    seed = values["seed"]
    parts.append("random seed" if seed == RANDOM_SEED else f"seed {seed}")
    return ", ".join(parts)


def _word(name: str, value: Any) -> str:
    return LABELS[name].get(value, str(value)) if isinstance(value, str) else str(value)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _number(field: Field, value: Any) -> Any:
    """ "5 s" -> 5.0 and 20.0 -> 20 where the parameter asks for it; anything else unchanged."""
    if field.kind == SECONDS and isinstance(value, str):
        found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,20})?) s", value)
        return float(found[1]) if found else value
    if field.kind == WHOLE and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
