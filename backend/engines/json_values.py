"""Values out of the JSON of another program. Pure.

JSON and its readers allow more than any server means: endless numbers, integers of thousands of digits,
nesting without end, half a surrogate pair, control characters. One such value does not make the rest
unreadable.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, TypeGuard

from backend.log_lines import CONTROL

LONGEST_INTEGER = 300
"""Digits. A float has room for 308, and Python does not convert more than 4,300."""
DEEPEST = 100
"""Levels of lists and objects; Python's reader stops at about 1,000."""
TEXT_MAX = 200
"""Characters of a name or version; real ones have fewer than 100."""

_NOT_IN_NAMES = re.compile(rf"[\t\n]|{CONTROL.pattern}")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def decoded(data: bytes | str) -> Any:
    """The value of JSON text. Raises ValueError.

    Bytes that are not text are replaced, an integer of more than LONGEST_INTEGER digits becomes infinity, and
    what lies deeper than DEEPEST becomes null.
    """
    text = data if isinstance(data, str) else data.decode(json.detect_encoding(data), "replace")
    try:
        return _loads(text)
    except RecursionError:
        pass
    try:
        return _loads(_shallow(text))
    except RecursionError as error:  # brackets that are not closed
        raise ValueError("nested too deeply") from error


def number(value: object) -> float | None:
    """A finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def size(value: object) -> int:
    """A number of bytes or items; 0 for anything that is none."""
    found = number(value)
    return int(found) if found is not None and 0 <= found < 2**63 else 0


def plain(value: object, most: int = TEXT_MAX) -> str:
    """A text that can be stored and shown, on one line and no longer than `most`; "" for anything else."""
    return " ".join(CONTROL.sub(" ", value[:most]).split()) if isinstance(value, str) else ""


def is_name(value: object, most: int) -> TypeGuard[str]:
    """Whether this can be the name of a file or folder on another machine."""
    return isinstance(value, str) and 0 < len(value) <= most and not re.search(_NOT_IN_NAMES, value)


def picture_type(data: bytes) -> str:
    """The MIME type of a picture by its first bytes; "" for anything but JPEG, PNG and WebP."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def _loads(text: str) -> Any:
    return json.loads(text, strict=False, parse_int=_integer)


def _integer(digits: str) -> int | float:
    if len(digits) <= LONGEST_INTEGER:
        return int(digits)
    return -math.inf if digits.startswith("-") else math.inf


def _shallow(text: str) -> str:
    """The JSON text with null in place of every list and object below the level DEEPEST."""
    parts, depth, start = [], 0, 0
    for found in _TOKEN.finditer(text):
        if found[0] in ("[", "{"):
            depth += 1
            if depth == DEEPEST + 1:
                parts += [text[start : found.start()], "null"]
        elif found[0] in ("]", "}"):
            depth -= 1
            if depth == DEEPEST:
                start = found.end()
    return "".join([*parts, text[start:] if depth <= DEEPEST else ""])
