"""Floods of requests from strangers against the real app, and what becomes of it and of another visitor.

    .venv/bin/python -m benchmarks.floods [--seconds 30] [--only uploads] [--jobs 1000]

For each flood: the answers that it got, memory and descriptors of the app before, at most and afterwards,
the bytes that it wrote to the log, and how long another visitor waited for the page's poll meanwhile. --jobs
makes that many videos with the demo engine instead.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from backend.security.tokens import new_token
from benchmarks.served import load
from tests.support.security_site import Site, Visitor
from tests.support.tool_client import basic

HOST = "x-7860.proxy.runpod.net"
OPEN = {"RUNPOD_POD_ID": "x", "GRADIO_SERVER_NAME": "0.0.0.0", "WAN_LOG_LEVEL": "info"}
FLOOD, OTHER = "203.0.113.9", "203.0.113.77"
API = "/gradio_api"
WORKERS = 8
SMALL = {"width": 64, "height": 64, "seconds": 0.25, "speed": "fast"}
numbers = itertools.count()

Ask = Callable[["Scene", httpx.AsyncClient], Awaitable[object]]


@dataclass
class Scene:
    """The site, and one finished job of somebody."""

    site: Site
    job: dict[str, Any]
    card: int
    event: int


@dataclass
class Watch:
    """The app during a flood, from outside."""

    site: Site
    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)  # what came instead of an answer -> how often

    def look(self) -> tuple[int, int]:
        process = psutil.Process(self.site.process.pid)
        found = process.memory_info().rss, process.num_fds()
        self.memory.append(found[0])
        self.files.append(found[1])
        return found

    async def run(self, scene: Scene, end: float) -> None:
        """Polls twice a second as another visitor's page does."""
        headers = {"Host": HOST, "X-Forwarded-For": OTHER, "X-Wan-Owner": new_token()}
        body = {"component_id": scene.card, "fn_name": "poll", "session_hash": "other", "data": {}}
        async with client(self.site, headers) as http:
            while time.perf_counter() < end:
                self.look()
                began = time.perf_counter()
                try:
                    answer = await http.post(f"{API}/component_server", json=body)
                    if answer.status_code != 200:
                        self.failed[str(answer.status_code)] += 1
                except httpx.HTTPError as error:
                    self.failed[type(error).__name__] += 1
                self.waits.append(time.perf_counter() - began)
                await asyncio.sleep(0.5)


def client(site: Site, headers: dict[str, str], seconds: float = 60.0) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=2_000)
    return httpx.AsyncClient(
        base_url=site.url, headers=headers, timeout=seconds, trust_env=False, limits=limits
    )


def one(method: str, path: str, **more: Any) -> Ask:
    return lambda scene, http: http.request(method, path, **more)


async def new_session(scene: Scene, http: httpx.AsyncClient) -> object:
    body = {"component_id": scene.card, "fn_name": "poll", "session_hash": f"s{next(numbers)}", "data": {}}
    return await http.post(f"{API}/component_server", json=body)


async def unread_event(scene: Scene, http: httpx.AsyncClient) -> object:
    body = {"fn_index": scene.event, "data": [new_token(), {}], "session_hash": f"s{next(numbers)}"}
    return await http.post(f"{API}/queue/join", json=body)


async def new_visitor(scene: Scene, http: httpx.AsyncClient) -> object:
    return await http.post(f"{API}/cancel", json={}, headers={"X-Wan-Owner": new_token()})


async def new_browser(scene: Scene, http: httpx.AsyncClient) -> object:
    return await http.post(f"{API}/cancel", json={}, headers={"User-Agent": f"browser {next(numbers)}"})


async def made_up_progress(scene: Scene, http: httpx.AsyncClient) -> object:
    return await http.get(f"{API}/upload_progress", params={"upload_id": f"u{next(numbers)}"})


async def marked_upload(scene: Scene, http: httpx.AsyncClient) -> object:
    files = {"files": ("a.bin", b"x" * 100)}
    return await http.post(f"{API}/upload", params={"upload_id": f"u{next(numbers)}"}, files=files)


async def result(scene: Scene, http: httpx.AsyncClient) -> object:
    begun = await http.post(f"{API}/call/result", json={"data": [scene.job["id"], scene.job["key"]]})
    if begun.status_code == 200:
        await http.get(f"{API}/call/result/{begun.json()['event_id']}")
    return begun


async def tool(scene: Scene, http: httpx.AsyncClient) -> object:
    call = {"name": "job", "arguments": {"id": scene.job["id"], "key": new_token()}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    accept = {"Accept": "application/json, text/event-stream"}
    return await http.post(f"{API}/mcp/", json=body, headers=accept)


async def held(scene: Scene, http: httpx.AsyncClient, path: str) -> object:
    """A stream that is held open; each by another visitor."""
    async with http.stream("GET", path, headers={"X-Wan-Owner": new_token()}) as answer:
        if answer.status_code == 200:
            async for _ in answer.aiter_bytes():
                pass
    return answer


async def slow_upload(scene: Scene, http: httpx.AsyncClient) -> object:
    async def drops() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        while True:
            yield b"x" * 10_000
            await asyncio.sleep(1)

    headers = {"Content-Type": "multipart/form-data; boundary=b", "X-Wan-Owner": new_token()}
    return await http.post(f"{API}/upload", content=drops(), headers=headers)


FLOODS: dict[str, tuple[Ask, int]] = {
    "unknown paths": (one("GET", "/none"), WORKERS),
    "another site's name": (one("GET", "/", headers={"Host": "evil.example"}), WORKERS),
    "the page": (one("GET", "/"), WORKERS),
    "polls in new sessions": (new_session, WORKERS),
    "events with unread messages": (unread_event, WORKERS),
    "new owner tokens": (new_visitor, WORKERS),
    "new browsers without a cookie": (new_browser, WORKERS),
    "heartbeats": (lambda scene, http: held(scene, http, f"{API}/heartbeat/s{next(numbers)}"), 300),
    "streams of unknown sessions": (one("GET", f"{API}/queue/data?session_hash=none"), WORKERS),
    "MCP streams": (lambda scene, http: held(scene, http, f"{API}/mcp/sse"), 300),
    "progress of made-up uploads": (made_up_progress, 200),
    "uploads with made-up ids": (marked_upload, WORKERS),
    "slow uploads": (slow_upload, 100),
    "one result": (result, WORKERS),
    "tool calls": (tool, WORKERS),
    "guessed logins": (one("POST", "/login", data={"username": "ann", "password": "x"}), WORKERS),
    "guessed logins by header": (
        one("GET", f"{API}/mcp/", headers=basic("ann", "x")),
        WORKERS,
    ),
}
"""name -> (one request, how many at once)"""


async def flood(scene: Scene, ask: Ask, workers: int, end: float) -> Counter[str]:
    seen: Counter[str] = Counter()

    async def worker(http: httpx.AsyncClient) -> None:
        while time.perf_counter() < end:
            try:
                answer = await asyncio.wait_for(ask(scene, http), max(0.1, end - time.perf_counter()))
                status = getattr(answer, "status_code", 0)
                seen[str(status)] += 1
                if status in (429, 503):
                    await asyncio.sleep(0.02)
            except TimeoutError:
                seen["held"] += 1
            except (httpx.HTTPError, OSError) as error:
                seen[type(error).__name__] += 1
                await asyncio.sleep(0.05)

    async with client(scene.site, {"Host": HOST, "X-Forwarded-For": FLOOD}) as http:
        await asyncio.gather(*(worker(http) for _ in range(workers)))
    return seen


async def measured(scene: Scene, name: str, seconds: float) -> str:
    ask, workers = FLOODS[name]
    watch = Watch(scene.site)
    memory, files = watch.look()
    logged = len(scene.site.log().encode())
    end = time.perf_counter() + seconds
    seen, _ = await asyncio.gather(flood(scene, ask, workers, end), watch.run(scene, end))
    await asyncio.sleep(3)
    peak, most = max(watch.memory), max(watch.files)
    after, left = watch.look()
    written = len(scene.site.log().encode()) - logged
    waits = sorted(watch.waits)
    refused = ", ".join(f"{count} x {why}" for why, count in watch.failed.items())
    answers = ", ".join(f"{count} x {status}" for status, count in seen.most_common(4))
    return (
        f"| {name} | {answers} | {mb(memory)} / {mb(peak)} / {mb(after)} |"
        f" {files} / {most} / {left} | {written} |"
        f" {1000 * statistics.median(waits):.0f} / {1000 * waits[int(len(waits) * 0.95)]:.0f} /"
        f" {1000 * waits[-1]:.0f} | {refused or 0} of {len(waits)} |"
    )


def mb(size: int) -> str:
    return f"{size / 1e6:.0f}"


def scene_of(site: Site) -> Scene:
    visitor = Visitor(site)
    kind, answer = visitor.call("text_to_video", "A boat", "", "16:9", "480p", 64, 64, 0.25, "fast")
    if kind != "complete":
        raise RuntimeError(str(answer))
    return Scene(site, answer[1], site.component("ws-card"), site.fn("ws-card", "show"))


async def floods(site: Site, seconds: float, only: str) -> None:
    scene = scene_of(site)
    print(f"{seconds:g} s each; {load()}\n", flush=True)
    print("| flood | answers | MB before / peak / after | descriptors | log bytes | other visitor's poll"
          " p50 / p95 / max, ms | refused |\n|---|---|---|---|---|---|---|", flush=True)  # fmt: skip
    for name in FLOODS:
        if only in name:
            print(await measured(scene, name, seconds), flush=True)


async def jobs(site: Site, count: int) -> None:
    """Makes videos through the API, eight callers at once, and prints a line for every tenth."""
    watch, done = Watch(site), 0
    began = time.perf_counter()
    print(f"{load()}\n\n| jobs | seconds | MB | descriptors | log bytes |\n|---|---|---|---|---|", flush=True)

    def line() -> None:
        memory, files = watch.look()
        took, written = time.perf_counter() - began, len(site.log().encode())
        print(f"| {done} | {took:.0f} | {mb(memory)} | {files} | {written} |", flush=True)

    async def caller(http: httpx.AsyncClient) -> None:
        nonlocal done
        headers = {"X-Wan-Owner": new_token()}
        while done < count:
            body = {"prompt": "A boat", **SMALL}
            begun = await http.post(f"{API}/call/v2/text_to_video", json=body, headers=headers)
            begun.raise_for_status()
            await http.get(f"{API}/call/v2/text_to_video/{begun.json()['event_id']}", headers=headers)
            done += 1
            if done % max(1, count // 10) == 0:
                line()

    line()
    async with client(site, {}, 600) as http:
        await asyncio.gather(*(caller(http) for _ in range(8)))
    await asyncio.sleep(5)
    line()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each flood")
    parser.add_argument("--only", default="", help="part of a flood's name")
    parser.add_argument("--jobs", type=int, default=0, help="make this many videos instead")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wan-floods-") as folder:
        environ = {**OPEN, "WAN_MAX_QUEUED_PER_OWNER": "100"} if wanted.jobs else OPEN
        site = Site(Path(folder), **environ)
        with contextlib.closing(site):
            if wanted.jobs:
                asyncio.run(jobs(site, wanted.jobs))
            else:
                asyncio.run(floods(site, wanted.seconds, wanted.only))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
