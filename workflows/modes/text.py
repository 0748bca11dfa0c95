"""Text-to-Video, and Text-to-Image: a WAN video of one frame, or a Flux picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from workflows.catalog import Catalog
from workflows.compiled import Compiled
from workflows.graph.builder import Image
from workflows.graph.label import Label
from workflows.graph.media_nodes import MediaNodes
from workflows.graph.node_contract import ServerFacts
from workflows.graph.nodes import Nodes
from workflows.modes import fields
from workflows.modes.image_to_video import (
    QUALITY_CFG,
    QUALITY_SHIFT,
    QUALITY_STEPS,
)
from workflows.params.checks import check_prompt_given, check_shared_steps, check_sides
from workflows.params.field import Choice
from workflows.params.limits import ASPECTS
from workflows.params.loras import Lora, LoraTarget
from workflows.params.sizes import fit_size
from workflows.spec import ModeParams, ModeSpec
from workflows.stages.diffusion import (
    decode,
    file_prefix,
    finished,
    load_experts,
    read_prompts,
    sample,
    with_nag,
)
from workflows.stages.distill import T2V, Distillation, chosen
from workflows.stages.distilled import distilled_notes, is_distilled
from workflows.stages.looping import Windows, check_windows, loop_frames, wrapping
from workflows.stages.nag import Nag, nag_of, negative_warnings
from workflows.stages.own_loras import ONE, OwnLoras, own_loras
from workflows.stages.prompt_text import prompt_text
from workflows.stages.schedule import BOUNDARY_T2V, HIGH, LOW, OFFICIAL, Phase, Recipe, handover
from workflows.stages.warnings import general_warnings

EXPERTS = {HIGH: "t2v_high", LOW: "t2v_low"}
"""expert -> role of its file in the catalog."""
OFFICIAL_SHIFT, OFFICIAL_CFG = 12.0, {HIGH: 4.0, LOW: 3.0}
"""Source: WAN's own wan_t2v_A14B config (sample_shift, sample_guide_scale: low, high)."""
PICTURE_SHIFT = 8.0
"""Of a single frame. Source: ComfyUI's template video_wan2_2_14B_t2v of 0.1.95."""
DISTILLATIONS = (
    Choice("1217", "1217", "4-step LoRAs of December 2025."),
    Choice("250928", "250928", "4-step LoRAs of September 2025, tuned for more motion."),
    Choice("v1.1", "V1.1", "The first 4-step LoRAs."),
)
"""The names of distill.T2V on the page."""

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
    motion: str = fields.motion(later=1)
    speed: str = fields.speed("quality (20 steps) or fast (4 steps).")
    steps: int = fields.steps(least=2)
    cfg: float = fields.cfg()
    shift: float = fields.shift()
    seed: int = fields.seed()
    distillation: str = fields.distillation(DISTILLATIONS, "v1.1")
    nag: str = fields.nag()
    prompt_weights: bool = fields.prompt_weights()
    loras: tuple[Lora, ...] = fields.loras()
    loop: bool = fields.loop("Repeats without a visible beginning or end. Takes about twice as long.")

    def check(self) -> None:
        check_prompt_given(self)
        check_sides(self)
        check_shared_steps(self)
        check_windows(self.seconds, self.loop)

    @property
    def size(self) -> tuple[int, int]:
        if self.width:
            return (self.width, self.height)
        return fit_size(*ASPECTS[self.aspect], self.resolution)

    @property
    def frames(self) -> int:
        return loop_frames(self.seconds, self.loop)


@dataclass(frozen=True, kw_only=True)
class TextToImage(ModeParams):
    """A prompt becomes a picture."""

    MODE = "text_to_image"

    prompt: str = fields.prompt(
        "Describe the scene", "What is to be seen",
        "A fishing boat on a fjord at blue hour, mist over the water, wide shot",
    )  # fmt: skip
    model: str = fields.choice(
        "Model", (Choice("wan", "WAN"), Choice("flux", "Flux")), "wan or flux.", varies=True
    )
    aspect: str = fields.aspect()
    width: int = fields.width("aspect")
    height: int = fields.height("aspect")
    steps: int = fields.steps(own="the model's own", group="run")
    seed: int = fields.seed("picture", group="run")
    prompt_weights: bool = fields.prompt_weights()
    loras: tuple[Lora, ...] = fields.loras()

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


def recipe(
    motion: str,
    fast: Distillation | None,
    steps: int = 0,
    cfg: float = 0.0,
    shift: float = 0.0,
) -> Recipe:
    """The run of both experts; 0 means the mode's own figure. `fast`: in few steps.

    With the motion OFFICIAL a run in quality has the figures of WAN's own configuration.
    """
    official = motion == OFFICIAL and not fast
    steps = steps or (fast.steps if fast else QUALITY_STEPS)
    shift = shift or (fast.shift if fast else OFFICIAL_SHIFT if official else QUALITY_SHIFT)
    own = fast.cfg if fast else QUALITY_CFG
    k = handover(motion, steps, shift, BOUNDARY_T2V)
    phases = (
        Phase(who, start, end, cfg or (OFFICIAL_CFG[who] if official else own))
        for who, start, end in ((HIGH, 0, k), (LOW, k, steps))
    )
    name = fast.name if fast else ""
    return Recipe(steps, shift, tuple(fast.phase(one) if fast else one for one in phases), name)


def own(params: TextToVideo) -> Mapping[str, float]:
    """The mode's own steps, cfg and shift with these parameters."""
    return recipe(params.motion, T2V[-1] if params.speed == "fast" else None).figures


def own_steps(params: TextToImage) -> Mapping[str, float]:
    """The model's own steps."""
    return {"steps": FLUX_STEPS if params.model == "flux" else QUALITY_STEPS}


def build_video(params: TextToVideo, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    """The job of one TextToVideo."""
    quality = params.speed != "fast"
    fast = None if quality else chosen(params.distillation, T2V, catalog, server)
    if fast is None and is_distilled(catalog, EXPERTS):
        fast = T2V[-1]
    run = recipe(params.motion, fast, params.steps, params.cfg, params.shift)
    warnings = general_warnings(params) + distilled_notes(catalog, EXPERTS, quality, params.cfg)
    warnings += negative_warnings(params, run.guided, server)
    nodes = MediaNodes()
    loras, nag = own_loras(params, server), nag_of(params, server)
    loop = wrapping(params.frames, server) if params.loop else None
    images = _draw(nodes, catalog, params, run, params.negative_prompt, nag, loras, loop)
    nodes.save_video(nodes.create_video(images, params.fps), file_prefix(params.MODE, job_id))
    made = finished(nodes, run, (), params.size, params.frames, params.fps, tuple(warnings))
    return made if loop is None else replace(made, evaluations=round(run.evaluations * loop.work))


def build_image(params: TextToImage, catalog: Catalog, server: ServerFacts, job_id: str) -> Compiled:
    """The job of one TextToImage."""
    nodes = MediaNodes()
    if params.model == "flux":
        run = Recipe(params.steps or FLUX_STEPS, 0.0, (Phase("", 0, params.steps or FLUX_STEPS, FLUX_CFG),))
        images = _draw_flux(nodes, catalog, params, run, own_loras(params, server, experts=False))
    else:
        fast = T2V[-1] if is_distilled(catalog, EXPERTS) else None
        run = recipe("balanced", fast, params.steps, shift=0.0 if fast else PICTURE_SHIFT)
        images = _draw(nodes, catalog, params, run, None, Nag(False), own_loras(params, server))
    nodes.save_image(images, file_prefix(params.MODE, job_id), "Saving")
    return finished(nodes, run, (), params.size, params.frames, params.fps, (), still=True)


def _draw(
    nodes: MediaNodes,
    catalog: Catalog,
    params: TextToVideo | TextToImage,
    run: Recipe,
    negative: str | None,
    nag: Nag,
    own: OwnLoras,
    loop: Windows | None = None,
) -> Image:
    models = load_experts(nodes, catalog, EXPERTS, run, easy_cache=False, own=own)
    prompts = read_prompts(nodes, catalog, params.prompt, negative, params.prompt_weights)
    models = with_nag(nodes, nag, models, run, prompts[1])
    if loop is not None:
        models = loop.wrap(nodes, models)
    vae = nodes.vae_loader(catalog.file("vae").name)
    latent = nodes.empty_latent_video(*params.size, params.frames if loop is None else loop.drawn)
    samples = sample(nodes, run, models, (*prompts, latent), params.seed)
    if loop is not None:
        return loop.decode(nodes, samples, vae)
    return decode(nodes, samples, vae, tiled=False)


def _draw_flux(nodes: Nodes, catalog: Catalog, params: TextToImage, run: Recipe, own: OwnLoras) -> Image:
    model, clip, vae = nodes.checkpoint_loader(catalog.file("flux").name, "Loading Flux")
    for lora, strength in own.of(ONE):
        model = nodes.lora_loader(model, lora, strength, "Adding a LoRA to Flux")
    text = prompt_text(params.prompt, params.prompt_weights)
    prompt = nodes.clip_text_encode(clip, text, "Reading the prompt")
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
    lora_targets=(LoraTarget("t2v", tuple(EXPERTS.values())),),
)
PICTURE = ModeSpec(
    params=TextToImage,
    title="Text-to-Image",
    summary="Make a picture from words with WAN 2.2 or Flux.",
    build=build_image,
    own=own_steps,
    lora_targets=(
        LoraTarget("t2v", tuple(EXPERTS.values()), when=("model", "wan")),
        LoraTarget("flux", ("flux",), experts=False, when=("model", "flux")),
    ),
    makes="picture",
)
