"""How many pages the app can serve: polls of a running job, at the page's interval and as fast as possible.

Each poller sends the requests of the page's job card once a second, as a page does while its video is made,
and fetches each new preview. The pollers run in this process, the app in another."""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from gradio_client import Client

from benchmarks.served import App, app, load


@dataclass
class Seen:
    """Totals of all pollers: seconds per answer, bytes, errors."""

    seconds: list[float] = field(default_factory=list)
    bytes: int = 0
    failed: int = 0


async def poller(
    session: aiohttp.ClientSession, url: str, body: dict[str, Any], end: float, pause: float, seen: Seen
) -> None:
    if pause:
        await asyncio.sleep(random.uniform(0, pause))
    preview = 0
    while time.perf_counter() < end:
        began = time.perf_counter()
        ask = {**body, "data": {**body["data"], "seen": preview}}
        try:
            async with session.post(f"{url}/gradio_api/component_server", json=ask) as answer:
                data = await answer.read()
                if answer.status == 200:
                    seen.seconds.append(time.perf_counter() - began)
                    seen.bytes += len(data)
                    job = (await answer.json()).get("job") or {}
                    preview = job.get("preview", preview)
                else:
                    seen.failed += 1
        except (TimeoutError, aiohttp.ClientError):
            seen.failed += 1
        await asyncio.sleep(max(0.0, pause - (time.perf_counter() - began)))


async def arrive(served: App, body: dict[str, Any], count: int) -> str:
    """The first poll of each poller, one after the other: Gradio creates a session for it."""
    cpu, memory = served.cpu_seconds(), served.memory()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        for number in range(count):
            ask = {**body, "session_hash": f"watcher{number}"}
            async with session.post(f"{served.url}/gradio_api/component_server", json=ask) as answer:
                await answer.read()
    cost, more = served.cpu_seconds() - cpu, served.memory() - memory
    return (
        f"{count} new sessions: {1000 * cost / count:.1f} ms of a core and {more / count / 1e6:.2f} MB each"
    )


async def watch(served: App, body: dict[str, Any], count: int, seconds: float, pause: float) -> str:
    seen = Seen()
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        before, began = served.cpu_seconds(), time.perf_counter()
        end = began + seconds
        await asyncio.gather(
            *(
                poller(session, served.url, {**body, "session_hash": f"watcher{n}"}, end, pause, seen)
                for n in range(count)
            )
        )
        took, cpu = time.perf_counter() - began, served.cpu_seconds() - before
    if not seen.seconds:
        return f"{count:5d} pollers: no answers, {seen.failed} failed"
    ordered = sorted(seen.seconds)
    return (
        f"{count:5d} pollers: {len(ordered) / took:7.1f} answers/s,"
        f" p50 {1000 * statistics.median(ordered):7.1f} ms,"
        f" p95 {1000 * ordered[int(0.95 * (len(ordered) - 1))]:7.1f} ms,"
        f" app {100 * cpu / took:5.1f} % of a core, {1000 * cpu / len(ordered):5.2f} ms of it an answer,"
        f" {seen.bytes / len(ordered) / 1000:5.1f} kB an answer, {seen.failed} failed,"
        f" app {served.memory() / 1e6:.0f} MB"
    )


def card(client: Client) -> int:
    """The component that answers polls."""
    for component in client.config["components"]:
        if "poll" in str(component.get("props", {}).get("server_fns", [])):
            return int(component["id"])
    raise RuntimeError("the page has no card that polls")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[50, 200, 500])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with app(WAN_DEMO_STEP_SECONDS="5") as served:
        client = Client(served.url, verbose=False)
        _, job = client.predict(
            prompt="A boat", steps=100, seconds=1.0, wait=False, api_name="/text_to_video"
        )
        body = {"component_id": card(client), "fn_name": "poll", "data": {"id": job["id"], "key": job["key"]}}
        time.sleep(3)
        print(" ", asyncio.run(arrive(served, body, max(arguments.counts))), flush=True)
        for run in range(arguments.runs):
            print(f"run {run + 1}, {load()}")
            for count in arguments.counts:
                print(" ", asyncio.run(watch(served, body, count, arguments.seconds, 1.0)), flush=True)
            print("  flat out:", flush=True)
            print(" ", asyncio.run(watch(served, body, 20, arguments.seconds / 2, 0.0)), flush=True)
        client.predict(id=job["id"], key=job["key"], api_name="/cancel")


if __name__ == "__main__":
    main()
