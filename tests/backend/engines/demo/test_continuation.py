"""The demo engine's WanImageToVideoSVIPro: frames as the real node gives them, and its errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.engines.demo.nodes_wan import image_to_video_svi_pro
from backend.engines.demo.scene import RenderedScene
from backend.engines.demo.values import ConcatenatedFrames, Conditioning, Latent, StillImage

ANCHOR = StillImage(Image.new("RGB", (64, 64), (200, 30, 30)))
CLIP = ConcatenatedFrames(
    tuple(StillImage(Image.new("RGB", (64, 64), (10, 10 * number, 60))) for number in range(13))
)


def latent(frames: Any, length: int, side: int = 8) -> Latent:
    return Latent(side, side, length, source=frames)


def prepared(length: int = 17, count: int = 1, **more: Any) -> tuple[Any, ...]:
    values: dict[str, Any] = {"anchor_samples": latent(ANCHOR, 1), "prev_samples": latent(CLIP, 4)}
    text = Conditioning("A boat")
    return image_to_video_svi_pro(None, text, text, length, motion_latent_count=count, **{**values, **more})  # type: ignore[arg-type]


def test_anchor_first_then_the_last_frames_again() -> None:
    positive, _, empty = prepared()
    assert (empty.length, empty.frames) == (5, 17)
    scene = RenderedScene(replace(positive.guide, seed=3), 64, 64, empty.frames)
    assert scene.frame(0).getpixel((5, 5)) == (200, 30, 30)
    for index in range(1, 5):
        assert scene.frame(index).getpixel((5, 5)) == (10, 10 * (8 + index), 60)
    new = np.median(np.asarray(scene.frame(5), int), axis=(0, 1))
    assert abs(new - (10, 120, 60)).max() < 8, "goes on from the last one"


def test_errors_of_the_real_node() -> None:
    with pytest.raises(RuntimeError, match="negative dimension -1"):
        prepared(length=4)
    with pytest.raises(RuntimeError, match="negative dimension -1"):
        prepared(length=17, count=8, prev_samples=latent(CLIP, 5))
    with pytest.raises(RuntimeError, match="must match except in dimension 2"):
        prepared(prev_samples=latent(CLIP, 4, side=6))


def test_without_earlier_frames_it_starts_at_the_anchor() -> None:
    for more in ({"prev_samples": None}, {"count": 0}):
        positive, _, _ = prepared(**more)
        assert positive.guide.again is None and positive.guide.start is ANCHOR
