"""Limits the number of log lines of one kind. Lines above the limit are counted, and one line says how many.

A record's kind is its attribute `kind` (`extra={"kind": ...}`), else the line of code that logs it. Lines
that a visitor can cause without a login, and those of libraries, have the lowest limit.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

SECONDS = 60.0
SAMPLED = 5
"""Lines of one kind within SECONDS that any visitor can cause."""
PRINTED = 100
"""Lines that libraries print, of all kinds together: a traceback takes dozens."""
USUAL = 60
DETAILED = 3_000
"""Lines at level debug."""
PRINTS = "wan.prints"
"""The logger of what libraries print."""
OPEN = ("wan.web", "wan.ui")
"""Loggers of the packages that answer requests."""


def limit(record: logging.LogRecord) -> int:
    """How many lines of this record's kind may be written within SECONDS."""
    if record.name == PRINTS:
        return PRINTED
    root = record.name.partition(".")[0]
    if hasattr(record, "kind") or record.name in OPEN or root != "wan":
        return SAMPLED
    return DETAILED if record.levelno <= logging.DEBUG else USUAL


@dataclass
class _Window:
    began: float
    seen: int = 0


@dataclass
class LeftOut:
    """How many records of one kind were not written. `template`: the message without its arguments."""

    logger: str
    level: int
    template: str
    count: int = 0


class Sampler:
    """Counts records by kind. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, seconds: float = SECONDS) -> None:
        self.seconds, self._clock = seconds, clock
        self._windows: dict[object, _Window] = {}
        self._left_out: dict[object, LeftOut] = {}
        self._lock = threading.Lock()

    def admit(self, record: logging.LogRecord) -> bool:
        """Whether to write this record; one that is not written is counted."""
        kind = getattr(record, "kind", None) or (record.name, record.pathname, record.lineno)
        if record.name == PRINTS:
            kind = PRINTS
        with self._lock:
            now = self._clock()
            window = self._windows.get(kind)
            if window is None or now - window.began >= self.seconds:
                window = self._windows[kind] = _Window(now)
            window.seen += 1
            if window.seen <= limit(record):
                return True
            if kind not in self._left_out:
                self._left_out[kind] = LeftOut(record.name, record.levelno, str(record.msg))
            self._left_out[kind].count += 1
            return False

    def take_left_out(self, everything: bool = False) -> list[LeftOut]:
        """The counts of windows that are over, or of all; each is returned once."""
        with self._lock:
            now = self._clock()
            over = [
                kind
                for kind in self._left_out
                if everything or now - self._windows[kind].began >= self.seconds
            ]
            return [self._left_out.pop(kind) for kind in over]
