"""How fast a download runs and how long the rest of it takes."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WINDOW_SECONDS = 20.0
"""The rate is that of this time."""
LEAST_SECONDS = 1.0
"""Shorter measurements say nothing."""


@dataclass(frozen=True)
class Flow:
    """A snapshot. Bytes: fetched and total of all files, done and size of the one at work. checking: its
    checksum is being computed. rate: bytes per second, 0 while unknown; seconds: left for all files, None
    while unknown."""

    file: str = ""
    done: int = 0
    size: int = 0
    checking: bool = False
    fetched: int = 0
    total: int = 0
    rate: float = 0.0
    seconds: float | None = None


class Meter:
    """Counts the bytes of a download of several files. Any thread may ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._flow = Flow()
        self._points: deque[tuple[float, int]] = deque()
        self._busy = 0.0  # seconds in which bytes came

    def begin(self, total: int) -> None:
        """total: bytes that are missing in all files together."""
        with self._lock:
            self._flow = Flow(total=total)
            self._points.clear()
            self._busy = 0.0

    def watch(self, name: str, size: int, done: int, checking: bool) -> Callable[[int], None]:
        """Starts with a file; the returned function takes the bytes that came, negative for those that were
        dropped."""
        with self._lock:
            flow = self._flow
            self._flow = Flow(name, done, size, checking, flow.fetched, flow.total)
            self._points.clear()
            self._points.append((self._clock(), flow.fetched))
        return self._add

    def _add(self, count: int) -> None:
        with self._lock:
            flow, now = self._flow, self._clock()
            fetched = flow.fetched if flow.checking else flow.fetched + count
            total = max(flow.total, fetched)
            self._flow = Flow(flow.file, flow.done + count, flow.size, flow.checking, fetched, total)
            if not flow.checking:
                self._busy += max(0.0, now - self._points[-1][0]) if self._points else 0.0
                self._points.append((now, fetched))
                while now - self._points[0][0] > WINDOW_SECONDS and len(self._points) > 2:
                    self._points.popleft()

    def flow(self) -> Flow:
        """The snapshot as of now."""
        with self._lock:
            flow, rate = self._flow, self._rate()
        left = (flow.total - flow.fetched) / rate if rate else None
        return Flow(flow.file, flow.done, flow.size, flow.checking, flow.fetched, flow.total, rate, left)

    def average(self) -> float:
        """Bytes per second of the whole download, 0 while too short to say."""
        with self._lock:
            return self._flow.fetched / self._busy if self._busy >= LEAST_SECONDS else 0.0

    def _rate(self) -> float:
        if len(self._points) > 1:
            (first, before), (last, after) = self._points[0], self._points[-1]
            if last - first >= LEAST_SECONDS and after > before:
                return (after - before) / (last - first)
        return self._flow.fetched / self._busy if self._busy >= LEAST_SECONDS else 0.0


class LastSpeed:
    """The speed of the last download of this machine, by which the time of the next one is estimated."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "download_speed.json"

    def read(self) -> float:
        """Bytes per second, 0 while none was measured."""
        try:
            rate = float(json.loads(self._path.read_text(encoding="utf-8"))["bytes_per_second"])
        except (OSError, ValueError, TypeError, KeyError):
            return 0.0
        return rate if 0 < rate < 1e12 else 0.0

    def write(self, rate: float) -> None:
        """Stores it; a folder that cannot be written stores nothing."""
        if rate > 0:
            with contextlib.suppress(OSError):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.write_text(json.dumps({"bytes_per_second": round(rate)}), encoding="utf-8")
