"""Slots for concurrent requests, shared fairly: jobs before visitors, and owners round-robin in each
class."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from backend.requester import Requester

CHECK_SECONDS = 0.5
"""The interval at which a waiting request checks whether its job was cancelled."""


class NoSlot(Exception):
    """The request got no slot. `own`: its owner has too many waiting requests; otherwise it timed out."""

    def __init__(self, own: bool) -> None:
        super().__init__("no slot")
        self.own = own


class Closed(Exception):
    """The slots are closed; no request waits any more."""


@dataclass(eq=False)
class _Waiter:
    """A waiting request. `key`: requests with the same key do not run at the same time. `counted`: it counts
    against the owner's limit of waiting requests."""

    requester: Requester
    key: Hashable = None
    counted: bool = True
    granted: bool = False


class _WaitingQueue:
    """The waiting requests of one class: first in, first out for each owner, and the owners round-robin."""

    def __init__(self) -> None:
        self._owners: OrderedDict[str, deque[_Waiter]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(own) for own in self._owners.values())

    def add(self, waiter: _Waiter) -> None:
        self._owners.setdefault(waiter.requester.owner, deque()).append(waiter)

    def remove(self, waiter: _Waiter) -> None:
        own = self._owners[waiter.requester.owner]
        own.remove(waiter)
        if not own:
            del self._owners[waiter.requester.owner]

    def take(self, running: set[Hashable]) -> _Waiter | None:
        """Removes the next request whose key is not running; its owner moves to the end."""
        for owner, own in self._owners.items():
            for waiter in own:
                if waiter.key is None or waiter.key not in running:
                    self._owners.move_to_end(owner)
                    self.remove(waiter)
                    return waiter
        return None

    def of(self, owner: str) -> int:
        return sum(waiter.counted for waiter in self._owners.get(owner, ()))

    def has(self, key: Hashable) -> bool:
        return any(waiter.key == key for own in self._owners.values() for waiter in own)


class Slots:
    """`slots` requests run at once. A visitor may have `waiting_max` waiting requests; jobs, and requests
    without an owner, any number."""

    def __init__(self, slots: int, waiting_max: int) -> None:
        self._free, self._waiting_max = slots, waiting_max
        self._changed = threading.Condition()
        self._jobs, self._visitors = _WaitingQueue(), _WaitingQueue()
        self._running: set[Hashable] = set()
        self._closed = False

    def waiting(self) -> int:
        """The number of waiting requests."""
        with self._changed:
            return len(self._jobs) + len(self._visitors)

    def close(self) -> None:
        """Ends all waits with Closed, now and later. Requests with a slot keep it; a free slot is still
        given."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @contextlib.contextmanager
    def slot(
        self,
        requester: Requester,
        wait_seconds: float = math.inf,
        key: Hashable = None,
        answered: Callable[[], bool] = lambda: False,
    ) -> Iterator[bool]:
        """Holds a slot during the `with` block and yields True. Yields False, without a slot, once `answered`
        returns True, because another request with the same key has the reply. `answered` is called with a
        lock held.

        Raises NoSlot after `wait_seconds`, or at once when the owner has too many waiting requests; Closed;
        and what the requester's check raises.
        """
        waiter = _Waiter(requester, key)
        queue = self._jobs if requester.is_job else self._visitors
        with self._changed:
            self._admit(waiter, queue)
            try:
                self._wait(waiter, time.monotonic() + wait_seconds, answered)
            except BaseException:
                self._leave(waiter, queue)
                raise
            if not waiter.granted:
                self._leave(waiter, queue)
        try:
            yield waiter.granted
        finally:
            with self._changed:
                if waiter.granted:
                    self._give_back(waiter)

    def _admit(self, waiter: _Waiter, queue: _WaitingQueue) -> None:
        """Queues the request. One with the same key as another request is not counted."""
        requester, key = waiter.requester, waiter.key
        waiter.counted = key is None or not (
            key in self._running or self._jobs.has(key) or self._visitors.has(key)
        )
        queue.add(waiter)
        self._grant()
        if waiter.granted or requester.is_job or not requester.owner or not waiter.counted:
            return
        if queue.of(requester.owner) > self._waiting_max:
            queue.remove(waiter)
            raise NoSlot(own=True)

    def _wait(self, waiter: _Waiter, until: float, answered: Callable[[], bool]) -> None:
        while not waiter.granted and not answered():
            if self._closed:
                raise Closed
            waiter.requester.check()
            left = until - time.monotonic()
            if left <= 0:
                raise NoSlot(own=False)
            self._changed.wait(min(left, CHECK_SECONDS))

    def _leave(self, waiter: _Waiter, queue: _WaitingQueue) -> None:
        if waiter.granted:
            self._give_back(waiter)
        else:
            queue.remove(waiter)

    def _give_back(self, waiter: _Waiter) -> None:
        self._free += 1
        if waiter.key is not None:
            self._running.discard(waiter.key)
        self._grant()
        self._changed.notify_all()

    def _grant(self) -> None:
        while self._free:
            waiter = self._jobs.take(self._running) or self._visitors.take(self._running)
            if waiter is None:
                return
            waiter.granted = True
            self._free -= 1
            if waiter.key is not None:
                self._running.add(waiter.key)
            self._changed.notify_all()
