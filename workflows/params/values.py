"""How one value of a mode is checked. Every function returns the clean value or raises InvalidParam.

The sentences say what is wrong and the hint what to do; they are shown beside the field as they are.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import Any

from workflows.params.sizes import SIZE_MAX, SIZE_MIN, SIZE_STEP


class InvalidParam(ValueError):
    """A parameter cannot be used. `field` names it, `message` says why, `hint` what to do."""

    def __init__(self, field: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.hint = hint


def figure(value: float) -> str:
    """A number as people write it: 5.0 -> "5", 9007199254740991 in full."""
    return str(int(value)) if float(value).is_integer() else repr(value)


def shown(value: Any) -> str:
    """What was given, short enough for a sentence."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write integers of thousands of digits
        text = "a number of thousands of digits"
    return text if len(text) <= 40 else text[:37] + "..."


def check_int(field: str, label: str, value: Any, low: int, high: int) -> int:
    """A whole number in low..high. Raises InvalidParam, also for bool, float and str: nothing is rounded."""
    hint = f"Give a whole number from {low} to {high}."
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidParam(field, f"{label} must be a whole number, not {shown(value)}.", hint)
    if not low <= value <= high:
        raise InvalidParam(field, f"{label} must be between {low} and {high}, not {shown(value)}.", hint)
    return int(value)


def check_number(field: str, label: str, value: Any, low: float, high: float, unit: str = "") -> float:
    """A finite number in low..high, as float. Raises InvalidParam, also for bool, str and NaN."""
    span = f"{figure(low)} and {figure(high)}{unit}"
    hint = f"Give a number between {span}."
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidParam(field, f"{label} must be a number, not {shown(value)}.", hint)
    if not (isinstance(value, int) or math.isfinite(value)):
        raise InvalidParam(field, f"{label} must be a finite number, not {shown(value)}.", hint)
    if not low <= value <= high:
        raise InvalidParam(field, f"{label} must be between {span}, not {shown(value)}.", hint)
    return float(value)


def check_zero_or_number(
    field: str, label: str, value: Any, low: float, high: float, zero: str = "the mode's own"
) -> float:
    """0 (which means `zero`) or a finite number in low..high, as float. Raises InvalidParam."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0:
        return 0.0
    try:
        return check_number(field, label, value, low, high)
    except InvalidParam as error:
        hint = f"Give a number from {figure(low)} to {figure(high)}, or 0 for {zero}."
        raise InvalidParam(field, error.message, hint) from None


def check_bool(field: str, label: str, value: Any) -> bool:
    """True or False. Raises InvalidParam for everything else, such as 1 or "true"."""
    if not isinstance(value, bool):
        raise InvalidParam(field, f"{label} must be on or off, not {shown(value)}.", "Give true or false.")
    return value


def check_choice(field: str, label: str, value: Any, allowed: Sequence[str]) -> str:
    """One of `allowed`. Raises InvalidParam, which names them all."""
    if not isinstance(value, str) or value not in allowed:
        names = ", ".join(allowed)
        raise InvalidParam(field, f"{label} cannot be {shown(value)}.", f"Choose one of: {names}.")
    return value


def check_text(field: str, label: str, value: Any, longest: int) -> str:
    """Text without control characters (newline and tab stay). Raises InvalidParam for more than `longest`
    characters."""
    if not isinstance(value, str):
        raise InvalidParam(field, f"{label} must be text, not {shown(value)}.", "Write a sentence.")
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isprintable():
        # Cs: half a surrogate pair cannot be sent as UTF-8
        text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    if len(text) > longest:
        raise InvalidParam(
            field,
            f"{label} is too long: {len(text):,} of {longest:,} characters.",
            "Shorten it.",
        )
    return text


def check_side(field: str, label: str, value: Any) -> int:
    """A width or height in pixels: 0 (automatic), or a multiple of 16 from 64 to 1920.

    Raises InvalidParam.
    """
    hint = f"Use a multiple of {SIZE_STEP} from {SIZE_MIN} to {SIZE_MAX}; 0 or empty is automatic."
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidParam(field, f"{label} must be a whole number of pixels, not {shown(value)}.", hint)
    if value == 0:
        return 0
    if not SIZE_MIN <= value <= SIZE_MAX:
        message = f"{label} must be {SIZE_MIN} to {SIZE_MAX} pixels, not {shown(value)}."
        raise InvalidParam(field, message, hint)
    if value % SIZE_STEP:
        raise InvalidParam(field, f"{label} must be a multiple of {SIZE_STEP} pixels; {value} is not.", hint)
    return value
