"""Previews during sampling: coarse and noisy at first, clearer with each step."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from backend.engines.demo.scene import RenderedScene
from backend.engines.demo.values import Latent, Scene
from backend.engines.demo.watermark import add_watermark

LONGEST = 512  # longer side in pixels, as in ComfyUI
QUALITY = 82  # of the JPEG


def preview(scene: Scene, latent: Latent, done: float, step: int) -> bytes:
    """The preview as JPEG. done: completed share of the sampling, 0 to 1; step: selects noise and frame."""
    width, height = latent.width * 8, latent.height * 8
    scale = min(1.0, LONGEST / max(width, height))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    shrink = 1 + 9 * (1 - done) ** 1.5
    coarse = (max(8, round(size[0] / shrink)), max(8, round(size[1] / shrink)))
    frames = RenderedScene(scene, *coarse, count=max(1, latent.frames), marked=False)
    moment = int((step * 0.11 % 1.0) * (frames.count - 1))
    image = frames.frame(moment)
    noise = 84 * (1 - done) ** 1.35
    if noise > 1:
        rng = np.random.default_rng(step)
        grain = rng.normal(0.0, noise, (coarse[1], coarse[0], 1))
        grain = grain + rng.normal(0.0, noise * 0.45, (coarse[1], coarse[0], 3))
        grey = 118 + (np.asarray(image, np.float32) - 118) * min(1.0, 0.35 + 0.8 * done)
        image = Image.fromarray(np.clip(grey + grain, 0, 255).astype(np.uint8))
    image = image.resize(size, Image.Resampling.BICUBIC)
    if done < 0.9:
        image = image.filter(ImageFilter.GaussianBlur(1 + 2.5 * (1 - done)))
    stream = io.BytesIO()
    add_watermark(image).save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()
