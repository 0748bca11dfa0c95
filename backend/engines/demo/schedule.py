"""Which node runs next: ComfyUI's order, so that a demo run sends the events of a real one.

The order (observed in recorded runs): from the outputs upwards, the last input of a node is visited
first, and that is the waiting list. Of the nodes with nothing left to wait for, an output goes first,
then one that feeds an output, then one two links away from an output, else the first on the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def is_link(value: object) -> bool:
    """A connection is written as [node id, output index]."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], (int, float))
    )


def upstream(node: Mapping[str, Any]) -> list[str]:
    """The node ids that the inputs of a node are connected to, in the order of the inputs."""
    return [value[0] for value in node["inputs"].values() if is_link(value)]


class Schedule:
    """The nodes that are still to run. `has_result` tells which need not run at all."""

    def __init__(
        self,
        graph: Mapping[str, Any],
        targets: Iterable[str],
        has_result: Callable[[str], bool],
        is_output: Callable[[str], bool],
    ) -> None:
        self._graph = graph
        self._is_output = is_output
        self._waiting: dict[str, set[str]] = {}  # node -> what it waits for; its order is the list
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
        """The node to run now; None when the rest waits for itself in a circle."""
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
        del self._waiting[node]
        for other in self._feeds.pop(node):
            self._waiting[other].discard(node)

    def cycle_member(self) -> str:
        """A node that waits for itself."""
        return next(iter(self._waiting))
