"""ComfyUI's classic cache: the node results of the last prompt, by signature.

A node's signature is the hash of its class, its inputs (for a file: of its content) and the signatures of
all upstream nodes. Node ids are not part of it.
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
    """The outputs of a node, and for an output node the data that clients receive (`ui`, `meta`)."""

    outputs: tuple[Any, ...]
    ui: dict[str, Any] | None = None
    meta: dict[str, Any] | None = None


class Cache:
    """Results by signature. `fingerprint(class, inputs)` identifies the content of the files a node reads."""

    def __init__(self, fingerprint: Callable[[str, Mapping[str, Any]], str]) -> None:
        self._fingerprint = fingerprint
        self._results: dict[str, Result] = {}
        self._signatures: dict[str, str] = {}

    def begin(self, graph: Mapping[str, Any]) -> None:
        """Computes the signatures of a prompt's nodes and drops all results that it does not use."""
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
        """The cached result of a node of the current prompt, or None."""
        return self._results.get(self._signatures.get(node, ""))

    def put(self, node: str, result: Result) -> None:
        """Stores the result of a node of the current prompt."""
        self._results[self._signatures[node]] = result

    def clear(self) -> None:
        """Drops all results."""
        self._results.clear()
