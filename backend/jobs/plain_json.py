"""JSON from anywhere, read so that every writer of JSON can write it again: numbers of 64 bits, whole
characters and a bounded depth. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

DEEPEST = 100
"""Most levels of nested objects and lists. Graphs have 5; writers fail at about 250."""
_LOWEST, _END = -(2**63), 2**64
_DIGITS = 20
"""Decimal digits of the largest whole number that is kept."""
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
"""Escapes that may be half of a surrogate pair, which is no character."""


def parsed(text: str) -> Any:
    """The value of a JSON text. A whole number beyond 64 bits becomes a float, half of a surrogate pair "?".
    Raises ValueError, RecursionError."""
    found = json.loads(text, parse_int=_whole)
    _check_depth(found)
    if _HALF_PAIR.search(text):
        whole = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
        found = json.loads(whole, parse_int=_whole)
    return found


def _whole(digits: str) -> int | float:
    if len(digits) <= _DIGITS and _LOWEST <= (number := int(digits)) < _END:
        return number
    return float(digits)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    raise ValueError("objects within objects")
