"""The camera move of a clip, derived from the words of its prompt. Pure arithmetic."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass

Box = tuple[float, float, float, float]

# The first group with a word in the prompt is used. A move is (across, up, closer), each -1, 0 or 1.
WORDS: tuple[tuple[tuple[str, ...], tuple[int, int, int]], ...] = (
    (("still", "static", "locked off", "locked-off", "tripod", "motionless", "does not move"), (0, 0, 0)),
    (
        ("pulls back", "pull back", "pulls away", "zoom out", "zooms out", "dolly out", "backs away"),
        (0, 0, -1),
    ),
    (("closer", "push in", "pushes in", "zoom in", "zooms in", "dolly in", "approaches"), (0, 0, 1)),
    (("left",), (-1, 0, 0)),
    (("right",), (1, 0, 0)),
    (("rises", "rise", "rising", "upward", "upwards", "tilts up", "tilt up", "moves up"), (0, 1, 0)),
    (("falls", "sinks", "lowers", "downward", "downwards", "tilts down", "down"), (0, -1, 0)),
    (("orbits", "orbit", "around", "turns"), (1, 0, 1)),
)
DEFAULT_MOVES = ((0, 0, 1), (0, 0, -1), (-1, 0, 1), (1, 0, 1), (0, 1, 1))  # if no word matches

ZOOM = 0.17  # relative enlargement at the end of a zoom with motion 1
MARGIN = 0.15  # extra zoom that leaves room for a pan
SWAY = 0.0022  # amplitude of hand-held movement, as a share of the side


@dataclass(frozen=True)
class Camera:
    """A camera move over a clip. across, up, closer: -1 to 1; motion: a factor, 1 is normal."""

    across: int
    up: int
    closer: int
    motion: float
    phase: float

    def box(self, width: float, height: float, at: float, seconds: float, beat: float = 0.0) -> Box:
        """The visible box (left, top, right, bottom) of a width x height image, in pixels.

        at: position in the clip, 0 to 1. seconds: time since the start, for the hand-held movement.
        beat: loudness, 0 to 1, zooms in slightly.
        """
        eased = 0.45 * at + 0.55 * at * at * (3 - 2 * at)
        zoom, x, y = 1.0, 0.0, 0.0
        if self.closer:
            amount = ZOOM * self.motion
            zoom += amount * (eased if self.closer > 0 else 1 - eased)
        if self.across or self.up:
            room = MARGIN * self.motion * (0.6 if self.closer else 1.0)
            zoom += room
            x = self.across * (2 * eased - 1)
            y = -self.up * (2 * eased - 1)
        if not (self.closer or self.across or self.up):
            zoom += 0.012 + 0.008 * math.sin(seconds * 0.9 + self.phase)
        zoom += 0.012 * beat
        free_x, free_y = width * (1 - 1 / zoom) / 2, height * (1 - 1 / zoom) / 2
        sway = SWAY * self.motion * min(1.0, seconds)
        dx = free_x * 0.92 * x + width * sway * math.sin(seconds * 1.1 + self.phase)
        dy = free_y * 0.92 * y + height * sway * math.sin(seconds * 0.83 + 2 * self.phase)
        w, h = width / zoom, height / zoom
        left = min(max((width - w) / 2 + dx, 0.0), width - w)
        top = min(max((height - h) / 2 + dy, 0.0), height - h)
        return (left, top, min(left + w, width), min(top + h, height))


def camera_for(text: str, seed: int, motion: float) -> Camera:
    """The move that the prompt describes, else one of DEFAULT_MOVES, chosen by the seed."""
    lower = text.lower()
    picker = random.Random(seed)  # noqa: S311 - a picture, not a secret
    phase = picker.uniform(0, 2 * math.pi)
    across, up, closer = picker.choice(DEFAULT_MOVES)
    for words, move in WORDS:
        if any(re.search(rf"\b{re.escape(word)}\b", lower) for word in words):
            across, up, closer = move
            break
    return Camera(across, up, closer, motion, phase)
