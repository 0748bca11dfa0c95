"""Image-to-Video: one picture, or a first and a last one. Its settings as a recipe, its graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from workflows.catalog import Catalog
from workflows.compiled import Compiled
from workflows.graph.builder import ClipVisionOutput
from workflows.graph.media_nodes import MediaNodes
from workflows.graph.node_contract import ServerFacts
from workflows.modes import continuation, fields
from workflows.notice import Notice, notice
from workflows.params.checks import check_shared_steps, check_sides
from workflows.params.field import Choice
from workflows.params.loras import Lora, LoraTarget
from workflows.params.media import Media
from workflows.params.sizes import fit_size
from workflows.params.values import InvalidParam
from workflows.spec import ModeParams, ModeSpec
from workflows.stages.diffusion import (
    EASY_CACHE_MIN_STEPS,
    decode,
    file_prefix,
    finished,
    has_file,
    has_node,
    load_experts,
    read_prompts,
    sample,
    with_nag,
)
from workflows.stages.distill import I2V, Distillation, chosen
from workflows.stages.distilled import distilled_notes, is_distilled, without_guidance
from workflows.stages.looping import loop_frames, without_last
from workflows.stages.nag import nag_of, negative_warnings
from workflows.stages.own_loras import own_loras
from workflows.stages.schedule import HIGH, LOW, Phase, Recipe, handover
from workflows.stages.warnings import general_warnings

EXPERTS = {HIGH: "i2v_high", LOW: "i2v_low"}
"""expert -> role of its file in the catalog."""
LORA_TARGETS = (LoraTarget("i2v", tuple(EXPERTS.values())),)

QUALITY_STEPS, QUALITY_SHIFT, QUALITY_CFG = 20, 5.0, 3.5
"""Source: ComfyUI's template video_wan2_2_14B_i2v of 0.11.97; WAN's own wan_i2v_A14B config has 5 too."""
QUALITY_SHIFT_LAST_FRAME, QUALITY_CFG_LAST_FRAME = 8.0, 4.0
"""With a last picture. Source: ComfyUI's template video_wan2_2_14B_flf2v of 0.11.97."""
DISTILLATIONS = (
    Choice("260412", "260412", "4-step models of April 2026, tuned at 720p: the finest detail. 57 GB."),
    Choice("1030", "1030", "4-step models of October 2025. 57 GB."),
    Choice("1022", "1022", "4-step LoRAs of October 2025."),
    Choice("v1", "V1", "The first 4-step LoRAs."),
)
"""The names of distill.I2V on the page."""

PLACEHOLDER = "The boat drifts to the right, mist rises from the water, the camera stays still"
"""An example of a prompt that says what moves."""
MOTION_HELP = "What should move"
LOOP_NOTE = "Ends where it begins, so that it repeats smoothly. Takes no end frame."


@dataclass(frozen=True, kw_only=True)
class ImageToVideo(ModeParams):
    """A picture, and perhaps an end frame, becomes a video."""

    MODE = "image_to_video"

    image: Media = fields.first_picture()
    prompt: str = fields.prompt("What should move?", MOTION_HELP, PLACEHOLDER)
    negative_prompt: str | None = fields.negative_prompt()
    end_image: Media | None = fields.media(
        "picture", "End frame", "The last picture of the video, if it should end at a certain one.",
        heading="End frame (optional)",
    )  # fmt: skip
    resolution: str = fields.resolution()
    width: int = fields.width("resolution and picture")
    height: int = fields.height("resolution and picture")
    seconds: float = fields.seconds()
    motion: str = fields.motion()
    experts: str = fields.choice(
        "Experts", (Choice("both", "Both"), Choice(HIGH, "High noise"), Choice(LOW, "Low noise")),
        "Which of the model's two experts run: both, high or low.",
        note="WAN uses two models in turn. High noise only: more motion, soft picture."
        " Low noise only: sharp, little motion.",
        group="experts", varies=True,
    )  # fmt: skip
    speed: str = fields.speed("quality (20 steps) or fast (4 steps).")
    steps: int = fields.steps()
    cfg: float = fields.cfg()
    shift: float = fields.shift()
    seed: int = fields.seed()
    distillation: str = fields.distillation(DISTILLATIONS, "v1")
    nag: str = fields.nag()
    prompt_weights: bool = fields.prompt_weights()
    loras: tuple[Lora, ...] = fields.loras()
    fit: str = fields.fit()
    clip_vision: bool = fields.switch(
        "CLIP vision",
        "Also conditions on CLIP image features. Needs clip_vision_h (1.3 GB).",
        group="experts",
    )
    tiled_decode: bool = fields.switch(
        "Tiled decode", "Decodes in tiles: less VRAM, slightly slower.", group="experts"
    )
    easy_cache: bool = fields.switch(
        "EasyCache", "Skips steps that change little: faster, slightly less detail.", group="experts"
    )
    clip: Media | None = fields.media(
        "video", "Clip", "The last frames of the clip that this goes on from; the picture is its first one.",
        inner=True,
    )  # fmt: skip
    loop: bool = fields.loop(LOOP_NOTE)

    def check(self) -> None:
        """Raises InvalidParam."""
        check_sides(self)
        if self.clip is not None and (self.end_image is not None or self.experts != "both"):
            raise InvalidParam(
                "clip", "The last frames of a clip cannot be handed on here.",
                "Leave the end frame out, and use both experts.",
            )  # fmt: skip
        if self.loop and self.clip is not None:
            raise InvalidParam("loop", "A part that continues a clip cannot be a loop.", "Switch Loop off.")
        if self.loop and self.end_image is not None:
            raise InvalidParam(
                "end_image",
                "A loop ends with its first picture, so it takes no end frame.",
                "Remove the end frame, or switch Loop off.",
            )
        check_shared_steps(
            self, one_expert=self.experts != "both", hint="Give at least 2 steps, or choose one expert."
        )

    @property
    def size(self) -> tuple[int, int]:
        return picture_size(self)

    @property
    def frames(self) -> int:
        frames = loop_frames(self.seconds, self.loop)
        return frames if self.clip is None else continuation.frames(frames)


def picture_size(params: Any) -> tuple[int, int]:
    """(width, height) as given, else from resolution and picture."""
    if params.width:
        return (params.width, params.height)
    return fit_size(params.image.width, params.image.height, params.resolution)


def recipe(params: ImageToVideo, fast: Distillation | None) -> Recipe:
    """The run that the params ask for: their own figures, else the mode's. `fast`: in few steps."""
    steps = params.steps or (fast.steps if fast else QUALITY_STEPS)
    last_frame = params.end_image is not None or params.loop
    shift = params.shift or (
        fast.shift if fast else QUALITY_SHIFT_LAST_FRAME if last_frame else QUALITY_SHIFT
    )
    guided = QUALITY_CFG_LAST_FRAME if last_frame else QUALITY_CFG
    cfg = params.cfg or (fast.cfg if fast else guided)
    if params.experts == "both":
        k = handover(params.motion, steps, shift)
        spans: tuple[tuple[str, int, int], ...] = ((HIGH, 0, k), (LOW, k, steps))
    else:
        spans = ((params.experts, 0, steps),)
    phases = (Phase(who, a, b, cfg) for who, a, b in spans)
    name = fast.name if fast else ""
    return Recipe(steps, shift, tuple(fast.phase(one) if fast else one for one in phases), name)


def own(params: ImageToVideo) -> Mapping[str, float]:
    """The mode's own steps, cfg and shift with these parameters."""
    fast = I2V[-1] if params.speed == "fast" else None
    return recipe(replace(params, steps=0, cfg=0.0, shift=0.0), fast).figures


def build(params: ImageToVideo, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    """The job of one ImageToVideo."""
    quality = params.speed != "fast"
    if is_distilled(catalog, EXPERTS):
        params = replace(params, speed="fast")
    fast = chosen(params.distillation, I2V, catalog, server) if params.speed == "fast" else None
    run = without_guidance(recipe(params, fast), catalog, EXPERTS, own_cfg=params.cfg > 0)
    warnings = general_warnings(params)
    warnings += distilled_notes(catalog, EXPERTS, quality, params.cfg)
    if params.experts == HIGH:
        warnings.append(notice("high_noise_only"))
    if params.experts == LOW:
        warnings.append(notice("low_noise_only"))
    warnings += negative_warnings(params, run.guided, server)
    if params.tiled_decode:
        warnings.append(notice("tiled_decode"))
    if params.clip is not None:
        return continuation.build(params, EXPERTS, run, catalog, server, job_id, tuple(warnings))

    clip_vision = params.clip_vision
    encoder = catalog.file("clip_vision").name
    if clip_vision and not (
        has_node(server, "CLIPVisionLoader") and has_file(server, "CLIPVisionLoader", "clip_name", encoder)
    ):
        clip_vision = False
        warnings.append(notice("no_clip_vision"))

    easy_cache = params.easy_cache
    if easy_cache and run.steps < EASY_CACHE_MIN_STEPS:
        easy_cache = False
        warnings.append(notice("easy_cache_steps", steps=EASY_CACHE_MIN_STEPS))
    if easy_cache and not has_node(server, "EasyCache"):
        easy_cache = False
        warnings.append(notice("no_easy_cache"))

    return assemble(
        params,
        run,
        catalog,
        server,
        job_id,
        end_image=None if params.end_image is None else params.end_image.name,
        clip_vision=clip_vision,
        tiled_decode=params.tiled_decode,
        easy_cache=easy_cache,
        warnings=tuple(warnings),
    )


def assemble(
    params: Any,
    run: Recipe,
    catalog: Catalog,
    server: ServerFacts,
    job_id: str,
    *,
    warnings: tuple[Notice, ...],
    end_image: str | None = None,
    clip_vision: bool = False,
    tiled_decode: bool = False,
    easy_cache: bool = False,
) -> Compiled:
    """The graph: load the experts, read prompt and pictures, draw, decode, save.

    params: an ImageToVideo, or another mode's with image, prompt, seed, size, frames and fps. It may have
    negative_prompt, nag, prompt_weights and loras, and loop, which draws back to the picture.
    """
    nodes = MediaNodes()
    loop = getattr(params, "loop", False)
    drawn = params.frames + 1 if loop else params.frames
    models = load_experts(nodes, catalog, EXPERTS, run, easy_cache, own_loras(params, server))
    negative, weights = getattr(params, "negative_prompt", None), getattr(params, "prompt_weights", False)
    positive, unwanted = read_prompts(nodes, catalog, params.prompt, negative, weights)
    models = with_nag(nodes, nag_of(params, server), models, run, unwanted)
    vae = nodes.vae_loader(catalog.file("vae").name)
    width, height = params.size
    start = nodes.load_image(params.image.name, "Reading the picture")
    encoder = nodes.clip_vision_loader(catalog.file("clip_vision").name) if clip_vision else None
    seen: ClipVisionOutput | None = None
    if encoder is not None:
        seen = nodes.clip_vision_encode(encoder, start, "Encoding the picture")
    if loop:
        conditioning = nodes.wan_first_last_frame_to_video(
            positive, unwanted, vae, width, height, drawn, start, start, seen, seen
        )
    elif end_image is None:
        conditioning = nodes.wan_image_to_video(positive, unwanted, vae, width, height, drawn, start, seen)
    else:
        end = nodes.load_image(end_image, "Reading the end frame")
        seen_end: ClipVisionOutput | None = None
        if encoder is not None:
            seen_end = nodes.clip_vision_encode(encoder, end, "Encoding the end frame")
        conditioning = nodes.wan_first_last_frame_to_video(
            positive, unwanted, vae, width, height, drawn, start, end, seen, seen_end
        )
    samples = sample(nodes, run, models, conditioning, params.seed)
    images = decode(nodes, samples, vae, tiled_decode)
    if loop:
        images = without_last(nodes, images, params.frames)
    video = nodes.create_video(images, params.fps)
    nodes.save_video(video, file_prefix(params.MODE, job_id))
    media = (params.image.name,) if end_image is None else (params.image.name, end_image)
    return finished(nodes, run, media, params.size, params.frames, params.fps, warnings)


SPEC = ModeSpec(
    params=ImageToVideo,
    in_quality=fields.in_quality(ImageToVideo.MODE),
    title="Image-to-Video",
    summary="Make a video from a picture with WAN 2.2.",
    build=build,
    own=own,
    lora_targets=LORA_TARGETS,
)
