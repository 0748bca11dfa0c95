"""The pictures of a video that a sheet or a joined video is made of, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from typing import TYPE_CHECKING

from backend.media import check
from backend.media.container import Reader, opened, picture_track

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

USUAL_RATE = 16
"""Frames per second of a file that does not say its rate: the rate of WAN."""


class PictureFrames:
    """Decodes one frame ahead. `width`, `height`, `colours` (colour space, range): those of the first frame;
    `claimed`: the number of frames by the header, 0 where it has none."""

    def __init__(self, stack: ExitStack, path: str, name: str) -> None:
        """Opens the file until `stack` is closed. Raises BadMedia when it has no picture."""
        container = stack.enter_context(opened(path, name))
        track = picture_track(container)
        if track is None:
            raise check.damaged(name, detail="no picture track")
        self.claimed = track.frames or 0
        self.rate = Fraction(track.average_rate or USUAL_RATE).limit_denominator(1001)
        self._decoded: Iterator[VideoFrame] = Reader(container, track).frames()
        first = next(self._decoded, None)
        if first is None:
            raise check.damaged(name, detail="no frame could be decoded")
        self._next: VideoFrame | None = first
        self.width, self.height = first.width, first.height
        self.colours = (int(first.colorspace), int(first.color_range))

    @property
    def ended(self) -> bool:
        """Whether every frame was taken."""
        return self._next is None

    def take(self) -> VideoFrame | None:
        """The next frame; None after the last one."""
        frame = self._next
        if frame is not None:
            self._next = next(self._decoded, None)
        return frame
