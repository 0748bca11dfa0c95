"""Nodes that process batches of images and masks. A mask is an RGB image that is white where it applies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFilter, ImageOps

from backend.engines.demo.executor import Context
from backend.engines.demo.values import (
    ConcatenatedFrames,
    DerivedFrames,
    FrameRange,
    Frames,
    ScaledFrames,
    StillImage,
)


@dataclass(frozen=True)
class FilteredFrames(DerivedFrames):
    """Frames with an operation applied: invert, grow:<pixels>, threshold:<level>, or the extraction of a
    channel: red, green, blue, alpha."""

    operation: str

    def frame(self, index: int) -> Image.Image:
        image = self.frames.frame(index)
        if self.operation == "invert":
            return ImageOps.invert(image)
        if self.operation.startswith("grow:"):
            pixels = int(self.operation[5:])
            kind = ImageFilter.MaxFilter if pixels > 0 else ImageFilter.MinFilter
            return image.filter(kind(2 * min(abs(pixels), 40) + 1)) if pixels else image
        if self.operation.startswith("threshold:"):
            level = 255 * float(self.operation[10:])
            return image.point([255 if value > level else 0 for value in range(256)] * 3)
        bands = dict(zip(("red", "green", "blue"), image.split(), strict=True))
        band = bands.get(self.operation) or Image.new("L", image.size, 255)
        return band.convert("RGB")


def from_batch(ctx: Context, image: Frames, batch_index: int, length: int) -> tuple[Any, ...]:
    """Implements ImageFromBatch."""
    first = min(image.count - 1, batch_index)
    return (FrameRange(image, first, min(image.count - first, length)),)


def batch(ctx: Context, image1: Frames, image2: Frames) -> tuple[Any, ...]:
    """Implements ImageBatch."""
    return (ConcatenatedFrames((image1, image2)),)


def repeat(ctx: Context, image: Frames, amount: int) -> tuple[Any, ...]:
    """Implements RepeatImageBatch."""
    return (ConcatenatedFrames((image,) * amount),)


def scale(
    ctx: Context, image: Frames, upscale_method: str, width: int, height: int, crop: str
) -> tuple[Any, ...]:
    """Implements ImageScale."""
    if width == 0 and height == 0:
        return (image,)
    width = width or max(1, round(image.width * height / image.height))
    height = height or max(1, round(image.height * width / image.width))
    return (ScaledFrames(image, width, height, crop == "center"),)


def to_mask(ctx: Context, image: Frames, channel: str) -> tuple[Any, ...]:
    """Implements ImageToMask."""
    return (FilteredFrames(image, channel),)


def mask_to_image(ctx: Context, mask: Frames) -> tuple[Any, ...]:
    """Implements MaskToImage."""
    return (mask,)


def grow_mask(ctx: Context, mask: Frames, expand: int, tapered_corners: bool) -> tuple[Any, ...]:
    """Implements GrowMask."""
    return (FilteredFrames(mask, f"grow:{expand}"),)


def invert_mask(ctx: Context, mask: Frames) -> tuple[Any, ...]:
    """Implements InvertMask."""
    return (FilteredFrames(mask, "invert"),)


def threshold_mask(ctx: Context, mask: Frames, value: float) -> tuple[Any, ...]:
    """Implements ThresholdMask."""
    return (FilteredFrames(mask, f"threshold:{value}"),)


def empty_image(ctx: Context, width: int, height: int, batch_size: int, color: int) -> tuple[Any, ...]:
    """Implements EmptyImage."""
    colour = (color >> 16 & 255, color >> 8 & 255, color & 255)
    return (StillImage(Image.new("RGB", (width, height), colour), batch_size),)


@dataclass(frozen=True)
class Composite(DerivedFrames):
    """`source` pasted onto the frames at x, y (pixels) where `mask` is white."""

    source: Frames
    x: int
    y: int
    resize: bool
    mask: Frames | None

    def frame(self, index: int) -> Image.Image:
        image = self.frames.frame(index).copy()
        source = _cycled(self.source, index)
        if self.resize:
            source = source.resize(image.size)
        mask = _cycled(self.mask, index).convert("L").resize(source.size) if self.mask else None
        image.paste(source, (self.x, self.y), mask)
        return image


def _cycled(frames: Frames, index: int) -> Image.Image:
    """A frame of a batch that repeats when it is too short, as in ComfyUI."""
    return frames.frame(index % frames.count)


def composite(
    ctx: Context,
    destination: Frames,
    source: Frames,
    x: int,
    y: int,
    resize_source: bool,
    mask: Frames | None = None,
) -> tuple[Any, ...]:
    """Implements ImageCompositeMasked."""
    return (Composite(destination, source, x, y, resize_source, mask),)
