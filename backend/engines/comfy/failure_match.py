"""Finds the row of failure_causes.py that applies to a failure. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from backend.engines.comfy.failure_causes import CAUSES, UNKNOWN, Cause, System


@dataclass(frozen=True)
class Failure:
    """What ComfyUI reports: the class of the exception without its module, its message, the node's class."""

    kind: str
    message: str
    node: str = ""


_COMPILED: tuple[tuple[Cause, re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (cause, re.compile(cause.pattern, re.IGNORECASE | re.DOTALL), re.compile(cause.node)) for cause in CAUSES
)
_NUMBER = re.compile(
    r"\[(?P<kind>Errno|WinError) (?P<number>\d{1,9})\]|\bos error (?P<rust>\d{1,9})"
    r"|error code: <(?P<torch>\d{1,9})>|[a-z] \((?P<libc>\d{1,3})\)$"
)
POSIX_WORDS: Mapping[int, str] = {
    1: "not permitted", 5: "input/output", 12: "allocate memory", 13: "permission denied", 16: "busy",
    23: "too many open", 24: "too many open", 26: "busy", 28: "no space", 30: "read-only", 36: "too long",
    69: "quota", 107: "not connected", 110: "timed out", 112: "host is down", 116: "stale", 117: "cleaning",
    121: "remote i/o", 122: "quota",
}  # fmt: skip
"""Numbers of POSIX systems -> words of their English text. Programs report these in English in every
language; the same numbers of Windows come with a text in its language."""
HIGHEST_POSIX = 133


def find(failure: Failure) -> tuple[Cause, dict[str, str]]:
    """The cause of a failure, and the named groups of its pattern; UNKNOWN if no row applies."""
    numbers = frozenset(_numbers(failure))
    for cause, pattern, node in _COMPILED:
        if cause.types and failure.kind not in cause.types:
            continue
        if cause.numbers and not cause.numbers & numbers:
            continue
        if cause.node and not node.search(failure.node):
            continue
        found = pattern.search(failure.message)
        if found is None:
            continue
        groups = {name.rstrip("23"): text for name, text in found.groupdict().items() if text}
        return cause, groups
    return UNKNOWN, {}


def _numbers(failure: Failure) -> Iterator[tuple[System, int]]:
    """The numbers of operating system errors in the message, each with its system."""
    for found in _NUMBER.finditer(failure.message):
        number = int(next(text for name, text in found.groupdict().items() if text and name != "kind"))
        if found["kind"] == "WinError" or number > HIGHEST_POSIX:
            yield "windows", number
        elif found["kind"] == "Errno" or POSIX_WORDS.get(number, "\0") in failure.message.lower():
            yield "posix", number
        elif not found["libc"]:
            yield "windows", number
