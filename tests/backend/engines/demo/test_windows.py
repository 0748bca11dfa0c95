"""Context windows that wrap: the demo draws a loop, cut and joined as the graph does it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backend.engines.demo import nodes_draw, nodes_wan, nodes_windows
from backend.engines.demo.nodes_image import from_batch
from backend.engines.demo.values import Conditioning, Frames, Latent, ModelHandle

IDLE: Any = SimpleNamespace(
    step_seconds=0.0, previews=False, pause=lambda seconds: None, report=lambda *about: None
)
"""The part of an execution that these nodes use; no step takes time."""
MODEL = ModelHandle("model", "wan.safetensors")
SIZE = (64, 48)


def windowed(context_length: int, schedule: str = "looped_uniform", closed: bool = True) -> ModelHandle:
    given = (IDLE, MODEL, context_length, 8, schedule, 1, closed, "pyramid", True, False, False)
    return nodes_windows.wan_windows(*given)[0]


def drawn(model: ModelHandle, length: int = 29) -> Latent:
    latent = nodes_wan.empty_video(IDLE, *SIZE, length, 1)[0]
    words = Conditioning("a boat in the fog")
    high = nodes_draw.sample_advanced(
        IDLE, model, "enable", 7, 4, 1.0, "euler", "simple", words, words, latent, 0, 2, "enable"
    )[0]
    return nodes_draw.sample_advanced(
        IDLE, model, "disable", 0, 4, 1.0, "euler", "simple", words, words, high, 2, 4, "disable"
    )[0]


def looped(latent: Latent, before: int = 4) -> Frames:
    end = nodes_wan.latent_cut(IDLE, latent, "t", -before, before)[0]
    joined = nodes_wan.latent_concat(IDLE, end, latent, "t")[0]
    frames = nodes_draw.decode(IDLE, joined, MODEL)[0]
    return from_batch(IDLE, frames, 4 * before - 3, 4 * latent.length)[0]


def steps(frames: Frames) -> list[float]:
    """The differences between neighbours, and last that from the last frame to the first."""
    pictures = [np.asarray(frames.frame(n), np.int16) for n in range(frames.count)]
    pairs = zip(pictures, [*pictures[1:], pictures[0]], strict=True)
    return [float(np.abs(a - b).mean()) for a, b in pairs]


def test_a_wrapped_clip_has_no_seam() -> None:
    latent = drawn(windowed(21))
    assert latent.scene is not None and latent.scene.loop == 4 * latent.length == 32
    frames = looped(latent)
    *inside, seam = steps(frames)
    assert frames.count == 32 and 0 < seam <= 1.5 * max(inside)


@pytest.mark.parametrize(
    "model", [MODEL, windowed(21, "standard_uniform"), windowed(81)], ids=["plain", "straight", "one window"]
)
def test_a_clip_that_is_not_wrapped_has_a_seam(model: ModelHandle) -> None:
    latent = drawn(model)
    assert latent.scene is not None and latent.scene.loop == 0
    *inside, seam = steps(looped(latent))
    assert seam > 2 * sorted(inside)[len(inside) // 2]


def test_the_schedule_wraps_without_closed_loop() -> None:
    latent = drawn(windowed(21, closed=False))
    assert latent.scene is not None and latent.scene.loop == 32


def test_a_cut_knows_where_it_began() -> None:
    latent = replace(drawn(MODEL), first=2)
    cut = [nodes_wan.latent_cut(IDLE, latent, "t", index, 3)[0] for index in (0, 4, -2, -99)]
    assert [(one.first, one.length) for one in cut] == [(2, 3), (6, 3), (8, 2), (2, 3)]
