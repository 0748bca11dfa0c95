"""Contact sheets inside the child process: several videos or pictures side by side in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from PIL import Image

from backend.media import check
from backend.media.encode import Writer
from backend.media.grid import cell, places
from backend.media.picture_frames import PictureFrames
from backend.media.pictures import regular_file

_CRF = 18


def videos(
    paths: Sequence[str], out: str, name: str, progress: Callable[[float], None] = lambda share: None
) -> tuple[int, int, int, float]:
    """Writes videos side by side as H.264 without sound, at the rate of the first one; one that ends early
    keeps its last frame. Returns width, height, frames, fps. Raises BadMedia."""
    import av

    with ExitStack() as stack:
        sources = [_Source(stack, path, name) for path in paths]
        first = sources[0].video
        wide, high = cell(len(paths), first.width, first.height)
        whole, spots = places(len(paths), first.width, first.height)
        canvas = np.empty((3, whole[1], whole[0]), np.uint8)
        canvas[0], canvas[1:] = 16, 128
        expected = max(source.video.claimed for source in sources)
        made = 0
        with Writer(out, first.rate, whole, lossless=False, crf=_CRF) as writer:
            while sum(source.advance(wide, high) for source in sources):
                for (left, top), source in zip(spots, sources, strict=True):
                    pixels = source.pixels
                    inset_x, inset_y = (wide - pixels.shape[2]) // 2, (high - pixels.shape[1]) // 2
                    y, x = top + inset_y, left + inset_x
                    canvas[:, y : y + pixels.shape[1], x : x + pixels.shape[2]] = pixels
                frame = av.VideoFrame.from_ndarray(canvas, format="yuv444p")
                frame.colorspace, frame.color_range = first.colours
                writer.add(frame)
                made += 1
                progress(min(1.0, made / max(1, expected)))
    return (*whole, made, float(first.rate))


class _Source:
    """One video: its current frame as planes that fit a cell. Raises BadMedia when it has none."""

    def __init__(self, stack: ExitStack, path: str, name: str) -> None:
        self.video = PictureFrames(stack, path, name)
        self.pixels: Any = None

    def advance(self, wide: int, high: int) -> bool:
        """Moves to the next frame; False at the end, where the last one stays."""
        frame = self.video.take()
        if frame is None:
            return False
        factor = min(wide / frame.width, high / frame.height)
        width, height = (max(2, 2 * int(side * factor / 2 + 0.01)) for side in (frame.width, frame.height))
        self.pixels = frame.reformat(
            width=width, height=height, format="yuv444p", interpolation="AREA"
        ).to_ndarray()
        return True


def pictures(paths: Sequence[str], out: str, name: str) -> tuple[int, int]:
    """Writes pictures side by side as PNG. Returns width, height. Raises BadMedia."""
    whole: tuple[int, int] = (0, 0)
    sheet: Image.Image | None = None
    spots: list[tuple[int, int]] = []
    wide = high = 0
    for index, path in enumerate(paths):
        with regular_file(path, name) as file, Image.open(file, formats=["PNG"]) as image:
            picture = image.convert("RGB")
        if sheet is None:
            wide, high = cell(len(paths), picture.width, picture.height)
            whole, spots = places(len(paths), picture.width, picture.height)
            sheet = Image.new("RGB", whole)
        picture.thumbnail((wide, high), Image.Resampling.LANCZOS)
        left, top = spots[index]
        sheet.paste(picture, (left + (wide - picture.width) // 2, top + (high - picture.height) // 2))
    if sheet is None:
        raise check.damaged(name, detail="no pictures")
    sheet.save(out, format="PNG")
    return whole
