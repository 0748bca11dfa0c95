"""The repository's own sources as syntax trees, each file parsed once."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a Python file. Tests share it: they read it and never change it."""
    return ast.parse(path.read_text(encoding="utf-8"))
