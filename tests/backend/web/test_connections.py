"""A connection that never finishes its headers is closed; others do not notice."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from backend.web import connections
from tests.support.ports import free_port
from tests.support.waiting import let_pass, until

pytestmark = pytest.mark.full

SECONDS = 0.5


@contextlib.contextmanager
def served(**options: Any) -> Iterator[uvicorn.Server]:
    async def hello(request: Request) -> PlainTextResponse:
        await request.body()
        return PlainTextResponse("hello")

    app = Starlette(routes=[Route("/", hello, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="critical", **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield server
    server.should_exit = True
    thread.join(60)


IMPLEMENTATIONS = ["auto", "h11", *(["httptools"] if importlib.util.find_spec("httptools") else [])]


@pytest.fixture(params=IMPLEMENTATIONS)
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with served(http=request.param) as server:
        connections.bound(server.config, SECONDS)
        yield server.config.port


@pytest.fixture(params=IMPLEMENTATIONS)
def patient(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server whose limits are those of the app, from its first connection on."""
    with connections.bounded_servers(), served(http=request.param) as server:
        yield server.config.port


def closed(connection: socket.socket) -> bool:
    """Whether the server closes this within its time and some patience."""
    connection.settimeout(60)
    try:
        return connection.recv(1000) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def test_slow_headers_close_the_connection(port: int) -> None:
    silent = socket.create_connection(("127.0.0.1", port))
    dripping = socket.create_connection(("127.0.0.1", port))
    dripping.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
    assert closed(silent) and closed(dripping)
    silent.close()
    dripping.close()


def test_the_headers_of_a_second_request_have_a_time_limit_too(port: int) -> None:
    with answered(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"hello") as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-")
        assert closed(connection)


def answered(port: int, request: bytes, end: bytes) -> socket.socket:
    """An open connection on which this request was answered up to `end`. A machine that stands still between
    the connection and the request gets none: then once more."""

    def attempt() -> socket.socket | None:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.settimeout(60)
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(1000):
                answer += piece
                if end in answer:
                    return connection
        connection.close()
        return None

    return until(attempt)


def test_whole_requests_are_answered(patient: int) -> None:
    for _ in range(3):
        answer = answer_to(patient, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
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


ENDLESS = {
    "a header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x" * 1000),
    "a header's name": (b"GET / HTTP/1.1\r\nHost: a\r\n", b"x" * 1000),
    "headers": (b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n" * 200),
    "folded headers": (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n", b" z\r\n" * 200),
    "an address": (b"GET /", b"x" * 1000),
    "a query": (b"GET /?", b"x" * 1000),
    "a method": (b"", b"X" * 1000),
    "empty lines": (b"", b"\r\n" * 500),
    "headers of a websocket": (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", b"X: y\r\n" * 200,
    ),
    "trailers": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"X: y\r\n" * 200,
    ),
    "a chunk's extension": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000,
    ),
    "a second request's header": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nX: ", b"x" * 1000),
}  # fmt: skip


@pytest.mark.parametrize("what", ENDLESS)
def test_the_size_of_headers_is_limited(patient: int, what: str) -> None:
    start, piece = ENDLESS[what]
    taken = 0
    with socket.create_connection(("127.0.0.1", patient)) as connection:
        connection.settimeout(60)
        with contextlib.suppress(ConnectionError):
            connection.sendall(start)
            while taken < 40_000_000:
                connection.sendall(piece)
                taken += len(piece)
    assert taken < 10_000_000, "64 kB and what the network holds, not for ever"


def answer_to(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(60)
        connection.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(1000):
                answer += piece
    return answer


def test_headers_that_arrive_in_one_piece_are_counted_too(patient: int) -> None:
    rest = b"Connection: close\r\n\r\n"
    many = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + rest
    large = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"c" * 70_000 + b"\r\n" + rest
    for request in (many, large):
        answer = answer_to(patient, request)
        assert answer.startswith(b"HTTP/1.1 431") and b"Delete the cookies" in answer, answer
    answer = answer_to(patient, b"GET /?" + b"q" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n" + rest)
    assert answer.startswith(b"HTTP/1.1 414") and b"too long" in answer
    usual = b"GET /?" + b"q" * 8_000 + b" HTTP/1.1\r\nHost: a\r\nCookie: " + b"c" * 16_000 + b"\r\n"
    assert answer_to(patient, usual + b"X: y\r\n" * 60 + rest).startswith(b"HTTP/1.1 200")
    assert answer_to(patient, b"\x16\x03\x01 no HTTP at all\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_a_websocket_is_a_request_like_any_other(patient: int) -> None:
    asked = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    with socket.create_connection(("127.0.0.1", patient)) as connection:
        connection.settimeout(60)
        connection.sendall(asked + key)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200"), "no switch of protocols"


def test_a_slow_body_after_the_response_closes_the_connection(port: int) -> None:
    put = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
    with answered(port, put, b"405") as connection, pytest.raises(ConnectionError):  # at once
        for _ in range(600):
            connection.sendall(b"x")
            let_pass(0.1)


def test_a_stall_shorter_than_the_limit_of_headers_ends_no_idle_connection() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    with connections.bounded_servers():
        config = uvicorn.Config(app)
        config.load()
    assert config.timeout_keep_alive >= connections.HEADER_SECONDS
