"""What compiling gives back, as data: labels of nodes, the compiled job, and what a server can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Label:
    """What a node does, in a creator's words."""

    stage: str  # load, read, draw, finish, save
    text: str
    steps: int = 0  # sampling steps that this node makes
    first_step: int = 0  # steps made by samplers before it in the job


@dataclass(frozen=True)
class ServerFacts:
    """What a server offers. Nothing known of an input's options (no entry) means: anything may be there."""

    nodes: frozenset[str]
    options: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Compiled:
    """A job as ComfyUI takes it. `graphs` and `labels` run side by side, one per prompt."""

    graphs: tuple[dict[str, Any], ...]  # API format: node id -> {"class_type", "inputs", "_meta"}
    labels: tuple[dict[str, Label], ...]  # node id -> label
    inputs: tuple[str, ...]  # names of the media that the graphs read
    sampling_steps: int  # of all graphs together
    evaluations: int  # of the model; a step with guidance (cfg above 1) counts 2
    models: tuple[str, ...]  # file names, in the order in which they are loaded
    width: int
    height: int
    frames: int
    fps: float
    steps: int  # length of the noise schedule
    warnings: tuple[str, ...] = ()
