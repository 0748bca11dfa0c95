"""The pieces of work of a compiled job, graph by graph: what progress and time left count. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.compile import Compiled
from workflows.graph.label import Label, StageName

LIGHT = frozenset({
    "ConditioningZeroOut", "CreateVideo", "EasyCache", "EmptyHunyuanLatentVideo", "EmptySD3LatentImage",
    "FluxGuidance", "ImageBatch", "ImageFromBatch", "ImageScale", "LatentConcat", "LatentCut", "LoadAudio",
    "LoadImage", "LoraLoaderModelOnly", "ModelSamplingSD3", "TrimVideoLatent", "VAELoader",
})  # fmt: skip
"""Classes of nodes that take next to no time."""
LIGHT_WEIGHT = 0.02
SIZED: frozenset[StageName] = frozenset({"finish", "save"})
"""Stages in which a node's time grows with the number of chunks that it works on."""


@dataclass(frozen=True)
class Unit:
    """One node of one graph. `kind`: its class; nodes of one kind and size take about the same time.

    `before`: the nodes of its graph that have run when it runs. `first` to `last`: the chunks that it works
    on, from 1; 0 where that is not known. `steps` from `first_step` on: those of a sampler; `model`: the node
    that loads what it draws with.
    """

    graph: int
    node: str
    stage: StageName
    kind: str
    steps: int = 0
    first_step: int = 0
    before: frozenset[str] = frozenset()
    first: int = 0
    last: int = 0
    model: str = ""

    @property
    def size(self) -> float:
        """How much it works on, compared with others of its kind."""
        return float(max(1, self.last - self.first + 1)) if self.stage in SIZED else 1.0

    @property
    def weight(self) -> float:
        """Its share of the time of its stage, compared with the other units."""
        return self.size * (LIGHT_WEIGHT if self.kind in LIGHT else 1.0)


@dataclass(frozen=True)
class Outline:
    """All units of a job. `steps`: sampling steps of the whole job; `chunks`: 0 for a job of one; `calls`: of
    the model, 0 where they are not known."""

    units: tuple[Unit, ...]
    steps: int = 0
    chunks: int = 0
    graphs: int = 1
    calls: int = 0

    @staticmethod
    def of(compiled: Compiled) -> Outline:
        """That of a compiled job. Nodes whose result the server has from the graph before are left out."""
        units: list[Unit] = []
        known: frozenset[str] = frozenset()
        for index, (graph, labels) in enumerate(zip(compiled.graphs, compiled.labels, strict=True)):
            signatures = _signatures(graph)
            units += _units(index, graph, labels, {n for n, s in signatures.items() if s in known})
            known = frozenset(signatures.values())
        chunks = max((label.chunks for labels in compiled.labels for label in labels.values()), default=0)
        return Outline(
            tuple(units), compiled.sampling_steps, chunks, len(compiled.graphs), compiled.evaluations
        )

    @property
    def evaluations(self) -> int:
        """Evaluations of the model: at least one a step."""
        return max(1, self.calls, self.steps)

    @staticmethod
    def by_stage(steps: int = 0, chunks: int = 0) -> Outline:
        """One unit for each stage: for an engine that reports stages instead of nodes."""
        before: tuple[str, ...] = ()
        units = []
        stages: tuple[StageName, ...] = ("load", "read", "draw", "finish", "save")
        for stage in stages:
            units.append(Unit(0, stage, stage, stage, steps if stage == "draw" else 0, 0, frozenset(before)))
            if stage != "draw":  # steps say when the drawing is done
                before = (*before, stage)
        return Outline(tuple(units), steps, chunks)

    def find(self, graph: int, node: str, stage: StageName) -> Unit | None:
        """The unit of a node. Without a node: that of the stage, of an outline by stages."""
        name = node or stage
        return next((unit for unit in self.units if unit.node == name and unit.graph == graph), None)

    def steps_before(self, graph: int) -> int:
        """Sampling steps of the graphs before this one."""
        return sum(unit.steps for unit in self.units if unit.graph < graph)

    def chunk_at(self, step: int) -> int:
        """The chunk that is drawn when `step` steps are done, from 1; 0 for a job of one."""
        if self.chunks < 2 or not self.steps:
            return 0
        return min(self.chunks, 1 + step * self.chunks // self.steps)


def _units(graph: int, nodes: Mapping[str, Any], labels: Mapping[str, Label], cached: set[str]) -> list[Unit]:
    """The units of a graph, those without a label left out."""
    before: dict[str, frozenset[str]] = {}
    for node in nodes:
        _ancestors(nodes, node, before)
    units = []
    for node in sorted(labels, key=lambda name: (len(before.get(name, ())), name)):
        if node not in nodes or node in cached:
            continue
        label, behind = labels[node], before[node]
        first, last = _chunks(node, labels, before)
        kind = str(nodes[node].get("class_type", ""))
        model = _model(nodes, node) if label.steps else ""
        units.append(
            Unit(graph, node, label.stage, kind, label.steps, label.first_step, behind, first, last, model)
        )
    return units


def _chunks(node: str, labels: Mapping[str, Label], before: Mapping[str, frozenset[str]]) -> tuple[int, int]:
    """(first, last) chunk that a node works on: those drawn since the decoding before it."""
    label = labels[node]
    if label.steps:
        return label.chunk, label.chunk

    def drawn(names: frozenset[str]) -> set[int]:
        return {labels[name].chunk for name in names if name in labels and labels[name].chunk}

    behind = before[node]
    decoded = set[int]()
    if label.stage == "finish":
        for name in behind:
            if name in labels and labels[name].stage == "finish":
                # An earlier decoding has a sampler behind it; a node of the same decoding has not.
                later = any(labels[d].steps and name in before[d] for d in behind if d in labels)
                decoded |= drawn(before[name]) if later else set()
    chunks = drawn(behind) - decoded
    return (min(chunks), max(chunks)) if chunks else (0, 0)


def _sources(node: Mapping[str, Any]) -> list[str]:
    values = node["inputs"].values()
    return [value[0] for value in values if isinstance(value, list) and len(value) == 2]


def _model(nodes: Mapping[str, Any], node: str) -> str:
    """The node that loads a sampler's model: the first of the chain of its `model` inputs."""
    seen: list[str] = []
    while node in nodes and node not in seen:
        seen.append(node)
        source = nodes[node]["inputs"].get("model")
        if not isinstance(source, list) or len(source) != 2:
            break
        node = source[0]
    return seen[-1] if seen else ""


def _ancestors(nodes: Mapping[str, Any], node: str, found: dict[str, frozenset[str]]) -> frozenset[str]:
    if node not in found:
        found[node] = frozenset()  # ends a cycle, which no graph of ours has
        names = [source for source in _sources(nodes[node]) if source in nodes]
        found[node] = frozenset(names).union(*(_ancestors(nodes, name, found) for name in names))
    return found[node]


def _signatures(nodes: Mapping[str, Any]) -> dict[str, str]:
    """Node -> text that is equal for nodes with equal results, as ComfyUI's cache compares them."""
    found: dict[str, str] = {}

    def signature(node: str) -> str:
        if node not in found:
            found[node] = node
            inputs = [
                (name, signature(value[0]) + str(value[1]))
                if isinstance(value, list) and len(value) == 2 and value[0] in nodes
                else (name, repr(value))
                for name, value in sorted(nodes[node]["inputs"].items())
            ]
            found[node] = str(hash((nodes[node].get("class_type"), tuple(inputs))))
        return found[node]

    return {node: signature(node) for node in nodes}
