"""ComfyUI's websocket: one connection, read with a time limit, kept alive with pings."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import certifi
import websocket

from backend.engines.comfy.time_limit import time_limit

log = logging.getLogger("wan.engines.comfy")

FLAGS = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
"""Counts only as the first message on a socket; with it previews say of which prompt they are."""

CLOSE_SECONDS = 0.5
HANDSHAKE = 2  # times the time-out of a connect: by then the handshake must be done


class SocketLost(Exception):
    """The connection is gone or could not be made. `clean`: the server itself closed it, in good order."""

    def __init__(self, reason: str, clean: bool = False) -> None:
        super().__init__(reason)
        self.clean = clean


class _Bounded(websocket.WebSocket):
    """Breaks off a frame that trickles in; what came of it is kept, and the next read goes on with it."""

    until = float("inf")  # monotonic

    def _recv(self, bufsize: int) -> Any:
        if time.monotonic() >= self.until:
            raise websocket.WebSocketTimeoutException("not whole yet")
        return super()._recv(bufsize)


def _connect(url: str, timeout: float) -> socket.socket:
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    host = parts.hostname or ""
    plain = socket.create_connection((host, parts.port or (443 if secure else 80)), timeout)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if not secure:
        return plain
    try:
        return ssl.create_default_context(cafile=certifi.where()).wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise


class Socket:
    """An open websocket. Used by one thread. Opening and reading raise SocketLost."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float = 5.0,
        ping: float = 20.0,
        dead: float = 90.0,
    ) -> None:
        """`ping`: after so many silent seconds we ask; `dead`: after so many we give the connection up.
        ComfyUI may not answer for a while when it loads a model."""
        self._ping, self._dead = ping, dead
        try:
            # A connection of our own: websocket-client would use the proxies of the environment.
            connection = _connect(url, timeout)
            with time_limit(HANDSHAKE * timeout, connection):
                self._socket = websocket.create_connection(
                    url,
                    timeout=timeout,
                    class_=_Bounded,
                    socket=connection,
                    header=[f"{name}: {value}" for name, value in (headers or {}).items()],
                    suppress_origin=True,  # ComfyUI turns foreign origins away
                    enable_multithread=False,
                    skip_utf8_validation=True,  # it takes longer than all our own work; receive() decodes
                )
            self._socket.send(FLAGS)
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise SocketLost(f"{type(error).__name__}: {error}") from error
        self._last_frame = self._asked = time.monotonic()

    def receive(self, seconds: float) -> str | bytes | None:
        """The next text or binary frame, or None after at most so many seconds."""
        try:
            self._socket.settimeout(max(0.001, seconds))
            self._socket.until = time.monotonic() + seconds
            opcode, data = self._socket.recv_data(control_frame=True)
        except websocket.WebSocketTimeoutException:
            self._keep_alive()
            return None
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise SocketLost(f"{type(error).__name__}: {error}") from error
        self._last_frame = time.monotonic()
        if opcode == websocket.ABNF.OPCODE_TEXT:
            return data.decode("utf-8", "replace") if isinstance(data, bytes) else str(data)
        if opcode == websocket.ABNF.OPCODE_BINARY:
            return bytes(data)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise SocketLost("closed by the server", clean=True)
        return None

    def close(self) -> bool:
        """Closes in good order; False when the server did not confirm, so that it may still hold its side."""
        self._socket.until = time.monotonic() + CLOSE_SECONDS
        try:
            self._socket.close(timeout=CLOSE_SECONDS)
        except (websocket.WebSocketException, OSError, ValueError):
            return False
        return self._socket.close_frame is not None

    def drop(self) -> None:
        """Closes without asking: for a connection that is lost."""
        with contextlib.suppress(websocket.WebSocketException, OSError, ValueError):
            self._socket.shutdown()

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if now - self._last_frame > self._dead:
            raise SocketLost(f"nothing heard for {self._dead:.0f} s")
        if now - max(self._last_frame, self._asked) > self._ping:
            self._asked = now
            try:
                self._socket.settimeout(1.0)
                self._socket.ping()
            except (websocket.WebSocketException, OSError, ValueError) as error:
                raise SocketLost(f"{type(error).__name__}: {error}") from error
