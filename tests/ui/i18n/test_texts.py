"""Every text of the page stands in one table; the code asks for nothing that is not in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT
from ui.i18n.texts import plural, table, text

UI = sorted(path for path in (ROOT / "ui").rglob("*.py") if path.parent.name != "i18n")


def calls(path: Path) -> Iterator[tuple[str, int, str]]:
    """(function, line, key) of each call of text, plural or section with a literal key."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        first = node.args[0]
        if node.func.id in ("text", "plural", "section") and isinstance(first, ast.Constant):
            yield node.func.id, node.lineno, str(first.value)


def test_every_key_that_is_asked_for_exists() -> None:
    for path in UI:
        for function, line, key in calls(path):
            where = f"{path.relative_to(ROOT)}:{line}"
            if function == "text":
                assert key in table(), f"{where} asks for {key}"
            elif function == "plural":
                assert {f"{key}.one", f"{key}.other"} <= table().keys(), f"{where} asks for {key}"
            else:
                assert any(each.startswith(key + ".") for each in table()), f"{where} asks for {key}"


def test_placeholders_are_filled_and_counts_have_two_forms() -> None:
    assert plural("common.parts", 1) == "1 part"
    assert plural("common.parts", 9) == "9 parts"
    for key in table():
        if key.endswith(".one"):
            assert key.removesuffix("one") + "other" in table(), key
    assert text("common.parts.other", count=3) == "3 parts"
