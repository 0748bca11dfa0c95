"""ComfyUI's context windows: a model that sees a long clip in parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.engines.demo.executor import Context
from backend.engines.demo.nodes_wan import latents
from backend.engines.demo.values import Latent, ModelHandle, Scene

LOOPED = "looped_uniform"
"""The schedule whose windows wrap from the clip's end to its beginning, with or without `closed_loop`."""


def wan_windows(
    ctx: Context,
    model: ModelHandle,
    context_length: int,
    context_overlap: int,
    context_schedule: str,
    context_stride: int,
    closed_loop: bool,
    fuse_method: str,
    freenoise: bool,
    retain_first_frame: bool,
    split_conds_to_windows: bool,
) -> tuple[Any, ...]:
    """Implements WanContextWindowsManual."""
    window = max(latents(context_length), 1) if context_schedule == LOOPED else 0
    return (replace(model, wraps=window),)


def looped(model: ModelHandle, scene: Scene, latent: Latent) -> Scene:
    """The scene as this model draws it: a loop where its windows wrap. A clip that is not
    longer than a window is drawn as a whole."""
    if not model.wraps or latent.length <= model.wraps:
        return scene
    return replace(scene, loop=4 * latent.length)
