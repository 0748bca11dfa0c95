"""A limit on a whole answer: a time-out of the socket counts from byte to byte, so that a server which sends
one now and then would hold a lane for ever. When the time is over, the connection is shut down under it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import requests
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_current = threading.local()


class Limit:
    """What `within` watches. `over`: the time is over and the connection was shut down."""

    def __init__(self) -> None:
        self.over = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def watch(self, one: object) -> None:
        """Adds a connection; one that comes too late is shut down at once."""
        with self._lock:
            if isinstance(one, socket.socket):
                self._sockets.append(one)
            if self.over:
                self._shut_down()

    def expire(self) -> None:
        with self._lock:
            self.over = True
            self._shut_down()

    def _shut_down(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError, ValueError):
                one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def within(seconds: float, *watched: object) -> Iterator[Limit]:
    """What this thread reads in the block, by `Adapter` or from the given sockets, must be whole by then."""
    limit = Limit()
    for one in watched:
        limit.watch(one)
    timer = threading.Timer(seconds, limit.expire)
    timer.daemon = True
    before, _current.limit = getattr(_current, "limit", None), limit
    timer.start()
    try:
        yield limit
    finally:
        timer.cancel()
        _current.limit = before


def connection_of(response: requests.Response) -> object:
    """The socket under a streamed response, None when it has let go of it."""
    return getattr(getattr(response.raw, "connection", None), "sock", None)


def _register(connection: HTTPConnection) -> None:
    limit = getattr(_current, "limit", None)
    if limit is not None:
        limit.watch(connection.sock)


class _Plain(HTTPConnection):
    def getresponse(self) -> Any:
        _register(self)
        return super().getresponse()


class _Secure(HTTPSConnection):
    def getresponse(self) -> Any:
        _register(self)
        return super().getresponse()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class Adapter(requests.adapters.HTTPAdapter):
    """Connections of a session that `within` can shut down."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
