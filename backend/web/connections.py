"""Limits of connections: size, number and speed of request headers, and connections at once.

uvicorn sets no time limit for headers, and with httptools, its choice where that is installed, no size limit
either. So its h11 protocol is always used, with the limits below; request_body.py limits bodies. There are no
websockets: a request to open one is answered as any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
from collections.abc import Iterator
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 20.0
IDLE_SECONDS = 20.0
"""How long a connection may be idle between two requests. uvicorn's 5 s end connections whose next request
has arrived but is not read yet, when the app or the machine stalls for so long: the client sees a reset."""
HEADER_BYTES = 64 << 10
"""Of all headers together, and of chunked trailers. Browsers send less than a tenth, cookies included."""
HEADER_COUNT = 100
TARGET_BYTES = 16 << 10
"""The address in the request line."""
CONNECTIONS_MAX = 1000
"""Above it the server answers 503."""
FILES_KEPT = 200
"""File descriptors reserved for the rest of the app."""


@contextlib.contextmanager
def bounded_servers() -> Iterator[None]:
    """Within it every server that uvicorn starts has these limits from its first connection on.

    Gradio makes the uvicorn.Config itself and serves before it returns it.
    """
    load = uvicorn.Config.load

    def load_and_bound(self: uvicorn.Config) -> None:
        self.proxy_headers = False  # clients.py looks at them, and needs the address of the connection
        load(self)
        bound(self)

    setattr(uvicorn.Config, "load", load_and_bound)  # noqa: B010
    try:
        yield
    finally:
        setattr(uvicorn.Config, "load", load)  # noqa: B010


def bound(config: Any, header_seconds: float = HEADER_SECONDS) -> None:
    """Sets the limits in a loaded uvicorn.Config; they apply to later connections."""
    if not issubclass(config.http_protocol_class, _Bounded):
        config.http_protocol_class = bounded(header_seconds)
    config.timeout_keep_alive = IDLE_SECONDS
    config.limit_concurrency = min(CONNECTIONS_MAX, max(64, _files() - FILES_KEPT))


def _files() -> int:
    """How many files this process may have open, after raising the limit where that is needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX + FILES_KEPT
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
        except (OSError, ValueError):
            pass
    return wanted if soft == resource.RLIM_INFINITY else soft


def bounded(header_seconds: float = HEADER_SECONDS) -> type[asyncio.Protocol]:
    """uvicorn's h11 protocol with this long for the headers of every request."""
    return type("Bounded", (_Bounded,), {"header_seconds": header_seconds})


class _Headers(h11.Connection):
    """Refuses requests whose headers are too many or too large, even when they arrive in one piece."""

    status = 400
    problem = ""  # why a request was refused, in a sentence; "" where it is not HTTP

    def __init__(self) -> None:
        super().__init__(h11.SERVER, HEADER_BYTES)

    def next_event(self) -> Any:
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint)
            raise
        if isinstance(event, h11.Request):
            size = sum(len(name) + len(value) for name, value in event.headers)
            status = 431 if len(event.headers) > HEADER_COUNT or size > HEADER_BYTES else 0
            status = 414 if len(event.target) > TARGET_BYTES else status
            if status:
                self._refuse(status)
                raise h11.RemoteProtocolError(self.problem, error_status_hint=status)
        return event

    def _refuse(self, status: int) -> None:
        self.status = status or 400
        self.problem = {
            414: "The address of this request is too long.",
            431: "The headers of this request are too large. Delete the cookies of this site and try again.",
        }.get(status, "")


class _Bounded(H11Protocol):
    conn: _Headers
    header_seconds = HEADER_SECONDS
    _header_timer: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Headers()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_headers()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # a response has already started
            self.transport.abort()
            return
        if not self.conn.problem:
            super().send_400_response(msg)
            return
        data = json.dumps({"detail": self.conn.problem}).encode()
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(data))),
            ("connection", "close"),
        ]
        for event in (
            h11.Response(status_code=self.conn.status, headers=headers),
            h11.Data(data=data),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def _should_upgrade(self) -> bool:
        return False

    def _wait_for_headers(self) -> None:
        if self._header_timer is None and not self.transport.is_closing():
            self._header_timer = self.loop.call_later(self.header_seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _too_slow(self) -> None:
        self._header_timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
