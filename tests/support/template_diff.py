"""Compares a compiled graph with an official template, from SaveVideo upwards."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.paths import DATA

Graph = dict[str, dict[str, Any]]


def template(name: str) -> dict[str, Graph]:
    """kind ("quality", "fast") -> graph of a reduced template."""
    return json.loads((DATA / f"template_{name}.json").read_text())


def differences(
    theirs: Graph, ours: Graph, stops: frozenset[tuple[str, str]] = frozenset()
) -> dict[tuple[str, str], list[tuple]]:
    """(class, input) -> [(their value, our value), ...], class by class and link by link.

    At an input in `stops`, the graphs may have different branches: its classes are reported, and the branch
    is not followed. Everything else must be linked alike. Raises AssertionError with the first difference.
    """
    pairs: dict[str, str] = {}
    found: dict[tuple[str, str], list[tuple]] = {}

    def walk(a: str, b: str) -> None:
        if a in pairs:
            assert pairs[a] == b, "a node is shared in one graph and not in the other"
            return
        assert b not in pairs.values()
        pairs[a] = b
        left, right = theirs[a], ours[b]
        kind = left["class_type"]
        assert kind == right["class_type"]
        names = {name for side in (left, right) for name in side["inputs"]}
        for name in sorted(names):
            value, other = left["inputs"].get(name), right["inputs"].get(name)
            if (kind, name) in stops:
                found.setdefault((kind, name), []).append((behind(theirs, value), behind(ours, other)))
                continue
            assert name in left["inputs"] and name in right["inputs"], (kind, name)
            if isinstance(value, list):
                assert isinstance(other, list) and value[1] == other[1], (kind, name)
                walk(value[0], other[0])
            elif not (value == other or (isinstance(value, float) and value == pytest.approx(other))):
                found.setdefault((kind, name), []).append((value, other))

    walk(saving(theirs), saving(ours))
    if not stops:
        assert set(pairs) == set(theirs) and set(pairs.values()) == set(ours)
    return found


def saving(graph: Graph) -> str:
    (node,) = [key for key, data in graph.items() if data["class_type"] == "SaveVideo"]
    return node


def behind(graph: Graph, value: Any) -> Any:
    """A link as the class of its source; a value unchanged."""
    return graph[value[0]]["class_type"] if isinstance(value, list) else value


def seen_through(graph: Graph, nodes: set[str]) -> Graph:
    """The graph without these nodes; links to them are replaced by their `image` input."""
    leads = {node: graph[node]["inputs"]["image"] for node in nodes}
    return {
        key: {**data, "inputs": {n: leads.get(v[0], v) if isinstance(v, list) else v
                                 for n, v in data["inputs"].items()}}
        for key, data in graph.items() if key not in nodes
    }  # fmt: skip
