"""Nodes that find pose, face and person. They compute nothing: the person of the demo is in the middle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

from backend.engines.demo.cache import Result
from backend.engines.demo.encode import next_name
from backend.engines.demo.executor import Context
from backend.engines.demo.values import (
    Conditioning,
    DerivedFrames,
    Frames,
    ModelHandle,
    ScaledFrames,
    iter_frames,
)

BEAT = 24
"""Frames of one swing of the arms."""
HEAD = 0.09
"""Half the width of the head, as a share of the frame's height."""
_HEAD_AT, _HIP_AT, _FOOT_AT = 0.2, 0.55, 0.92
_LIMBS = ((255, 85, 0), (85, 255, 0), (0, 85, 255), (170, 0, 255), (255, 0, 0))


@dataclass(frozen=True)
class Found:
    """The person in each of these frames: keypoints, boxes or a track."""

    frames: Frames


@dataclass(frozen=True)
class DrawnPose(DerivedFrames):
    """A figure whose arms swing, on black; or the outline of its face."""

    body: bool
    face: bool

    def frame(self, index: int) -> Image.Image:
        image = Image.new("RGB", (self.width, self.height))
        pen, high, middle = ImageDraw.Draw(image), self.height, self.width / 2
        thick = max(1, high // 100)
        radius, top = HEAD * high, (_HEAD_AT - HEAD) * high
        head = (middle - radius, top, middle + radius, top + 2 * radius)
        if self.body:
            swing = math.sin(index * 2 * math.pi / BEAT)
            shoulder, hip = (middle, (_HEAD_AT + HEAD) * high), (middle, _HIP_AT * high)
            for side, colour in ((-1, _LIMBS[0]), (1, _LIMBS[1])):
                hand = (middle + side * 0.2 * high, (0.4 + side * swing * 0.12) * high)
                pen.line((shoulder, hand), colour, thick)
            for side, colour in ((-1, _LIMBS[2]), (1, _LIMBS[3])):
                pen.line((hip, (middle + side * 0.1 * high, _FOOT_AT * high)), colour, thick)
            pen.line((shoulder, hip), _LIMBS[4], thick)
            pen.ellipse(head, outline=_LIMBS[3], width=thick)
        if self.face:
            pen.ellipse(head, fill=(255, 255, 255))
        return image


@dataclass(frozen=True)
class Silhouette(DerivedFrames):
    """The mask of the person: white where it is."""

    def frame(self, index: int) -> Image.Image:
        image = Image.new("RGB", (self.width, self.height))
        reach, middle = 0.2 * self.height, self.width / 2
        box = (middle - reach, 0.08 * self.height, middle + reach, _FOOT_AT * self.height)
        ImageDraw.Draw(image).rounded_rectangle(box, reach / 2, fill=(255, 255, 255))
        return image


@dataclass(frozen=True)
class Blocks(DerivedFrames):
    """Masks in squares of `side` pixels: a square with any white in it is white."""

    side: int

    def frame(self, index: int) -> Image.Image:
        small = (max(1, self.width // self.side), max(1, self.height // self.side))
        image = self.frames.frame(index).resize(small, Image.Resampling.BOX)
        return image.point([255 if value else 0 for value in range(256)] * 3).resize(
            (self.width, self.height), Image.Resampling.NEAREST
        )


@dataclass(frozen=True)
class Faces:
    """The part of each frame in which the head is."""

    frames: Frames

    @property
    def width(self) -> int:
        return max(1, round(2 * HEAD * self.frames.height))

    @property
    def height(self) -> int:
        return self.width

    @property
    def count(self) -> int:
        return self.frames.count

    def frame(self, index: int) -> Image.Image:
        left = round(self.frames.width / 2 - self.width / 2)
        top = round((_HEAD_AT - HEAD) * self.frames.height)
        return self.frames.frame(index).crop((left, top, left + self.width, top + self.height))


def keypoints(
    ctx: Context, model: ModelHandle, vae: ModelHandle, image: Frames, batch_size: int, bboxes: Any = None
) -> tuple[Any, ...]:
    """Implements SDPoseKeypointExtractor."""
    return (Found(image),)


def draw(ctx: Context, keypoints: Found, draw_body: bool, draw_face: bool, **style: Any) -> tuple[Any, ...]:
    """Implements SDPoseDrawKeypoints."""
    return (DrawnPose(keypoints.frames, draw_body, draw_face),)


def face_boxes(ctx: Context, keypoints: Found, scale: float, force_square: bool) -> tuple[Any, ...]:
    """Implements SDPoseFaceBBoxes."""
    return (keypoints,)


def crop(
    ctx: Context,
    image: Frames,
    bboxes: Found,
    output_width: int,
    output_height: int,
    padding: int,
    keep_aspect: str = "stretch",
) -> tuple[Any, ...]:
    """Implements CropByBBoxes."""
    return (ScaledFrames(Faces(image), output_width, output_height),)


def rebatch(ctx: Context, images: Frames, batch_size: int) -> tuple[Any, ...]:
    """Implements RebatchImages: frames are rendered one by one here, whatever their batch."""
    return (images,)


def track(
    ctx: Context,
    images: Frames,
    model: ModelHandle,
    detection_threshold: float,
    max_objects: int,
    detect_interval: int,
    conditioning: Conditioning | None = None,
    initial_mask: Frames | None = None,
) -> tuple[Any, ...]:
    """Implements SAM3_VideoTrack."""
    return (Found(images),)


def track_mask(ctx: Context, track_data: Found, object_indices: str) -> tuple[Any, ...]:
    """Implements SAM3_TrackToMask."""
    return (Silhouette(track_data.frames),)


def blockify(ctx: Context, masks: Frames, block_size: int, device: str = "cpu") -> tuple[Any, ...]:
    """Implements BlockifyMask."""
    return (Blocks(masks, block_size),)


def save_webp(
    ctx: Context,
    images: Frames,
    filename_prefix: str,
    fps: float,
    lossless: bool,
    quality: int,
    method: str = "default",
) -> Result:
    """Implements SaveAnimatedWEBP."""
    folder, subfolder, name, number = next_name(
        ctx.folders.output, filename_prefix, images.width, images.height
    )
    file = f"{name}_{number:05}_.webp"
    pictures = []
    for picture in iter_frames(images):
        ctx.check()
        pictures.append(picture)
    pictures[0].save(
        folder / file, save_all=True, append_images=pictures[1:], duration=round(1000 / fps),
        lossless=lossless, quality=quality,
    )  # fmt: skip
    shown = {"filename": file, "subfolder": subfolder, "type": "output"}
    return Result((images,), {"images": [shown], "animated": [True]})
