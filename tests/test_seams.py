"""Limits and clocks are arguments: no test replaces a constant of our modules while it runs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.sources import parsed

TESTS = Path(__file__).resolve().parent
OURS = ("app", "backend", "ui", "workflows")


def replaced(tree: ast.Module) -> list[int]:
    """The lines on which a constant of a module of ours is set: by setattr or patch, of a module or by its
    name in a text, and by assignment; also in code in a text, which another process runs."""
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names if _ours(alias.name)}
        elif isinstance(node, ast.ImportFrom) and _ours(node.module or ""):
            modules |= {alias.asname or alias.name for alias in node.names}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in ("setattr", "object", "patch"):
            target, name = [*map(_name, node.args[:2]), "", ""][:2]
            by_text = _ours(target) and _constant(target.rpartition(".")[2])
            if by_text or (target in modules and _constant(name)):
                found.append(node.lineno)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and _name(target.value) in modules:
                    found += [node.lineno] * _constant(target.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _code(node.value):
            try:
                inner = ast.parse(node.value)
            except (SyntaxError, ValueError):
                continue
            found += [node.lineno] * len(replaced(inner))
    return found


def _ours(name: str) -> bool:
    return name.split(".")[0] in OURS


def _code(text: str) -> bool:
    """Whether a text may be a program that sets something of ours."""
    return "import " in text and "=" in text and any(name in text for name in OURS)


def _constant(name: str) -> bool:
    """A name in capitals; a class of one word is none."""
    plain = name.lstrip("_")
    return len(plain) > 1 and plain.isupper()


def _name(node: ast.AST) -> str:
    """The last word of a name, or a text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("from backend import runner as r\nmonkeypatch.setattr(r, 'ROOM_SECONDS', 1)", [2]),
        ("from backend.media import pool\nmonkeypatch.setattr(\n    pool, '_STALL', 1\n)", [2]),
        ("import backend.jobs.store\nbackend.store.BUSY = 2", []),
        ("from backend import store\nstore.BUSY = 2", [2]),
        ("monkeypatch.setattr('backend.jobs.submission.SILENT_SECONDS', -1.0)", [1]),
        ("from unittest.mock import patch\npatch('ui.api.calls.POLL', 1)", [2]),
        ("CODE = 'from backend import servers; servers.PORT = 1'", [1]),
        ("from backend import store\nmonkeypatch.setattr(store, 'Store', 1)", []),
        ("from huggingface_hub import constants\nmonkeypatch.setattr(constants, 'SIZE', 1)", []),
        ("import backend.jobs.store as s\nmonkeypatch.setattr(s, 'fsync', lambda: 1)", []),
    ],
)
def test_what_counts(code: str, lines: list[int]) -> None:
    assert replaced(ast.parse(code)) == lines


@pytest.mark.full
def test_no_constant_is_replaced() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(set(TESTS.rglob("*.py")) - {Path(__file__).resolve()})
        for line in replaced(parsed(path))
    ]
    assert found == [], "pass the limit as an argument instead"
