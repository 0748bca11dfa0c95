"""Stages that several modes share: load an expert, encode the prompt, sample, save."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from workflows.catalog import Catalog
from workflows.compiled import Compiled
from workflows.graph.builder import Conditioning, Image, Latent, Model, Vae
from workflows.graph.label import Label
from workflows.graph.node_contract import ServerFacts
from workflows.graph.nodes import Nodes
from workflows.notice import Notice
from workflows.stages.nag import Nag
from workflows.stages.own_loras import NO_LORAS, OwnLoras
from workflows.stages.prompt_text import prompt_text
from workflows.stages.schedule import HIGH, LOW, Phase, Recipe

EASY_CACHE = (0.2, 0.15, 0.95)
"""(threshold, start, end) of step reuse: EasyCache's own defaults."""
EASY_CACHE_MIN_STEPS = 10
"""In shorter runs no two steps are similar enough for reuse."""

_EXPERT_WORDS = {HIGH: "high-noise expert", LOW: "low-noise expert"}
_DRAW_WORDS = {HIGH: "Generating the motion", LOW: "Generating the details"}
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def load_experts(
    nodes: Nodes,
    catalog: Catalog,
    roles: Mapping[str, str],
    recipe: Recipe,
    easy_cache: bool,
    own: OwnLoras = NO_LORAS,
) -> list[Model]:
    """The model of every phase. `roles`: expert -> role of its file in the catalog, where the phase has none
    of its own; `own`: the creator's LoRAs, after the speed LoRA."""
    models = []
    for phase in recipe.phases:
        words = _EXPERT_WORDS[phase.expert]
        file = catalog.file(phase.model or roles[phase.expert])
        model = nodes.unet_loader(file.name, f"Loading the {words}")
        if phase.lora and not file.distilled:
            lora = catalog.file(phase.lora).name
            model = nodes.lora_loader(model, lora, phase.strength, f"Making the {words} fast")
        for lora, strength in own.of(phase.expert):
            model = nodes.lora_loader(model, lora, strength, f"Adding a LoRA to the {words}")
        model = nodes.model_sampling_sd3(model, recipe.shift, f"Setting up the {words}")
        if easy_cache:
            model = nodes.easy_cache(model, *EASY_CACHE, f"Setting up the {words}")
        models.append(model)
    return models


def load_single(
    nodes: Nodes, name: str, loras: Iterable[tuple[str, float]], shift: float, words: str
) -> Model:
    """A single model, without experts, with its LoRAs (file name, strength) in order."""
    model = nodes.unet_loader(name, f"Loading the {words}")
    for lora, strength in loras:
        model = nodes.lora_loader(model, lora, strength, f"Adding to the {words}")
    return nodes.model_sampling_sd3(model, shift, f"Setting up the {words}")


def with_nag(
    nodes: Nodes, nag: Nag, models: Iterable[Model], recipe: Recipe, negative: Conditioning
) -> list[Model]:
    """The models of the phases, each that runs without guidance steered away from the negative prompt."""
    return [
        nag.apply(nodes, model, negative, phase.cfg, _EXPERT_WORDS[phase.expert])
        for phase, model in zip(recipe.phases, models, strict=True)
    ]


def read_prompts(
    nodes: Nodes, catalog: Catalog, prompt: str, negative: str | None, weights: bool
) -> tuple[Conditioning, Conditioning]:
    """(positive, negative), both through the one text encoder. `negative` None: the catalogue's default.
    `weights`: whether the texts have ComfyUI's syntax."""
    clip = nodes.clip_loader(catalog.file("text_encoder").name)
    unwanted = catalog.default_negative if negative is None else prompt_text(negative, weights)
    return (
        nodes.clip_text_encode(clip, prompt_text(prompt, weights), "Reading the prompt"),
        nodes.clip_text_encode(clip, unwanted, "Reading the negative prompt"),
    )


def sample(
    nodes: Nodes,
    recipe: Recipe,
    models: Iterable[Model],
    conditioning: tuple[Conditioning, Conditioning, Latent],
    seed: int,
) -> Latent:
    """Samples the phases in order: the first adds the noise, the last leaves none.

    Only the first phase uses the seed; the later ones add no noise and get seed 0, so that they
    change only with their input.
    """
    positive, negative, latent = conditioning
    for number, (phase, model) in enumerate(zip(recipe.phases, models, strict=True)):
        first, last = number == 0, number == len(recipe.phases) - 1
        latent = nodes.ksampler_advanced(
            _draw_label(recipe, phase),
            model,
            positive,
            negative,
            latent,
            noise_seed=seed if first else 0,
            steps=recipe.steps,
            cfg=phase.cfg,
            start_at_step=phase.start,
            end_at_step=phase.end,
            add_noise=first,
            leftover_noise=not last,
        )
    return latent


def _draw_label(recipe: Recipe, phase: Phase) -> Label:
    alone = len({each.expert for each in recipe.phases}) == 1
    text = "Generating" if alone else _DRAW_WORDS[phase.expert]
    return Label("draw", text, steps=phase.steps, first_step=phase.start)


def decode(nodes: Nodes, samples: Latent, vae: Vae, tiled: bool) -> Image:
    """Latents to frames."""
    return nodes.vae_decode_tiled(samples, vae) if tiled else nodes.vae_decode(samples, vae)


def file_prefix(mode: str, job_id: str) -> str:
    """Where the engine writes: the job's id at the end gives every job its own file.

    With equal inputs ComfyUI would otherwise hand two jobs the same file. Raises ValueError for an id that
    is not made of letters, digits, - and _ (ComfyUI expands %...% and folders in this text).
    """
    if not _JOB_ID.fullmatch(job_id):
        raise ValueError(f"not a job id: {job_id!r}")
    return f"wan-studio/{mode}-{job_id}"


def has_node(server: ServerFacts, class_type: str) -> bool:
    """Whether the server has the node; True for a server of which nothing is known."""
    return not server.nodes or class_type in server.nodes


def has_file(server: ServerFacts, class_type: str, field: str, name: str) -> bool:
    """Whether the server lists the file; True when it does not list any."""
    return name in server.options.get((class_type, field), (name,))


def finished(
    nodes: Nodes,
    recipe: Recipe,
    media: tuple[str, ...],
    size: tuple[int, int],
    frames: int,
    fps: float,
    warnings: tuple[Notice, ...],
    still: bool = False,
) -> Compiled:
    """One graph as a compiled job."""
    return Compiled(
        graphs=(nodes.nodes,),
        labels=(nodes.labels,),
        inputs=tuple(dict.fromkeys(media)),
        sampling_steps=sum(label.steps for label in nodes.labels.values()),
        evaluations=recipe.evaluations,
        models=tuple(nodes.models),
        width=size[0],
        height=size[1],
        frames=frames,
        fps=fps,
        steps=recipe.steps,
        warnings=warnings,
        kept=(frames,),
        still=still,
        distillation=recipe.distillation,
    )
