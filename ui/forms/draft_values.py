"""The values of a form as a browser stored them, checked one by one. Pure.

What a field can show is kept even when it is out of its limits: the form says so beside it, as it did while
it was typed. What a field cannot show is dropped: it comes from another version of the page or from
elsewhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ui.forms import schema, variations
from ui.gradio_fixes.checked_inputs import is_unicode
from workflows.modes.registry import MODES
from workflows.params.field import Field

TEXT_MAX = 8_000
"""Characters of a stored text; the script keeps no more."""
NUMBER_MAX = 2.0**53
EARLIER_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{1,20})?) s")
"""How lengths were stored before they were numbers."""


def restored(mode: str, given: object, start: Mapping[str, Any]) -> dict[str, Any]:
    """Value of each widget that is not a file. given: the stored ones, of which unusable ones are dropped;
    start: the initial values, for all others."""
    stored = given if isinstance(given, Mapping) else {}
    found = {}
    for field in MODES[mode].fields:
        if field.name in start:
            value = _present(field, stored.get(field.name))
            usable = field.name in stored and showable(field, value)
            found[field.name] = value if usable else start[field.name]
    if variations.NAME in start:
        value = stored.get(variations.NAME)
        usable = variations.is_usable(value) and is_unicode(str(value))
        found[variations.NAME] = value if usable else start[variations.NAME]
    return found


def _present(field: Field, value: object) -> object:
    """A stored value as this version stores it."""
    if field.offered and isinstance(value, str) and (earlier := EARLIER_LENGTH.fullmatch(value)):
        return float(earlier[1])
    return value


def showable(field: Field, value: object) -> bool:
    """Whether the widget of a field can hold this."""
    if field.offered:
        return schema.is_length(value)
    if field.kind in ("text", "loras"):
        return isinstance(value, str) and len(value) <= TEXT_MAX and is_unicode(value)
    if field.kind == "choice":
        return isinstance(value, str) and value in field.values
    if field.kind == "switch":
        return isinstance(value, bool)
    if value is None:
        return True  # an emptied number
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= NUMBER_MAX and math.isfinite(value)
