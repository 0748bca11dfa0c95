"""Counts packages, layers, imports between packages, and import cycles.

    python scripts/structure.py [FOLDER] [--imports]

A package is a folder (backend.jobs, ui.views), or a module directly in backend, ui or workflows. A layer is
the set of packages whose longest chain of imports has the same length. A cycle is a set of packages that
import each other, directly or indirectly.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

TOPS = ("app", "backend", "ui", "workflows")


def modules(root: Path) -> dict[str, Path]:
    """The file of every module, by dotted name."""
    found = {"app": root / "app.py"}
    for top in TOPS[1:]:
        for path in sorted((root / top).rglob("*.py")):
            if path.name != "__init__.py":
                found[".".join(path.relative_to(root).with_suffix("").parts)] = path
    return found


def package_of(name: str) -> str:
    """The package of a module: the first two parts of its name."""
    return ".".join(name.split(".")[:2])


def imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """Dotted names of the modules of this project that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name in known)


def package_imports(root: Path) -> dict[str, set[str]]:
    """The packages that each package imports."""
    known = modules(root)
    found: dict[str, set[str]] = {package_of(name): set() for name in known}
    for name, path in known.items():
        found[package_of(name)] |= {package_of(other) for other in imported(path, known)} - {package_of(name)}
    return found


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The sets of packages that import each other."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen, waiting = set[str](), [*graph[start]]
        while waiting:
            here = waiting.pop()
            if here not in seen:
                seen.add(here)
                waiting += graph[here]
        reach[start] = seen
    groups = {frozenset({a, *(b for b in reach[a] if a in reach[b])}) for a in graph if a in reach[a]}
    return sorted(sorted(group) for group in groups)


def layers(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """The length of each package's longest chain of imports. The graph must have no cycles."""
    depth: dict[str, int] = {}

    def of(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((of(other) for other in graph[name]), default=0)
        return depth[name]

    for name in graph:
        of(name)
    return depth


def main() -> None:
    """Prints the counts of a checkout."""
    parser = argparse.ArgumentParser(description="Counts packages, layers, imports and cycles.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--imports", action="store_true", help="also list the imports")
    options = parser.parse_args()
    graph = package_imports(options.folder)
    found = cycles(graph)
    print(f"modules:  {len(modules(options.folder))}")
    print(f"packages: {len(graph)}")
    print(f"imports:  {sum(len(others) for others in graph.values())}")
    print(f"cycles:   {len(found)}")
    for group in found:
        print(f"  {' <-> '.join(group)}")
    if not found:
        depth = layers(graph)
        print(f"layers:   {max(depth.values())}")
        for number in range(max(depth.values()), 0, -1):
            print(f"  {number}: {', '.join(sorted(name for name in depth if depth[name] == number))}")
    if options.imports:
        for name, others in sorted(graph.items()):
            print(f"{name} -> {', '.join(sorted(others))}")


if __name__ == "__main__":
    main()
