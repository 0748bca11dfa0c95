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
    DISTILLATIONS,
    EXPERTS,
    LORA_TARGETS,
    MOTION_HELP,
    PLACEHOLDER,
    QUALITY_CFG,
    ImageToVideo,
    assemble,
    picture_size,
)
from workflows.notice import notice
from workflows.params.checks import check_sides
from workflows.params.field import Choice
from workflows.params.loras import Lora
from workflows.params.media import Media
from workflows.params.sizes import AREAS
from workflows.params.values import InvalidParam
from workflows.spec import ModeParams, ModeSpec, specs
from workflows.stages.distill import AUTO, BAKED, I2V, Distillation, chosen
from workflows.stages.distilled import without_guidance
from workflows.stages.looping import loop_frames
from workflows.stages.nag import negative_warnings
from workflows.stages.schedule import HIGH, LOW, Phase, Recipe, handover
from workflows.stages.warnings import general_warnings

_LORA_480P = {HIGH: "lora_480p", LOW: "lora_480p"}
OF_480P: Mapping[str, Distillation] = {
    # lightx2v's LoRA of WAN 2.1, distilled at 480p: one file for both experts.
    "480p": Distillation("480p", loras=_LORA_480P),
    # Users of kijai/ComfyUI-WanVideoWrapper (#903, #1830) and ComfyUI's Bernini template run it at 3 and 1.5.
    "480p_strong": Distillation("480p_strong", loras=_LORA_480P, strengths={HIGH: 3.0, LOW: 1.5}),
}
"""variant -> the distillation that it brings."""
ANTI_SLOW_MOTION = "anti_slow_motion"
ANTI_SLOW_STEPS = 8


VARIANTS = (
    Choice("balanced", "Balanced", "Follows the prompt."),
    Choice("dynamic", "Dynamic", "More motion, looser match to the picture."),
    Choice("subtle", "Subtle", "Small motion, closest to the picture."),
    Choice("480p", "480p", "Tuned for 480p; sharpest at that size."),
    Choice("480p_strong", "480p, strong", "The same at strength 3 and 1.5: more motion and contrast."),
    Choice("anti_slow_motion", "Anti slow motion", "More lifelike speed, 8 steps instead of 4."),
)


@dataclass(frozen=True, kw_only=True)
class FastVideo(ModeParams):
    """A picture becomes a video in few steps, with the settings of a named variant."""

    MODE = "fast_video"

    image: Media = fields.first_picture()
    prompt: str = fields.prompt("What should move?", MOTION_HELP, PLACEHOLDER)
    variant: str = fields.choice(
        "Variant", VARIANTS, "balanced, dynamic, subtle, 480p, 480p_strong or anti_slow_motion.", varies=True
    )
    resolution: str = fields.resolution()
    width: int = fields.width("resolution and picture")
    height: int = fields.height("resolution and picture")
    seconds: float = fields.seconds()
    seed: int = fields.seed()
    distillation: str = fields.distillation(DISTILLATIONS, "v1")
    negative_prompt: str | None = fields.negative_prompt(later=1)
    nag: str = fields.nag()
    prompt_weights: bool = fields.prompt_weights()
    loras: tuple[Lora, ...] = fields.loras()
    fit: str = fields.fit()
    loop: bool = fields.loop("Ends where it begins, so that it repeats smoothly.")

    def check(self) -> None:
        """Raises InvalidParam for a distillation that the variant cannot have, and for sides."""
        check_sides(self)
        if self.variant in OF_480P and self.distillation != AUTO:
            raise InvalidParam(
                "distillation",
                "The 480p variants have a distillation of their own.",
                "Choose auto, or another variant.",
            )
        if self.variant == ANTI_SLOW_MOTION and self.distillation in BAKED:
            raise InvalidParam(
                "distillation",
                "Anti slow motion needs a distillation that is a LoRA.",
                "Choose auto, 1022 or v1, or another variant.",
            )

    @property
    def size(self) -> tuple[int, int]:
        return picture_size(self)

    @property
    def frames(self) -> int:
        return loop_frames(self.seconds, self.loop)


def distillation(params: FastVideo, catalog: Catalog, server: ServerFacts) -> Distillation:
    """The distillation of the variant, else the one that is chosen."""
    if params.variant in OF_480P:
        return OF_480P[params.variant]
    return chosen(params.distillation, I2V, catalog, server, params.variant == ANTI_SLOW_MOTION)


def recipe(params: FastVideo, fast: Distillation) -> Recipe:
    """The run of the variant."""
    if params.variant == ANTI_SLOW_MOTION:
        return anti_slow_motion(fast)
    motion = "balanced" if params.variant in OF_480P else params.variant
    k = handover(motion, fast.steps, fast.shift)
    spans = ((HIGH, 0, k), (LOW, k, fast.steps))
    phases = tuple(fast.phase(Phase(who, start, end, fast.cfg)) for who, start, end in spans)
    return Recipe(fast.steps, fast.shift, phases, fast.name)


def anti_slow_motion(fast: Distillation) -> Recipe:
    """A 4-step LoRA slows motion: two guided steps without it lay the motion out first. 10 evaluations."""
    phases = (
        Phase(HIGH, 0, 2, QUALITY_CFG),
        fast.phase(Phase(HIGH, 2, 4, fast.cfg)),
        fast.phase(Phase(LOW, 4, ANTI_SLOW_STEPS, fast.cfg)),
    )
    return Recipe(ANTI_SLOW_STEPS, fast.shift, phases, fast.name)


def build(params: FastVideo, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    """The job of one FastVideo."""
    run = without_guidance(
        recipe(params, distillation(params, catalog, server)), catalog, EXPERTS, own_cfg=False
    )
    warnings = general_warnings(params)
    width, height = params.size
    if params.variant in OF_480P and width * height > AREAS["480p"]:
        warnings.append(notice("variant_480p", width=width, height=height))
    warnings += negative_warnings(params, run.guided, server)
    return assemble(params, run, catalog, server, job_id, warnings=tuple(warnings))


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
    lora_targets=LORA_TARGETS,
)
