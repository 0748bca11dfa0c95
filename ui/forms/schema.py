"""Converts between the values of a form's widgets and the parameters of a mode. Pure: no gradio, no checks.

An unusable value passes through unchanged; the checks in `workflows` report it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ui.i18n.mode_texts import choice_label, choice_note
from ui.i18n.texts import plural, text
from workflows.modes.registry import MODES
from workflows.params.field import Field
from workflows.params.loras import loras_count, loras_text
from workflows.spec import RANDOM_SEED

LONGEST = 1e6
"""Seconds; a longer length, which no check lets through, gets no button."""


def file_names(mode: str) -> tuple[str, ...]:
    """The parameters that are files; none for a mode that does not exist."""
    return tuple(MODES[mode].media) if mode in MODES else ()


def page_defaults(mode: str, default_negative: str = "") -> dict[str, Any]:
    """The initial values of the widgets. default_negative: what is shown for the
    catalogue's negative prompt, to be edited."""
    return from_params(mode, {field.name: field.start for field in MODES[mode].fields}, default_negative)


def options(mode: str, name: str, value: Any = None) -> list[tuple[str, Any]]:
    """(text on the page, value) of a choice, or of the lengths on offer with `value` among them."""
    field = MODES[mode].field(name)
    if field.offered:
        return [(length_text(seconds), seconds) for seconds in lengths(field, value)]
    return [(choice_label(mode, name, choice.value), choice.value) for choice in field.choices]


def notes(mode: str, name: str) -> dict[str, str]:
    """Value of a choice -> what it does, for the values that have a note."""
    found = {
        choice.value: choice_note(mode, name, choice.value) for choice in MODES[mode].field(name).choices
    }
    return {value: note for value, note in found.items() if note}


def length_text(seconds: float) -> str:
    """5.0 -> "5 s", 2.5 -> "2.5 s"; different lengths have different texts."""
    short = f"{seconds:g}"
    return text("format.seconds", seconds=short if float(short) == seconds else repr(float(seconds)))


def lengths(field: Field, seconds: Any = None) -> list[float]:
    """The lengths offered as buttons, with `seconds` among them when it is a usable number."""
    known = {*field.offered, *([float(seconds)] if is_length(seconds) else [])}
    return sorted(known)


def is_length(value: object) -> bool:
    """Whether a value can be shown as a length."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < LONGEST


def to_values(mode: str, widgets: Mapping[str, Any], default_negative: str | None = None) -> dict[str, Any]:
    """The parameters' values from those of the widgets. A widget that is not given counts as its default.

    An emptied number -> its default (0: the mode's own, seed -1: random); a whole float
    (20.0) -> int; what is shown for the catalogue's negative prompt, left as it is -> None ("": none at all).
    """
    values: dict[str, Any] = {}
    for field in MODES[mode].fields:
        value = widgets.get(field.name, field.start)
        if value is None or (value == "" and field.kind != "text"):
            value = field.default
        if field.nullable and value is not None and value == default_negative:
            value = None
        values[field.name] = as_number(field, value)
    return values


def api_values(mode: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters' values from the arguments of an endpoint: null counts as the default, 20.0 as 20."""
    values: dict[str, Any] = {}
    for field in MODES[mode].fields:
        if field.in_api:
            value = given.get(field.name)
            values[field.name] = as_number(field, field.default if value is None else value)
    return values


def from_params(mode: str, params: Mapping[str, Any], default_negative: str = "") -> dict[str, Any]:
    """What the widgets must hold to make a job's video again: JobView.params, seed included.

    A parameter that the job did not have gets the API's default, which is what it ran with. A number that has
    a special meaning (Field.blank) is an empty field.
    """
    widgets: dict[str, Any] = {}
    for field in MODES[mode].fields:
        value = params.get(field.name, field.default)
        if field.nullable and value is None:
            value = default_negative
        if field.kind == "loras":
            value = loras_text(value)
        if field.blank and value == field.default:
            value = None
        widgets[field.name] = value
    return widgets


def summary(mode: str, widgets: Mapping[str, Any]) -> str:
    """The present values beside "Advanced": "480p, balanced motion, random seed"."""
    values = to_values(mode, widgets)

    def chosen(name: str) -> str:
        value = values[name]
        return choice_label(mode, name, value) if isinstance(value, str) else str(value)

    parts = []
    if values["width"] and values["height"]:
        parts.append(text("forms.summary.size", width=values["width"], height=values["height"]))
    elif "resolution" in values:
        parts.append(chosen("resolution"))
    if "motion" in values:
        parts.append(text("forms.summary.motion", motion=chosen("motion").lower()))
    if values.get("loop"):
        parts.append(text("forms.summary.loop"))
    if values.get("experts", "both") != "both":
        parts.append(text("forms.summary.experts", experts=chosen("experts").lower()))
    if "fps" in values:
        parts.append(text("forms.summary.fps", fps=_plain(values["fps"])))
    if count := loras_count(values.get("loras")):
        parts.append(plural("forms.summary.loras", count))
    if values.get("steps"):
        parts.append(text("forms.summary.steps", steps=_plain(values["steps"])))
    seed = values["seed"]
    random = seed == RANDOM_SEED
    parts.append(text("forms.summary.random_seed") if random else text("forms.summary.seed", seed=seed))
    return ", ".join(parts)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def as_number(field: Field, value: Any) -> Any:
    """20.0 -> 20 where the parameter is a whole number, 5 -> 5.0 for a length; anything else unchanged."""
    if field.offered and is_length(value):
        return float(value)
    if field.type is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
