"""No sentence or label of the page is left in the code of ui/: they are in the text table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.text_keys import SCRIPTS

CHECKED = ("ui",)
"""Packages and modules whose texts are in the table."""
LABELS = ("label", "info", "placeholder", "value", "title")
"""Arguments of a component that show a text."""
SENTENCE = re.compile(r"\s*[A-Z][a-z]+(['’][a-z]+)?[ ,.:;?!]")
ATTRIBUTE = re.compile(r'(?:aria-label|aria-valuetext|title|alt|placeholder)="[^"]*[A-Za-z]{2}')
HOLE = "\0"
"""Stands for a placeholder of an f-string."""
KEY_NAMES = {"Enter"}
NOT_TEXTS = {"Args:", "Schibsted Grotesk", "Geist Mono"}
"""The docstring section that MCP reads, and names of fonts."""


def modules() -> list[Path]:
    found: list[Path] = []
    for name in CHECKED:
        path = ROOT / name
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return [path for path in found if path.name != "__init__.py"]


def shown_text(value: str) -> bool:
    """Whether a string of the code has words that a visitor reads, as text or between and inside of tags."""
    if ATTRIBUTE.search(value):
        return True
    if re.search("</?[a-z]", value):
        return bool(re.search("[A-Za-z]{2}", re.sub(r"^[^<>]*>|<[^<>]*>|<[^<>]*$", " ", value)))
    return bool(SENTENCE.match(value))


def literals(node: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, string) of the strings below a node, without docstrings, exceptions, logs and types."""
    if isinstance(node, (ast.Raise, ast.Assert)):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("log.", "logging.")):
        return
    if isinstance(node, ast.JoinedStr):
        whole = "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
        yield node.lineno, whole
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from literals(part.value)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
        return
    for child in ast.iter_child_nodes(node):
        yield from literals(child)


def findings(source: str) -> list[tuple[int, str]]:
    """(line, string) of what looks like a text of the page."""
    tree = ast.parse(source)
    found = [(n, value) for n, value in literals(tree) if shown_text(value) and value not in NOT_TEXTS]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("gr."):
            for keyword in node.keywords:
                if keyword.arg in LABELS:
                    found += [
                        (line, value)
                        for line, value in literals(keyword.value)
                        if re.search("[A-Z]", value) and not shown_text(value)
                    ]
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_is_left_in_a_module(path: Path) -> None:
    assert findings(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('x = "Queue is empty"', True),
        ('x = f"Waiting for {count} jobs"', True),
        ('x = f"<h1>Models</h1>{rows}"', True),
        ("x = f'<b title=\"Close\">{mark}</b>'", True),
        ("x = f'<p>{count} waiting</p>'", True),
        ('x = gr.Textbox(label="Prompt")', True),
        ('gr.Info("This is gone.")', True),
        ('x = "running"', False),
        ('x = f\'<b class="big wide" title="{tip}">{mark}</b>\'', False),
        ('def f():\n    """Returns nothing of interest."""', False),
        ('raise ValueError("Not a size: 3")', False),
        ('log.warning("The poll is late")', False),
    ],
)
def test_what_counts_as_a_text(source: str, expected: bool) -> None:
    assert bool(findings(source)) is expected


def script_findings(source: str) -> list[str]:
    """The strings of a script that look like a text of the page."""
    code = re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*|console\.\w+\([^\n]*", "", source, flags=re.S)
    found = []
    for match in re.finditer(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`', code):
        value = re.sub(r"\$\{[^{}]*\}", HOLE, match[1] if match[1] is not None else match[2])
        before = code[: match.start()].rstrip()
        word = re.fullmatch("[A-Z][a-z]+", value) and value not in KEY_NAMES and not before.endswith("===")
        selector = value[:1] in ("#", ".", "[")
        joined = not selector and re.search(rf"{HOLE} [a-z]+\b(?![\w-]*[\]=])", value)
        assigned = re.search(r"(textContent|title|placeholder|\.data) = $", before + " ") and value.strip()
        if (
            re.search(r"(^|\s)[A-Z][a-z]+(['’][a-z]+)?[ ,.:;?!]+([A-Za-z]|$)", value)
            or word
            or joined
            or assigned
        ):
            found.append(value)
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_text_is_left_in_a_script(path: Path) -> None:
    assert script_findings(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('notice("Connection lost. Reconnecting.");', True),
        ('set(label, paused ? "Play" : "Pause");', True),
        ("set(at, `${from} to ${to}`);", True),
        ('document.title = "ready";', True),
        ('console.warn("The frame is not there", error);', False),
        ('if (event.key !== "Enter") return; // "Not a text"', False),
        ('if (node.tagName === "VIDEO" || kind === "Video") $(`[data-place="${id}"] .line`);', False),
    ],
)
def test_what_counts_as_a_text_in_a_script(source: str, expected: bool) -> None:
    assert bool(script_findings(source)) is expected
