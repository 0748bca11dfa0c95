"""Determines the order in which nodes run. It is ComfyUI's, so that the events are in the same order.

The order, as observed in recorded runs: nodes are listed from the outputs upwards, visiting the last input of
a node first. Of the nodes whose inputs are available, an output node runs first, then one that feeds an
output node, then one that is two links away from an output node, else the first in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def is_link(value: object) -> bool:
    """Whether an input value is a link: [node id, output index]."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], (int, float))
    )


def upstream(node: Mapping[str, Any]) -> list[str]:
    """The ids of the nodes that a node's inputs are linked to, in the order of the inputs."""
    return [value[0] for value in node["inputs"].values() if is_link(value)]


class Schedule:
    """The nodes that have to run for the target nodes. Nodes with `has_result` are left out."""

    def __init__(
        self,
        graph: Mapping[str, Any],
        targets: Iterable[str],
        has_result: Callable[[str], bool],
        is_output: Callable[[str], bool],
    ) -> None:
        self._graph = graph
        self._is_output = is_output
        self._waiting: dict[str, set[str]] = {}  # node -> nodes it waits for, in ComfyUI's list order
        self._feeds: dict[str, list[str]] = {}
        for target in targets:
            self._add(target, has_result)

    def _add(self, target: str, has_result: Callable[[str], bool]) -> None:
        stack = [target]
        links: list[tuple[str, str]] = []
        while stack:
            node = stack.pop()
            if node in self._waiting:
                continue
            self._waiting[node] = set()
            self._feeds.setdefault(node, [])
            for source in upstream(self._graph[node]):
                if not has_result(source):
                    stack.append(source)
                    links.append((source, node))
        for source, node in links:
            self._waiting[node].add(source)
            if node not in self._feeds[source]:
                self._feeds[source].append(node)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def next(self) -> str | None:
        """The next node to run; None if the remaining nodes form a cycle."""
        ready = [node for node, sources in self._waiting.items() if not sources]
        for distance in (0, 1, 2):
            for node in ready:
                if self._reaches_output(node, distance):
                    return node
        return ready[0] if ready else None

    def _reaches_output(self, node: str, distance: int) -> bool:
        if distance == 0:
            return self._is_output(node)
        return any(self._reaches_output(other, distance - 1) for other in self._feeds[node])

    def done(self, node: str) -> None:
        """Removes a node that has run."""
        del self._waiting[node]
        for other in self._feeds.pop(node):
            self._waiting[other].discard(node)

    def cycle_member(self) -> str:
        """A node of the cycle."""
        return next(iter(self._waiting))
