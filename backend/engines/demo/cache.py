"""ComfyUI's classic cache: results of the last prompt only, found by what a node was given.

A node's signature is its class, its own inputs (for a file: the bytes behind the name) and the
signatures of everything upstream. Node ids do not count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.engines.demo.schedule import is_link


@dataclass(frozen=True)
class Result:
    """What a node gave: its outputs, and for an output node what the page is told (`ui`)."""

    outputs: tuple[Any, ...]
    ui: dict[str, Any] | None = None
    meta: dict[str, Any] | None = None


class Cache:
    """`fingerprint(class, inputs)` stands for what changes without the graph changing."""

    def __init__(self, fingerprint: Callable[[str, Mapping[str, Any]], str]) -> None:
        self._fingerprint = fingerprint
        self._results: dict[str, Result] = {}
        self._signatures: dict[str, str] = {}

    def begin(self, graph: Mapping[str, Any]) -> None:
        """A prompt starts: results that it has no use for are dropped."""
        self._signatures = {}
        for node in graph:
            self._sign(node, graph)
        used = set(self._signatures.values())
        self._results = {key: value for key, value in self._results.items() if key in used}

    def _sign(self, node: str, graph: Mapping[str, Any], above: tuple[str, ...] = ()) -> str:
        if node in self._signatures:
            return self._signatures[node]
        if node in above or node not in graph:
            return "none"
        inputs = graph[node].get("inputs", {})
        facts: list[Any] = [graph[node]["class_type"], self._fingerprint(graph[node]["class_type"], inputs)]
        for name in sorted(inputs):
            value = inputs[name]
            if is_link(value):
                value = [self._sign(value[0], graph, (*above, node)), value[1]]
            facts.append([name, value])
        text = json.dumps(facts, sort_keys=True, default=str)
        self._signatures[node] = hashlib.sha256(text.encode()).hexdigest()
        return self._signatures[node]

    def get(self, node: str) -> Result | None:
        return self._results.get(self._signatures.get(node, ""))

    def put(self, node: str, result: Result) -> None:
        self._results[self._signatures[node]] = result

    def clear(self) -> None:
        self._results.clear()
