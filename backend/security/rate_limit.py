"""Rate limits (token buckets) and limits of what goes on at once. The clock is an argument."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Literal

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
    """Limits concurrent operations: per key, per group of keys, and in total. Thread-safe."""

    def __init__(self, each: int, together: int, shared: int | None = None) -> None:
        """shared: of one group; None: as many as in total."""
        self.each, self.together = each, together
        self.shared = together if shared is None else max(each, shared)
        self._taken: Counter[str] = Counter()
        self._of_group: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, key: str, people: int = 1, group: str = "", amount: int = 1) -> bool:
        """Takes slots until free(); False when too few are left. people: how many visitors may share the key.
        group: whose keys have `shared` slots together, "" for none."""
        with self._lock:
            if self._obstacle(key, people, group, amount):
                return False
            self._taken[key] += amount
            self._of_group[group] += amount
            return True

    def obstacle(self, key: str, people: int = 1, group: str = "") -> Literal["", "key", "group", "all"]:
        """Which limit take() would meet; "" for none."""
        with self._lock:
            return self._obstacle(key, people, group, 1)

    def _obstacle(self, key: str, people: int, group: str, amount: int) -> Literal["", "key", "group", "all"]:
        if self._taken[key] + amount > self.each * people:
            return "key"
        if group and self._of_group[group] + amount > self.shared:
            return "group"
        return "all" if self._taken.total() + amount > self.together else ""

    def free(self, key: str, group: str = "", amount: int = 1) -> None:
        """Ends one take() of as many."""
        with self._lock:
            for count, name in ((self._taken, key), (self._of_group, group)):
                count[name] -= amount
                if not count[name]:
                    del count[name]
