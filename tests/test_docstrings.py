"""Docstrings are in the third person and name the errors that a public function raises itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

import backend.studio  # noqa: F401 - brings in the error classes that other packages add
from backend.errors import StudioError, by_code
from scripts.docstrings import TOPS, python_files
from tests.support.paths import DATA, ROOT
from tests.support.sources import parsed

CHECKED = (*TOPS, "benchmarks", "tests/support")
BASE_FORMS = frozenset((DATA / "base_form_verbs.txt").read_text("utf-8").split())
NOUNS = {
    ("backend/models/needs.py", "room"): "free and total bytes",
    ("backend/settings/checks.py", "comfyui_args"): "start options",
    ("backend/system/health.py", "disk"): "free and total bytes",
    ("backend/web/body_limits.py", "free_bytes"): "free space",
    ("backend/web/request_body.py", "request_body"): "request bodies",
    ("ui/actions/system.py", "system"): "pause and resume",
    ("ui/forms/media_fields.py", "part"): "start and length",
}
"""(file, symbol) -> the noun that a docstring begins with, where it could be a verb."""

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def documented(tree: ast.Module, stem: str) -> Iterator[tuple[str, int, str]]:
    """(symbol, line, docstring) of everything in a module that has one."""
    for node in ast.walk(tree):
        if isinstance(node, Documented):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "name", stem), getattr(node, "lineno", 1), text


def commands(text: str) -> list[str]:
    """The verbs in their base form that a docstring, or its sentence about the result or errors, begins
    with."""
    first = re.match(r"([A-Z][a-z]+)(?:\.|\s(?!of\b))", text)
    found = [first[1]] if first and first[1].lower() in BASE_FORMS else []
    return found + re.findall(r"\.\s+(Return\b|Raise\b|Yield\b)", text)


SOURCES = {path.relative_to(ROOT).as_posix(): parsed(path) for path in python_files(ROOT, CHECKED)}


def test_docstrings_are_in_the_third_person() -> None:
    found = [
        f"{name}:{line} {symbol}: {word}"
        for name, tree in SOURCES.items()
        for symbol, line, text in documented(tree, name.rpartition("/")[2].removesuffix(".py"))
        for word in commands(text)
        if not text.lower().startswith(NOUNS.get((name, symbol), "\0"))
    ]
    assert len(SOURCES) > 400 and found == []


@pytest.mark.parametrize("name, symbol", NOUNS)
def test_a_noun_that_is_let_through_is_still_there(name: str, symbol: str) -> None:
    stem = name.rpartition("/")[2].removesuffix(".py")
    texts = [text for each, _, text in documented(SOURCES[name], stem) if each == symbol]
    assert any(text.lower().startswith(NOUNS[name, symbol]) and commands(text) for text in texts)


@pytest.mark.parametrize(
    "text, words",
    [
        ("Write PNGs.", ["Write"]),
        ("Writes PNGs. Returns their number.", []),
        ("The width. Return it.", ["Return"]),
        ("Checks it; raise BadMedia.", []),
        ("Checks it. Raise BadMedia.", ["Raise"]),
        ("Cache of replies.", []),
        ("GET /queue.", []),
    ],
)
def test_commands(text: str, words: list[str]) -> None:
    assert commands(text) == words


OTHER_ERRORS = {"BadValue": ("ValueError",), "InvalidParam": ("ValueError",), "NodesNotInstalled": ()}
ERRORS: dict[str, set[str]] = {
    "ValueError": {"ValueError"},
    **{name: {name, *above} for name, above in OTHER_ERRORS.items()},
    **{
        kind.__name__: {above.__name__ for above in kind.__mro__ if issubclass(above, StudioError)}
        for kind in by_code().values()
    },
}
"""Name of an error -> the names by which a docstring may announce it: its own and those of its bases."""


def public_functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The public functions of a module and the public methods of its public classes."""
    nodes: list[ast.stmt] = list(tree.body)
    while nodes:
        node = nodes.pop()
        name = getattr(node, "name", "_")
        if isinstance(node, ast.ClassDef) and not name.startswith("_"):
            nodes += node.body
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not name.startswith("_"):
            yield node


def raised(body: list[ast.stmt]) -> Iterator[str]:
    """Names of the errors that these statements raise and do not catch."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            call = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            yield from (part for part in ast.unparse(call).split(".") if part in ERRORS)
        elif isinstance(node, ast.Try):
            caught = {part for handler in node.handlers if handler.type for part in names(handler.type)}
            yield from (name for name in raised(node.body) if not ERRORS[name] & caught)
            for inner in (*(handler.body for handler in node.handlers), node.orelse, node.finalbody):
                yield from raised(inner)
        else:
            for inner in ("body", "orelse", "cases"):
                yield from raised(getattr(node, inner, []))


def names(node: ast.expr) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def test_public_functions_name_the_errors_that_they_raise() -> None:
    found = [
        f"{name}:{function.lineno} {function.name}: {error}"
        for name, tree in SOURCES.items()
        if not name.startswith("tests/")
        for function in public_functions(tree)
        for error in sorted(set(raised(function.body)))
        if not any(
            re.search(rf"\b{each}\b", ast.get_docstring(function) or "") for each in sorted(ERRORS[error])
        )
    ]
    assert found == []


def test_errors_that_a_function_raises_are_found() -> None:
    source = (
        "def f():\n try:\n  if x:\n   raise BadInput.of('a')\n except ValueError:\n  raise NotFound('b')\n"
    )
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef) and set(raised(function.body)) == {"BadInput", "NotFound"}
    caught = ast.parse("try:\n raise QueueFull.of('a')\nexcept StudioError:\n pass").body
    assert not set(raised(caught))
