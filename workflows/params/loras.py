"""LoRAs of the creator's own: the parameter `loras` and what a mode has to know of the model they go on."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.params.values import InvalidParam, check_number, shown

MOST = 8
"""LoRAs of one job; each adds a node for each expert."""
NAME_MAX = 400
"""Characters of a name, subfolders included."""
STRENGTH_MAX = 5.0
"""ComfyUI takes up to 100; public LoRAs are used at -2 to 3."""
TEXT_MAX = 20_000
"""Characters of the JSON text."""
KEYS = ("name", "strength", "strength_low")
_HOME = re.compile(r"[A-Za-z]:|~\w*|\$\w+|%\w+%")
"""The first part of a path that is not below ComfyUI's folder of LoRAs: a drive, a home, a variable."""
EXAMPLE = '[{"name": "style.safetensors", "strength": 0.8}]'


@dataclass(frozen=True)
class Lora:
    """One LoRA. `strength_low`: on the low-noise expert of a model with two; `strength` is that of the other
    one, and the only one elsewhere."""

    name: str
    strength: float = 1.0
    strength_low: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """The entry of the list."""
        return {"name": self.name, "strength": self.strength, "strength_low": self.strength_low}


@dataclass(frozen=True)
class LoraTarget:
    """The model that the LoRAs of a job go on. `kind`: as backend/models/kinds.py names it; `roles`: of its
    files in the catalogue; `experts`: whether there are two; `when`: (parameter, value) with which a mode
    uses this model, where it has several; `routes`: those of Compiled.route that use it."""

    kind: str
    roles: tuple[str, ...]
    experts: bool = True
    when: tuple[str, str] | None = None
    routes: tuple[str, ...] = ()


def check_loras(field: str, subject: str, value: Any) -> tuple[Lora, ...]:
    """The LoRAs in order, from a JSON text or a list; "" and None for none. Raises InvalidParam."""
    entries = _parsed(field, subject, value)
    if len(entries) > MOST:
        message = f"{subject} are too many: {len(entries)} of {MOST}."
        raise InvalidParam(field, message, "Remove some of them.")
    found = tuple(entry if isinstance(entry, Lora) else _lora(field, entry) for entry in entries)
    seen: set[str] = set()
    for one in found:
        key = plain(one.name)
        if key in seen:
            raise InvalidParam(field, f"{one.name} is in the list twice.", "Remove one of the two.")
        seen.add(key)
    return found


def plain(name: str) -> str:
    """A name for comparing: slash, case and the form of an accented letter (composed or not) are left out."""
    return unicodedata.normalize("NFC", name).replace("\\", "/").casefold()


def loras_text(value: Any) -> str:
    """A stored or given value as JSON text, which the form holds; "" for none. A text stays as it is."""
    if isinstance(value, str):
        return value
    entries = [one.to_json() if isinstance(one, Lora) else one for one in value or ()]
    return json.dumps(entries, ensure_ascii=False) if entries else ""


def loras_count(value: Any) -> int:
    """The number of LoRAs in a value that may be unusable; 0 then."""
    try:
        return len(check_loras("loras", "", value))
    except InvalidParam:
        return 0


def _parsed(field: str, subject: str, value: Any) -> list[Any]:
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    hint = f"Example: {EXAMPLE}."
    if isinstance(value, str):
        try:
            if len(value) > TEXT_MAX:
                raise ValueError(value[:1])
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise InvalidParam(field, f"{subject} must be a JSON list, not {shown(value)}.", hint) from None
    if not isinstance(value, (list, tuple)):
        raise InvalidParam(field, f"{subject} must be a list, not {shown(value)}.", hint)
    return list(value)


def _lora(field: str, entry: Any) -> Lora:
    """One entry: an object, or the name alone."""
    values = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(values, Mapping):
        raise InvalidParam(field, f"A LoRA must be an object, not {shown(entry)}.", f"Example: {EXAMPLE}.")
    unknown = [key for key in values if key not in KEYS]
    if unknown:
        message = f"A LoRA has no {shown(unknown[0])}."
        raise InvalidParam(field, message, f"Known: {', '.join(KEYS)}.")
    name = _name(field, values.get("name"))
    strength = _strength(field, name, values.get("strength"), 1.0)
    return Lora(name, strength, _strength(field, name, values.get("strength_low"), strength))


def _name(field: str, name: Any) -> str:
    hint = "Give the name of a file in ComfyUI's loras folder."
    if not isinstance(name, str) or not name.strip():
        raise InvalidParam(field, f"A LoRA needs a name, not {shown(name)}.", hint)
    name = name.strip()
    parts = name.replace("\\", "/").split("/")
    if len(parts) > 1 and _HOME.fullmatch(parts[0]):  # a path of the creator's own computer
        name, parts = parts[-1], parts[-1:]
    if len(name) > NAME_MAX or not name.isprintable() or "" in parts or ".." in parts:
        raise InvalidParam(field, f"{shown(name)} is not the name of a LoRA.", hint)
    return name


def _strength(field: str, name: str, value: Any, default: float) -> float:
    if value is None:
        return default
    return check_number(field, f"The strength of {shown(name)}", value, -STRENGTH_MAX, STRENGTH_MAX)
