"""Request bodies with limits of size and speed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

GRACE_SECONDS = 20.0
BYTES_PER_SECOND = 8_000
"""A body may be waited for this long in all. Every 8 kB that arrive give a second back, up to the full time.
So a body that stalls is refused after GRACE_SECONDS, however much of it has arrived."""
DRAIN_SECONDS = 10.0


class TooLarge(Exception):
    """The body is larger than its limit."""


class TooSlow(Exception):
    """The body arrived more slowly than BYTES_PER_SECOND for too long."""


class Gone(Exception):
    """The client closed the connection."""


class Body:
    """The body of one request. `problem` holds the error that was raised, even if the app caught it."""

    def __init__(
        self,
        receive: Receive,
        limit: float,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receive, self._limit, self._clock = receive, limit, clock
        self._grace, self._left = grace_seconds, grace_seconds  # seconds of waiting that are left
        self._bytes, self._whole = 0, False
        self.problem: TooLarge | TooSlow | None = None
        self.broken_off = False  # the client disconnected before the end of the body

    async def receive(self) -> Message:
        """The app's `receive`. Raises TooLarge, TooSlow."""
        if self._whole:  # only the disconnect is left, which may take an hour
            return await self._receive()
        asked = self._clock()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._left))
        except TimeoutError:
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
    """A `receive` that returns `data` as the whole body, then continues with the server's."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": data, "more_body": False}

    return again


async def drain(receive: Receive, at_most: float) -> None:
    """Discards what a client still sends, for a limited time, so that it reads the response afterwards."""
    body = Body(receive, at_most)

    async def read() -> None:
        while (await body.receive()).get("more_body", False):
            pass

    try:
        await asyncio.wait_for(read(), DRAIN_SECONDS)
    except (TimeoutError, TooLarge, TooSlow):
        return
