"""The queue of prompts, the one that runs, and the history."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class QueuedPrompt:
    """One submitted prompt."""

    number: float
    id: str
    graph: dict[str, Any]
    extra: dict[str, Any]
    targets: list[str]

    def record(self) -> list[Any]:
        """As /queue and /history show it."""
        return [self.number, self.id, self.graph, self.extra, self.targets]


class PromptQueue:
    """Thread-safe. `changed` is called after every change of the number of prompts."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lock = threading.RLock()
        self._filled = threading.Condition(self._lock)
        self._order = itertools.count()
        self._pending: list[tuple[float, int, QueuedPrompt]] = []
        self._running: QueuedPrompt | None = None
        self._history: dict[str, dict[str, Any]] = {}
        self._free = False

    def put(self, item: QueuedPrompt) -> None:
        with self._lock:
            heapq.heappush(self._pending, (item.number, next(self._order), item))
            self._changed()
            self._filled.notify()

    def take(self) -> QueuedPrompt | None:
        """Waits for a prompt and makes it the running one; None when `free` was called meanwhile."""
        with self._filled:
            while not self._pending:
                if self._free:
                    return None
                self._filled.wait()
            self._running = heapq.heappop(self._pending)[2]
            self._changed()
            return self._running

    def finish(self, item: QueuedPrompt, entry: dict[str, Any]) -> None:
        """The running prompt has ended; `entry` goes into its history."""
        with self._lock:
            self._running = None
            self._history[item.id] = {"prompt": item.record(), **entry}
            self._changed()

    def delete(self, ids: Iterable[str]) -> None:
        """Takes prompts out of the queue; a running or unknown one is left alone."""
        with self._lock:
            for id in ids:
                left = [entry for entry in self._pending if entry[2].id != id]
                if len(left) != len(self._pending):
                    self._pending = left
                    heapq.heapify(self._pending)
                    self._changed()

    def clear(self) -> None:
        with self._lock:
            self._pending = []
            self._changed()

    def remaining(self) -> int:
        with self._lock:
            return len(self._pending) + (self._running is not None)

    def running(self) -> QueuedPrompt | None:
        with self._lock:
            return self._running

    def snapshot(self) -> tuple[list[list[Any]], list[list[Any]]]:
        """Running and pending, as records."""
        with self._lock:
            running = [self._running.record()] if self._running is not None else []
            return running, [entry[2].record() for entry in self._pending]

    def history(self, id: str | None = None, count: int | None = None, offset: int = -1) -> dict[str, Any]:
        """One entry (or none), or the newest `count`, or `count` from `offset` on."""
        with self._lock:
            if id is not None:
                return {id: self._history[id]} if id in self._history else {}
            entries = list(self._history.items())
            if count is None:
                return dict(entries[max(0, offset) :])
            first = len(entries) - count if offset < 0 else offset
            return dict(entries[max(0, first) :][:count])

    def forget(self, ids: Iterable[str] | None = None) -> None:
        with self._lock:
            for id in list(self._history) if ids is None else list(ids):
                self._history.pop(id, None)

    def free(self) -> None:
        """Asks for the cache to be dropped after the prompt that runs now."""
        with self._lock:
            self._free = True
            self._filled.notify()

    def take_free(self) -> bool:
        with self._lock:
            asked, self._free = self._free, False
            return asked
