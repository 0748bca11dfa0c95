"""Rate limits (token buckets) and limits of what goes on at once. The clock is an argument."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

KEYS_MAX = 20_000


class Bucket:
    """A token bucket: `burst` at once, then one every `seconds`. Thread-safe."""

    def __init__(self, burst: float, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.burst, self.seconds, self._clock = burst, seconds, clock
        self._left, self._seen = burst, clock()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Takes a token and returns 0.0; without one, returns the seconds until there is one."""
        with self._lock:
            now = self._clock()
            passed, self._seen = max(0.0, now - self._seen), now
            self._left = min(self.burst, self._left + passed / self.seconds)
            if self._left >= 1:
                self._left -= 1
                return 0.0
            return (1 - self._left) * self.seconds

    def give_back(self) -> None:
        """Undoes one take()."""
        with self._lock:
            self._left = min(self.burst, self._left + 1)


class Buckets:
    """One Bucket per key. Above `limit` keys, the least recently used are dropped. Thread-safe."""

    def __init__(
        self,
        burst: float,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        limit: int = KEYS_MAX,
    ) -> None:
        self._make = lambda: Bucket(burst, seconds, clock)
        self._limit = limit
        self._known: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return key in self._known

    def of(self, key: str) -> Bucket:
        """The key's bucket; created for a new key."""
        with self._lock:
            bucket = self._known.pop(key, None) or self._make()
            self._known[key] = bucket
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
            return bucket

    def take(self, key: str) -> float:
        """As Bucket.take()."""
        return self.of(key).take()


class Slots:
    """Limits concurrent operations, per key and in total. Thread-safe."""

    def __init__(self, each: int, together: int) -> None:
        self.each, self.together = each, together
        self._taken: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, key: str, people: int = 1) -> bool:
        """Takes a slot until free(); False when none is left. people: how many visitors may share the key."""
        with self._lock:
            mine = self._taken.get(key, 0)
            if mine >= self.each * people or sum(self._taken.values()) >= self.together:
                return False
            self._taken[key] = mine + 1
            return True

    def free(self, key: str) -> None:
        """Ends one take()."""
        with self._lock:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
