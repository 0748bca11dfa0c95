"""The queue of prompts, the running prompt and the history."""

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
        """The item as in the bodies of /queue and /history."""
        return [self.number, self.id, self.graph, self.extra, self.targets]


class PromptQueue:
    """Queue, running prompt and history. Thread-safe. Calls `changed` when the number of prompts changes."""

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
        """Adds a prompt; lower numbers run first."""
        with self._lock:
            heapq.heappush(self._pending, (item.number, next(self._order), item))
            self._changed()
            self._filled.notify()

    def take(self) -> QueuedPrompt | None:
        """Waits for a prompt and makes it the running one; returns None if the node cache is to be cleared
        first.

        ComfyUI may run a prompt that is posted right after /free with the old cache; here /free always comes
        first.
        """
        with self._filled:
            while not self._free and not self._pending:
                self._filled.wait()
            if self._free:
                return None
            self._running = heapq.heappop(self._pending)[2]
            self._changed()
            return self._running

    def finish(self, item: QueuedPrompt, entry: dict[str, Any]) -> None:
        """Ends the running prompt and adds `entry` to the history."""
        with self._lock:
            self._running = None
            self._history[item.id] = {"prompt": item.record(), **entry}
            self._changed()

    def delete(self, ids: Iterable[str]) -> None:
        """Removes waiting prompts; ignores running and unknown ones."""
        with self._lock:
            for id in ids:
                left = [entry for entry in self._pending if entry[2].id != id]
                if len(left) != len(self._pending):
                    self._pending = left
                    heapq.heapify(self._pending)
                    self._changed()

    def clear(self) -> None:
        """Removes all waiting prompts."""
        with self._lock:
            self._pending = []
            self._changed()

    def remaining(self) -> int:
        """The number of waiting and running prompts."""
        with self._lock:
            return len(self._pending) + (self._running is not None)

    def running(self) -> QueuedPrompt | None:
        """The running prompt, or None."""
        with self._lock:
            return self._running

    def snapshot(self) -> tuple[list[list[Any]], list[list[Any]]]:
        """The running and the waiting prompts, as records."""
        with self._lock:
            running = [self._running.record()] if self._running is not None else []
            return running, [entry[2].record() for entry in self._pending]

    def history(self, id: str | None = None, count: int | None = None, offset: int = -1) -> dict[str, Any]:
        """History entries by id: that of one prompt, or the newest `count`, or `count` from `offset` on."""
        with self._lock:
            if id is not None:
                return {id: self._history[id]} if id in self._history else {}
            entries = list(self._history.items())
            if count is None:
                return dict(entries[max(0, offset) :])
            first = len(entries) - count if offset < 0 else offset
            return dict(entries[max(0, first) :][:count])

    def forget(self, ids: Iterable[str] | None = None) -> None:
        """Removes history entries; all of them if `ids` is None."""
        with self._lock:
            for id in list(self._history) if ids is None else list(ids):
                self._history.pop(id, None)

    def free(self) -> None:
        """Requests that the node cache is cleared after the running prompt."""
        with self._lock:
            self._free = True
            self._filled.notify()

    def take_free(self) -> bool:
        """Whether `free` was called since the last call of this method."""
        with self._lock:
            asked, self._free = self._free, False
            return asked
