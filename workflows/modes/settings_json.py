"""The parameters of a mode as versioned JSON: the one form in which recipes and presets store them.

    {"version": 3, "mode": "image_to_video", "values": {"prompt": "...", "seconds": 5.0, "seed": 42}}

`version` is that of the parameters (earlier.VERSION). Values have their interface names; files are not among
them. What is read may come from anywhere: each value is checked by its field, and those that this version
cannot use are left out and named.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workflows.modes.earlier import FIRST, VERSION, at_present
from workflows.modes.registry import MODES
from workflows.params.field import Field
from workflows.params.loras import check_loras, loras_text
from workflows.params.values import InvalidParam
from workflows.spec import RANDOM_SEED

TEXT_MAX = 200_000
"""Characters of a JSON text: nine prompts of the longest kind fit, in escapes too."""
NAMES_MAX = 100
"""Values that are looked at; a mode has some 30."""
NAMED_MAX = 20
"""Names of unusable values in a report."""
NAME_MAX = 40
"""Characters of such a name."""
COUNT_MAX = 9
"""Variations of one job."""
COUNT, VARY = "variations", "vary"
"""What a job of variations has beside the parameters of its mode."""

Reason = Literal["malformed", "later", "mode"]


class UnreadableSettings(ValueError):
    """Settings that cannot be read at all. `reason`: malformed, later (written by a later version), mode (it
    does not exist here); `name`: that version or mode."""

    def __init__(self, reason: Reason, name: str = "") -> None:
        super().__init__(f"{reason} {name}".strip())
        self.reason: Reason = reason
        self.name = name[:NAME_MAX]


@dataclass(frozen=True)
class Settings:
    """What was read. `left_out`: names of values that this version cannot use."""

    mode: str
    values: dict[str, Any]
    left_out: tuple[str, ...] = ()


def to_json(mode: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a mode in the order of the API, as JSON. Files, unknown names and values that are not
    given stay out. Raises KeyError for an unknown mode."""
    kept = {
        field.name: _plain(field, values[field.name]) for field in MODES[mode].fields if field.name in values
    }
    kept |= {name: values[name] for name in (COUNT, VARY) if values.get(name)}
    return {"version": VERSION, "mode": mode, "values": kept}


def from_json(data: object, media: Collection[str] = ()) -> tuple[str, dict[str, Any]]:
    """(mode, values) of what to_json wrote; see `read`."""
    found = read(data, media)
    return found.mode, found.values


def read(data: object, media: Collection[str] = ()) -> Settings:
    """The settings in a JSON object, also of an earlier version, as this version needs them. `media`: the
    parameters for which there are files. LoRAs come as JSON text, as forms and endpoints take them.

    Raises UnreadableSettings.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("values"), Mapping):
        raise UnreadableSettings("malformed")
    version, mode = data.get("version"), data.get("mode")
    if isinstance(version, bool) or not isinstance(version, int) or version < FIRST:
        raise UnreadableSettings("malformed")
    if version > VERSION:
        raise UnreadableSettings("later", str(version) if version < 10**9 else "")
    if not isinstance(mode, str):
        raise UnreadableSettings("malformed")
    if mode not in MODES:
        raise UnreadableSettings("mode", mode)
    given: Mapping[Any, Any] = data["values"]
    if len(given) > NAMES_MAX:
        raise UnreadableSettings("malformed")
    values, left_out = _usable(mode, given)
    return Settings(mode, at_present(mode, values, media, version), _shortened(left_out))


def parsed(text: str | bytes) -> Any:
    """The value of a JSON text. Raises UnreadableSettings for one that is too long or no JSON."""
    if len(text) > TEXT_MAX:
        raise UnreadableSettings("malformed")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableSettings("malformed") from None


def _plain(field: Field, value: Any) -> Any:
    """A value of JSON's own types."""
    if field.kind != "loras":
        return value
    try:
        return [one.to_json() for one in check_loras(field.name, field.label, value)]
    except InvalidParam:
        return loras_text(value) if isinstance(value, (str, list, tuple)) else value


def _usable(mode: str, given: Mapping[Any, Any]) -> tuple[dict[str, Any], list[str]]:
    """The usable values, and the names of the others."""
    known = {field.name: field for field in MODES[mode].fields}
    found: dict[str, Any] = {}
    left_out: list[str] = []
    for name, value in given.items():
        if name == COUNT and _is_count(value):
            found[name] = value
        elif name == VARY and isinstance(value, Mapping) and (several := _varied(known, value)) is not None:
            found[name] = several
        elif name in known and (value is not None or known[name].nullable):
            try:
                found[name] = _checked(known[name], value)
            except InvalidParam:
                left_out.append(name)
        elif name not in known or value is not None:
            left_out.append(str(name))
    return found, left_out


def _checked(field: Field, value: Any) -> Any:
    """A value within its limits. A whole number may come as a float. Raises InvalidParam."""
    if field.name == "seed" and value == RANDOM_SEED and not isinstance(value, bool):
        return RANDOM_SEED
    if field.type is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        clean = field.check(value)
    except RecursionError:  # lists within lists
        raise InvalidParam(field.name, "") from None
    return loras_text(clean) if field.kind == "loras" else clean


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= COUNT_MAX


def _varied(known: Mapping[str, Field], given: Mapping[Any, Any]) -> dict[str, list[Any]] | None:
    """One parameter with its values; None for anything else."""
    if len(given) != 1 or (name := next(iter(given))) not in known:
        return None
    several = given[name]
    if not isinstance(several, list) or not 2 <= len(several) <= COUNT_MAX:
        return None
    try:
        return {name: [_checked(known[name], value) for value in several]}
    except InvalidParam:
        return None


def _shortened(names: list[str]) -> tuple[str, ...]:
    """The first names, each on one line."""
    clean = ("".join(c for c in name[:NAME_MAX] if c.isprintable()) for name in names[:NAMED_MAX])
    return tuple(clean)
