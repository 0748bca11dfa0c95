"""The websocket clients, and the delivery of messages to them.

Messages may be queued from any thread. One task delivers them, so each client receives them in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from typing import Any

from aiohttp import web

BINARY_PREVIEW = 1
BINARY_PREVIEW_WITH_METADATA = 4
IMAGE_JPEG = 1
PREVIEW_FLAG = "supports_preview_metadata"


class Hub:
    """Connected clients by client id. Create it inside the event loop that serves them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sockets: dict[str, web.WebSocketResponse] = {}
        self._transports: dict[str, asyncio.BaseTransport | None] = {}
        self._flags: dict[str, dict[str, Any]] = {}
        self._messages: asyncio.Queue[tuple[str | bytes, str | None]] = asyncio.Queue()

    def send(self, event: str, data: dict[str, Any], client: str | None = None) -> None:
        """Queues a JSON message for one client, or for all if `client` is None."""
        self._put(json.dumps({"type": event, "data": data}), client)

    def send_preview(self, jpeg: bytes, metadata: dict[str, Any] | None, client: str | None) -> None:
        """Queues a preview: a type 1 frame, or a type 4 frame if it has metadata."""
        if metadata is None:
            head = struct.pack(">II", BINARY_PREVIEW, IMAGE_JPEG)
        else:
            text = json.dumps({**metadata, "image_type": "image/jpeg"}).encode()
            head = struct.pack(">II", BINARY_PREVIEW_WITH_METADATA, len(text)) + text
        self._put(head + jpeg, client)

    def _put(self, message: str | bytes, client: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._messages.put_nowait, (message, client))

    def wants_metadata(self, client: str | None) -> bool:
        """Whether the client supports previews with metadata."""
        return client is not None and self._flags.get(client, {}).get(PREVIEW_FLAG) is True

    def add(
        self, client: str, socket: web.WebSocketResponse, transport: asyncio.BaseTransport | None
    ) -> None:
        """Registers a client; replaces an earlier socket with the same id."""
        self._sockets[client] = socket
        self._transports[client] = transport
        self._flags[client] = {}

    def connected(self) -> int:
        """The number of clients."""
        return len(self._sockets)

    def remove(self, client: str) -> None:
        """Removes a client, even if a newer socket has the same id, as ComfyUI does."""
        self._sockets.pop(client, None)
        self._transports.pop(client, None)
        self._flags.pop(client, None)

    def set_flags(self, client: str, flags: dict[str, Any]) -> None:
        """Stores the feature flags of a connected client."""
        if client in self._flags:
            self._flags[client] = flags

    def drop(self, client: str | None) -> None:
        """Aborts the connection without a close frame, as a network failure does."""

        def cut() -> None:
            transport = self._transports.get(client or "")
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()

        self._loop.call_soon_threadsafe(cut)

    async def deliver(self) -> None:
        """Delivers queued messages until it is cancelled."""
        while True:
            message, client = await self._messages.get()
            sockets = list(self._sockets.values()) if client is None else [self._sockets.get(client)]
            for socket in sockets:
                if socket is None or socket.closed:
                    continue
                with contextlib.suppress(ConnectionError, RuntimeError):
                    if isinstance(message, str):
                        await socket.send_str(message)
                    else:
                        await socket.send_bytes(message)
