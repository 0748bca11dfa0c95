"""A time limit for a whole HTTP response.

A socket timeout restarts with every byte, so a server that sends one byte now and then could block a lane
forever. When the limit expires, the connection is shut down while it is being read.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import requests
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_current = threading.local()


class TimeLimit:
    """The connections of one `time_limit` block. `expired`: the time is up and they were shut down."""

    def __init__(self) -> None:
        self.expired = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def add(self, connection: object) -> None:
        """Adds a connection; shuts it down immediately if the limit has already expired."""
        with self._lock:
            if isinstance(connection, socket.socket):
                self._sockets.append(connection)
            if self.expired:
                self._shut_down()

    def expire(self) -> None:
        """Shuts down all connections of the block."""
        with self._lock:
            self.expired = True
            self._shut_down()

    def _shut_down(self) -> None:
        for connection in self._sockets:
            with contextlib.suppress(OSError, ValueError):
                connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def time_limit(seconds: float, *watched: object) -> Iterator[TimeLimit]:
    """Limits the time in which this thread may read, through `TimeLimitAdapter` or from the given sockets."""
    limit = TimeLimit()
    for connection in watched:
        limit.add(connection)
    timer = threading.Timer(seconds, limit.expire)
    timer.daemon = True
    before, _current.limit = getattr(_current, "limit", None), limit
    timer.start()
    try:
        yield limit
    finally:
        timer.cancel()
        _current.limit = before


def socket_of(response: requests.Response) -> object:
    """The socket of a streamed response; None once the response has released it."""
    return getattr(getattr(response.raw, "connection", None), "sock", None)


def _register(connection: HTTPConnection) -> None:
    limit = getattr(_current, "limit", None)
    if limit is not None:
        limit.add(connection.sock)


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


class TimeLimitAdapter(requests.adapters.HTTPAdapter):
    """HTTP adapter whose connections `time_limit` can shut down."""

    def __init__(self, tls: ssl.SSLContext | None = None, **options: Any) -> None:
        """`tls`: what certificates are verified with; default: the public authorities."""
        self._tls = tls
        super().__init__(**options)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        if self._tls is not None:
            options["ssl_context"] = self._tls
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        if self._tls is None:
            super().cert_verify(conn, url, verify, cert)
        else:  # the context has the certificates; a file of them would be loaded again for each connection
            conn.cert_reqs = "CERT_REQUIRED"
