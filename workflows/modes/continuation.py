"""Image-to-Video that continues the last frames of a clip: the graph with the latents of SVI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workflows.catalog import Catalog
from workflows.compiled import Compiled, Derived
from workflows.graph.label import Label
from workflows.graph.media_nodes import MediaNodes
from workflows.graph.node_contract import ServerFacts
from workflows.notice import Notice
from workflows.params.sizes import FPS
from workflows.stages import svi
from workflows.stages.diffusion import (
    decode,
    file_prefix,
    finished,
    load_experts,
    read_prompts,
    sample,
    with_nag,
)
from workflows.stages.nag import nag_of
from workflows.stages.own_loras import own_loras
from workflows.stages.schedule import Recipe
from workflows.stages.segments import cut

UNUSED = ("clip_vision", "easy_cache")
"""Parameters of Image-to-Video that this graph has no place for."""


def frames(seconds_frames: int) -> int:
    """Frames of the result: the repeated ones of the clip, then the new ones. `seconds_frames`: of a clip of
    the same length that begins with a picture."""
    return svi.OVERLAP + seconds_frames - 1


def build(
    params: Any,
    roles: Mapping[str, str],
    run: Recipe,
    catalog: Catalog,
    server: ServerFacts,
    job_id: str,
    warnings: tuple[Notice, ...],
) -> Compiled:
    """The graph: load the experts, encode anchor and clip, draw, decode, drop the anchor, save.

    params: an ImageToVideo with a clip; `roles`: expert -> role of its file.
    """
    nodes = MediaNodes()
    width, height = params.size
    models = load_experts(
        nodes, catalog, roles, run, False, svi.with_loras(own_loras(params, server), catalog)
    )
    positive, unwanted = read_prompts(
        nodes, catalog, params.prompt, params.negative_prompt, params.prompt_weights
    )
    models = with_nag(nodes, nag_of(params, server), models, run, unwanted)
    vae = nodes.vae_loader(catalog.file("vae").name)
    picture = nodes.load_image(params.image.name, "Reading the first picture")
    fitted = nodes.image_scale(picture, "bilinear", width, height, Label("read", "Fitting the picture"))
    anchor = nodes.vae_encode(fitted, vae, "Encoding the first picture")
    tail = cut(
        Derived("", "clip", params.clip.name, frames=params.clip.frames, fps=FPS, width=width, height=height),
        "mkv",
    )
    before = nodes.vae_encode(nodes.load_frames(tail.name, "Reading the last frames"), vae)
    drawn = params.frames + 1  # with the anchor
    conditioning = nodes.wan_image_to_video_svi_pro(
        positive, unwanted, drawn, anchor, before, svi.MOTION_LATENTS
    )
    samples = sample(nodes, run, models, conditioning, params.seed)
    pictures = nodes.image_from_batch(decode(nodes, samples, vae, params.tiled_decode), 1, drawn - 1)
    nodes.save_video(nodes.create_video(pictures, params.fps), file_prefix(params.MODE, job_id))
    media = (params.image.name, tail.name)
    made = finished(nodes, run, media, params.size, params.frames, params.fps, warnings)
    return replace(made, derived=((tail,),))
