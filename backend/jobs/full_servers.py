"""Servers whose disk is full. Their lanes take no jobs for a while; other servers go on."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from backend.errors import EngineDiskFull
from backend.jobs.limits import Limits
from workflows.notice import Notice, notice

LONGEST = 40
"""The longest delay, in delays of Limits.room: each attempt may compute a whole video again."""


@dataclass(frozen=True)
class _Full:
    """`times`: attempts in a row that ended so; `until`: monotonic seconds; `paid`: retried for a while
    only."""

    error: EngineDiskFull
    times: int
    until: float
    paid: bool

    def waits(self) -> Notice:
        """For a job."""
        reason = self.error.notice
        if self.paid:
            return notice("engine_disk_full_retried", reason=reason)
        return notice("engine_disk_full", reason=reason)


class FullServers:
    """Methods may be called from any thread. Times are monotonic seconds."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._full: dict[str, _Full] = {}  # address ->

    def note(self, address: str, error: EngineDiskFull, now: float, *, paid: bool) -> None:
        """The disk of the server is full: the delay doubles each time."""
        with self._lock:
            before = self._full.get(address)
            times = before.times + 1 if before is not None else 1
            delays = 1 if paid else min(2 ** min(times - 1, 10), LONGEST)
            self._full[address] = _Full(error, times, now + delays * self._limits.room, paid)

    def has_room(self, address: str) -> None:
        """A video of the server is done."""
        with self._lock:
            self._full.pop(address, None)

    def why(self, address: str, now: float) -> Notice | None:
        """Why this server is given no job; None while it is."""
        with self._lock:
            full = self._full.get(address)
        return full.waits() if full is not None and now < full.until else None

    def why_none(self, addresses: Sequence[str], now: float) -> Notice | None:
        """Why none of these servers is given a job; None while one is."""
        reasons = [self.why(address, now) for address in addresses]
        return reasons[0] if reasons and all(reasons) else None

    def notices(self, now: float) -> list[Notice]:
        """One for each server, for System."""
        with self._lock:
            full = [one for one in self._full.values() if now < one.until]
        return [notice("engine_disk_full_held", reason=one.error.notice) for one in full]
