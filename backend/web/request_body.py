"""Request bodies that neither grow nor dawdle without end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

GRACE_SECONDS = 20.0
BYTES_PER_SECOND = 8_000
"""A body may be waited for so long; every 8 kB that come give a second of that back, and never more than all
of it. So one that stops is ended after GRACE_SECONDS, however much of it came before."""
DRAIN_SECONDS = 10.0


class TooLarge(Exception):
    """More bytes than this path takes."""


class TooSlow(Exception):
    """Fewer bytes than BYTES_PER_SECOND, or none for too long."""


class Gone(Exception):
    """The client closed the connection."""


class Body:
    """The body of one request. `problem` holds what was raised, however the app took it."""

    def __init__(
        self,
        receive: Receive,
        limit: float,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receive, self._limit, self._clock = receive, limit, clock
        self._grace, self._left = grace_seconds, grace_seconds  # seconds that it may still be waited for
        self._bytes, self._whole = 0, False
        self.problem: TooLarge | TooSlow | None = None
        self.broken_off = False  # the client left before all of it had come

    async def receive(self) -> Message:
        """For the app, in place of the server's own. Raises TooLarge, TooSlow."""
        if self._whole:  # what comes now is only the client's leaving, which may take an hour
            return await self._receive()
        asked = self._clock()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._left))
        except (TimeoutError, asyncio.TimeoutError):
            self.problem = TooSlow()
            raise self.problem from None
        if message["type"] == "http.request":
            came = len(message.get("body", b""))
            self._bytes += came
            self._left += came / BYTES_PER_SECOND - (self._clock() - asked)
            self._left = min(self._grace, self._left)
            self._whole = not message.get("more_body", False)
            if self._bytes > self._limit:
                self.problem = TooLarge()
                raise self.problem
        else:
            self.broken_off = True
        return message

    async def whole(self) -> bytes:
        """All of a small body. Raises TooLarge, TooSlow, Gone."""
        pieces: list[bytes] = []
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise Gone
            pieces.append(message.get("body", b""))
            if not message.get("more_body", False):
                return b"".join(pieces)


def replay(data: bytes, receive: Receive) -> Receive:
    """A receive that gives `data` as the whole body, then goes on with the server's."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": data, "more_body": False}

    return again


async def drain(receive: Receive, at_most: float) -> None:
    """Reads what a client is still sending, so that it gets to read the answer; not for ever."""
    body = Body(receive, at_most)

    async def read() -> None:
        while (await body.receive()).get("more_body", False):
            pass

    try:
        await asyncio.wait_for(read(), DRAIN_SECONDS)
    except (TimeoutError, asyncio.TimeoutError, TooLarge, TooSlow):
        return
