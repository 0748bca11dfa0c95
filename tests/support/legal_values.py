"""Random valid API values for every parameter of a mode except files. Seeded by the caller."""

from __future__ import annotations

import random
from typing import Any

from workflows.modes.fields import LONGEST_FILE
from workflows.modes.registry import MODES
from workflows.params.field import Field
from workflows.params.limits import PROMPT_MAX
from workflows.params.loras import Lora, loras_text
from workflows.params.sizes import SIZE_MAX, SIZE_MIN, SIZE_STEP

FILE_SECONDS = 6.0
"""Duration in seconds of the sound or driving video for these values."""
TEXTS = (
    "A boat drifts", "  two spaces, both kept  ", "línea\nzweite Zeile\n第三行", "🎬👩‍🚀 日本語 العربية",
    "<b>no markup</b> & \"quotes\" 'more' \\ {0} %s $x", "x" * PROMPT_MAX, "é" * PROMPT_MAX,
    "🎬" * PROMPT_MAX, "-1", "0", "None", "5 s", "a\tb",
)  # fmt: skip
LORAS: tuple[list[Lora], ...] = (
    [], [Lora("style.safetensors")], [Lora("a/ü_high.safetensors", -5.0, 5.0), Lora("b", 0.35, 0.0)],
)  # fmt: skip


def legal(mode: str, draw: random.Random) -> dict[str, Any]:
    """A random set of values; limits are as frequent as values between them."""
    values = {field.name: _value(field, draw) for field in MODES[mode].fields}
    if draw.random() < 0.4:
        values["width"], values["height"] = 0, 0
    if values.get("variant") in ("480p", "480p_strong", "anti_slow_motion"):
        values["distillation"] = "auto"  # others do not fit all of these
    if values.get("method") == "mix" and values.get("model") == "animate_2":
        values["model"] = "auto"  # it only moves
    if mode == "text_to_video" and values["loop"]:
        values["seconds"] = max(1.0, values["seconds"])
    two = mode == "text_to_video" or values.get("experts") == "both" or values.get("model") == "wan"
    if "steps" in values and two and values["steps"] == 1:
        values["steps"] = 2
    return values


def _value(field: Field, draw: random.Random) -> Any:
    """A random value within the field's limits."""
    match field.kind:
        case "choice":
            return draw.choice(field.values)
        case "switch":
            return draw.random() < 0.5
        case "loras":
            return loras_text(draw.choice(LORAS))
        case "text":
            return draw.choice([None, "", *TEXTS] if field.nullable else TEXTS)
        case "side":
            return draw.choice([SIZE_MIN, SIZE_MAX, draw.randrange(SIZE_MIN, SIZE_MAX + 1, SIZE_STEP)])
        case "whole":
            low, high = int(field.low), int(field.high)
            return draw.choice([low, low + 1, high, high - 1, draw.randint(low, high)])
    if (field.zero or field.high == LONGEST_FILE) and draw.random() < 0.2:
        return 0.0
    if field.high == LONGEST_FILE:  # start and length together stay within the file
        return _number(draw, 0.5, FILE_SECONDS / 2)
    return _number(draw, field.low, field.high)


def _number(draw: random.Random, low: float, high: float) -> float:
    """A limit, an integer, a number with few decimals, or one with all digits of a float."""
    free = draw.uniform(low, high)
    return draw.choice([low, high, float(int(free)) if int(free) >= low else high, round(free, 2), free])
