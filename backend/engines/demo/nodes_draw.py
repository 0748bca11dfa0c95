"""Sampling, decoding and encoding nodes. They wait instead of computing."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from backend.engines.demo.executor import Context
from backend.engines.demo.nodes_wan import PIXELS, latents
from backend.engines.demo.nodes_windows import looped
from backend.engines.demo.preview import preview
from backend.engines.demo.scene import RenderedScene
from backend.engines.demo.values import Conditioning, Frames, Latent, ModelHandle, ScaledFrames, Scene

DECODE_STEPS = 2.0  # duration of a decode, in sampling steps
SUBTLE, DYNAMIC = (0.35, 0.6), (0.65, 1.5)  # (share of steps before the expert switch, motion)


def sample(
    ctx: Context,
    model: ModelHandle,
    seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    denoise: float = 1.0,
) -> tuple[Any, ...]:
    """Implements KSampler."""
    scene = looped(model, _scene(positive, seed, 1.0), latent_image)
    return (_draw(ctx, scene, latent_image, 0, steps, steps),)


def sample_advanced(
    ctx: Context,
    model: ModelHandle,
    add_noise: str,
    noise_seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    start_at_step: int,
    end_at_step: int,
    return_with_leftover_noise: str,
) -> tuple[Any, ...]:
    """Implements KSamplerAdvanced. The first sampler of a pair (`add_noise`) determines the scene."""
    last = min(end_at_step, steps)
    scene = latent_image.scene
    if scene is None or add_noise == "enable":
        scene = _scene(positive, noise_seed, motion_for(start_at_step, last, steps))
    return (_draw(ctx, looped(model, scene, latent_image), latent_image, start_at_step, last, steps),)


def _scene(positive: Conditioning, seed: int, motion: float) -> Scene:
    return replace(positive.guide, text=positive.text, seed=seed, motion=motion)


def motion_for(first: int, last: int, steps: int) -> float:
    """The camera's motion factor: it grows with the share of steps before the switch between the experts."""
    if first > 0 or last >= steps:
        return 1.0
    (low, least), (high, most) = SUBTLE, DYNAMIC
    share = min(high, max(low, last / steps))
    return least + (most - least) * ((share - low) / (high - low)) ** 1.3


def _draw(ctx: Context, scene: Scene, latent: Latent, first: int, last: int, steps: int) -> Latent:
    for done in range(first + 1, last + 1):
        began = time.monotonic()
        picture = preview(scene, latent, done / steps, done) if ctx.previews else None
        ctx.pause(ctx.step_seconds - (time.monotonic() - began))
        ctx.report(done - first, last - first, picture)
    return replace(latent, scene=scene, source=None)


def decode(ctx: Context, samples: Latent, vae: ModelHandle, **tiling: Any) -> tuple[Any, ...]:
    """Implements VAEDecode and VAEDecodeTiled."""
    ctx.pause(ctx.step_seconds * DECODE_STEPS)
    width, height = samples.width * PIXELS, samples.height * PIXELS
    if samples.source is not None and samples.source.count >= samples.frames:
        return (ScaledFrames(samples.source, width, height),)
    scene = samples.scene or Scene()
    if scene.loop:
        scene = replace(scene, offset=scene.offset + 4 * samples.first)
    return (RenderedScene(scene, width, height, samples.frames),)


def encode(ctx: Context, pixels: Frames, vae: ModelHandle) -> tuple[Any, ...]:
    """Implements VAEEncode."""
    width, height = pixels.width // PIXELS, pixels.height // PIXELS
    return (Latent(width, height, latents(pixels.count), source=pixels),)
