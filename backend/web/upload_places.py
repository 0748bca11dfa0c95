"""How many uploads there may be at once: of one visitor, from one address, and in all.

An upload keeps its place until its body has arrived. While others wait for a place, an upload that comes in
slowly is closed, so that slow uploads never hold all places.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.security.rate_limit import Slots
from backend.web.exchange import Refused
from backend.web.request_body import Body, Crowded

if TYPE_CHECKING:
    from backend.web.visitors import Visitor

POLL_SECONDS = 0.1
"""Between two looks for a free place."""
SLOW_BYTES_PER_SECOND = 64_000
"""An upload below this rate gives way to others. A phone with one bar sends twice as fast."""


@dataclass(frozen=True, eq=False)
class _Upload:
    visitor: Visitor
    body: Body


class UploadPlaces:
    """For one event loop. each, together, shared: places of one visitor, of all, and of one address."""

    def __init__(self, each: int, together: int, shared: int | None = None) -> None:
        self._slots = Slots(each, together, shared)
        self._uploads: list[_Upload] = []

    @contextlib.asynccontextmanager
    async def place(self, visitor: Visitor, body: Body, wait_seconds: float) -> AsyncIterator[None]:
        """Waits for other uploads to end. Raises Refused when that takes too long."""
        until = time.monotonic() + wait_seconds
        while not self._slots.take(str(visitor), visitor.people, visitor.neighbour):
            self._make_room(visitor)
            if time.monotonic() >= until:
                raise Refused.of("files_pending", 429, 5)
            await asyncio.sleep(POLL_SECONDS)
        upload = _Upload(visitor, body)
        self._uploads.append(upload)
        body.begin()
        try:
            yield
        finally:
            self._uploads.remove(upload)
            self._slots.free(str(visitor), visitor.neighbour)

    def _make_room(self, waiting: Visitor) -> None:
        """Closes one slow upload that blocks this visitor: of the address that holds most places, and never
        one of the visitor's own. The next one is closed when that has ended."""
        obstacle = self._slots.obstacle(str(waiting), waiting.people, waiting.neighbour)
        in_the_way = [
            one
            for one in self._uploads
            if one.visitor != waiting and (obstacle == "all" or one.visitor.neighbour == waiting.neighbour)
        ]
        if obstacle not in ("group", "all") or any(one.body.closed for one in in_the_way):
            return
        slow = [one for one in in_the_way if one.body.rate() < SLOW_BYTES_PER_SECOND]
        if slow:
            held = Counter(one.visitor.neighbour for one in self._uploads)
            slowest = max(slow, key=lambda one: (held[one.visitor.neighbour], -one.body.rate()))
            slowest.body.close(Crowded())
