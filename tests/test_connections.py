"""A connection that never finishes its headers is closed; others do not notice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from backend import connections
from tests.support.ports import free_port
from tests.support.waiting import until

SECONDS = 0.5


@pytest.fixture
def port() -> Iterator[int]:
    async def hello(_: object) -> PlainTextResponse:
        return PlainTextResponse("hello")

    number = free_port()
    app = Starlette(routes=[Route("/", hello, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=number, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    connections.bound(server.config, SECONDS)
    yield number
    server.should_exit = True
    thread.join(60)


def closed(connection: socket.socket) -> bool:
    """Whether the server closes this within its time and some patience."""
    connection.settimeout(60)
    try:
        return connection.recv(1000) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def test_slow_headers_are_not_waited_for(port: int) -> None:
    silent = socket.create_connection(("127.0.0.1", port))
    dripping = socket.create_connection(("127.0.0.1", port))
    dripping.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
    assert closed(silent) and closed(dripping)
    silent.close()
    dripping.close()


def test_a_second_request_has_to_come_whole_too(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = b""
        while not answer.endswith(b"hello"):
            answer += connection.recv(1000)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-")
        assert closed(connection)


def test_whole_requests_are_answered(port: int) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.settimeout(20)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := connection.recv(1000):
                answer += piece
            assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hello")


def test_there_is_a_limit_of_connections(port: int) -> None:
    config = uvicorn.Config("a:b")
    config.load_app = lambda: None  # type: ignore[method-assign]
    config.http_protocol_class = object  # type: ignore[assignment]
    connections.bound(config)
    assert config.limit_concurrency is not None and 64 <= config.limit_concurrency <= 1000
    first = config.http_protocol_class
    connections.bound(config)
    assert config.http_protocol_class is first, "wrapped once"
