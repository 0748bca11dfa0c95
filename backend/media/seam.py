"""Measures the seams of a joined video inside the child process: whether and how much they can be seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.media import check
from backend.media.container import Reader, opened, picture_track
from backend.media.facts import Seam

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

AROUND = 8
"""Frames on each side of a seam whose differences are the usual ones."""
SIDE = 256
"""Pixels of the longer side at which frames are compared: noise of the encoder is averaged out."""
DOUBLED = 0.2
"""Share of the usual difference below which a frame is shown twice."""
STILL = 0.15
"""Levels of 255 below which nothing moves, so that equal frames are no doubled ones."""
_LUMA = np.array([0.299, 0.587, 0.114])


def seams(
    path: str, name: str, frames: Sequence[int], progress: Callable[[float], None] = lambda share: None
) -> list[Seam]:
    """The seams before each of these frames. Raises BadMedia, also for a frame that is not there."""
    found: dict[int, Seam] = {}
    pending = sorted(set(frames))
    window: deque[np.ndarray] = deque(maxlen=2 * AROUND + 1)
    with opened(path, name) as container:
        track = picture_track(container)
        if track is None:
            raise check.damaged(name, detail="no picture track")
        last = -1
        for number, frame in enumerate(Reader(container, track).frames()):
            last = number
            if pending and number >= pending[0] - AROUND - 1:
                window.append(pixels(frame))
            while pending and number >= pending[0] + AROUND - 1:
                found[pending[0]] = _of(list(window), number, pending[0])
                pending.pop(0)
            progress(min(1.0, (number + 1) / max(1, track.frames or 1)))
            if not pending:
                break
        for frame_number in pending:
            if not 0 < frame_number <= last:
                raise check.damaged(name, detail=f"there is no frame {frame_number}")
            found[frame_number] = _of(list(window), last, frame_number)
    return [found[number] for number in frames]


def pixels(frame: VideoFrame) -> np.ndarray:
    """A frame as small RGB."""
    scale = min(1.0, SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
    small: Any = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    return np.asarray(small.to_ndarray(), np.float32)


def _of(window: Sequence[np.ndarray], last: int, frame: int) -> Seam:
    """The seam before `frame`. `last`: the number of the window's last frame."""
    at = len(window) - 1 - (last - frame)
    low, high = max(1, at - AROUND + 1), min(len(window) - 1, at + AROUND - 1)
    usual = [difference(window[i - 1], window[i]) for i in range(low, high + 1) if i != at]
    return between(window[at - 1], window[at], usual)


def between(before: np.ndarray, after: np.ndarray, usual: Sequence[float]) -> Seam:
    """The seam between two small frames. `usual`: differences of neighbouring frames around it."""
    step, normal = difference(before, after), median(usual) if usual else 0.0
    change = after.mean(axis=(0, 1)) - before.mean(axis=(0, 1))
    brightness = float(change @ _LUMA)
    colour = float(np.linalg.norm(change - brightness))
    ratio = step / normal if normal >= STILL else 1.0 if step < STILL else step / STILL
    return Seam(
        doubled=normal >= STILL and step < DOUBLED * normal,
        brightness=round(abs(brightness), 3), colour=round(colour, 3), motion=round(ratio, 3),
    )  # fmt: skip


def difference(before: np.ndarray, after: np.ndarray) -> float:
    """The mean difference of the luma of two small frames, in levels of 255."""
    return float(np.abs((after - before) @ _LUMA.astype(np.float32)).mean())
