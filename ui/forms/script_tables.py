"""What the page's scripts know of the forms, derived from the specifications of the modes."""

from __future__ import annotations

from typing import Any

from ui.forms import groups, schema
from ui.i18n import mode_texts
from ui.i18n.phrases import for_all, for_mode
from ui.i18n.texts import text
from ui.views.icons import icon
from workflows.modes.registry import MODES
from workflows.params.field import GROUPS, Field
from workflows.params.loras import MOST, STRENGTH_MAX
from workflows.spec import ModeSpec

LORA_ICONS = {"earlier": "up", "later": "chevron", "remove": "close", "none": "film", "search": "search"}
"""What a script needs -> the name of the icon."""
PRESET_ICONS = {
    "check": "check", "save": "download", "manage": "settings", "star": "star", "link": "link",
    "download": "download", "rename": "pen", "trash": "trash",
}  # fmt: skip


def forms() -> dict[str, dict[str, Any]]:
    """Mode -> the limits of its texts, its fields for pictures, those of Advanced, whether its LoRAs have a
    strength for each of two experts, the notes of its choices: {field: {value: sentence}}, what variations
    can differ in, what it makes, and whether that can be a draft."""
    return {name: _form(spec) for name, spec in MODES.items()}


def _form(spec: ModeSpec) -> dict[str, Any]:
    notes = {field.name: schema.notes(spec.name, field.name) for field in spec.fields}
    return {
        "limits": {field.name: int(field.high) for field in spec.fields if field.kind == "text"},
        "pictures": [field.name for field in spec.media.values() if field.kind == "picture"],
        "advanced": [each.name for each in spec.all if each.group],
        "experts": any(target.experts for target in spec.lora_targets),
        "notes": {name: found for name, found in notes.items() if found},
        "varied": [_varied(spec, field) for field in spec.varied],
        "makes": spec.makes,
        "drafts": "resolution" in spec.by_name,
    }


def _varied(spec: ModeSpec, field: Field) -> dict[str, Any]:
    """A setting that variations can differ in: its name, its kind, and what its values can be."""
    is_lora = field.kind == "loras"
    label = mode_texts.label(spec.name, field.name)
    if is_lora:
        label = text("variations.lora_strength")
    elif field.kind == "text":
        label = text("result.prompt")
    found: dict[str, Any] = {"name": field.name, "kind": field.kind, "label": label}
    if field.kind == "choice":
        return {
            **found,
            "options": [[value, label] for label, value in schema.options(spec.name, field.name)],
        }
    if field.kind == "text":
        return {**found, "most": int(field.high)}
    low, high = (-STRENGTH_MAX, STRENGTH_MAX) if is_lora else (field.low, field.high)
    figures = {"low": low, "high": high, "step": 0.05 if is_lora else field.step}
    return {**found, **figures, "compared": list(field.compared), "zero": bool(field.zero)}


def advanced() -> dict[str, Any]:
    """Of Advanced: the headings of its parts, the sentence below one, and the button beside the seed."""
    return {
        "titles": {group: groups.title(group) for group in GROUPS},
        "notes": {"files": text("advanced.files_note")},
        "dice": {"label": text("forms.random_seed"), "icon": icon("dice", 20)},
    }


def loras() -> dict[str, Any]:
    """Of the list of LoRAs: its limits and icons."""
    icons = {name: icon(shape, 18) for name, shape in LORA_ICONS.items()}
    return {"most": MOST, "strength": STRENGTH_MAX, "icons": icons}


def presets() -> dict[str, Any]:
    """Of presets: the icons, and the name of each mode."""
    icons = {name: icon(shape, 18) for name, shape in PRESET_ICONS.items()}
    blank = '<svg class="ws-icon" aria-hidden="true" width="18" height="18"></svg>'
    return {"icons": {**icons, "none": blank}, "titles": {mode: mode_texts.title(mode) for mode in MODES}}


def phrases() -> dict[str, Any]:
    """Phrases for a prompt: `groups`, each [heading, [[label, words]]], and `modes`, the numbers of the ones
    that suit a mode."""
    found = for_all()
    return {
        "groups": [[one.label, [[each.label, each.words] for each in one.phrases]] for one in found],
        "modes": {name: [found.index(one) for one in for_mode(spec)] for name, spec in MODES.items()},
    }
