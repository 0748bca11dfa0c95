"""The texts of the modes' fields: what a mode's specification says, unless the text table overrides it.

The override of a mode's name is `modes.<mode>.title`, that of a field `modes.<mode>.<field>.<part>`, and that
of a choice's value `modes.<mode>.<field>.<value>.<part>`.
"""

from __future__ import annotations

from ui.i18n.texts import table
from workflows.modes import registry
from workflows.modes.registry import MODES
from workflows.params.field import Field, MediaField


def title(mode: str) -> str:
    """The name of a mode on the page; an unknown mode, as in an older database, is its own name."""
    return _overridden(f"{mode}.title", registry.title(mode))


def label(mode: str, field: str) -> str:
    """The name of a field on the page."""
    return _overridden(f"{mode}.{field}.label", MODES[mode].by_name[field].label)


def help_text(mode: str, field: str) -> str:
    """The sentence beside a field, or what an empty drop zone accepts; "" where there is none."""
    spec = MODES[mode].by_name[field]
    return _overridden(f"{mode}.{field}.help", spec.hint if isinstance(spec, MediaField) else spec.note)


def placeholder(mode: str, field: str) -> str:
    """The example that an empty text field shows."""
    return _overridden(f"{mode}.{field}.placeholder", MODES[mode].field(field).placeholder)


def blank(mode: str, field: str) -> str:
    """The meaning of an empty number; "" where it just has its default."""
    return _overridden(f"{mode}.{field}.blank", MODES[mode].field(field).blank)


def heading(mode: str, field: str) -> str:
    """The first line of an empty drop zone."""
    return _overridden(f"{mode}.{field}.heading", MODES[mode].media[field].heading)


def choice_label(mode: str, field: str, value: str) -> str:
    """The name of a choice's value; a value that is not on offer is its own name."""
    return _overridden(f"{mode}.{field}.{value}.label", MODES[mode].field(field).word(value))


def choice_note(mode: str, field: str, value: str) -> str:
    """What a choice's value does; "" where nothing is said of it."""
    return _overridden(f"{mode}.{field}.{value}.note", _note(MODES[mode].field(field), value))


def _note(field: Field, value: str) -> str:
    return next((choice.note for choice in field.choices if choice.value == value), "")


def _overridden(key: str, default: str) -> str:
    return table().get(f"modes.{key}", default)
