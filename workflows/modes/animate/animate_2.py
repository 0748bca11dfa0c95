"""Animate with Animate 2, which reads motion and expression from the driving video itself.

The figures are those of ComfyUI's template for it, and of Wan2GP for full quality. A chunk continues the one
before from its last frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.catalog import Catalog
from workflows.compiled import Compiled, Derived
from workflows.graph.animate_2_nodes import Animate2Nodes
from workflows.graph.builder import ClipVisionOutput, Conditioning, Image, Int, Latent, Model
from workflows.graph.label import Label
from workflows.graph.node_contract import ServerFacts
from workflows.modes.animate.chunks import ChunkGraph, Chunks, Conditioned
from workflows.modes.animate.driving import media_warnings, part_sound
from workflows.modes.animate.generation import DISTILLED, Generation
from workflows.modes.animate.params import Animate
from workflows.modes.animate.pose_cache import DEVICE, cache_dtype, cache_warnings
from workflows.modes.animate.prepare import clip
from workflows.notice import Notice, notice
from workflows.stages.diffusion import read_prompts
from workflows.stages.nag import Nag, nag_of, negative_warnings
from workflows.stages.own_loras import ONE, OwnLoras, own_loras
from workflows.stages.segments import Segment, Span, joined, spans

CHUNK_LENGTH = 81
"""Frames of a chunk: what the model was trained on, and the node's default."""
CONTINUED_FRAMES = 1
"""Frames at the start of a chunk that repeat the end of the one before: as many as the node reads."""
CHUNKS = Chunks(CHUNK_LENGTH, CONTINUED_FRAMES)
ROUTE, DISTILLED_ROUTE = "animate_2", "animate_2_distilled"
"""Compiled.route of these jobs."""

SHIFT = 5.0
FAST_LORA = "lora_480p"
_WORDS = "Animate 2 model"


@dataclass(frozen=True)
class _Figures:
    steps: int
    cfg: float
    sampler: str


QUALITY = _Figures(40, 3.0, "dpmpp_2m")  # dpm++ of Wan2GP
FAST = _Figures(6, 1.0, "lcm")  # with the LoRA
IN_WEIGHTS = _Figures(10, 1.0, "lcm")  # of the distilled file, which takes no LoRA


@dataclass(frozen=True)
class _Run:
    """What all chunks have in common. dtype: of the cache, "" for none."""

    params: Animate
    catalog: Catalog
    job_id: str
    role: str
    distilled: bool
    steps: int
    cfg: float
    shift: float
    sampler: str
    nag: Nag
    own: OwnLoras
    dtype: str


def is_route(name: str) -> bool:
    """Whether a Compiled.route is one of Animate 2."""
    return name in (ROUTE, DISTILLED_ROUTE)


def own(params: Animate, route: str) -> Mapping[str, float]:
    """The steps, cfg and shift of Animate 2 with these parameters."""
    figures = _figures(params.speed, route == DISTILLED_ROUTE)
    return {"steps": figures.steps, "cfg": figures.cfg, "shift": SHIFT}


def _figures(speed: str, distilled: bool) -> _Figures:
    if distilled:
        return IN_WEIGHTS
    return FAST if speed == "fast" else QUALITY


def build(
    params: Animate,
    catalog: Catalog,
    server: ServerFacts,
    job_id: str,
    drawn_by: Generation,
    segment_chunks: int,
) -> Compiled:
    """The job of one Animate by Animate 2."""
    distilled = drawn_by.role == DISTILLED or catalog.file(drawn_by.role).distilled
    figures = _figures(params.speed, distilled)
    steps = params.steps or figures.steps
    run = _Run(
        params=params,
        catalog=catalog,
        job_id=job_id,
        role=drawn_by.role,
        distilled=distilled,
        steps=steps,
        cfg=params.cfg or figures.cfg,
        shift=params.shift or SHIFT,
        sampler=figures.sampler,
        nag=nag_of(params, server),
        own=own_loras(params, server, experts=False),
        dtype=cache_dtype(params.pose_cache, params.size, CHUNK_LENGTH, steps, server),
    )
    rows = spans(CHUNKS.count(params.frames), segment_chunks)
    sound = part_sound(params)
    segments = [_segment(run, span, sound if span.graphs == 1 else None) for span in rows]
    return joined(
        segments,
        params.size,
        params.fps,
        run.steps,
        evaluations=rows[0].of * run.steps * (2 if run.cfg > 1 else 1),
        warnings=(*_warnings(run, server), *drawn_by.notes),
        sound=None if len(rows) == 1 else sound,
        route=DISTILLED_ROUTE if distilled else ROUTE,
    )


def _warnings(run: _Run, server: ServerFacts) -> list[Notice]:
    params = run.params
    warnings = list(negative_warnings(params, run.cfg > 1, server))
    if run.distilled and params.speed != "fast":
        warnings.append(notice("distilled_in_quality", names=(run.catalog.file(run.role).name,)))
    if run.distilled and params.cfg > 1:
        warnings.append(notice("distilled_with_cfg", cfg=params.cfg))
    return [*warnings, *cache_warnings(params.pose_cache, server), *media_warnings(params)]


def _model(nodes: Animate2Nodes, run: _Run) -> Model:
    model = nodes.unet_loader(run.catalog.file(run.role).name, f"Loading the {_WORDS}")
    if run.params.speed == "fast" and not run.distilled:
        lora = run.catalog.file(FAST_LORA).name
        model = nodes.lora_loader(model, lora, 1.0, f"Adding to the {_WORDS}")
    for name, strength in run.own.of(ONE):
        model = nodes.lora_loader(model, name, strength, f"Adding to the {_WORDS}")
    if run.dtype:
        model = nodes.wan_animate_2_cache(model, DEVICE, run.dtype, f"Setting up the {_WORDS}")
    return nodes.model_sampling_sd3(model, run.shift, f"Setting up the {_WORDS}")


class _Driving:
    """The frames of the driving video that one graph reads, cut to the size of the result."""

    def __init__(self, nodes: Animate2Nodes, params: Animate) -> None:
        self.derived: list[Derived] = []
        self._nodes, self._params = nodes, params

    def read(self, first_frame: int, frames: int) -> Image:
        """`frames` frames, counted from the start of the chosen part."""
        size, text = self._params.size, "Reading the driving video"
        part = clip(self._params.video, size, self._params, first_frame, frames)
        self.derived.append(part)
        return self._nodes.image_scale(
            self._nodes.load_frames(part.name, text), "lanczos", *size, Label("read", text)
        )


def _segment(run: _Run, span: Span, sound: Derived | None) -> Segment:
    """One graph: read the driving video, draw its chunks, each from the end of the one before, save."""
    params, catalog = run.params, run.catalog
    begin, kept = CHUNKS.begin(span.first), CHUNKS.kept(span, params.frames)
    overlap = CHUNKS.overlap(span)
    nodes = Animate2Nodes()

    model = _model(nodes, run)
    prompts = read_prompts(nodes, catalog, params.prompt, params.negative_prompt, params.prompt_weights)
    model = run.nag.apply(nodes, model, prompts[1], run.cfg, _WORDS)
    vae = nodes.vae_loader(catalog.file("vae").name)
    picture = nodes.load_image(params.image.name, "Reading the picture")
    encoder = nodes.clip_vision_loader(catalog.file("clip_vision").name)
    seen = nodes.clip_vision_encode(encoder, picture, "Encoding the picture")
    driving = _Driving(nodes, params)
    motion = driving.read(begin - overlap, kept + overlap)
    # All graphs encode the same frame, so that a chunk is drawn alike in whichever graph it is.
    start = nodes.image_from_batch(motion, 0, 1) if span.graphs == 1 else driving.read(0, 1)
    seen_motion: ClipVisionOutput = nodes.clip_vision_encode(encoder, start, "Encoding the driving video")
    graph = ChunkGraph(nodes, CHUNKS, params, run.job_id, span)
    before, end = graph.previous()

    def condition(offset: int | Int, continued: Image | None) -> Conditioned:
        return nodes.wan_animate_2_to_video(
            *prompts, vae, *params.size, CHUNK_LENGTH, offset, picture, motion, seen, seen_motion, continued
        )

    def sample(
        label: Label, seed: int, positive: Conditioning, negative: Conditioning, latent: Latent
    ) -> Latent:
        return nodes.ksampler(label, model, positive, negative, latent, seed, run.cfg, run.sampler)

    drawn = graph.draw(run.steps, vae, before, condition, sample)
    heard = graph.save(drawn, sound)
    return Segment(span, nodes, kept, (*driving.derived, *end, *heard))
