"""Random values that the API takes, for every parameter of a mode that is no file. Seeded by the caller."""

from __future__ import annotations

import random
from typing import Any

from ui.forms.schema import CHOICE, FIELDS, FILE, NUMBER, SECONDS, SWITCH, TEXT, Field
from workflows.modes.registry import MODES
from workflows.params.limits import (
    DRIVING_FPS_MAX,
    DRIVING_FPS_MIN,
    GUIDANCE_MAX,
    GUIDANCE_MIN,
    PROMPT_MAX,
    RELIGHT_MAX,
    SECONDS_MAX,
    SECONDS_MIN,
    SEED_MAX,
    STEPS_MAX,
)
from workflows.params.sizes import SIZE_MAX, SIZE_MIN, SIZE_STEP

FILE_SECONDS = 6.0
"""Length of the sound or driving video that these values go with."""
TEXTS = (
    "A boat drifts", "  two spaces, both kept  ", "línea\nzweite Zeile\n第三行", "🎬👩‍🚀 日本語 العربية",
    "<b>no markup</b> & \"quotes\" 'more' \\ {0} %s $x", "x" * PROMPT_MAX, "é" * PROMPT_MAX,
    "🎬" * PROMPT_MAX, "-1", "0", "None", "5 s", "a\tb",
)  # fmt: skip
NUMBERS: dict[str, tuple[float, float, bool]] = {
    "cfg": (GUIDANCE_MIN, GUIDANCE_MAX, True),
    "shift": (GUIDANCE_MIN, GUIDANCE_MAX, True),
    "relight": (0.0, RELIGHT_MAX, True),
    "fps": (DRIVING_FPS_MIN, DRIVING_FPS_MAX, False),
    "start": (0.0, FILE_SECONDS / 2, True),
    "duration": (0.5, FILE_SECONDS / 2, True),
    "seconds": (0.5, FILE_SECONDS / 2, True),
}
"""A number's limits, and whether 0 is allowed besides."""


def legal(mode: str, draw: random.Random) -> dict[str, Any]:
    """One set of values; limits come up as often as what lies between."""
    values = {field.name: _value(mode, field, draw) for field in FIELDS[mode] if field.kind != FILE}
    if draw.random() < 0.4:
        values["width"], values["height"] = 0, 0
    two = mode == "text_to_video" or values.get("experts") == "both" or values.get("model") == "wan"
    if "steps" in values and two and values["steps"] == 1:
        values["steps"] = 2
    return values


def _value(mode: str, field: Field, draw: random.Random) -> Any:
    if field.kind == CHOICE:
        return draw.choice(MODES[mode].field(field.name).values)
    if field.kind == SWITCH:
        return draw.random() < 0.5
    if field.kind == TEXT:
        return draw.choice([None, "", *TEXTS] if field.name == "negative_prompt" else TEXTS)
    if field.kind == SECONDS:
        return _number(draw, SECONDS_MIN, SECONDS_MAX)
    if field.kind == NUMBER:
        low, high, zero = NUMBERS[field.name]
        return 0.0 if zero and draw.random() < 0.2 else _number(draw, low, high)
    if field.name == "seed":
        return draw.choice([0, 1, SEED_MAX, SEED_MAX - 1, draw.randint(0, SEED_MAX)])
    if field.name == "steps":
        return draw.choice([0, 1, 2, STEPS_MAX, draw.randint(1, STEPS_MAX)])
    return draw.choice([SIZE_MIN, SIZE_MAX, draw.randrange(SIZE_MIN, SIZE_MAX + 1, SIZE_STEP)])


def _number(draw: random.Random, low: float, high: float) -> float:
    """A limit, a whole number, a short one, or one with all the digits that a float has."""
    free = draw.uniform(low, high)
    return draw.choice([low, high, float(int(free)) if int(free) >= low else high, round(free, 2), free])
