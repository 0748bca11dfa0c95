"""Files in: a picture, a video and its sound, each read the way ComfyUI reads it."""

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
    """The first frame as RGB, upright. Raises OSError for what is no picture.

    As ComfyUI, a file that cannot be read gets a second try that forgives missing parts.
    """
    try:
        return _read_picture(path)
    except (UnidentifiedImageError, ValueError):
        forgiving = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            return _read_picture(path)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = forgiving


def _read_picture(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.seek(0)
        upright = ImageOps.exif_transpose(image)
        if upright.mode == "I":
            upright = upright.point(lambda value: value * (1 / 255))
        return upright.convert("RGB")


def read_channel(path: Path, channel: str = "alpha") -> Image.Image:
    """One channel as a mask in RGB, white where ComfyUI's mask is 1 (alpha is turned round)."""
    with Image.open(path) as image:
        image.seek(0)
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    red, green, blue, alpha = upright.split()
    picked = {"red": red, "green": green, "blue": blue}.get(channel, ImageOps.invert(alpha))
    return picked.convert("RGB")


@dataclass
class VideoFile:
    """The frames of a video file, decoded when asked for; in order is quick, backwards starts over."""

    path: Path
    width: int
    height: int
    count: int
    fps: float
    _coming: Iterator[Any] = field(default_factory=lambda: iter(()), repr=False)
    _at: int = -1
    _last: Image.Image | None = field(default=None, repr=False)

    def frame(self, index: int) -> Image.Image:
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
    """Raises av.error.FFmpegError or ValueError for what is no video."""
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ValueError(f"No video stream found in file '{path.name}'")
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        count = stream.frames or sum(1 for packet in container.demux(stream) if packet.size)
        return VideoFile(path, stream.width, stream.height, count, float(rate or 1))


def read_sound(path: Path, need: bool = True) -> Sound | None:
    """All of a file's first sound stream, at its own rate.

    Raises av.error.FFmpegError, and ValueError when there is no sound and it is needed.
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
        pieces: list[Any] = [np.zeros((channels, 0), np.float32)]
        for frame in container.decode(stream):
            pieces.extend(part.to_ndarray() for part in resampler.resample(frame))
        pieces.extend(part.to_ndarray() for part in resampler.resample(None))
        return Sound(np.concatenate(pieces, axis=1), rate)
