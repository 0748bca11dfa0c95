"""One timeline for the times in a file, which may start late or below zero, jump or run backwards. Pure."""

from __future__ import annotations

GAP_MAX = 60.0
"""Seconds. A longer gap between two frames is not waited out: the recording went on from another one."""


class Timeline:
    """Maps the times of a track, in their order, to seconds from `origin` (None: from the first time).

    A time further back than `back` seconds, or after a gap of more than GAP_MAX, begins another recording in
    the same file: it follows directly, at the distance of the two times before. `step`: that distance for the
    first two. `jumps`: how many such beginnings there were.
    """

    def __init__(self, step: float, back: float, origin: float | None = None, far: bool = False) -> None:
        """`far`: whether the first time may be further than GAP_MAX from `origin`."""
        self._step, self._back, self._origin, self._far = step, back, origin, far
        self._last: float | None = None
        self.offset = 0.0
        self.jumps = 0

    def at(self, time: float) -> float:
        """The place on the timeline of the next time in the file."""
        if self._last is None:
            origin = time if self._origin is None else self._origin
            self.offset = -origin if self._far or abs(time - origin) <= GAP_MAX else -time
        elif time < self._last - self._back or time > self._last + GAP_MAX:
            self.offset += self._last + self._step - time
            self.jumps += 1
        elif time > self._last:
            self._step = time - self._last
        self._last = time
        return time + self.offset
