"""Answers that no ComfyUI gives: too long, packed too well, in odd forms. Each ends in a sentence."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import pytest
from aiohttp import web

from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.http import Http
from backend.engines.comfy.monitor import Timing
from backend.errors import EngineError, EngineUnreachable
from tests.support.fake_comfy import FakeComfy, endless, status

pytestmark = pytest.mark.full

MOST = 1_000_000


@pytest.fixture
def server() -> Iterator[FakeComfy]:
    with FakeComfy() as made:
        yield made


def packed(encoding: str, data: bytes) -> bytes:
    return gzip.compress(data) if encoding == "gzip" else zlib.compress(data)


@pytest.mark.parametrize("path", ["/system_stats", "/queue", "/object_info"])
def test_an_answer_without_an_end(server: FakeComfy, path: str) -> None:
    http = Http(server.url, most=MOST)
    server.answer("GET", path, endless)
    with pytest.raises(EngineUnreachable) as caught:
        http.get(path)
    assert caught.value.reason == "not_comfyui" and "more than 1 MB" in caught.value.detail
    assert isinstance(http.get("/queue"), dict), "the next request is answered"
    http.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_small_answer_that_unpacks_to_a_large_one(server: FakeComfy, encoding: str) -> None:
    async def bomb(_: web.Request) -> web.Response:
        body = packed(encoding, b" " * 20 * MOST)
        assert len(body) < 50_000
        return web.Response(body=body, headers={"Content-Encoding": encoding})

    http = Http(server.url, most=MOST)
    server.answer("GET", "/system_stats", bomb)
    with pytest.raises(EngineUnreachable, match="answers"):
        http.get("/system_stats")
    http.close()


ODD = {
    "an empty body": status(200, ""),
    "a number": status(200, "5"),
    "a byte order mark": status(200, '\ufeff{"system": 5}'),
    "no system": status(200, '{"system": null, "devices": {}}'),
    "a redirect to itself": status(302, Location="/system_stats"),
    "a status of its own": status(299, "{}"),
    "nothing new": status(304),
}


@pytest.mark.parametrize("which", ODD)
def test_odd_answers(server: FakeComfy, which: str) -> None:
    engine = ComfyEngine(server.url, timing=Timing(read=1.0, connect=1.0))
    server.answer("GET", "/system_stats", *[ODD[which]] * 3)
    info = engine.refresh()
    assert info.state != "ok" and info.error is not None
    for _ in range(3):
        info = engine.refresh()
    assert info.state == "ok", "as soon as it answers properly"
    engine.close()


def test_a_long_answer_of_a_real_server_is_read(server: FakeComfy) -> None:
    """30 MB, as with hundreds of custom nodes."""
    http = Http(server.url)
    server.answer("GET", "/object_info", status(200, '{"A": "' + "x" * 30_000_000 + '"}'))
    assert len(http.get("/object_info")["A"]) == 30_000_000
    server.answer("GET", "/object_info", status(500, "x"))
    with pytest.raises(EngineError):
        http.get("/object_info")
    http.close()
