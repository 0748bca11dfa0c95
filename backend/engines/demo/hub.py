"""The websockets: who is connected, and messages to them in the order in which they were sent.

`send` may be called from any thread. Delivery is one task, so the order holds for every client.
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
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sockets: dict[str, web.WebSocketResponse] = {}
        self._transports: dict[str, asyncio.BaseTransport | None] = {}
        self._flags: dict[str, dict[str, Any]] = {}
        self._messages: asyncio.Queue[tuple[str | bytes, str | None]] = asyncio.Queue()

    def send(self, event: str, data: dict[str, Any], client: str | None = None) -> None:
        """A JSON message to one client, or to all with None."""
        self._put(json.dumps({"type": event, "data": data}), client)

    def send_preview(self, jpeg: bytes, metadata: dict[str, Any] | None, client: str | None) -> None:
        """A picture of the work so far, with metadata for clients that asked for it (type 4)."""
        if metadata is None:
            head = struct.pack(">II", BINARY_PREVIEW, IMAGE_JPEG)
        else:
            text = json.dumps({**metadata, "image_type": "image/jpeg"}).encode()
            head = struct.pack(">II", BINARY_PREVIEW_WITH_METADATA, len(text)) + text
        self._put(head + jpeg, client)

    def _put(self, message: str | bytes, client: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody is there to hear it
            self._loop.call_soon_threadsafe(self._messages.put_nowait, (message, client))

    def wants_metadata(self, client: str | None) -> bool:
        return client is not None and self._flags.get(client, {}).get(PREVIEW_FLAG) is True

    def add(
        self, client: str, socket: web.WebSocketResponse, transport: asyncio.BaseTransport | None
    ) -> None:
        self._sockets[client] = socket
        self._transports[client] = transport
        self._flags[client] = {}

    def connected(self) -> int:
        """How many clients there are."""
        return len(self._sockets)

    def remove(self, client: str) -> None:
        """Forgets the client, even when a newer socket took its id: ComfyUI does the same."""
        self._sockets.pop(client, None)
        self._transports.pop(client, None)
        self._flags.pop(client, None)

    def set_flags(self, client: str, flags: dict[str, Any]) -> None:
        if client in self._flags:
            self._flags[client] = flags

    def drop(self, client: str | None) -> None:
        """Cuts the connection without a closing frame, as a broken network does."""

        def cut() -> None:
            transport = self._transports.get(client or "")
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()

        self._loop.call_soon_threadsafe(cut)

    async def deliver(self) -> None:
        """Runs as long as the server does."""
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
