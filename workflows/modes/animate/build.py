"""Animate: the character of a picture moves as the person in a driving video does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.catalog import Catalog
from workflows.compiled import Compiled, Derived
from workflows.graph.animate_nodes import AnimateNodes
from workflows.graph.builder import Conditioning, Image, Int, Latent
from workflows.graph.label import Label
from workflows.graph.node_contract import ServerFacts
from workflows.modes import fields
from workflows.modes.animate import animate_2
from workflows.modes.animate.chunks import ChunkGraph, Chunks, Conditioned
from workflows.modes.animate.driving import media_warnings, part_sound
from workflows.modes.animate.generation import generation
from workflows.modes.animate.install import INSTALL
from workflows.modes.animate.params import Animate
from workflows.modes.animate.prepare import preparation, prepare
from workflows.modes.animate.routes import NONE, Route, route
from workflows.notice import Notice, notice
from workflows.params.loras import LoraTarget
from workflows.params.values import InvalidParam
from workflows.spec import ModeSpec, Trim
from workflows.stages.diffusion import load_single, read_prompts
from workflows.stages.nag import Nag, nag_of, negative_warnings
from workflows.stages.own_loras import ONE, OwnLoras, own_loras
from workflows.stages.segments import Segment, Span, joined, spans

CHUNK_LENGTH = 77
"""Frames of a chunk. Source: ComfyUI's template video_wan2_2_14B_animate; so for all figures here."""
CONTINUED_FRAMES = 5
"""Frames at the start of a chunk that repeat the end of the one before; 4k+1, else frames are doubled."""
CHUNKS = Chunks(CHUNK_LENGTH, CONTINUED_FRAMES)
SEGMENT_CHUNKS = 4
"""Most chunks in one graph: 293 frames, and as many of each video that it reads."""

QUALITY_STEPS, FAST_STEPS = 20, 6
CFG, SHIFT = 1.0, 8.0
FAST_LORA = "lora_480p"


@dataclass(frozen=True)
class _Run:
    """What all chunks have in common."""

    params: Animate
    catalog: Catalog
    job_id: str
    route: Route
    model: str
    steps: int
    cfg: float
    shift: float
    nag: Nag
    own: OwnLoras


def own(params: Animate) -> Mapping[str, float]:
    """The mode's own steps, cfg and shift with these parameters."""
    return {"steps": FAST_STEPS if params.speed == "fast" else QUALITY_STEPS, "cfg": CFG, "shift": SHIFT}


def own_on(params: Animate, route: str) -> Mapping[str, float]:
    """The same for a job of this route."""
    return animate_2.own(params, route) if animate_2.is_route(route) else own(params)


def build(
    params: Animate,
    catalog: Catalog,
    server: ServerFacts,
    job_id: str,
    segment_chunks: int = SEGMENT_CHUNKS,
) -> Compiled:
    """The job of one Animate, by Animate 2 or prepared by the best route of the server.

    Raises InvalidParam for Mix without a mask on a server that cannot find the person.
    """
    drawn_by = generation(params, catalog, server)
    if drawn_by.is_second:
        return animate_2.build(params, catalog, server, job_id, drawn_by, segment_chunks)
    found = route(server, catalog)
    if params.method == "mix" and params.mask is None and found.mask == NONE:
        raise InvalidParam(
            "mask",
            "Replace needs a person mask, and none can be detected here.",
            f"Upload a mask video (white = person) or use Move. {INSTALL}.",
        )
    figures = own(params)
    run = _Run(
        params=params,
        catalog=catalog,
        job_id=job_id,
        route=found,
        model=_model(catalog, server),
        steps=params.steps or int(figures["steps"]),
        cfg=params.cfg or figures["cfg"],
        shift=params.shift or figures["shift"],
        nag=nag_of(params, server),
        own=own_loras(params, server, experts=False),
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
        route=_route_name(run),
    )


def _model(catalog: Catalog, server: ServerFacts) -> str:
    """The second version where the server lists it: its maker says the first works poorly in such graphs."""
    better = catalog.file("animate_v2").name
    listed = server.options.get(("UNETLoader", "unet_name"), ())
    return better if better in listed else catalog.file("animate").name


def _route_name(run: _Run) -> str:
    source = preparation(run.params, run.route)
    if run.params.method == "move":
        return source.pose
    return f"{source.pose}+{'given' if source.mask == 'given' else run.route.mask}"


def _warnings(run: _Run, server: ServerFacts) -> list[Notice]:
    params, source = run.params, preparation(run.params, run.route)
    warnings = []
    if source.pose == "driving":
        warnings.append(notice("no_pose_detector"))
    elif not source.face:
        warnings.append(notice("no_face_video"))
    if source.guesses_person:
        warnings.append(notice("person_in_middle"))
    warnings += negative_warnings(params, run.cfg > 1, server)
    return [*warnings, *media_warnings(params)]


def _segment(run: _Run, span: Span, sound: Derived | None) -> Segment:
    """One graph: prepare the driving video, draw its chunks, each from the end of the one before, save."""
    params, catalog = run.params, run.catalog
    begin, kept = CHUNKS.begin(span.first), CHUNKS.kept(span, params.frames)
    overlap = CHUNKS.overlap(span)
    nodes = AnimateNodes()
    model = load_single(nodes, run.model, _loras(run), run.shift, "Animate model")
    prompts = read_prompts(nodes, catalog, params.prompt, params.negative_prompt, params.prompt_weights)
    model = run.nag.apply(nodes, model, prompts[1], run.cfg, "Animate model")
    vae = nodes.vae_loader(catalog.file("vae").name)
    picture = nodes.load_image(params.image.name, "Reading the picture")
    encoder = nodes.clip_vision_loader(catalog.file("clip_vision").name)
    seen = nodes.clip_vision_encode(encoder, picture, "Encoding the picture")
    found, derived = prepare(nodes, catalog, params, run.route, begin - overlap, kept + overlap)

    graph = ChunkGraph(nodes, CHUNKS, params, run.job_id, span)
    before, end = graph.previous()

    def condition(offset: int | Int, continued: Image | None) -> Conditioned:
        return nodes.wan_animate_to_video(
            *prompts,
            vae,
            *params.size,
            CHUNK_LENGTH,
            CONTINUED_FRAMES,
            offset,
            seen,
            picture,
            found.face,
            found.pose,
            found.background,
            found.mask,
            continued,
        )

    def sample(
        label: Label, seed: int, positive: Conditioning, negative: Conditioning, latent: Latent
    ) -> Latent:
        return nodes.ksampler(label, model, positive, negative, latent, seed, run.cfg, "euler")

    drawn = graph.draw(run.steps, vae, before, condition, sample)
    heard = graph.save(drawn, sound)
    if found.seen is not None:
        nodes.save_pixels(found.seen, f"{graph.prefix}-faces")
    return Segment(span, nodes, kept, (*derived, *end, *heard))


def _loras(run: _Run) -> list[tuple[str, float]]:
    """(file, strength) of the LoRAs on the model, in the order in which they are applied."""
    params, catalog = run.params, run.catalog
    loras = []
    if params.speed == "fast":
        loras.append((catalog.file(FAST_LORA).name, 1.0))
    if params.relight:
        loras.append((catalog.file("lora_relight").name, params.relight))
    return [*loras, *run.own.of(ONE)]


SPEC = ModeSpec(
    params=Animate,
    in_quality=fields.in_quality(Animate.MODE),
    title="Animate",
    summary="Move a picture's character as a driving video does, with WAN 2.2.",
    build=build,
    own=own,
    own_on=own_on,
    trim=Trim(media="video", start="start", length="seconds"),
    chunks=CHUNKS.count,
    chunks_of={"animate_2": animate_2.CHUNKS.count},
    lora_targets=(
        LoraTarget("animate", ("animate",), experts=False),
        LoraTarget(
            "animate_2",
            ("animate_2", "animate_2_distilled"),
            experts=False,
            routes=(animate_2.ROUTE, animate_2.DISTILLED_ROUTE),
        ),
    ),
    tells=("method",),
)
