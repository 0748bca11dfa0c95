"""The language of the code: docstrings, comments, log messages and test names use standard terms."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.docstrings import TOPS, python_files
from tests.support.paths import ROOT

DENIED = frozenset(
    {
        "anew", "anybody", "asker", "askers", "beware", "calm", "calmly", "dawdle", "door",
        "doorman", "doors", "everybody", "forgives", "forgiving", "good-bye", "goodbye", "grave",
        "graves", "heard", "hears", "house", "housekeeper", "keeper", "keepers", "landlord", "mend", "mends",
        "newcomer", "newcomers", "nobody", "parcel", "pretends", "rooms", "somebody", "speaks",
        "stranger", "strangers", "stray", "strays", "tells", "tenant", "told", "vain", "whoever",
        "whomever", "wishes",
    }
)  # fmt: skip
"""Personifications and words of everyday life that have a standard term in software."""

PHRASES = ("in good order", "lets go of", "let go of", "on its way", "on their way", "under way")
"""Denied phrases, matched as whole words."""

ALLOWED: frozenset[str] = frozenset()
"""file:word pairs for technical uses, for words that mean what they say."""

LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


def texts(source: str, *, test_names: bool = False) -> Iterator[tuple[int, str]]:
    """(line, text) of each comment, docstring and log message, and on request of each test name."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.lineno, str(node.value.value)
        elif isinstance(node, ast.Call) and _is_log_call(node):
            yield (
                node.lineno,
                " ".join(
                    part.value
                    for part in ast.walk(node)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                ),
            )
        elif test_names and isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.lineno, node.name.replace("_", " ")


def _is_log_call(node: ast.Call) -> bool:
    function = node.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr in LOG_METHODS
        and isinstance(function.value, ast.Name)
        and function.value.id in ("log", "logger")
    )


def denied(text: str) -> list[str]:
    """The denied words and phrases in a text; quoted code (`name`) is skipped."""
    plain = re.sub(r"`[^`]*`", " ", text.lower())
    words = [word for word in WORD.findall(plain) if word in DENIED]
    return words + [phrase for phrase in PHRASES if re.search(rf"\b{phrase}\b", plain)]


def found_in(path: Path, *, test_names: bool = False) -> list[str]:
    """The denied words of a file, as messages."""
    name = path.relative_to(ROOT).as_posix()
    return [
        f"{name}:{line}: {word}"
        for line, text in texts(path.read_text(encoding="utf-8"), test_names=test_names)
        for word in denied(text)
        if f"{name}:{word}" not in ALLOWED
    ]


def checked(tops: tuple[str, ...]) -> list[Path]:
    return list(python_files(ROOT, tops))


def test_code_uses_standard_terms() -> None:
    paths = checked(TOPS)
    assert len(paths) > 50
    assert [message for path in paths for message in found_in(path)] == []


@pytest.mark.full
def test_tests_use_standard_terms() -> None:
    tests = checked(("tests/backend", "tests/ui", "tests/workflows", "tests/e2e", "tests/live"))
    support = checked(("tests/support",))
    assert tests and support
    found = [message for path in tests for message in found_in(path, test_names=True)]
    assert found + [message for path in support for message in found_in(path)] == []
