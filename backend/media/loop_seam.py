"""The seam of a loop, inside the child process: how its last frame leads into its first."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.media import check
from backend.media.container import Reader, opened, picture_track

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

FULL = 255.0
LIMITED = 219.0
"""Steps between black and white of a frame in the limited range of television."""


def loop_seam(
    path: str, name: str, progress: Callable[[float], None] = lambda share: None
) -> dict[str, float]:
    """Differences in steps of 255: `jump`, from the last frame to the first, and `usual`, the median of those
    between neighbours, both the mean over all pixels; `brightness` and `colour`, how much the mean of the
    picture differs between the two. `frames`: their number; a clip of fewer than three has nothing to compare
    with and zeros. Raises BadMedia.
    """
    with opened(path, name) as container:
        track = picture_track(container)
        if track is None:
            raise check.damaged(name, detail="no picture track")
        expected = max(1, track.frames or 1)
        first: _Picture | None = None
        last: _Picture | None = None
        steps: list[float] = []
        for frame in Reader(container, track).frames():
            picture = _Picture(frame)
            if last is not None:
                steps.append(picture.away_from(last))
            first, last = first or picture, picture
            progress(min(1.0, (len(steps) + 1) / expected))
    if first is None or last is None:
        raise check.damaged(name, detail="no frame could be decoded")
    found = {"jump": 0.0, "usual": 0.0, "brightness": 0.0, "colour": 0.0, "frames": float(len(steps) + 1)}
    if len(steps) < 2:
        return found
    return {
        **found,
        "jump": first.away_from(last),
        "usual": median(steps),
        "brightness": abs(first.means[0] - last.means[0]),
        "colour": max(abs(first.means[n] - last.means[n]) for n in (1, 2)),
    }


class _Picture:
    """A frame as brightness, and the means of its three planes in steps of 255."""

    def __init__(self, frame: VideoFrame) -> None:
        planes: Any = frame.reformat(format="yuv444p").to_ndarray()
        self._scale = FULL / (FULL if frame.color_range == 2 else LIMITED)  # 2: AVCOL_RANGE_JPEG
        self._bright = planes[0].astype(np.int16)
        self.means = [float(plane.mean()) * self._scale for plane in planes]

    def away_from(self, other: _Picture) -> float:
        """The mean difference in brightness."""
        return float(np.abs(self._bright - other._bright).mean()) * self._scale
