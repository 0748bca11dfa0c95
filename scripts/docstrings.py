"""Prints random public docstrings with their file and line, to review the language of the code.

python -m scripts.docstrings                           # 20 of the whole project
python -m scripts.docstrings 40 --seed 7 --under backend/jobs
"""

from __future__ import annotations

import argparse
import ast
import random
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOPS = ("app.py", "backend", "ui", "workflows", "scripts")

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def python_files(root: Path, tops: tuple[str, ...] = TOPS) -> list[Path]:
    """All Python files of these files and folders below `root`, sorted."""
    found: list[Path] = []
    for top in tops:
        path = root / top
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return found


def docstrings(path: Path) -> Iterator[tuple[int, str, str]]:
    """(line, name, docstring) of a module and of its public classes, functions and methods."""
    yield from _of(ast.parse(path.read_text(encoding="utf-8")), path.stem, "")


def _of(node: Documented, name: str, prefix: str) -> Iterator[tuple[int, str, str]]:
    text = ast.get_docstring(node)
    if text is not None:
        yield node.body[0].lineno, name, text
    for child in node.body:
        if isinstance(child, Documented) and not child.name.startswith("_"):  # type: ignore[union-attr]
            full = f"{prefix}{child.name}"  # type: ignore[union-attr]
            yield from _of(child, full, f"{full}.")


def main() -> None:
    """Prints the sample that the command line asks for."""
    parser = argparse.ArgumentParser(description="Prints random public docstrings.")
    parser.add_argument("count", nargs="?", type=int, default=20, help="how many (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the random choice (default 0)")
    parser.add_argument("--under", default="", help="only files whose path begins with this")
    options = parser.parse_args()
    found = [
        (path.relative_to(ROOT).as_posix(), *entry)
        for path in python_files(ROOT)
        if path.relative_to(ROOT).as_posix().startswith(options.under)
        for entry in docstrings(path)
    ]
    chosen = random.Random(options.seed).sample(found, min(options.count, len(found)))
    for name, line, symbol, text in sorted(chosen):
        print(f"{name}:{line} {symbol}")
        print("    " + "\n    ".join(text.splitlines()) + "\n")
    print(f"{len(chosen)} of {len(found)} docstrings")


if __name__ == "__main__":
    main()
