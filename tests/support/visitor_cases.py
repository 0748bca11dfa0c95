"""More attacks and their expected outcomes, as in security_cases.py: sessions that do not exist, MCP, copies,
private links."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import Any

import httpx
from mcp import ClientSession

from backend.security.tokens import new_token
from tests.support import who_may
from tests.support.attack import Case, collector, event_values, made, once, png, said
from tests.support.security_site import META, Site, Visitor
from tests.support.tool_client import TRANSPORTS, basic, data_address, record, texts, use_tools

CASES: list[Case] = []
case = collector(CASES)
MADE_UP = "0123456789abcdef0123456789abcdef"
LONG = "x" * 300


# -- what does not exist ------------------------------------------------------------------------------


def gets(site: Site) -> list[str]:
    api = "/gradio_api"
    return [
        f"{api}/queue/data?session_hash={MADE_UP}", f"{api}/queue/data",
        f"{api}/queue/data?session_hash={LONG}",
        f"{api}/queue/data?session_hash=", f"{api}/call/job/{MADE_UP}", f"{api}/call/v2/job/{MADE_UP}",
        f"{api}/call/none/{MADE_UP}", f"{api}/call/job/{LONG}", f"{api}/upload_progress?upload_id={LONG}",
        f"{api}/upload_progress", f"{api}/file={MADE_UP}", f"{api}/file={site.uploads}/{LONG}/{LONG}",
        f"{api}/file={site.uploads}/{MADE_UP}/a.png", f"{api}/file={site.uploads}", f"{api}/file=%00",
        f"{api}/info?page={MADE_UP}", f"{api}/openapi.json?page=x", f"{api}/mcp/{MADE_UP}",
        f"{api}/mcp/schema?tools={MADE_UP}", f"{api}/queue/status", f"{api}/user", f"{api}/token",
        f"/?page={MADE_UP}", f"/config?page={MADE_UP}", f"/config?deep_link={MADE_UP}",
        f"/?deep_link={MADE_UP}",
        f"/static/{LONG}", "/static/%00", "/static/..%2f..%2fx", f"/assets/{LONG}.js", "/assets/%00",
        f"/svelte/{LONG}", f"/page/{LONG}", "/page/%00", "/pwa_icon/none", "/pwa_icon/99999999",
        "/manifest.json",
        f"/media/{MADE_UP}/result.mp4", f"/media/{LONG}/{LONG}", "/media/%00/%00", f"/preview?path={LONG}",
        f"/preview?path={site.uploads}/{LONG}", "/preview?path=%00", "/preview", "/robots.txt", "/theme.css",
    ]  # fmt: skip


def posts() -> list[tuple[str, Any]]:
    event = {"session_hash": MADE_UP, "data": [], "event_data": None}
    call = {"component_id": 99_999, "fn_name": "poll", "session_hash": MADE_UP, "data": None}
    cancel = {"session_hash": MADE_UP, "fn_index": 3, "event_id": MADE_UP}
    return [
        ("queue/join", {**event, "fn_index": 99_999}), ("queue/join", {**event, "fn_index": -1}),
        ("queue/join", event), ("queue/join", {**event, "fn_index": "x"}), ("queue/join", []),
        ("queue/join", {**event, "fn_index": 0, "session_hash": [MADE_UP]}), ("queue/join", b"{"),
        ("run/predict", {**event, "fn_index": 99_999}), ("run/none", {"data": []}),
        ("api/none", {"data": []}),
        ("run/job", {"data": ["x"]}), ("run/job", {"data": "x"}),
        ("run/job", {"event_id": MADE_UP, "data": []}),
        ("call/none", {"data": []}), ("call/v2/none", {}), ("call/v2/job", {"none": 1}), ("call/v2/job", []),
        ("call/job", {"data": "x"}), ("call/job", {"data": [1] * 99, "session_hash": MADE_UP}),
        ("call/job", {"data": [{"path": MADE_UP, "meta": META}]}), ("call/job", b"\xff"),
        ("cancel", cancel), ("cancel", {**cancel, "fn_index": 99_999}), ("cancel", {}), ("cancel", b"x"),
        ("reset", {"event_id": MADE_UP}), ("reset", {}),
        ("component_server", call), ("component_server", {**call, "component_id": [1]}),
        ("component_server", {**call, "component_id": 1, "fn_name": "__class__"}),
        ("component_server", {**call, "component_id": 1, "session_hash": {}}), ("component_server", {}),
        ("component_server", b"x"), ("upload", b"x"), (f"upload?upload_id={LONG}", b"x"),
        ("mcp/", {}), ("mcp/", b"{"), ("mcp/", b"[" * 50_000), ("mcp/", b'{"id": ' + b"9" * 5_000 + b"}"),
        ("mcp/messages/", {}), (f"mcp/messages/?session_id={MADE_UP}", {}),
        ("mcp/messages/?session_id=none", {}),
        ("mcp/", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": MADE_UP}}),
    ]  # fmt: skip


@case(
    "sessions, events, components, uploads, pages and files that do not exist, by every route",
    "refused without a traceback",
)
def _(site: Site) -> str:
    visitor, seen, before = Visitor(site), set(), len(site.log())
    accept = {"Accept": "application/json, text/event-stream"}
    for path in gets(site):
        answer = visitor.http.get(path, headers=accept)
        seen.add("refused" if answer.status_code < 500 else f"GET {path} {answer.status_code}")
    for path, body in posts():
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        answer = visitor.http.post(f"/gradio_api/{path}", headers=accept, **content)  # type: ignore[arg-type]
        said_so = path.startswith("run/") and "error" in answer.text  # Gradio answers so to any error there
        seen.add(
            "refused" if answer.status_code < 500 or said_so else f"POST {path} {body} {answer.status_code}"
        )
    upload = visitor.upload("a.png", png(8, 8))
    for given in ("bytes=1-2-3", "bytes=9-1", "bytes=99999999-", "bytes=-0", "bytes=x", "x", "bytes=0-0,5-9"):
        answer = visitor.http.get(f"/gradio_api/file={upload}", headers={"Range": given})
        seen.add("refused" if answer.status_code < 500 else f"Range {given} {answer.status_code}")
    for path in (f"/gradio_api/heartbeat/{MADE_UP}", f"/gradio_api/queue/data?session_hash={MADE_UP}"):
        for _ in range(2):
            leave(site, path)
    logged = site.log()[before:]
    traced = logged[logged.index("Traceback") :][:2000] if "Traceback" in logged else ""
    return traced or f"{once(seen)} without a traceback"


def leave(site: Site, path: str) -> None:
    """Opens a stream and disconnects after its first bytes."""
    with socket.create_connection(("127.0.0.1", site.port)) as connection, contextlib.suppress(OSError):
        connection.settimeout(60)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        connection.recv(100)


@case("100 uploads with made-up ids and no file", "answered")
def _(site: Site) -> str:
    visitor, seen = Visitor(site), set()
    for number in range(100):
        answer = visitor.http.post(f"/gradio_api/upload?upload_id={number}-{MADE_UP}", content=b"x")
        seen.add("answered" if answer.status_code < 500 else str(answer.status_code))
    return once(seen)


# -- names ------------------------------------------------------------------------------------------


@case("the page at the name of another site, as after DNS rebinding, by every kind of route", "421")
def _(site: Site) -> str:
    rebound, seen = Visitor(site, {"Host": f"evil.example:{site.port}"}), set()
    for path in (
        "/",
        "/config",
        "/healthz",
        "/gradio_api/info",
        "/gradio_api/mcp/sse",
        "/media/a/result.mp4",
    ):
        answer = rebound.http.get(path)
        seen.add(str(answer.status_code) if "WAN_ALLOWED_HOSTS" in answer.text else answer.text)
    for path in ("queue/join", "component_server", "upload", "mcp/", "call/job"):
        seen.add(str(rebound.post(f"/gradio_api/{path}").status_code))
    return once(seen)


@case("X-Forwarded-Host with another site's name, and x-gradio-server", "not in any address")
def _(site: Site) -> str:
    seen = set()
    for headers in (
        {"X-Forwarded-Host": "evil.example"},
        {"X-Gradio-Server": "http://evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "203.0.113.9"},
    ):
        for path in ("/config", "/", "/gradio_api/info", "/gradio_api/mcp/"):
            text = Visitor(site, headers).http.get(path).text
            seen.add("not in any address" if "//evil.example" not in text else f"{headers} {path}")
    return once(seen)


# -- copies -----------------------------------------------------------------------------------------


@case("a result that is asked for ten times", "one copy")
def _(site: Site) -> str:
    owner = Visitor(site)
    job = made(owner)
    paths = set()
    for _ in range(10):
        kind, answer = Visitor(site).call("result", job["id"], job["key"])
        assert kind == "complete", answer
        paths.add(answer[0]["path"])
    found = list(site.uploads.rglob(f"wan-*{job['id'][:8]}*"))
    return "one copy" if len(paths) == len(found) == 1 else f"{len(paths)} paths, {len(found)} files"


# -- private links ----------------------------------------------------------------------------------


@case("every event of the page that only the owner may use, with a private link's id and key", "refused")
def _(site: Site) -> str:
    """The table of tests/support/who_may.py; others than the owner's events are in other cases."""
    victim, guest = Visitor(site), Visitor(site)
    job = made(victim, "A lake for guests")
    data = {
        "id": job["id"], "key": job["key"], "shown": "", "change": "{}", "mode": "image_to_video",
        "field": "image", "picked": [[job["id"], job["key"]]],
    }  # fmt: skip
    seen = set()
    for elem, event in who_may.events("owner"):
        fn = site.fn(elem, event)
        answer = str(guest.event(fn, event_values(site, fn, guest), data))
        leaks = "A lake for guests" in answer or job["id"] in answer
        seen.add(f"{elem} {event} leaks" if leaks else "refused")
    for elem, event in who_may.events("link"):
        fn = site.fn(elem, event)
        answer = str(guest.event(fn, event_values(site, fn, guest), data))
        seen.add(
            "refused" if "workflow.json" not in answer and "/input?" not in answer else f"{event} shows it"
        )
    kind, after = victim.call("job", job["id"], job["key"])
    mine = str(victim.event(site.fn("tab-library", "select"), [victim.token, "", "", 60, "any"]))
    same = kind == "complete" and after[0]["status"] == "done" and mine.count(f'data-id="{job["id"]}"') > 0
    assert 'aria-pressed="true' not in mine, "not pinned"
    return once(seen) if same else f"{after} {mine[:500]}"


@case("a private link's id and key to every endpoint and tool that takes them", "look, fetch, cancel")
def _(site: Site) -> str:
    victim, guest = Visitor(site), Visitor(site)
    job = made(victim)
    for name in ("job", "result", "cancel"):
        kind, answer = guest.call(name, job["id"], job["key"])
        assert kind == "complete", (name, answer)
    endpoints = guest.http.get("/gradio_api/info").json()["named_endpoints"]
    takes = {
        name[1:]: [parameter["parameter_name"] for parameter in endpoint["parameters"]]
        for name, endpoint in endpoints.items()
    }
    taking = {name for name, names in takes.items() if {"id", "key"} <= set(names)}
    unknown = taking - who_may.ENDPOINTS.keys()
    assert not unknown, f"who may use {unknown}?"
    for name in [name for name in taking if who_may.ENDPOINTS[name] == "owner"]:
        given = [job.get(one) for one in takes[name][: takes[name].index("key") + 1]]
        kind, answer = guest.call(name, *given)
        assert kind == "error" and "owner" in said(answer), (name, answer)
    return "look, fetch, cancel"


# -- MCP --------------------------------------------------------------------------------------------


async def a_video(session: ClientSession) -> tuple[dict[str, Any], str, list[tuple[float, str | None]]]:
    """(record, address of the file, progress) of a video that is made with a picture inside the request."""
    told: list[tuple[float, str | None]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    wanted = {
        "image": data_address(png(64, 64)),
        "prompt": "A boat",
        "width": 64,
        "height": 64,
        "seconds": 0.5,
    }
    answer = await session.call_tool("fast_video", wanted, progress_callback=tell)
    assert not answer.isError, texts(answer)
    address = re.search(r"http://[^\s']+\.mp4", " ".join(texts(answer)))
    assert address, texts(answer)
    return record(answer), address[0], told


@case("MCP with the official client over streamable HTTP and SSE", "videos, records, refusals in sentences")
def _(site: Site) -> str:
    for transport in TRANSPORTS:

        async def work(session: ClientSession) -> None:
            names = {tool.name for tool in (await session.list_tools()).tools}
            assert {"image_to_video", "job", "result", "cancel"} <= names
            job, address, told = await a_video(session)
            assert job["status"] == "done" and told and sorted(told) == told, (job, told)
            assert httpx.get(address, trust_env=False).status_code == 200
            asked = {"id": job["id"], "key": job["key"]}
            for name in ("job", "result", "cancel"):
                assert record(await session.call_tool(name, asked))["id"] == job["id"]
            wrong = await session.call_tool("job", {"id": job["id"], "key": new_token()})
            assert wrong.isError and "There is no such video" in texts(wrong)[0], texts(wrong)
            short = await session.call_tool("text_to_video", {"prompt": "A boat", "seconds": 99})
            assert short.isError and "The length must be between" in texts(short)[0], texts(short)
            none = await session.call_tool("none", {})
            assert none.isError

        use_tools(site.url, transport, {"X-Wan-Owner": new_token()}, work)
    return "videos, records, refusals in sentences"


@case("MCP with the official client and a login, over both transports", "videos", locked=True)
def _(site: Site) -> str:
    login = basic("ann", "right-password")

    async def work(session: ClientSession) -> tuple[dict[str, Any], str]:
        job, address, _ = await a_video(session)
        asked = await session.call_tool("job", {"id": job["id"], "key": job["key"]})
        assert record(asked)["status"] == "done"
        return job, address

    for transport in TRANSPORTS:
        job, address = use_tools(site.url, transport, {**login, "X-Wan-Owner": new_token()}, work)
        assert job["status"] == "done"
        assert httpx.get(address, headers=login, trust_env=False).status_code == 200
        assert httpx.get(address, trust_env=False).status_code == 401
    return "videos"


@case("MCP over both transports without a login, and with a wrong one", "401", locked=True)
def _(site: Site) -> str:
    seen = set()

    async def work(session: ClientSession) -> None:
        await session.list_tools()

    for transport in TRANSPORTS:
        for headers in ({}, basic("ann", "guess")):
            try:
                use_tools(site.url, transport, headers, work)
                seen.add(f"{transport} let {headers} in")
            except BaseException as error:
                seen.add("401" if "401" in all_texts(error) else all_texts(error))
    return once(seen)


def all_texts(error: BaseException) -> str:
    """The texts of an exception and of all in its group."""
    inner = " ".join(all_texts(one) for one in getattr(error, "exceptions", ()))
    return f"{error} {inner}"


@case("heartbeats, cancelling, streams and previews without a login", "401", locked=True)
def _(site: Site) -> str:
    visitor, seen = Visitor(site), set()
    for path in (
        f"/gradio_api/heartbeat/{MADE_UP}", f"/gradio_api/queue/data?session_hash={MADE_UP}",
        f"/gradio_api/call/job/{MADE_UP}", f"/gradio_api/upload_progress?upload_id={MADE_UP}",
        "/gradio_api/mcp/sse", "/preview?path=x",
    ):  # fmt: skip
        seen.add(str(visitor.http.get(path).status_code))
    for path in ("cancel", "reset", "component_server", "mcp/messages/?session_id=x"):
        seen.add(str(visitor.post(f"/gradio_api/{path}").status_code))
    return once(seen)


@case("a page and a client that have logged in, by form and by Basic", "served", locked=True)
def _(site: Site) -> str:
    page = Visitor(site).log_in("bob", "other-password")
    client = Visitor(site, basic("bob", "other-password"))
    forged = Visitor(site, {**basic("bob", "other-password"), "Cookie": "access-token-x=1; a=b"})
    seen = set()
    for visitor in (page, client, forged):
        seen.add("served" if "badge" in visitor.poll({}) else "not served")
        seen.add(
            "served" if visitor.http.get("/gradio_api/user").json() in ("bob", None) else "somebody else"
        )
    return once(seen)
