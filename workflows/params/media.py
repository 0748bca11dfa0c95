"""A measured media file, as a graph refers to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Media:
    """A picture, video or sound that the engine will read, already measured.

    `name` is what the graph gives to the loading node, relative to the engine's input folder; it may hold
    a subfolder. width and height in pixels after rotation by EXIF, 0 when unknown. seconds: of the whole
    file, 0 when unknown.
    """

    name: str
    width: int = 0
    height: int = 0
    frames: int = 1
    fps: float = 0.0
    seconds: float = 0.0
    sound: bool = True  # False: a video known to have no sound track
