"""The structure of the code by numbers: rooms, layers, import arrows and cycles.

    python scripts/structure.py [FOLDER] [--arrows]

A room is a package (backend.jobs, ui.views), or a module that lies directly in backend, ui or workflows. An
arrow is a pair of rooms of which one imports the other; a layer holds the rooms whose longest chain of
imports has the same length; a cycle is a set of rooms that import each other, directly or not.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

TOPS = ("app", "backend", "ui", "workflows")


def modules(root: Path) -> dict[str, Path]:
    """Dotted name -> file of every module."""
    found = {"app": root / "app.py"}
    for top in TOPS[1:]:
        for path in sorted((root / top).rglob("*.py")):
            if path.name != "__init__.py":
                found[".".join(path.relative_to(root).with_suffix("").parts)] = path
    return found


def room(name: str) -> str:
    """The room of a module: its first two names."""
    return ".".join(name.split(".")[:2])


def imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of this project that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name in known)


def arrows(root: Path) -> dict[str, set[str]]:
    """room -> the rooms that it imports."""
    known = modules(root)
    found: dict[str, set[str]] = {room(name): set() for name in known}
    for name, path in known.items():
        found[room(name)] |= {room(other) for other in imported(path, known)} - {room(name)}
    return found


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The sets of rooms that reach each other."""
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
    """room -> length of its longest chain of imports; only for a graph without cycles."""
    depth: dict[str, int] = {}

    def of(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((of(other) for other in graph[name]), default=0)
        return depth[name]

    for name in graph:
        of(name)
    return depth


def main() -> None:
    parser = argparse.ArgumentParser(description="Counts rooms, layers, import arrows and cycles.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--arrows", action="store_true", help="list the arrows, too")
    given = parser.parse_args()
    graph = arrows(given.folder)
    found = cycles(graph)
    print(f"modules: {len(modules(given.folder))}")
    print(f"rooms:   {len(graph)}")
    print(f"arrows:  {sum(len(others) for others in graph.values())}")
    print(f"cycles:  {len(found)}")
    for group in found:
        print(f"  {' <-> '.join(group)}")
    if not found:
        depth = layers(graph)
        print(f"layers:  {max(depth.values())}")
        for number in range(max(depth.values()), 0, -1):
            print(f"  {number}: {', '.join(sorted(name for name in depth if depth[name] == number))}")
    if given.arrows:
        for name, others in sorted(graph.items()):
            print(f"{name} -> {', '.join(sorted(others))}")


if __name__ == "__main__":
    main()
