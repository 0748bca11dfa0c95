"""What is known about a file that somebody gave us, and the limits that it must keep. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# A picture ends as one frame of about 1 megapixel. 80 megapixels are 320 MB in memory, which the child's
# limit below holds twice over (a copy is made on the way).
MAX_PIXELS = 80_000_000
# JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, row by row, so the largest phone cameras
# (16320 x 12240) fit in far less. Progressive files cannot, they need all coefficients in memory.
MAX_PIXELS_JPEG = 200_000_000
MIN_SIDE = 32
# 8:1 at the area of 832 x 480 is 1787 x 223: inside the 64..1920 that a video side may have.
MAX_RATIO = 8.0
# Enough for twice the side of a 720p frame's square, so that the engine's own resize has good data.
MAX_STORED_SIDE = 2048
MAX_NAME = 60


@dataclass(frozen=True)
class PictureFacts:
    """A picture as people see it: pixels after its rotation flag is applied.

    `format` is a word for people ("JPEG"), `frames` counts frames or pages, `note` says what will be
    changed ("First frame of an animation") or is empty, `bytes` is the size of the file.
    """

    width: int
    height: int
    format: str = ""
    frames: int = 1
    note: str = ""
    bytes: int = 0


@dataclass(frozen=True)
class VideoFacts:
    """A video's first picture stream. `seconds` is its length, `codec` and `pix_fmt` are FFmpeg's names."""

    width: int
    height: int
    frames: int
    fps: float
    seconds: float
    codec: str
    pix_fmt: str
    has_audio: bool


@dataclass(frozen=True)
class StoredMedia:
    """A file that we wrote. `name` is made of its content: what the graph calls it on the engine."""

    path: Path
    name: str
    width: int
    height: int
    bytes: int
