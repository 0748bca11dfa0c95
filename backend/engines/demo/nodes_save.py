"""Nodes that create and save videos and images."""

from __future__ import annotations

from typing import Any

from backend.engines.demo.cache import Result
from backend.engines.demo.encode import next_name, write_video
from backend.engines.demo.executor import Context
from backend.engines.demo.values import Frames, Sound, Video, iter_frames


def create_video(ctx: Context, images: Frames, fps: float, audio: Sound | None = None) -> tuple[Any, ...]:
    """Implements CreateVideo."""
    return (Video(images, fps, audio),)


def save_video(ctx: Context, video: Video, filename_prefix: str, **coding: Any) -> Result:
    """Implements SaveVideo."""
    folder, subfolder, name, number = next_name(
        ctx.folders.output, filename_prefix, video.frames.width, video.frames.height
    )
    file = f"{name}_{number:05}_.mp4"
    write_video(video, folder / file, ctx.check)
    shown = {"filename": file, "subfolder": subfolder, "type": "output"}
    return Result((), {"images": [shown], "animated": [True]})


def save_image(ctx: Context, images: Frames, filename_prefix: str = "ComfyUI") -> Result:
    """Implements SaveImage."""
    return _save(ctx, images, filename_prefix, "output")


def preview_image(ctx: Context, images: Frames) -> Result:
    """Implements PreviewImage."""
    return _save(ctx, images, f"ComfyUI_temp_{ctx.node}", "temp")


def _save(ctx: Context, images: Frames, prefix: str, kind: str) -> Result:
    base = ctx.folders.output if kind == "output" else ctx.folders.temp
    folder, subfolder, name, number = next_name(base, prefix, images.width, images.height)
    shown = []
    for offset, image in enumerate(iter_frames(images)):
        ctx.check()
        file = f"{name}_{number + offset:05}_.png"
        image.save(folder / file, compress_level=4)
        shown.append({"filename": file, "subfolder": subfolder, "type": kind})
    return Result((), {"images": shown})
