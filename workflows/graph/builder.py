"""The mechanism of building a ComfyUI graph: typed output handles, node ids, shared loaders, labels.

Which nodes there are is nodes.py's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.graph.label import Label


@dataclass(frozen=True)
class Output:
    """Output number `index` of node `node`. The subclass is its type, so that mypy checks the wiring."""

    node: str
    index: int = 0


class Model(Output): ...


class Clip(Output): ...


class Vae(Output): ...


class Conditioning(Output): ...


class Latent(Output): ...


class Image(Output): ...


class Video(Output): ...


class ClipVision(Output): ...


class ClipVisionOutput(Output): ...


class Audio(Output): ...


class AudioEncoder(Output): ...


class AudioFeatures(Output): ...


class Mask(Output): ...


class Int(Output): ...


class Keypoints(Output): ...


class Boxes(Output): ...


class PoseData(Output): ...


class Text(Output): ...


Value = str | int | float | bool | Output | None


class Graph:
    """Nodes in the order in which they are added; ids are "1", "2", ... in that order.

    A graph of the same mode and options adds the same nodes in the same order, so ids never depend on
    prompt, seed, file names or figures.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self.labels: dict[str, Label] = {}
        self._shared: dict[tuple[str, tuple[tuple[str, Any], ...]], str] = {}

    def add(self, class_type: str, label: Label, inputs: Mapping[str, Value]) -> str:
        """Adds a node and returns its id. An input that is None is left out (optional and not wired)."""
        node = str(len(self.nodes) + 1)
        self.nodes[node] = {
            "class_type": class_type,
            "inputs": {name: _plain(value) for name, value in inputs.items() if value is not None},
            "_meta": {"title": label.text},
        }
        self.labels[node] = label
        return node

    def add_cached(self, class_type: str, label: Label, inputs: Mapping[str, Value]) -> str:
        """As add(), but a node of the same class and inputs is made only once: for loaders."""
        key = (class_type, tuple(sorted(inputs.items())))
        if key not in self._shared:
            self._shared[key] = self.add(class_type, label, inputs)
        return self._shared[key]


def _plain(value: Value) -> Any:
    return [value.node, value.index] if isinstance(value, Output) else value
