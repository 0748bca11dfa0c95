"""How many videos a form makes, and what they differ in: the JSON text that its script edits. Pure.

    {"count": 4, "vary": "motion", "values": {"motion": ["subtle", "dynamic"]}, "lora": "", "draft": true}

`values` also holds what was written for other settings, so that nothing is lost when another setting is
selected.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.jobs.job import VARIATIONS
from backend.jobs.views import SEVERAL, JobView
from ui.forms import schema
from ui.i18n.texts import text
from ui.views.final import clip_of
from workflows.finals import DRAFT_AREA
from workflows.modes.registry import MODES
from workflows.params.field import Field
from workflows.params.loras import STRENGTH_MAX, check_loras
from workflows.params.sizes import fit_size
from workflows.params.values import InvalidParam

NAME = "variations"
"""The name of the widget; the backend's messages about SEVERAL are shown there."""
MOST = 9
TEXT_MAX = 60_000
"""Characters of the JSON text: nine of the longest prompts, and other values."""


@dataclass(frozen=True)
class Wanted:
    """`name`: the setting that differs, "" for the seed; `values`: of each video; `lora`: the file whose
    strength differs; `draft`: they are made small."""

    count: int = 1
    name: str = ""
    values: tuple[Any, ...] = ()
    lora: str = ""
    draft: bool = True


def is_usable(value: object) -> bool:
    """Whether the widget can hold this: "" or the JSON text of an object."""
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        return False
    return not value or _parsed(value) is not None


def read(mode: str, value: object) -> Wanted:
    """What a form asks for; one video for anything that is no such text."""
    data = _parsed(value) if isinstance(value, str) and value and len(value) <= TEXT_MAX else None
    if data is None:
        return Wanted()
    count, name, values = data.get("count"), data.get("vary"), data.get("values")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        return Wanted()
    draft, lora = data.get("draft") is not False, str(data.get("lora") or "")
    field = next((one for one in MODES[mode].varied if one.name == name), None)
    if field is None:
        return Wanted(count, draft=draft)
    several = values.get(field.name) if isinstance(values, Mapping) else None
    listed = several if isinstance(several, list) else []
    return Wanted(count, field.name, tuple(_value(field, one) for one in listed[:MOST]), lora, draft)


def _parsed(value: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _value(field: Field, value: Any) -> Any:
    if field.kind in ("number", "whole", "side", "loras"):
        return schema.as_number(field, value)
    return value


def problem(mode: str, values: Mapping[str, Any], wanted: Wanted) -> tuple[str, bool]:
    """(what prevents the variations, whether it is only that something has not been given yet); ("", False)
    for nothing. values: those of the mode. The backend checks each value itself."""
    if wanted.count == 1 or not wanted.name:
        return "", False
    field = MODES[mode].field(wanted.name)
    if field.kind == "loras" and _entry(values.get("loras"), wanted.lora) is None:
        return text("variations.problem.no_lora"), True
    if field.kind == "choice" and len(wanted.values) < 2:
        return text("variations.problem.two"), True
    blank = [n for n, one in enumerate(wanted.values, 1) if one is None or not str(one).strip()]
    if blank or len(wanted.values) < 2:
        number = blank[0] if blank else len(wanted.values) + 1
        key = "variations.problem.blank_text" if field.kind == "text" else "variations.problem.blank"
        return text(key, number=number), True
    for number, one in enumerate(wanted.values, 1):
        earlier = wanted.values.index(one) + 1
        if earlier < number:
            return text("variations.problem.twice", first=earlier, second=number), False
    if field.kind == "loras" and any(not _is_strength(one) for one in wanted.values):
        return text("variations.problem.strength", low=f"{-STRENGTH_MAX:g}", high=f"{STRENGTH_MAX:g}"), False
    return "", False


def _is_strength(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and -STRENGTH_MAX <= value <= STRENGTH_MAX


def submitted(
    mode: str, values: Mapping[str, Any], wanted: Wanted
) -> tuple[dict[str, Any], int, dict[str, list[Any]] | str]:
    """(the values, their number, what to vary) as the studio takes them. values: those of the mode, and of
    `wanted` no problem."""
    if wanted.count == 1:
        return dict(values), 1, ""
    shared = {**values, **(draft_size(mode, values) if wanted.draft else {})}
    if not wanted.name:
        return shared, wanted.count, ""
    several = list(wanted.values)
    if MODES[mode].field(wanted.name).kind == "loras":
        several = [_with_strength(values.get("loras"), wanted.lora, one) for one in several]
    return shared, len(several), {wanted.name: several}


def as_made(mode: str, widgets: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The widgets of a form as the videos are made: with the size of drafts where several are made small.
    `values`: the parameters that the widgets stand for."""
    wanted = read(mode, widgets.get(NAME))
    small = draft_size(mode, values) if wanted.count > 1 and wanted.draft else {}
    return {**widgets, **small}


def draft_size(mode: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with which a form makes a draft; {} for a mode without drafts, and for a size that is small
    already. A size given by hand keeps its shape."""
    if "resolution" not in MODES[mode].by_name:
        return {}
    width, height = values.get("width"), values.get("height")
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
        return {"resolution": "draft"}
    if width * height <= DRAFT_AREA:
        return {}
    across, down = fit_size(width, height, "draft")
    return {"width": across, "height": down}


def from_job(job: JobView) -> str:
    """What the widget must hold to make a job again: "" for a single video."""
    return from_values(job.mode, job.params, clip_of(job).is_draft) if job.assembly == VARIATIONS else ""


def from_values(mode: str, params: Mapping[str, Any], draft: bool) -> str:
    """What the widget must hold for the parameters of variations: "" for a single video. draft: they are of
    draft size."""
    count = params.get("variations")
    if isinstance(count, bool) or not isinstance(count, int) or not 2 <= count <= MOST:
        return ""
    data: dict[str, Any] = {"count": count, "draft": draft}
    varied = params.get("vary")
    for name, several in varied.items() if isinstance(varied, Mapping) else ():
        field = next((one for one in MODES[mode].varied if one.name == name), None)
        if field is None or not isinstance(several, Sequence):
            continue
        if field.kind == "loras":
            lora, strengths = _strengths(several)
            data |= {"vary": name, "lora": lora, "values": {name: strengths}}
        else:
            data |= {"vary": name, "values": {name: list(several)}}
    return json.dumps(data, ensure_ascii=False)


def _loras(value: Any) -> list[dict[str, Any]]:
    try:
        return [one.to_json() for one in check_loras("loras", "", value)]
    except InvalidParam:
        return []


def _entry(value: Any, name: str) -> dict[str, Any] | None:
    """The entry of this name, else the first one; None without LoRAs."""
    found = _loras(value)
    return next((one for one in found if one["name"] == name), found[0] if found else None)


def _with_strength(value: Any, name: str, strength: float) -> list[dict[str, Any]]:
    """The list with another strength of one LoRA; its strength on the low-noise expert keeps its ratio."""
    chosen = _entry(value, name)
    made = []
    for one in _loras(value):
        if chosen is not None and one["name"] == chosen["name"]:
            share = one["strength_low"] / one["strength"] if one["strength"] else 1.0
            low = max(-STRENGTH_MAX, min(STRENGTH_MAX, strength * share))
            one = {**one, "strength": strength, "strength_low": round(low, 4)}
        made.append(one)
    return made


def _strengths(several: Sequence[Any]) -> tuple[str, list[float]]:
    """(name, strengths) of the LoRA in which lists of LoRAs differ; the first one's where they do not."""
    lists = [_loras(one) for one in several]
    first = lists[0] if lists else []
    for at, one in enumerate(first):
        found = [row[at]["strength"] for row in lists if at < len(row)]
        if len(set(found)) > 1 or len(first) == 1:
            return one["name"], found
    return (first[0]["name"], [row[0]["strength"] for row in lists if row]) if first else ("", [])


def field_of(name: str, wanted: Wanted) -> str:
    """The widget that shows a problem of this field."""
    return NAME if name in SEVERAL or (wanted.count > 1 and name == wanted.name) else name
