"""What a websocket's peer may send: messages without an end, in one frame or in many, and broken frames."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from backend.engines.comfy.socket import Socket, SocketLost

pytestmark = pytest.mark.full

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MOST = 50_000
TEXT, BINARY, CONTINUED, LAST = 1, 2, 0, 0x80


def frame(opcode: int, data: bytes, announced: int | None = None) -> bytes:
    return struct.pack(">BBQ", opcode, 127, len(data) if announced is None else announced) + data


@contextlib.contextmanager
def sending(data: bytes) -> Iterator[str]:
    """The address of a server that sends this after the handshake, again and again until it cannot."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            one, _ = server.accept()
            with one:
                one.settimeout(60)
                request = b""
                while b"\r\n\r\n" not in request:
                    request += one.recv(4096)
                key = request.lower().split(b"sec-websocket-key:")[1].split(b"\r\n")[0].strip()
                given = request[request.lower().index(key) :][: len(key)]
                accept = base64.b64encode(hashlib.sha1(given + GUID).digest())
                one.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
                )
                one.sendall(data)
                while one.recv(4096):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"ws://127.0.0.1:{server.getsockname()[1]}/ws"
    thread.join(60)


@pytest.mark.parametrize(
    "data",
    [
        frame(BINARY | LAST, bytes(MOST + 1)),
        frame(BINARY | LAST, bytes(2 * MOST), announced=2**62),
        frame(TEXT, b"x" * 20_000) + 5 * frame(CONTINUED, b"x" * 20_000),
    ],
    ids=["a frame", "a frame that announces more", "many frames"],
)
def test_a_message_without_an_end_closes_the_connection(data: bytes) -> None:
    with sending(data) as url:
        opened = Socket(url, most=MOST)
        with pytest.raises(SocketLost, match=f"more than {MOST} bytes"):
            while True:
                opened.receive(60)
        opened.drop()


def test_messages_that_are_long_together_are_read() -> None:
    with sending(5 * frame(BINARY | LAST, bytes(20_000))) as url:
        opened = Socket(url, most=MOST)
        for _ in range(5):
            assert opened.receive(60) == bytes(20_000)
        opened.drop()


@pytest.mark.parametrize(
    "data",
    [
        frame(0xB | LAST, b"x"),
        frame(CONTINUED | LAST, b"x"),
        frame(TEXT | LAST | 0x40, b"x"),
        struct.pack(">BB", 9, 1) + b"x",
        frame(8 | LAST, b"\xff"),
    ],
    ids=["unknown kind", "continues nothing", "reserved bit", "ping in parts", "close without a code"],
)
def test_what_is_no_frame_is_a_lost_connection(data: bytes) -> None:
    with sending(data) as url:
        opened = Socket(url)
        with pytest.raises(SocketLost):
            opened.receive(60)
        opened.drop()
