"""Text-to-Video, and Text-to-Image: a WAN video of one frame, or a Flux picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.catalog import Catalog
from workflows.compiled import Compiled
from workflows.graph.builder import Image
from workflows.graph.label import Label
from workflows.graph.node_contract import ServerFacts
from workflows.graph.nodes import Nodes
from workflows.modes import fields
from workflows.modes.image_to_video import (
    FAST_CFG,
    FAST_SHIFT,
    FAST_STEPS,
    QUALITY_CFG,
    QUALITY_SHIFT,
    QUALITY_STEPS,
)
from workflows.notice import notice
from workflows.params.checks import check_prompt_given, check_shared_steps, check_sides
from workflows.params.limits import ASPECTS
from workflows.params.sizes import fit_size
from workflows.spec import Choice, ModeParams, ModeSpec
from workflows.stages.diffusion import decode, file_prefix, finished, load_experts, read_prompts, sample
from workflows.stages.schedule import HIGH, LOW, Phase, Recipe, handover
from workflows.stages.warnings import general_warnings

EXPERTS = {HIGH: "t2v_high", LOW: "t2v_low"}
"""expert -> role of its file in the catalog."""
FAST_LORAS = {HIGH: "lora_t2v_high", LOW: "lora_t2v_low"}
NO_LORAS = {HIGH: "", LOW: ""}

FLUX_STEPS, FLUX_CFG, FLUX_GUIDANCE = 20, 1.0, 3.5
"""Source: ComfyUI's template flux_dev_checkpoint_example."""


PICTURE_RESOLUTION = "720p"
"""The area of a picture: the larger of the two that WAN was trained for, and close to Flux's 1 megapixel."""


@dataclass(frozen=True, kw_only=True)
class TextToVideo(ModeParams):
    """A prompt becomes a video."""

    MODE = "text_to_video"

    prompt: str = fields.prompt(
        "Describe the scene", "What is to be seen and how it moves",
        "A fishing boat crosses a fjord at blue hour, mist rises, the camera glides along",
    )  # fmt: skip
    negative_prompt: str | None = fields.negative_prompt()
    aspect: str = fields.aspect()
    resolution: str = fields.resolution("")
    width: int = fields.width("aspect and resolution")
    height: int = fields.height("aspect and resolution")
    seconds: float = fields.seconds()
    speed: str = fields.speed("quality (20 steps) or fast (4 steps).")
    steps: int = fields.steps(least=2)
    cfg: float = fields.cfg()
    shift: float = fields.shift()
    seed: int = fields.seed()

    def check(self) -> None:
        check_prompt_given(self)
        check_sides(self)
        check_shared_steps(self)

    @property
    def size(self) -> tuple[int, int]:
        if self.width:
            return (self.width, self.height)
        return fit_size(*ASPECTS[self.aspect], self.resolution)


@dataclass(frozen=True, kw_only=True)
class TextToImage(ModeParams):
    """A prompt becomes a picture."""

    MODE = "text_to_image"

    prompt: str = fields.prompt(
        "Describe the scene", "What is to be seen",
        "A fishing boat on a fjord at blue hour, mist over the water, wide shot",
    )  # fmt: skip
    model: str = fields.choice("Model", (Choice("wan", "WAN"), Choice("flux", "Flux")), "wan or flux.")
    aspect: str = fields.aspect()
    width: int = fields.width("aspect")
    height: int = fields.height("aspect")
    steps: int = fields.steps(own="the model's own", group="run")
    seed: int = fields.seed("picture", group="run")

    def check(self) -> None:
        check_prompt_given(self)
        check_sides(self)
        check_shared_steps(self, one_expert=self.model != "wan")

    @property
    def size(self) -> tuple[int, int]:
        if self.width:
            return (self.width, self.height)
        return fit_size(*ASPECTS[self.aspect], PICTURE_RESOLUTION)

    @property
    def frames(self) -> int:
        return 1

    @property
    def fps(self) -> float:
        return 0.0


def recipe(steps: int, cfg: float, shift: float, fast: bool) -> Recipe:
    """The run of both experts; 0 means the mode's own figure."""
    steps = steps or (FAST_STEPS if fast else QUALITY_STEPS)
    shift = shift or (FAST_SHIFT if fast else QUALITY_SHIFT)
    cfg = cfg or (FAST_CFG if fast else QUALITY_CFG)
    loras = FAST_LORAS if fast else NO_LORAS
    k = handover("balanced", steps, shift)
    spans = ((HIGH, 0, k), (LOW, k, steps))
    return Recipe(steps, shift, tuple(Phase(who, a, b, cfg, loras[who]) for who, a, b in spans))


def own(params: TextToVideo) -> Mapping[str, float]:
    """The mode's own steps, cfg and shift with these parameters."""
    return recipe(0, 0.0, 0.0, params.speed == "fast").figures


def own_steps(params: TextToImage) -> Mapping[str, float]:
    """The model's own steps."""
    return {"steps": FLUX_STEPS if params.model == "flux" else QUALITY_STEPS}


def build_video(params: TextToVideo, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    """The job of one TextToVideo. `server` decides nothing: every node is in every server we support."""
    run = recipe(params.steps, params.cfg, params.shift, params.speed == "fast")
    warnings = general_warnings(params)
    if params.negative_prompt and not run.guided:
        warnings.append(notice("negative_prompt_unused"))
    negative = catalog.default_negative if params.negative_prompt is None else params.negative_prompt
    nodes = Nodes()
    images = _draw(nodes, catalog, params, run, negative)
    nodes.save_video(nodes.create_video(images, params.fps), file_prefix(params.MODE, job_id))
    return finished(nodes, run, (), params.size, params.frames, params.fps, tuple(warnings))


def build_image(params: TextToImage, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    """The job of one TextToImage."""
    nodes = Nodes()
    if params.model == "flux":
        run = Recipe(params.steps or FLUX_STEPS, 0.0, (Phase("", 0, params.steps or FLUX_STEPS, FLUX_CFG),))
        images = _draw_flux(nodes, catalog, params, run)
    else:
        run = recipe(params.steps, 0.0, 0.0, fast=False)
        images = _draw(nodes, catalog, params, run, catalog.default_negative)
    nodes.save_image(images, file_prefix(params.MODE, job_id), "Saving")
    return finished(nodes, run, (), params.size, params.frames, params.fps, (), still=True)


def _draw(
    nodes: Nodes, catalog: Catalog, params: TextToVideo | TextToImage, run: Recipe, negative: str
) -> Image:
    models = load_experts(nodes, catalog, EXPERTS, run, easy_cache=False)
    prompts = read_prompts(nodes, catalog, params.prompt, negative)
    vae = nodes.vae_loader(catalog.file("vae").name)
    latent = nodes.empty_latent_video(*params.size, params.frames)
    samples = sample(nodes, run, models, (*prompts, latent), params.seed)
    return decode(nodes, samples, vae, tiled=False)


def _draw_flux(nodes: Nodes, catalog: Catalog, params: TextToImage, run: Recipe) -> Image:
    model, clip, vae = nodes.checkpoint_loader(catalog.file("flux").name, "Loading Flux")
    prompt = nodes.clip_text_encode(clip, params.prompt, "Reading the prompt")
    nothing = nodes.conditioning_zero_out(prompt)
    latent = nodes.empty_latent_image(*params.size)
    label = Label("draw", "Generating", steps=run.steps)
    positive = nodes.flux_guidance(prompt, FLUX_GUIDANCE)
    samples = nodes.ksampler(label, model, positive, nothing, latent, params.seed, FLUX_CFG, "euler")
    return nodes.vae_decode(samples, vae)


VIDEO = ModeSpec(
    params=TextToVideo,
    in_quality=fields.in_quality(TextToVideo.MODE),
    title="Text-to-Video",
    summary="Make a video from words alone with WAN 2.2.",
    build=build_video,
    own=own,
)
PICTURE = ModeSpec(
    params=TextToImage,
    title="Text-to-Image",
    summary="Make a picture from words with WAN 2.2 or Flux.",
    build=build_image,
    own=own_steps,
    makes="picture",
)
