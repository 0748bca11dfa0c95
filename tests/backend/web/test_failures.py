"""Exceptions of the app: mistakes of ours are logged in full, those of libraries in a line."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from backend.web.hosts import Hosts
from backend.web.middleware import AccessMiddleware, Rules
from workflows.params.values import check_int


class Talk:
    """One request to an app behind the middleware, and what was sent."""

    def __init__(self, folder: Path, app: Any) -> None:
        self.sent: list[Any] = []
        self._middleware = AccessMiddleware(app, Rules(1000, folder, b"secret", hosts=Hosts(["a.example"])))

    def run(self, path: str = "/config", events: tuple[str, ...] = ()) -> None:
        coming = iter(events)

        async def receive() -> Any:
            return {"type": next(coming, "http.request"), "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            self.sent.append(message)

        scope = {
            "type": "http", "method": "GET", "path": path, "headers": [(b"host", b"a.example")],
            "client": ("8.8.8.8", 1), "query_string": b"", "scheme": "http", "root_path": "",
        }  # fmt: skip
        asyncio.run(self._middleware(scope, receive, send))


async def start(send: Any, kind: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": b"data", "more_body": True})


def of_a_library() -> None:
    {}["made up \x1b[2J" + "x" * 500]


def test_a_librarys_error_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        of_a_library()

    talk = Talk(tmp_path, app)
    with caplog.at_level(logging.INFO):
        talk.run()
    assert talk.sent[0]["status"] == 500 and b"could not answer" in talk.sent[1]["body"]
    line = next(record for record in caplog.records if "failed" in record.message)
    assert "KeyError at test_failures.py" in line.message and not line.exc_info
    assert len(line.message) < 400 and "\x1b" not in line.message


def test_a_mistake_of_ours_is_logged_in_full(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        check_int("seed", "Seed", 5, None, 3)  # type: ignore[arg-type]

    with caplog.at_level(logging.INFO):
        Talk(tmp_path, app).run()
    assert any(record.exc_info for record in caplog.records)


def test_a_stream_of_events_that_fails_is_ended(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, b"text/event-stream; charset=utf-8")
        try:
            raise HTTPException(404)
        except HTTPException as error:
            raise RuntimeError("Caught handled exception, but response already started.") from error

    talk = Talk(tmp_path, app)
    with caplog.at_level(logging.INFO):
        talk.run("/gradio_api/queue/data")
    assert talk.sent[-1] == {"type": "http.response.body", "body": b""} and len(talk.sent) == 3
    assert not any("failed" in record.message for record in caplog.records), "an unknown session is no news"


def test_a_download_that_fails_is_cut(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, b"video/mp4")
        of_a_library()

    talk = Talk(tmp_path, app)
    with pytest.raises(KeyError):  # the server closes the connection
        talk.run()
    assert len(talk.sent) == 2


def test_what_fails_because_the_client_left_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await start(send, b"text/event-stream")
        assert (await receive())["type"] == "http.disconnect"
        of_a_library()

    with caplog.at_level(logging.INFO):
        Talk(tmp_path, app).run("/gradio_api/queue/data", ("http.disconnect",))
    assert not caplog.records
