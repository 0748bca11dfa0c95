"""Reads images, videos and sounds as ComfyUI does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from backend.engines.demo.values import Sound


def read_picture(path: Path) -> Image.Image:
    """The first frame as RGB, with its EXIF orientation applied. Raises OSError if it is not an image.

    As in ComfyUI, a second attempt accepts truncated files.
    """
    try:
        return _read_picture(path)
    except (UnidentifiedImageError, ValueError):
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            return _read_picture(path)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def _read_picture(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.seek(0)
        upright = ImageOps.exif_transpose(image)
        if upright.mode == "I":
            upright = upright.point(lambda value: value * (1 / 255))
        return upright.convert("RGB")


def read_channel(path: Path, channel: str = "alpha") -> Image.Image:
    """One channel as an RGB mask, white where ComfyUI's mask is 1 (alpha is inverted)."""
    with Image.open(path) as image:
        image.seek(0)
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    red, green, blue, alpha = upright.split()
    picked = {"red": red, "green": green, "blue": blue}.get(channel, ImageOps.invert(alpha))
    return picked.convert("RGB")


@dataclass
class VideoFile:
    """The frames of a video file, decoded on demand. Going back decodes from the start again."""

    path: Path
    width: int
    height: int
    count: int
    fps: float
    _coming: Iterator[Any] = field(default_factory=lambda: iter(()), repr=False)
    _at: int = -1
    _last: Image.Image | None = field(default=None, repr=False)

    def frame(self, index: int) -> Image.Image:
        """A frame as RGB; the index is limited to the valid range. Raises ValueError if there is no frame."""
        index = max(0, min(index, self.count - 1))
        if self._last is None or index < self._at:
            self._coming, self._at, self._last = self._decode(), -1, None
        while self._at < index or self._last is None:
            picture = next(self._coming, None)
            if picture is None:
                break
            self._at += 1
            self._last = picture.to_image()
        if self._last is None:
            raise ValueError(f"No frame in {self.path.name}")
        return self._last.copy()

    def _decode(self) -> Iterator[Any]:
        with av.open(str(self.path)) as container:
            yield from container.decode(video=0)


def open_video(path: Path) -> VideoFile:
    """Opens a video file. Raises av.error.FFmpegError or ValueError if it is not a video."""
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ValueError(f"No video stream found in file '{path.name}'")
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        count = stream.frames or sum(1 for packet in container.demux(stream) if packet.size)
        return VideoFile(path, stream.width, stream.height, count, float(rate or 1))


def read_sound(path: Path, need: bool = True) -> Sound | None:
    """The first audio stream of a file at its own sample rate; None if there is none and `need` is false.

    Raises av.error.FFmpegError; ValueError if there is none and `need` is true.
    """
    with av.open(str(path)) as container:
        if not container.streams.audio:
            if need:
                raise ValueError("No audio stream found in the file.")
            return None
        stream = container.streams.audio[0]
        rate = int(stream.codec_context.sample_rate)
        channels = 1 if stream.codec_context.channels == 1 else 2
        resampler = av.AudioResampler(format="fltp", layout="mono" if channels == 1 else "stereo", rate=rate)
        blocks: list[Any] = [np.zeros((channels, 0), np.float32)]
        for frame in container.decode(stream):
            blocks.extend(block.to_ndarray() for block in resampler.resample(frame))
        blocks.extend(block.to_ndarray() for block in resampler.resample(None))
        return Sound(np.concatenate(blocks, axis=1), rate)
