"""The distillations that make the experts fast: which there are, and which of them a server has.

A distillation is a pair of LoRAs on WAN's own experts, or a pair of experts with the same baked in ("4-step"
models, which take no LoRA). All of them run without guidance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from workflows.catalog import Catalog
from workflows.graph.node_contract import ServerFacts
from workflows.stages.schedule import HIGH, LOW, Phase

AUTO = "auto"
"""The value of a parameter that takes the best distillation of the server."""


@dataclass(frozen=True)
class Distillation:
    """One distillation. `loras`, `experts`: expert -> role of its file in the catalog; a baked one has
    `experts` and no LoRAs. `strengths`: expert -> strength of its LoRA."""

    name: str
    loras: Mapping[str, str] = field(default_factory=dict)
    experts: Mapping[str, str] = field(default_factory=dict)
    steps: int = 4
    shift: float = 5.0
    cfg: float = 1.0
    strengths: Mapping[str, float] = field(default_factory=lambda: {HIGH: 1.0, LOW: 1.0})

    @property
    def baked(self) -> bool:
        """Whether the experts hold it, so that no LoRA is loaded."""
        return bool(self.experts)

    def phase(self, phase: Phase) -> Phase:
        """The phase with the files of this distillation."""
        return replace(
            phase,
            lora=self.loras.get(phase.expert, ""),
            strength=self.strengths[phase.expert],
            model=self.experts.get(phase.expert, ""),
        )


def _pair(prefix: str) -> dict[str, str]:
    return {HIGH: f"{prefix}_high", LOW: f"{prefix}_low"}


# 4 steps, shift 5 and cfg 1 of all: lightx2v's wan22/wan_moe_i2v_distill and _t2v_distill configs (step list
# 1000, 750, 500, 250, boundary after the second, strength 1.0), which are the figures of ComfyUI's templates
# for the first LoRAs too.
I2V: tuple[Distillation, ...] = (
    # lightx2v/Wan2.2-Distill-Models, 2026-04-12: both experts new, trained on 720p data for more detail.
    Distillation("260412", experts=_pair("i2v_260412")),
    # The same repository, 2025-10-30: a new high-noise expert for the first low-noise one.
    Distillation("1030", experts=_pair("i2v_1030")),
    # lightx2v/Wan2.2-Distill-Loras, 2025-10-22: the LoRAs of lightx2v's own configs.
    Distillation("1022", loras=_pair("lora_i2v_1022")),
    # lightx2v/Wan2.2-Lightning Seko V1, 2025-08: the LoRAs of ComfyUI's template video_wan2_2_14B_i2v.
    Distillation("v1", loras=_pair("lora_i2v")),
)
T2V: tuple[Distillation, ...] = (
    # lightx2v/Wan2.2-Distill-Loras, 2025-12-17: the LoRAs of lightx2v's own configs.
    Distillation("1217", loras=_pair("lora_t2v_1217")),
    # lightx2v/Wan2.2-Lightning 250928, trained for more motion.
    Distillation("250928", loras=_pair("lora_t2v_250928")),
    # lightx2v/Wan2.2-Lightning Seko V1.1: the LoRAs of ComfyUI's template video_wan2_2_14B_t2v.
    Distillation("v1.1", loras=_pair("lora_t2v")),
)
"""Best first; the last is the one that a mode needs and that its template uses."""
BAKED = frozenset(one.name for one in I2V + T2V if one.baked)
"""Names of those that bring experts of their own."""
BAKED_ROLES = frozenset(role for one in I2V + T2V for role in one.experts.values())
"""Roles of their experts."""


def chosen(
    name: str, known: Sequence[Distillation], catalog: Catalog, server: ServerFacts, loras_only: bool = False
) -> Distillation:
    """The distillation of that name; for AUTO the best whose files the server lists, else the last.

    `loras_only`: leave out baked ones, for runs that need WAN's own experts as well.
    """
    if name != AUTO:
        return next(one for one in known if one.name == name)
    fit = [one for one in known if not (loras_only and one.baked)]
    return next((one for one in fit if _listed(one, catalog, server)), fit[-1])


def _listed(one: Distillation, catalog: Catalog, server: ServerFacts) -> bool:
    loras = server.options.get(("LoraLoaderModelOnly", "lora_name"), ())
    models = server.options.get(("UNETLoader", "unet_name"), ())
    return all(catalog.file(role).name in loras for role in one.loras.values()) and all(
        catalog.file(role).name in models for role in one.experts.values()
    )
