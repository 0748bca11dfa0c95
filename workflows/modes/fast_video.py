"""The Fast variants: Image-to-Video in few steps, each variant a recipe of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.catalog import Catalog
from workflows.compiled import Compiled
from workflows.graph.node_contract import ServerFacts
from workflows.modes import fields
from workflows.modes.image_to_video import (
    FAST_CFG,
    FAST_LORAS,
    FAST_SHIFT,
    FAST_STEPS,
    MOTION_HELP,
    PLACEHOLDER,
    QUALITY_CFG,
    ImageToVideo,
    assemble,
    picture_size,
)
from workflows.notice import notice
from workflows.params.checks import check_sides
from workflows.params.media import Media
from workflows.params.sizes import AREAS
from workflows.spec import Choice, ModeParams, ModeSpec, specs
from workflows.stages.schedule import HIGH, LOW, Phase, Recipe, handover
from workflows.stages.warnings import general_warnings

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


VARIANTS = (
    Choice("balanced", "Balanced", "Follows the prompt."),
    Choice("dynamic", "Dynamic", "More motion, looser match to the picture."),
    Choice("subtle", "Subtle", "Small motion, closest to the picture."),
    Choice("480p", "480p", "Tuned for 480p; sharpest at that size."),
    Choice("anti_slow_motion", "Anti slow motion", "More lifelike speed, 8 steps instead of 4."),
)


@dataclass(frozen=True, kw_only=True)
class FastVideo(ModeParams):
    """A picture becomes a video in few steps, with the settings of a named variant."""

    MODE = "fast_video"

    image: Media = fields.first_picture()
    prompt: str = fields.prompt("What should move?", MOTION_HELP, PLACEHOLDER)
    variant: str = fields.choice("Variant", VARIANTS, "balanced, dynamic, subtle, 480p or anti_slow_motion.")
    resolution: str = fields.resolution()
    width: int = fields.width("resolution and picture")
    height: int = fields.height("resolution and picture")
    seconds: float = fields.seconds()
    seed: int = fields.seed()
    fit: str = fields.fit()

    def check(self) -> None:
        check_sides(self)

    @property
    def size(self) -> tuple[int, int]:
        return picture_size(self)


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
        warnings.append(notice("variant_480p", width=width, height=height))
    return assemble(
        params,
        recipe(params),
        catalog,
        job_id,
        negative=catalog.default_negative,
        warnings=tuple(warnings),
    )


def in_quality(values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Image-to-Video in quality, with the variant's motion."""
    shared = {spec.name for spec in specs(ImageToVideo)}
    kept = {name: value for name, value in values.items() if name in shared}
    motion = values.get("variant")
    if motion not in ("balanced", "dynamic", "subtle"):
        motion = "balanced"
    return ImageToVideo.MODE, {**kept, "speed": "quality", "motion": motion}


SPEC = ModeSpec(
    params=FastVideo,
    always_fast=True,
    in_quality=in_quality,
    title="Fast 4-step",
    summary="Make a video from a picture in few steps with WAN 2.2.",
    build=build,
)
