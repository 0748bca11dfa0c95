"""Connections that never finish their headers are closed. uvicorn itself waits for ever."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

HEADER_SECONDS = 20.0
CONNECTIONS_MAX = 1000
"""Above it the server answers 503."""
FILES_KEPT = 200
"""Open files that the rest of the app needs beside its connections."""


def bound(config: Any, header_seconds: float = HEADER_SECONDS) -> None:
    """Sets a running uvicorn.Config: connections made from now on have this long for their headers."""
    if config.http_protocol_class.__name__ != "Bounded":
        config.http_protocol_class = bounded(config.http_protocol_class, header_seconds)
    config.limit_concurrency = min(CONNECTIONS_MAX, max(64, _files() - FILES_KEPT))


def _files() -> int:
    """How many files this process may have open, after asking for as many as it may ask for."""
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


def bounded(base: type, header_seconds: float) -> type:
    """uvicorn's protocol class, h11 or httptools, with a time for the headers of every request."""

    class Bounded(base):
        _header_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
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

        def _wait_for_headers(self) -> None:
            if self._header_timer is None and not self.transport.is_closing():
                self._header_timer = self.loop.call_later(header_seconds, self._too_slow)

        def _stop_waiting(self) -> None:
            if self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None

        def _too_slow(self) -> None:
            self._header_timer = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.abort()

    return Bounded
