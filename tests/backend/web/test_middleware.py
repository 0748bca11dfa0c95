"""The middleware around a small app: what passes, what is refused and how, and that it never grows."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.security.accounts import Accounts
from backend.security.tokens import new_token
from backend.web.request_body import Body, TooSlow
from backend.web.request_rates import STRICT, Rates
from tests.support.guarded_site import DATA, HOST, JOIN, UPLOAD, Clock, Site


def run(test: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))


def test_origin_is_checked_and_then_removed(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path)
        async with (
            site.client(origin=f"https://{HOST}") as own,
            site.client(origin="https://evil.example") as evil,
        ):
            answer = await own.post(JOIN, json={})
            assert answer.status_code == 200 and answer.json() == {"bytes": 2}
            assert "origin" not in site.seen[-1][1], "the app cannot reflect it"
            refused = await evil.post(JOIN, json={})
            assert refused.status_code == 403 and "another web page" in refused.json()["detail"]
            preflight = await evil.request("OPTIONS", JOIN, headers={"access-control-request-method": "POST"})
            for one in (refused, preflight, answer):
                assert not [name for name in one.headers if name.startswith("access-control")]
            assert preflight.status_code == 403 and len(site.seen) == 1

    run(test)


def test_unknown_paths_and_files_outside(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path)
        inside = tmp_path / "a.png"
        inside.write_bytes(b"x")
        (tmp_path / "link.png").symlink_to("/etc/passwd")
        async with site.client() as http:
            assert (await http.get("/monitoring")).status_code == 404
            assert (await http.get(f"/gradio_api/file={inside}")).status_code == 200
            for name in (
                "/etc/passwd",
                "https://example.com/a.png",
                f"{tmp_path}/../b",
                f"{tmp_path}/link.png",
                "a",
                "%00",
            ):
                answer = await http.get(f"/gradio_api/file={name}")
                assert answer.status_code == 404 and answer.json()["detail"] == "This file is not here.", name
        assert len(site.seen) == 1

    run(test)


def test_every_response_has_the_security_headers(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path)
        async with site.client() as http:
            for answer in (await http.get("/"), await http.get("/monitoring"), await http.get("/config")):
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
                assert "a mistake" not in answer.text

    run(test)


def test_sizes(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path)

        async def pieces(count: int) -> AsyncIterator[bytes]:
            for _ in range(count):
                yield b"x" * 100_000

        async with site.client() as http:
            assert (await http.post(UPLOAD, content=b"x" * 1_900_000)).json() == {"bytes": 1_900_000}
            assert (await http.post(JOIN, content=b"x" * 250_000)).status_code == 200
            assert (await http.post(JOIN, content=pieces(2))).json() == {"bytes": 200_000}
            for path, content, sentence in (
                (UPLOAD, b"x" * 2_000_001, "larger than 1 MB"),
                (UPLOAD, pieces(21), "larger than 1 MB"),
                (JOIN, b"x" * 256_001, "too large"),
                (JOIN, pieces(3), "too large"),
                ("/gradio_api/component_server", b"x" * 300_000, "too large"),
                ("/login", b"x" * 16_001, "too large"),
            ):
                answer = await http.post(path, content=content)
                assert answer.status_code == 413 and sentence in answer.json()["detail"], (path, answer.text)
            wrong = await http.post(JOIN, content=b"x", headers={"content-length": "-1"})
            assert wrong.status_code == 413

    run(test)


def test_a_slow_body_is_refused(tmp_path: Path) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x"
            await asyncio.sleep(0.05)

    async def test() -> None:
        site = Site(tmp_path, grace_seconds=0.2)
        for path in (JOIN, UPLOAD):
            async with site.client() as http:
                answer = await http.post(path, content=slow())
                assert answer.status_code == 408 and "too slowly" in answer.json()["detail"], path

    run(test)


def test_arriving_bytes_extend_the_time_limit_up_to_the_grace_period() -> None:
    clock = Clock()

    async def test() -> None:
        waits = iter([0.0, 15.0, 15.0, 19.0, 12.0])
        sizes = iter([10_000_000, 80_000, 80_000, 1, 1])

        async def receive() -> Any:
            clock.now += next(waits)
            return {"type": "http.request", "body": b"x" * next(sizes), "more_body": True}

        body = Body(receive, 1e9, 20.0, clock)
        for _ in range(4):
            await body.receive()
        for _ in range(3):  # 10 MB came at once, and are no credit for minutes of silence
            with pytest.raises(TooSlow):
                await body.receive()

    run(test)


def test_the_rate_limit_of_one_visitor_does_not_affect_others(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path, Rates(visitor=(5, 1.0)))
        mine, theirs = new_token(), new_token()
        async with site.client(x_wan_owner=mine) as http, site.client(x_wan_owner=theirs) as other:
            codes = [(await http.post(JOIN, json={})).status_code for _ in range(7)]
            assert codes == [200] * 5 + [429] * 2
            refused = await http.post(JOIN, json={})
            assert "Too many requests" in refused.json()["detail"] and refused.headers["retry-after"] == "1"
            assert (await http.get("/assets/a.js")).status_code == 200, "files are not counted"
            assert (await other.post(JOIN, json={})).status_code == 200
            site.clock.now += 1
            assert (await http.post(JOIN, json={})).status_code == 200

    run(test)


def test_only_a_signed_cookie_identifies_a_visitor(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path, Rates(visitor=(2, 9.0), address=(3, 9.0)))
        async with site.client() as one, site.client() as two, site.client() as bare:
            for http in (one, two):
                assert "HttpOnly" in (await http.get("/")).headers["set-cookie"]
                assert "set-cookie" not in (await http.get("/")).headers, "once is enough"
                codes = [(await http.post(JOIN, json={})).status_code for _ in range(3)]
                assert codes == [200, 200, 429], "each browser counts by itself, at one address"
            codes = []
            for _ in range(5):
                forged = {"cookie": f"wan-visitor={new_token()}.{new_token()[:24]}"}
                codes.append((await bare.post(JOIN, json={}, headers=forged)).status_code)
            assert codes == [200, 200, 200, 429, 429], "made-up cookies share their address's place"

    run(test)


def test_new_tokens_are_limited_by_address_and_in_all(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path, Rates(newcomers=(3, 60.0), all_newcomers=(4, 60.0)))
        known = new_token()
        async with site.client() as http, site.client("10.0.0.8") as other:
            codes = [
                (await http.post(JOIN, json={}, headers={"x-wan-owner": token})).status_code
                for token in (known, new_token(), new_token(), new_token(), known)
            ]
            assert codes == [200, 200, 200, 429, 200], "who was there before goes on"
            codes = [
                (await other.post(JOIN, json={}, headers={"x-wan-owner": new_token()})).status_code
                for _ in range(2)
            ]
            assert codes == [200, 429]
            assert "set-cookie" not in (await other.get("/")).headers, "the page is served all the same"

    run(test)


def test_programs_of_this_machine_may_bring_any_number_of_tokens(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path, Rates(newcomers=(1, 60.0)))
        transport = httpx.ASGITransport(site.middleware, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as http:
            for _ in range(5):
                answer = await http.post(JOIN, json={}, headers={"x-wan-owner": new_token()})
                assert answer.status_code == 200
            tunnel = {"x-wan-owner": new_token(), "host": HOST}
            assert (await http.post(JOIN, json={}, headers=tunnel)).status_code == 200
            assert (
                await http.post(JOIN, json={}, headers={**tunnel, "x-wan-owner": new_token()})
            ).status_code == 429

    run(test)


def test_requests_of_all_visitors_are_limited(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path, Rates(everybody=(3, 1.0)))
        codes = []
        for number in range(5):
            async with site.client(f"10.0.0.{number}") as http:
                codes.append((await http.post(JOIN, json={})).status_code)
        assert codes == [200, 200, 200, 503, 503]

    run(test)


def test_failed_logins_are_limited_by_address_and_in_all(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path, Rates(logins=(3, 30.0), all_logins=(5, 10.0)))
        wrong, right = {"username": "ann", "password": "guess"}, {"username": "ann", "password": "right"}
        async with site.client() as http, site.client("10.0.0.8") as other:
            for _ in range(10):
                assert (await http.post("/login", data=right)).status_code == 200, "success costs nothing"
            tries = await asyncio.gather(*(http.post("/login", data=wrong) for _ in range(6)))
            assert sorted(one.status_code for one in tries) == [400] * 3 + [429] * 3
            refused = await http.post("/login", data=right)
            assert refused.status_code == 429 and "Too many failed logins" in refused.json()["detail"]
            codes = [(await other.post("/login", data=wrong)).status_code for _ in range(3)]
            assert codes == [400, 400, 429], "five in all"
            site.clock.now += 30
            assert (await http.post("/login", data=right)).status_code == 200

    run(test)


def test_mcp_requires_the_login(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(
            tmp_path,
            Rates(logins=(2, 30.0)),
            accounts=Accounts((("ann", "right"),)),
            signed_in=lambda headers: headers.get("cookie") == "session=good",
        )

        def basic(text: str) -> dict[str, str]:
            return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}

        async with site.client() as http:
            for path in ("/gradio_api/mcp/", "/gradio_api/mcp/sse", "/gradio_api/mcp/schema"):
                answer = await http.get(path)
                assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Basic")
            assert (
                await http.post("/gradio_api/mcp/", headers={"cookie": "session=good"})
            ).status_code == 200
            assert (await http.post("/gradio_api/mcp/", headers=basic("ann:right"))).status_code == 200
            codes = [
                (await http.post("/gradio_api/mcp/", headers={"authorization": header})).status_code
                for header in (basic("ann:wrong")["authorization"], "Basic ???", "Bearer x")
            ]
            assert codes == [401, 401, 429]
        assert len(site.seen) == 2

    run(test)


def test_streams_and_uploads_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path, Rates(streams=(2, 3), uploads=(0, 9)), upload_wait_seconds=0.2)
        async with (
            site.client(x_wan_owner=new_token()) as http,
            site.client(x_wan_owner=new_token()) as other,
        ):
            waiting = [asyncio.create_task(http.get(DATA)) for _ in range(2)]
            await asyncio.sleep(0.1)
            refused = await http.get(DATA)
            assert refused.status_code == 429 and "open connections" in refused.json()["detail"]
            waiting.append(asyncio.create_task(other.get(DATA)))
            await asyncio.sleep(0.1)
            assert (await other.get(DATA)).status_code == 429, "three in all"
            site.hold.set()
            assert {(await task).status_code for task in waiting} == {200}
            assert (await http.get(DATA)).status_code == 200, "places are given back"
            assert (await http.post(UPLOAD, content=b"x")).status_code == 429

    run(test)


def test_uploads_stop_before_the_disk_is_full(tmp_path: Path) -> None:
    async def test() -> None:
        site, full = Site(tmp_path), Site(tmp_path, reserve_bytes=1 << 60)
        async with site.client() as http:
            assert (await http.post(UPLOAD, content=b"x")).status_code == 200
        async with full.client() as http:
            answer = await http.post(UPLOAD, content=b"x")
            assert answer.status_code == 507 and "almost full" in answer.json()["detail"]

    run(test)


def test_websockets_are_refused(tmp_path: Path) -> None:
    async def test() -> None:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await Site(tmp_path).middleware({"type": "websocket", "path": "/ws"}, send, send)  # type: ignore[arg-type]
        assert sent == [{"type": "websocket.close", "code": 1008}]

    run(test)


def test_a_proxy_in_a_folder(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path)
        transport = httpx.ASGITransport(site.middleware, root_path="/studio")
        async with httpx.AsyncClient(transport=transport, base_url="http://a.example") as http:
            assert (await http.get("/studio/monitoring")).status_code == 404
            assert (await http.get("/assets/a.js")).status_code == 200
            assert (await http.get("/studio/assets/a.js")).status_code == 200
        # A prefix that is also the begin of a path of the page
        site = Site(tmp_path, prefix="/page")
        async with site.client() as http:
            for path in ("/page/fonts/a.woff2", "/page/page/fonts/a.woff2", "/page/"):
                assert (await http.get(path)).status_code == 200, path
            bare = await http.get("/page?job=1")
            assert (bare.status_code, bare.headers["location"]) == (307, "/page/?job=1")

    run(test)


def test_an_open_page_is_stricter() -> None:
    usual = Rates()
    assert STRICT.newcomers[0] < usual.newcomers[0] and STRICT.all_newcomers[0] < usual.all_newcomers[0]
    assert STRICT.uploads < usual.uploads and STRICT.streams < usual.streams
    assert STRICT.all_newcomers[0] >= 40, "forty strangers can come in at once"


def test_rates_that_change_while_the_page_is_served_count_from_the_next_request(tmp_path: Path) -> None:
    async def test() -> None:
        now = [Rates(address=(1, 9.0))]
        site = Site(tmp_path, changing=lambda: now[0])
        async with site.client() as http:
            assert [(await http.post(JOIN, json={})).status_code for _ in range(3)] == [200, 429, 429]
            now[0] = Rates(address=(3, 9.0))
            assert [(await http.post(JOIN, json={})).status_code for _ in range(4)] == [200, 200, 200, 429]
            now[0] = Rates(address=(3, 9.0))
            assert (await http.post(JOIN, json={})).status_code == 429, "the same rates go on counting"

    run(test)


def test_a_slot_is_freed_in_the_counters_it_was_taken_from(tmp_path: Path) -> None:
    async def test() -> None:
        now = [Rates(streams=(1, 1))]
        site = Site(tmp_path, changing=lambda: now[0])
        async with site.client() as http:
            waiting = asyncio.create_task(http.get(DATA))
            while not site.streaming:
                await asyncio.sleep(0.01)
            now[0] = Rates(streams=(2, 2))
            site.hold.set()
            assert (await waiting).status_code == 200
            assert (await http.get(DATA)).status_code == 200

    run(test)
