"""Nodes that work on finished frames: interpolation between them, and enlargement by a model.

Frame counts, sizes, progress and errors are those of ComfyUI 0.33. The frames between two are blended and the
enlarged ones resized; both are marked, because no model took part.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from backend.engines.demo.executor import Context
from backend.engines.demo.nodeinfo import MODEL_INPUTS
from backend.engines.demo.values import DerivedFrames, Frames, ModelHandle, ScaledFrames
from backend.engines.demo.watermark import add_watermark

FILM_HALVINGS = 6
"""FILM halves the frames this often; each side must still be a pixel then."""
RIFE_ALIGN = 64
"""RIFE pads the sides to multiples of this by mirroring, which needs more pixels than it adds."""
TILE, OVERLAP = 512, 32
"""Pixels of the squares in which a frame is enlarged."""
FACTOR = re.compile(r"x(\d)(?!\d)|(?<!\d)(\d)x", re.IGNORECASE)
USUAL_FACTOR = 4
PAIR_STEPS, TILE_STEPS = 0.05, 0.1  # durations in sampling steps
REPORT_SECONDS = 0.1
"""Least time between two reports; the first and the last update are always reported."""


def interpolation_loader(ctx: Context, model_name: str) -> tuple[Any, ...]:
    """Implements FrameInterpolationModelLoader."""
    return (_loaded(ctx, model_name, "interp_model"),)


def upscale_loader(ctx: Context, model_name: str) -> tuple[Any, ...]:
    """Implements UpscaleModelLoader."""
    return (_loaded(ctx, model_name, "upscale_model"),)


def _loaded(ctx: Context, name: str, kind: str) -> ModelHandle:
    ctx.info.find_model(MODEL_INPUTS[(ctx.class_type, "model_name")], name)
    return ModelHandle(kind, name)


def factor_of(name: str) -> int:
    """The factor by which both sides grow: 2 for RealESRGAN_x2plus, 4 for 4x-UltraSharp."""
    found = FACTOR.search(name)
    factor = int(found[1] or found[2]) if found else USUAL_FACTOR
    return factor or USUAL_FACTOR


@dataclass(frozen=True)
class Marked(DerivedFrames):
    """Frames with the demo's mark."""

    def frame(self, index: int) -> Image.Image:
        return add_watermark(self.frames.frame(index).copy())


@dataclass(frozen=True)
class InterpolatedFrames(DerivedFrames):
    """Frames with `multiplier` - 1 blended ones between each two: (count - 1) * multiplier + 1 in all."""

    multiplier: int
    _read: dict[int, Image.Image] = field(default_factory=dict, repr=False, compare=False)

    @property
    def count(self) -> int:
        return (self.frames.count - 1) * self.multiplier + 1

    def frame(self, index: int) -> Image.Image:
        before, step = divmod(index, self.multiplier)
        if not step:
            return self._source(before)
        return Image.blend(self._source(before), self._source(before + 1), step / self.multiplier)

    def _source(self, index: int) -> Image.Image:
        """A frame of the source. Two are kept: going back in a video file decodes it from the start."""
        if index not in self._read:
            for other in [one for one in self._read if abs(one - index) != 1]:
                del self._read[other]
            self._read[index] = self.frames.frame(index)
        return self._read[index]


def interpolate(ctx: Context, interp_model: ModelHandle, images: Frames, multiplier: int) -> tuple[Any, ...]:
    """Implements FrameInterpolate, which leaves one frame as it is."""
    if images.count < 2 or multiplier < 2:
        return (images,)
    _check_sides(interp_model.name, images.width, images.height)
    _work(ctx, images.count - 1, multiplier - 1, PAIR_STEPS)
    return (Marked(InterpolatedFrames(images, multiplier)),)


def _check_sides(name: str, width: int, height: int) -> None:
    """Raises RuntimeError for frames that are too small for the model, in PyTorch's words."""
    if "film" in name.lower():
        for _ in range(FILM_HALVINGS):
            if not (width // 2 and height // 2):
                raise RuntimeError(
                    f"Given input size: (3x{height}x{width}). Calculated output size:"
                    f" (3x{height // 2}x{width // 2}). Output size is too small"
                )
            width, height = width // 2, height // 2
        return
    for argument, dimension, side in ((4, 3, width), (6, 2, height)):
        padding = -side % RIFE_ALIGN
        if padding >= side:
            raise RuntimeError(
                f"Argument #{argument}: Padding size should be less than the corresponding input dimension,"
                f" but got: padding (0, {padding}) at dimension {dimension} of input"
                f" [1, 3, {height}, {width}]"
            )


def upscale(ctx: Context, upscale_model: ModelHandle, image: Frames) -> tuple[Any, ...]:
    """Implements ImageUpscaleWithModel: both sides by the model's factor."""
    factor = factor_of(upscale_model.name)
    _work(ctx, image.count * tiles(image.width, image.height), 1, TILE_STEPS)
    return (Marked(ScaledFrames(image, image.width * factor, image.height * factor, crop=False)),)


def tiles(width: int, height: int) -> int:
    """The number of squares in which a frame is enlarged."""

    def along(side: int) -> int:
        return 1 if side <= TILE else math.ceil((side - OVERLAP) / (TILE - OVERLAP))

    return along(width) * along(height)


def scale_by(ctx: Context, image: Frames, upscale_method: str, scale_by: float) -> tuple[Any, ...]:
    """Implements ImageScaleBy."""
    return (ScaledFrames(image, round(image.width * scale_by), round(image.height * scale_by), crop=False),)


def _work(ctx: Context, updates: int, each: int, steps: float) -> None:
    """Waits for the work of `updates` parts, `steps` sampling steps each, and reports `each` after every one
    as ComfyUI's progress bar does."""
    said = -math.inf
    for done in range(1, updates + 1):
        ctx.pause(ctx.step_seconds * steps)
        now = time.monotonic()
        if done in (1, updates) or now - said >= REPORT_SECONDS:
            ctx.report(done * each, updates * each, None)
            said = now
        else:
            ctx.check()


def progress_of_frames(ctx: Context, count: int) -> None:
    """Reports the work on `count` frames that takes no time worth waiting for."""
    _work(ctx, count, 1, 0.0)
