"""A small app behind the middleware, called without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from backend.web.hosts import Hosts
from backend.web.middleware import AccessMiddleware, Rules
from backend.web.request_rates import Rates

HOST = "x-7860.proxy.runpod.net"
JOIN, UPLOAD, DATA = "/gradio_api/queue/join", "/gradio_api/upload", "/gradio_api/queue/data"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Site:
    """An app behind the middleware that returns the number of bytes it received, and its client."""

    def __init__(
        self,
        folder: Path,
        rates: Rates | None = None,
        changing: Callable[[], Rates] | None = None,
        **rules: Any,
    ) -> None:
        self.clock, self.hold, self.streaming = Clock(), asyncio.Event(), 0
        self.seen: list[tuple[str, dict[str, str]]] = []

        async def echo(request: Request) -> Response:
            self.seen.append((request.url.path, dict(request.headers)))
            return JSONResponse({"bytes": len(await request.body())})

        async def login(request: Request) -> Response:
            form = await request.form()
            right = form.get("password") == "right"
            return JSONResponse({"success": right}, 200 if right else 400)

        async def stream(request: Request) -> Response:
            self.streaming += 1
            await self.hold.wait()
            return PlainTextResponse("data")

        async def broken(request: Request) -> Response:
            raise ValueError("a mistake of ours")

        app = Starlette(
            routes=[
                Route("/login", login, methods=["POST"]),
                Route(DATA, stream),
                Route("/config", broken),
                Route("/{path:path}", echo, methods=["GET", "POST"]),
            ]
        )
        rules.setdefault("hosts", Hosts([HOST, "a.example"]))
        self.middleware = AccessMiddleware(
            app,
            Rules(rules.pop("max_upload_bytes", 1_000_000), folder, b"secret", rates or Rates(), **rules),
            self.clock,
            changing,
        )

    def client(self, address: str = "10.0.0.7", **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.middleware, client=(address, 1234), raise_app_exceptions=False)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.AsyncClient(transport=transport, base_url=f"https://{HOST}", headers=named)
