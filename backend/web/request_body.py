"""Request bodies with limits of size and speed."""

from __future__ import annotations

import asyncio
import math
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
RATE_SECONDS = 10.0
"""Over which the speed of a body is measured."""


class TooLarge(Exception):
    """The body is larger than its limit."""


class TooSlow(Exception):
    """The body arrived more slowly than BYTES_PER_SECOND for too long."""


class Crowded(TooSlow):
    """The body arrived slowly while other visitors waited for a place."""


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
        self._began: float | None = None  # the current stretch of RATE_SECONDS or more
        self._counted, self._last_rate = 0, math.inf  # bytes before it, bytes a second in the one before
        self.closed = False  # by close()
        self._closing: asyncio.Future[TooSlow] | None = None
        self.problem: TooLarge | TooSlow | None = None
        self.broken_off = False  # the client disconnected before the end of the body

    async def receive(self) -> Message:
        """The app's `receive`. Raises TooLarge, TooSlow."""
        if self._whole:  # only the disconnect is left, which may take an hour
            return await self._receive()
        if self.problem is not None:
            raise self.problem
        asked = self._clock()
        message = await self._next(max(0.0, self._left))
        if message["type"] == "http.request":
            came = len(message.get("body", b""))
            self._bytes += came
            self._left += came / BYTES_PER_SECOND - (self._clock() - asked)
            self._left = min(self._grace, self._left)
            self._whole = not message.get("more_body", False)
            self._measure()
            if self._bytes > self._limit:
                self.problem = TooLarge()
                raise self.problem
        else:
            self.broken_off = True
        return message

    async def _next(self, seconds: float) -> Message:
        """The server's next message. Raises TooSlow after this long, and what close() was given."""
        if seconds <= 0:
            self.problem = TooSlow()
            raise self.problem
        closing = self._closing = asyncio.get_running_loop().create_future()
        coming = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait({coming, closing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._closing = None
            arrived = coming.done()
            if not arrived:
                coming.cancel()
        if arrived:
            return coming.result()
        await asyncio.wait({coming})  # the server's receive() has ended before it is called again
        self.problem = closing.result() if closing.done() else TooSlow()
        raise self.problem

    def begin(self) -> None:
        """The rate counts from now on."""
        self._began, self._counted = self._clock(), self._bytes

    def rate(self) -> float:
        """Bytes a second in the last RATE_SECONDS or so; infinite before that and when the body is whole."""
        if self._began is None or self._whole:
            return math.inf
        passed = self._clock() - self._began
        return self._last_rate if passed < RATE_SECONDS else (self._bytes - self._counted) / passed

    def _measure(self) -> None:
        if self._began is not None and self._clock() - self._began >= RATE_SECONDS:
            self._last_rate = self.rate()
            self.begin()

    def close(self, problem: TooSlow) -> None:
        """Ends the waiting for the rest of the body with this error."""
        self.closed = True
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(problem)
        elif not self._whole:
            self.problem = problem

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
