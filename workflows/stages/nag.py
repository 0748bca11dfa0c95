"""Negative prompts in runs without guidance: normalized attention guidance (NAG) by KJNodes' WanVideoNAG.

Measured on ComfyUI 0.33: at cfg 1 the node changes the result without more evaluations; at cfg above 1 it has
no effect. ComfyUI's own NAGuidance has no effect on WAN and doubles the evaluations, so it is never used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workflows.graph.builder import Conditioning, Model
from workflows.graph.node_contract import ServerFacts
from workflows.graph.nodes import Nodes
from workflows.notice import Notice, notice

NODE = "WanVideoNAG"
SCALE, ALPHA, TAU = 11.0, 0.25, 2.5
"""The node's own defaults."""
OFF = "off"
"""The value of the parameter `nag` that never uses it."""


@dataclass(frozen=True)
class Nag:
    """Applies NAG to the models of a run's steps without guidance; `on` False: to none."""

    on: bool

    def apply(self, nodes: Nodes, model: Model, negative: Conditioning, cfg: float, words: str) -> Model:
        """The model of a phase that runs at `cfg`."""
        if not self.on or cfg > 1:
            return model
        return nodes.wan_video_nag(model, negative, SCALE, ALPHA, TAU, f"Setting up the {words}")


def nag_of(params: Any, server: ServerFacts) -> Nag:
    """NAG for a negative prompt of the creator's own, on a server that is known to have the node.

    WAN's default negative prompt does not use it: distilled models are tuned to run without one.
    """
    return Nag(_wanted(params) and NODE in server.nodes and params.nag != OFF)


def negative_warnings(params: Any, guided: bool, server: ServerFacts) -> tuple[Notice, ...]:
    """The warning that the negative prompt has no effect. `guided`: steps of the run use guidance."""
    if guided or not _wanted(params) or nag_of(params, server).on:
        return ()
    if params.nag == OFF:
        return (notice("negative_prompt_off"),)
    return (notice("negative_prompt_unused" if server.nodes else "negative_prompt_unknown"),)


def _wanted(params: Any) -> bool:
    return bool((getattr(params, "negative_prompt", None) or "").strip())
