"""A websocket connection to ComfyUI: reads with a timeout, sends keep-alive pings."""

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
"""Must be the first message on a socket; previews then carry the id of their prompt."""

CLOSE_SECONDS = 0.5
MESSAGE_MAX = 64_000_000
"""Bytes. Previews have some thousand, the texts of a node's output perhaps a million."""
HANDSHAKE = 2  # the handshake must be complete within this many connect timeouts


class SocketLost(Exception):
    """The connection was lost or could not be opened. `clean`: the server closed it with a close frame."""

    def __init__(self, reason: str, clean: bool = False) -> None:
        super().__init__(reason)
        self.clean = clean


class _Bounded(websocket.WebSocket):
    """Stops reading an incomplete frame at `until`; the bytes received are kept for the next read.

    A message of more than `most` bytes, in one frame or in many, ends the connection."""

    until = float("inf")  # monotonic
    most = MESSAGE_MAX
    read = 0  # bytes since the last whole message

    def _recv(self, bufsize: int) -> Any:
        if time.monotonic() >= self.until:
            raise websocket.WebSocketTimeoutException("the frame is incomplete")
        data = super()._recv(bufsize)
        self.read += len(data)
        if self.read > self.most:
            raise websocket.WebSocketPayloadException(f"a message of more than {self.most} bytes")
        return data


def _connect(url: str, timeout: float, tls: ssl.SSLContext | None) -> socket.socket:
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    host = parts.hostname or ""
    plain = socket.create_connection((host, parts.port or (443 if secure else 80)), timeout)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if not secure:
        return plain
    try:
        context = tls or ssl.create_default_context(cafile=certifi.where())
        return context.wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise


class Socket:
    """An open websocket, for use by one thread. The constructor and `receive` raise SocketLost."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float = 5.0,
        tls: ssl.SSLContext | None = None,
        ping: float = 20.0,
        dead: float = 90.0,
        most: int = MESSAGE_MAX,
    ) -> None:
        """`tls`: what a certificate is verified with; by default the public authorities. `timeout`: of the
        connection attempt. `ping`: silence before a ping is sent; `dead`: silence after which the connection
        counts as lost. Both are long because ComfyUI may not respond while it loads a model. All in
        seconds. `most`: bytes of a message."""
        self._ping, self._dead = ping, dead
        try:
            # Connect here, because websocket-client would use the proxies of the environment.
            connection = _connect(url, timeout, tls)
            with time_limit(HANDSHAKE * timeout, connection):
                self._socket = websocket.create_connection(
                    url,
                    timeout=timeout,
                    class_=_Bounded,
                    socket=connection,
                    header=[f"{name}: {value}" for name, value in (headers or {}).items()],
                    suppress_origin=True,  # ComfyUI rejects other origins
                    redirect_limit=0,  # the headers hold credentials
                    enable_multithread=False,
                    skip_utf8_validation=True,  # slow, and receive() decodes anyway
                )
            self._socket.most = most
            self._socket.send(FLAGS)
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise SocketLost(f"{type(error).__name__}: {error}") from error
        self._last_frame = self._asked = time.monotonic()

    def receive(self, seconds: float) -> str | bytes | None:
        """The next text or binary frame, or None if there is none within `seconds`."""
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
        self._socket.read = 0
        if opcode == websocket.ABNF.OPCODE_TEXT:
            return data.decode("utf-8", "replace") if isinstance(data, bytes) else str(data)
        if opcode == websocket.ABNF.OPCODE_BINARY:
            return bytes(data)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise SocketLost("closed by the server", clean=True)
        return None

    def close(self) -> bool:
        """Closes with a handshake. Returns False if the server did not confirm it within CLOSE_SECONDS."""
        self._socket.until = time.monotonic() + CLOSE_SECONDS
        try:
            self._socket.close(timeout=CLOSE_SECONDS)
        except (websocket.WebSocketException, OSError, ValueError):
            return False
        return self._socket.close_frame is not None

    def drop(self) -> None:
        """Closes a lost connection without a handshake."""
        with contextlib.suppress(websocket.WebSocketException, OSError, ValueError):
            self._socket.shutdown()

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if now - self._last_frame > self._dead:
            raise SocketLost(f"nothing received for {self._dead:.0f} s")
        if now - max(self._last_frame, self._asked) > self._ping:
            self._asked = now
            try:
                self._socket.settimeout(1.0)
                self._socket.ping()
            except (websocket.WebSocketException, OSError, ValueError) as error:
                raise SocketLost(f"{type(error).__name__}: {error}") from error
