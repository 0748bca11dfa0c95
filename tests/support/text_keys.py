"""The text keys that the code of ui/ looks up, read from its syntax trees and from its scripts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.sources import parsed

UI = [ROOT / "app.py", *sorted(path for path in (ROOT / "ui").rglob("*.py") if path.parent.name != "i18n")]
SCRIPTS = sorted((ROOT / "ui" / "assets").glob("*.js"))
LOOKUPS = ("text", "escaped", "with_markup", "plural", "section")
SCRIPT_STRING = re.compile(r'"(\w+)"')
SCRIPT_LOOKUP = re.compile(r'\btext\("(\w+)"(?:, \{([^}]*)\})?\)')


@dataclass(frozen=True)
class Lookup:
    """A call of one of LOOKUPS. `keys`: regular expressions of the keys that it may look up; `given`: names
    of the values, None where they are not written out."""

    where: str
    function: str
    keys: tuple[str, ...]
    given: frozenset[str] | None


def lookups(path: Path) -> Iterator[Lookup]:
    """Every lookup of a module but those whose key is an argument of the function around them.

    Raises ValueError for any other key that the syntax tree does not show.
    """
    tree = parsed(path)
    imported = {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "ui.i18n.texts"
        for name in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        if node.func.id in imported.intersection(LOOKUPS):
            where = f"{path.relative_to(ROOT)}:{node.lineno}"
            keys = tuple(_keys(node.args[0], tree))
            if not keys and isinstance(node.args[0], ast.Name):
                continue
            if not keys:
                raise ValueError(f"{where}: the key of {node.func.id}() is not a literal")
            names = [keyword.arg for keyword in node.keywords]
            given = None if None in names else frozenset(name for name in names if name)
            yield Lookup(where, node.func.id, keys, given)


def _keys(node: ast.AST, tree: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield re.escape(str(node.value))
    elif isinstance(node, ast.JoinedStr):
        yield pattern(node)
    elif isinstance(node, ast.IfExp):
        yield from _keys(node.body, tree)
        yield from _keys(node.orelse, tree)
    elif isinstance(node, ast.Name):
        for other in ast.walk(tree):
            if isinstance(other, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == node.id for target in other.targets
            ):
                yield from _keys(other.value, tree)


def pattern(node: ast.JoinedStr) -> str:
    """An f-string as a regular expression: a placeholder matches one part of a dotted key."""
    return "".join(
        re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[^.]+" for part in node.values
    )


def strings(path: Path) -> Iterator[str]:
    """Every string of a module as a regular expression, f-strings only where they begin like a dotted key."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.escape(node.value)
        elif isinstance(node, ast.JoinedStr) and re.match(r"[a-z_]+\\\.", pattern(node)):
            yield pattern(node)


def placeholders(template: str) -> frozenset[str]:
    """The names of a template's placeholders."""
    return frozenset(re.findall(r"\{(\w+)\}", template))
