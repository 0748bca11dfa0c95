"""The demo engine's HTTP and websocket API: ComfyUI's routes, bodies and status codes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import psutil
from aiohttp import WSMsgType, web

from backend.engines.demo.cache import Cache, Result
from backend.engines.demo.executor import Context, Executor, Options
from backend.engines.demo.faults import Faults, exit_immediately
from backend.engines.demo.folders import Folders
from backend.engines.demo.hub import Hub
from backend.engines.demo.media_routes import MediaRoutes
from backend.engines.demo.nodeinfo import NodeInfo
from backend.engines.demo.prompt_queue import PromptQueue, QueuedPrompt
from backend.engines.demo.validate import validate

COMFYUI_VERSION = "0.3.64"  # the version whose protocol was recorded
MAX_UPLOAD = 100 * 1024 * 1024  # bytes; ComfyUI's default
FEATURES = {"supports_preview_metadata": True, "max_upload_size": MAX_UPLOAD}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Demo engine</title>
<body style="font:16px/1.5 system-ui;max-width:38rem;margin:4rem auto;padding:0 1rem">
<h1 style="font-size:1.4rem">Demo engine of Wan Studio</h1>
<p>It has ComfyUI's API and needs no GPU. No model runs here: every result is made from the
picture that was sent, and is marked DEMO.</p></body></html>"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class DemoServer:
    """One demo engine. Create it inside the event loop that serves it, then call `start`."""

    def __init__(
        self,
        folders: Folders,
        options: Options,
        *,
        without: Iterable[str] = (),
        allow_faults: bool = False,
    ) -> None:
        self.info = NodeInfo(folders, without)
        self.hub = Hub(asyncio.get_running_loop())
        self.queue = PromptQueue(self._queue_changed)
        self.faults = Faults(lambda: self.hub.drop(self.executor.client), exit_immediately)
        cache = Cache(self.info.fingerprint)
        self.executor = Executor(self.queue, self.hub, self.info, options, self.faults, cache, _run_node)
        self._allow_faults = allow_faults
        self._media = MediaRoutes(folders)
        self._number = 0
        self._last_request = time.monotonic()

    def idle_seconds(self) -> float:
        """Seconds since the last request, running or waiting prompt, or connected client."""
        if self.queue.remaining() or self.hub.connected():
            self._last_request = time.monotonic()
        return time.monotonic() - self._last_request

    def app(self) -> web.Application:
        """The aiohttp application with all routes, also below /api."""
        app = web.Application(client_max_size=MAX_UPLOAD, middlewares=[self._guard])
        routes = [
            web.get("/ws", self.socket),
            web.get("/", self.page),
            web.get("/prompt", self.get_prompt),
            web.post("/prompt", self.post_prompt),
            web.get("/queue", self.get_queue),
            web.post("/queue", self.post_queue),
            web.get("/history", self.get_history),
            web.post("/history", self.post_history),
            web.get("/history/{id}", self.get_history_of),
            web.post("/interrupt", self.interrupt),
            web.post("/free", self.free),
            web.get("/object_info", self.object_info),
            web.get("/object_info/{name}", self.object_info),
            web.get("/system_stats", self.system_stats),
            web.get("/features", self.features),
            web.get("/models", self.models),
            web.get("/models/{folder}", self.models_of),
            web.get("/embeddings", self.embeddings),
            *self._media.table(),
        ]
        if self._allow_faults:
            routes += [web.get("/demo/faults", self.get_faults), web.post("/demo/faults", self.post_faults)]
        app.add_routes(routes)
        app.add_routes([web.route(r.method, "/api" + r.path, r.handler) for r in routes if r.path != "/"])
        return app

    def start(self) -> asyncio.Task[None]:
        """Starts the executor thread. Returns the task that delivers messages; cancel it at the end."""
        threading.Thread(target=self.executor.run_forever, daemon=True, name="executor").start()
        return asyncio.create_task(self.hub.deliver())

    def _queue_info(self) -> dict[str, Any]:
        return {"exec_info": {"queue_remaining": self.queue.remaining()}}

    def _queue_changed(self) -> None:
        self.hub.send("status", {"status": self._queue_info()})

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Rejects cross-site requests, as ComfyUI does, and applies `http_500` faults."""
        self._last_request = time.monotonic()
        host = request.url.host or ""
        origin = request.headers.get("Origin")
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            return web.Response(status=403)
        if host in LOOPBACK and origin and origin.split("//")[-1] != request.headers.get("Host"):
            return web.Response(status=403)
        if self._allow_faults and self.faults.at_path(request.path.removeprefix("/api")):
            raise RuntimeError("An injected fault.")
        return await handler(request)

    async def page(self, request: web.Request) -> web.Response:
        """GET /: a page that says what this server is."""
        return web.Response(text=PAGE, content_type="text/html")

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """GET /ws: the websocket of a client."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client = request.rel_url.query.get("clientId", "") or uuid.uuid4().hex
        self.hub.add(client, socket, request.transport)
        try:
            self.hub.send("status", {"status": self._queue_info(), "sid": client}, client)
            if self.executor.client == client and self.executor.node is not None:
                self.hub.send("executing", {"node": self.executor.node}, client)
            first = True
            async for message in socket:
                if message.type == WSMsgType.TEXT and first:
                    first = False
                    self._first_message(client, message.data)
        finally:
            self.hub.remove(client)
        return socket

    def _first_message(self, client: str, text: str) -> None:
        try:
            data = json.loads(text)
            if data.get("type") != "feature_flags":
                return
        except (ValueError, AttributeError):
            return
        self.hub.set_flags(client, data.get("data") or {})
        self.hub.send("feature_flags", FEATURES, client)

    async def get_prompt(self, request: web.Request) -> web.Response:
        """GET /prompt."""
        return web.json_response(self._queue_info())

    async def post_prompt(self, request: web.Request) -> web.Response:
        """POST /prompt."""
        body = await request.json()
        if "number" in body:
            number = float(body["number"])
        else:
            number = -self._number if body.get("front") else self._number
            self._number += 1
        if "prompt" not in body:
            return _refused("no_prompt", "No prompt provided", "No prompt provided")
        id = str(body.get("prompt_id", uuid.uuid4()))
        if not UUID.fullmatch(id):
            text = "prompt_id must be a canonical lowercase UUID"
            return _refused("invalid_prompt_id", text, id)
        graph = body["prompt"]
        result = validate(graph, self.info, body.get("partial_execution_targets"))
        if result.error is not None:
            answer = {"error": result.error, "node_errors": result.node_errors}
            return web.json_response(answer, status=400)
        extra = body.get("extra_data") or {}
        if "client_id" in body:
            extra["client_id"] = body["client_id"]
        self.queue.put(QueuedPrompt(number, id, graph, extra, result.targets))
        return web.json_response({"prompt_id": id, "number": number, "node_errors": result.node_errors})

    async def get_queue(self, request: web.Request) -> web.Response:
        """GET /queue."""
        running, pending = self.queue.snapshot()
        return web.json_response({"queue_running": running, "queue_pending": pending})

    async def post_queue(self, request: web.Request) -> web.Response:
        """POST /queue."""
        body = await request.json()
        if body.get("clear"):
            self.queue.clear()
        self.queue.delete(body.get("delete", []))
        return web.Response()

    async def get_history(self, request: web.Request) -> web.Response:
        """GET /history."""
        query = request.rel_url.query
        count = int(query["max_items"]) if "max_items" in query else None
        return web.json_response(self.queue.history(count=count, offset=int(query.get("offset", -1))))

    async def get_history_of(self, request: web.Request) -> web.Response:
        """GET /history/{id}."""
        return web.json_response(self.queue.history(request.match_info["id"]))

    async def post_history(self, request: web.Request) -> web.Response:
        """POST /history."""
        body = await request.json()
        if body.get("clear"):
            self.queue.forget()
        self.queue.forget(body.get("delete", []))
        return web.Response()

    async def interrupt(self, request: web.Request) -> web.Response:
        """Interrupts the running prompt; with a prompt id, only if that prompt is running."""
        try:
            body = await request.json()
        except json.JSONDecodeError:
            body = {}
        running = self.queue.running()
        wanted = body.get("prompt_id")
        if not wanted or (running is not None and running.id == wanted):
            self.executor.interrupt()
        return web.Response()

    async def free(self, request: web.Request) -> web.Response:
        """POST /free."""
        if (await request.json()).get("free_memory"):
            self.queue.free()
        return web.Response()

    async def object_info(self, request: web.Request) -> web.Response:
        """GET /object_info and GET /object_info/{name}."""
        return web.json_response(self.info.describe(request.match_info.get("name")))

    async def system_stats(self, request: web.Request) -> web.Response:
        """GET /system_stats."""
        total, free = memory()
        system = {
            "os": os.name,
            "ram_total": total,
            "ram_free": free,
            "comfyui_version": COMFYUI_VERSION,
            "python_version": sys.version,
            "pytorch_version": "none",
            "embedded_python": False,
            "argv": ["demo", *sys.argv[1:]],
            "wan_studio_demo": True,
        }
        device = {"name": "Demo engine, no GPU", "type": "cpu", "index": None}
        sizes = {"vram_total": total, "vram_free": free, "torch_vram_total": total, "torch_vram_free": free}
        return web.json_response({"system": system, "devices": [{**device, **sizes}]})

    async def features(self, request: web.Request) -> web.Response:
        """GET /features."""
        return web.json_response(FEATURES)

    async def models(self, request: web.Request) -> web.Response:
        """GET /models."""
        return web.json_response(list(self.info.model_files))

    async def models_of(self, request: web.Request) -> web.Response:
        """GET /models/{folder}."""
        files = self.info.model_files.get(request.match_info["folder"])
        return web.Response(status=404) if files is None else web.json_response(files)

    async def embeddings(self, request: web.Request) -> web.Response:
        """GET /embeddings."""
        return web.json_response([])

    async def get_faults(self, request: web.Request) -> web.Response:
        """GET /demo/faults."""
        return web.json_response(self.faults.pending())

    async def post_faults(self, request: web.Request) -> web.Response:
        """POST /demo/faults."""
        try:
            self.faults.configure(await request.json())
        except (ValueError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(self.faults.pending())


def _refused(kind: str, message: str, details: str) -> web.Response:
    error = {"type": kind, "message": message, "details": details, "extra_info": {}}
    return web.json_response({"error": error, "node_errors": {}}, status=400)


def _run_node(class_type: str, context: Context, inputs: dict[str, Any]) -> Result:
    from backend.engines.demo.nodes import run_node  # imports the image libraries

    return run_node(class_type, context, inputs)


def memory() -> tuple[int, int]:
    """Total and available RAM of this machine in bytes."""
    found = psutil.virtual_memory()
    return found.total, found.available
