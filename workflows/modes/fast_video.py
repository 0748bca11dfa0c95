"""The Fast variants: Image-to-Video in few steps, each variant a recipe of its own."""

from __future__ import annotations

from workflows.catalog import Catalog
from workflows.compiled import Compiled
from workflows.graph.node_contract import ServerFacts
from workflows.modes.image_to_video import (
    FAST_CFG,
    FAST_LORAS,
    FAST_SHIFT,
    FAST_STEPS,
    QUALITY_CFG,
    assemble,
    general_warnings,
)
from workflows.modes.registry import FastVideo
from workflows.params.sizes import AREAS
from workflows.stages.schedule import HIGH, LOW, Phase, Recipe, handover

LORA_480P = "lora_480p"
"""Role of the LoRA that was distilled at 480p; one file for both experts."""

ANTI_SLOW_MOTION = Recipe(
    steps=8,
    shift=FAST_SHIFT,
    phases=(
        Phase(HIGH, 0, 2, QUALITY_CFG),
        Phase(HIGH, 2, 4, FAST_CFG, FAST_LORAS[HIGH]),
        Phase(LOW, 4, 8, FAST_CFG, FAST_LORAS[LOW]),
    ),
)
"""The 4-step LoRA slows motion: two guided steps without it lay the motion out first. 10 evaluations."""


def recipe(params: FastVideo) -> Recipe:
    """The run of the variant."""
    if params.variant == "anti_slow_motion":
        return ANTI_SLOW_MOTION
    own_lora = params.variant == "480p"
    motion = "balanced" if own_lora else params.variant
    loras = {HIGH: LORA_480P, LOW: LORA_480P} if own_lora else FAST_LORAS
    k = handover(motion, FAST_STEPS, FAST_SHIFT)
    spans = ((HIGH, 0, k), (LOW, k, FAST_STEPS))
    phases = tuple(Phase(who, start, end, FAST_CFG, loras[who]) for who, start, end in spans)
    return Recipe(FAST_STEPS, FAST_SHIFT, phases)


def build(params: FastVideo, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    """The job of one FastVideo. `server` decides nothing yet: every node is in every server we support."""
    warnings = general_warnings(params)
    width, height = params.size
    if params.variant == "480p" and width * height > AREAS["480p"]:
        warnings.append(f"This variant was tuned for 480p; {width} x {height} may lose sharpness.")
    return assemble(
        params,
        recipe(params),
        catalog,
        job_id,
        negative=catalog.default_negative,
        warnings=tuple(warnings),
    )
