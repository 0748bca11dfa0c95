"""Behaviour never depends on the words of a sentence: those may be re-worded and translated.

A sentence is a literal with a capital first letter and a space. It must not be compared with a value,
searched for in one, or cut off one; nor may a regular expression hold one. Modules that read the texts of
other programs are listed below.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SENTENCE = re.compile(r"\^?[A-Z][^\s]*\\?\s.*\S")
METHODS = frozenset({
    "startswith", "endswith", "find", "rfind", "index", "count", "partition", "rpartition", "split", "rsplit",
    "removeprefix", "removesuffix", "replace", "search", "match", "fullmatch", "compile", "sub", "findall",
})  # fmt: skip

FOREIGN: dict[str, str] = {
    "backend/jobs/recipe_texts.py": "what the WebUIs of Stable Diffusion write into a picture",
    "backend/models/hub.py":
        "huggingface_hub raises a bare OSError with a text when a download's size differs",
    "backend/servers/gpus.py": "the output of nvidia-smi -L",
    "backend/servers/postmortem.py": "what PyTorch and the kernel print before a process ends",
}  # fmt: skip
"""File -> whose texts it reads, and why there is nothing else to go by."""


def literals(node: ast.AST) -> Iterator[str]:
    """The literals that an operand is made of; what a call in it is given is none of them."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.JoinedStr, ast.BinOp, ast.Compare)):
        for each in ast.iter_child_nodes(node):
            yield from literals(each)


def compared(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, literal) of what is compared with a value or looked for in one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            yield from ((node.lineno, text) for text in literals(node))
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS
        ):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            yield from ((node.lineno, text) for each in given for text in literals(each))
        elif isinstance(node, ast.MatchValue):
            yield from ((node.value.lineno, text) for text in literals(node.value))


def found(source: str) -> list[tuple[int, str]]:
    return [(line, text) for line, text in compared(ast.parse(source)) if SENTENCE.match(text)]


def sources() -> list[Path]:
    return [path for top in ("workflows", "backend", "ui") for path in sorted((ROOT / top).rglob("*.py"))]


def test_nothing_is_decided_by_a_sentence() -> None:
    bad = [
        f"{name}:{line}: {text!r}"
        for path in sources()
        for name in [str(path.relative_to(ROOT))]
        for line, text in found(path.read_text(encoding="utf-8"))
        if name not in FOREIGN
    ]
    assert bad == []


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_is_let_through_reads_foreign_texts(name: str) -> None:
    assert found((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("source", [
    'if text.startswith("Results will be"): pass', 'if "Waiting for ComfyUI" in text: pass',
    'if text == "The disk is full.": pass', 'head = text.partition("Results will be poor: ")[0]',
    'PART = re.compile(r"^Generating, part (\\d+)")', 'if text in ("Queue empty", "Queue paused"): pass',
    'match text:\n    case "Queue empty": pass', 'text = text.replace("About 3", "")',
])  # fmt: skip
def test_logic_on_a_sentence_is_found(source: str) -> None:
    assert found(source)


@pytest.mark.parametrize("source", [
    'raise BadInput("The prompt is empty.")', 'if code == "disk_full": pass', 'words = "Queue empty"',
    'name.removeprefix("NVIDIA")', 'if kind == "MemoryError": pass', 'text.replace("_", " ")',
])  # fmt: skip
def test_words_that_decide_nothing_are_not_found(source: str) -> None:
    assert not found(source)
