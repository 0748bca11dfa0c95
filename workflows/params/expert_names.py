"""Which expert of WAN 2.2 the path of a file names, and what the file of the other expert is called.

Both slashes separate folders: names come as the server writes them. The innermost part of a path that names
exactly one expert decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

Expert: TypeAlias = Literal["", "high", "low"]

REMEMBERED = 16_384
"""Names of which the result is kept: the list of a server is searched for each of its names."""

_NOT_EXPERT = (
    r"[-_ ]?(?:v?ram|mem(?:ory)?|cfg|res(?!t)|resolution|quality|detail|details|motion|speed|compression|rank"
    r"|fps|gpu|steps?(?![a-z])|poly|key|lights?(?![a-z])|quant|bit|fidelity|end|def|contrast"
    r"|(?:angles?|heels?|waist(?:ed)?|rise|school|fashion|fives?)(?-i:(?![a-z])))"
)
_BEFORE = r"(?:(?<![A-Za-z])|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))"


def _expert_pattern(word: str, short: str) -> re.Pattern[str]:
    cased = f"(?:{word}|{word.upper()}|{word.title()})"
    noise = f"(?:{word}|{word.title()})(?:noise|Noise)"
    return re.compile(
        rf"{_BEFORE}(?:{noise}(?![a-z])|{cased}(?!(?i:{_NOT_EXPERT}))(?![a-z]))"
        rf"|(?<![A-Za-z]){cased}(?=[A-Z][a-z])(?!(?i:{_NOT_EXPERT}))"
        rf"|(?<![A-Za-z])(?i:{short}n)(?![A-Za-z])|(?<=[-_ ])(?i:{short})(?=\.[a-z]+$)"
    )


_PATTERNS = {"high": _expert_pattern("high", "h"), "low": _expert_pattern("low", "l")}
_SWAPPED = {"high": "low", "low": "high", "hn": "ln", "ln": "hn", "h": "l", "l": "h"}
_PLACE = "*"
_NUMBERS = re.compile(r"(?:[-_ .]*(?:v|e|s|ep|epoch|steps?)?\d+)+(?=\.[a-z]+$)|(?:[-_ ]v\d[\d.]*)", re.I)
_PRECISION = re.compile(
    r"[-_ .(\[]*(?<![a-z0-9])(?:(?:b?f|fp|bfp|bfloat|float)(?:8|16|32)|e[45]m[23](?:fn)?|half|scaled|int8|nf4"
    r"|mxfp[48]|nvfp4|(?:iq|q)\d(?:_(?:k|xs|xxs|nl|[01sml]))*)(?:[-_ ]*(?:e[45]m[23](?:fn)?|scaled))*"
    r"(?![a-z0-9])[)\]]*"
)
"""A precision in a path in lower case, with what separates it from the word before."""


def without_precision(text: str) -> str:
    """A path in lower case without the precision that it names: fp16, bf16, fp8_e4m3fn_scaled, q4_k_m."""
    return _PRECISION.sub("", text)


def parts_of(path: str) -> list[str]:
    """The folders and the name of a path."""
    return [part for part in re.split(r"[/\\]+", path) if part]


def expert_of(parts: Sequence[str]) -> Expert:
    """The expert by the innermost part of the path that names exactly one; "" for none."""
    for part in reversed(parts):
        high, low = (bool(_PATTERNS[each].search(part)) for each in ("high", "low"))
        if high != low:
            return "high" if high else "low"
    return ""


@lru_cache(maxsize=REMEMBERED)
def named_expert(path: str) -> Expert:
    """The expert that a path names; "" for none."""
    return expert_of(parts_of(path))


@lru_cache(maxsize=REMEMBERED)
def other_name(path: str) -> str:
    """The path with the other expert in place of the one that it names, in the same spelling."""
    expert = named_expert(path)
    if not expert:
        return path
    return "".join(_replaced(part, expert, _swap) for part in re.split(r"([/\\]+)", path))


@lru_cache(maxsize=REMEMBERED)
def pair_key(path: str) -> str:
    """Equal for both files of a pair, and for one file under different spellings of its case and slashes."""
    expert = named_expert(path)
    parts = parts_of(path)
    replaced = [_replaced(part, expert, lambda _: _PLACE) for part in parts] if expert else parts
    return "/".join(replaced).casefold()


@lru_cache(maxsize=REMEMBERED)
def loose_key(path: str) -> str:
    """As `pair_key`, without the version, epoch or number of steps that the name has."""
    return _NUMBERS.sub("", pair_key(path))


@lru_cache(maxsize=REMEMBERED)
def precision_key(path: str) -> str:
    """As `pair_key`, without the precision that the name or a folder has."""
    return without_precision(_words_apart(path))


@lru_cache(maxsize=REMEMBERED)
def loosest_key(path: str) -> str:
    """As `pair_key`, without precision, version, epoch and number of steps."""
    return _NUMBERS.sub("", precision_key(path))


def _words_apart(path: str) -> str:
    """The `pair_key` of a path in which a precision that follows a lower-case word is set apart: inkFp16."""
    return pair_key(re.sub(r"(?<=[a-z])(?=(?:B?F|FP|BFP)(?:p|P)?(?:8|16|32)(?![0-9]))", "_", path))


def _replaced(part: str, expert: str, by: Callable[[re.Match[str]], str]) -> str:
    """A part of a path with its expert replaced, unless it names both."""
    return _PATTERNS[expert].sub(by, part) if expert_of([part]) == expert else part


def _swap(found: re.Match[str]) -> str:
    word = found[0]
    start = next(each for each in _SWAPPED if word.lower().startswith(each))
    other = _SWAPPED[start]
    written = word[: len(start)]
    if written.isupper():
        other = other.upper()
    elif written[0].isupper():
        other = other.title()
    return other + word[len(start) :]
