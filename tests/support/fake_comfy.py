"""A scripted ComfyUI server in this process: plays recorded frames and injects failures.

    with FakeComfy() as server:
        server.script = play(named("success_t2v"))
        server.answer("GET", "/queue", status(500))

A script is a list of steps: a frame is sent to the socket of the client that posted the prompt; DROP aborts
that socket, CLOSE closes it with a handshake, FORGET makes the server forget it; an Event is waited for; END
moves the prompt to the history, GONE removes it from the queue.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from tests.support.transcripts import DATA, Transcript

DROP, CLOSE, FORGET, END, GONE = object(), object(), object(), object(), object()
Answer = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]
HTTP = DATA / "http"


def play(transcript: Transcript, *, then: tuple[Any, ...] = (END,)) -> list[Any]:
    """A script with all frames of a transcript of one prompt, then END."""
    return [*transcript.frames(), *then]


def status(code: int, text: str = "", **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text=text, headers=headers)

    return answer


def page(code: int = 200, text: str = "<!doctype html><title>Welcome</title>") -> Answer:
    """A web page, as a login or another program sends."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text=text, content_type="text/html")

    return answer


async def endless(request: web.Request) -> web.StreamResponse:
    """A response without a length and without an end."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(bytes(1 << 20))


async def cut(request: web.Request) -> web.StreamResponse:
    """Aborts the connection without a response."""
    await request.read()
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def half(request: web.Request) -> web.StreamResponse:
    """Announces 1000 bytes and aborts the connection after 10."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"queue_ru')
    assert request.transport is not None
    request.transport.abort()
    return response


@dataclass
class FakeComfy:
    script: list[Any] = field(default_factory=list)
    transcript: Transcript | None = None
    input_dir: Path | None = None  # the server's input folder; in memory if None
    busy: list[list[Any]] = field(default_factory=list)  # running prompts of other clients, as queue items
    accept: bool = True  # whether an accepted prompt starts immediately
    sockets_allowed: bool = True
    ignore_interrupts: int = 0
    argv: list[str] = field(default_factory=lambda: ["main.py"])
    tls: ssl.SSLContext | None = None  # https and wss
    login: str = ""  # user:password that every request needs
    path: str = ""  # in front of all paths, as behind a proxy

    def __post_init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.outputs: dict[str, bytes] = {}
        self.pending: list[list[Any]] = []
        self.running: list[list[Any]] = []
        self.history: dict[str, Any] = {}
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.opened: list[str] = []
        self.flags: list[Any] = []
        self._answers: dict[tuple[str, str], list[Answer]] = {}
        self._transports: dict[web.WebSocketResponse, asyncio.Transport | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._number = 10
        self._port = 0

    # -- for tests ---------------------------------------------------------------------------

    def __enter__(self) -> FakeComfy:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._port}{self.path}"

    def stop(self) -> None:
        """Simulates the end of the process: stops listening and aborts all connections."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(60)

    def answer(self, method: str, path: str, *answers: Answer) -> None:
        """Sets the next responses for this path; after them, the default ones are used."""
        self._answers.setdefault((method, path), []).extend(answers)

    def count(self, method: str, path: str) -> int:
        return sum(1 for request in self.requests if request[:2] == (method, path))

    def bodies(self, path: str) -> list[Any]:
        return [body for method, where, body in self.requests if method == "POST" and where == path]

    def start_pending(self) -> None:
        """Starts the first waiting prompt."""
        self._loop.call_soon_threadsafe(self._start_first)

    # -- the server --------------------------------------------------------------------------

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        app = web.Application(middlewares=[self._front], client_max_size=1 << 30)
        app.add_routes(
            [
                web.get("/ws", self._ws),
                web.post("/prompt", self._prompt),
                web.get("/queue", self._queue),
                web.post("/queue", self._delete),
                web.post("/interrupt", self._interrupt),
                web.get("/history/{id}", self._history),
                web.post("/upload/image", self._upload),
                web.get("/view", self._view),
                web.get("/system_stats", self._stats),
                web.get("/object_info", self._object_info),
                web.get("/models", self._models),
                web.get("/models/{folder}", self._models),
            ]
        )
        if self.path:
            outer = web.Application(client_max_size=1 << 30)
            outer.add_subapp(self.path, app)
            app = outer
        runner = web.AppRunner(app, shutdown_timeout=0.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.tls)
        await site.start()
        self._port = runner.addresses[0][1]
        self._ready.set()
        await self._end.wait()
        await site.stop()
        assert runner.server is not None
        for connection in list(runner.server.connections):
            if connection.transport is not None:
                connection.transport.abort()

    @web.middleware
    async def _front(self, request: web.Request, handler: Any) -> web.StreamResponse:
        body = (
            await request.json()
            if request.content_type == "application/json" and request.can_read_body
            else None
        )
        path = request.path.removeprefix(self.path)
        self.requests.append((request.method, path, body))
        pair = f"Basic {base64.b64encode(self.login.encode()).decode()}"
        if self.login and request.headers.get("Authorization") != pair:
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        waiting = self._answers.get((request.method, path))
        if waiting:
            result: web.StreamResponse = await waiting.pop(0)(request)
            return result
        result = await handler(request)
        return result

    async def _ws(self, request: web.Request) -> web.StreamResponse:
        if not self.sockets_allowed:
            return web.Response(status=403)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client = request.query["clientId"]
        self.sockets[client] = socket
        self.opened.append(client)
        self._transports[socket] = request.transport
        await socket.send_json({"type": "status", "data": {"status": {}, "sid": client}})
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                self.flags.append(json.loads(message.data))
        if self.sockets.get(client) is socket:
            del self.sockets[client]
        return socket

    async def _prompt(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.take(body)
        return web.json_response({"prompt_id": body["prompt_id"], "number": self._number, "node_errors": {}})

    def take(self, body: dict[str, Any]) -> None:
        """Accepts a posted prompt."""
        self._number += 1
        item = [self._number, body["prompt_id"], body["prompt"], {"client_id": body["client_id"]}, ["16"]]
        self.pending.append(item)
        if self.accept and not self.busy:
            self._start_first()

    def _start_first(self) -> None:
        item = self.pending.pop(0)
        self.running = [item]
        task = asyncio.ensure_future(self._run(item))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, item: list[Any]) -> None:
        prompt_id, client = item[1], item[3]["client_id"]
        recorded = self.transcript.posted()[0] if self.transcript else ""
        for step in self.script:
            if self.running != [item]:
                return
            socket = self.sockets.get(client)
            if isinstance(step, threading.Event):
                while not step.is_set():
                    await asyncio.sleep(0.005)
            elif step is DROP and socket is not None:
                del self.sockets[client]
                self._abort(socket)
            elif step is CLOSE and socket is not None:
                del self.sockets[client]
                await socket.close()
            elif step is FORGET:
                self.sockets.pop(client, None)
            elif step is END:
                self.end(prompt_id)
            elif step is GONE:
                self.running = []
            elif isinstance(step, bytes) and socket is not None:
                await socket.send_bytes(
                    step.replace(recorded.encode(), prompt_id.encode()) if recorded else step
                )
            elif isinstance(step, str) and socket is not None:
                await socket.send_str(step.replace(recorded, prompt_id) if recorded else step)

    def end(self, prompt_id: str) -> None:
        """Moves a prompt from the queue to the history, with the recorded data."""
        self.running = []
        body = self.transcript.history(self.transcript.posted()[0]) if self.transcript else None
        entry = next(iter(body.values())) if body and "status" not in body else body
        self.history[prompt_id] = entry

    def _abort(self, socket: web.WebSocketResponse) -> None:
        transport = self._transports.get(socket)
        if transport is not None:
            transport.abort()

    async def _queue(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"queue_running": [*self.busy, *self.running], "queue_pending": self.pending}
        )

    async def _delete(self, request: web.Request) -> web.Response:
        names = (await request.json()).get("delete", [])
        self.pending = [item for item in self.pending if item[1] not in names]
        return web.Response()

    async def _interrupt(self, request: web.Request) -> web.Response:
        prompt_id = (await request.json()).get("prompt_id")
        if self.ignore_interrupts:
            self.ignore_interrupts -= 1
        elif self.running and self.running[0][1] == prompt_id:
            socket = self.sockets.get(self.running[0][3]["client_id"])
            self.running = []
            stopped = {"prompt_id": prompt_id, "node_id": "12", "executed": []}
            messages = [["execution_interrupted", stopped]]
            self.history[prompt_id] = {"outputs": {}, "status": {"status_str": "error", "messages": messages}}
            if socket is not None:
                await socket.send_json({"type": "execution_interrupted", "data": stopped})
        return web.Response()

    async def _history(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        return web.json_response({name: self.history[name]} if name in self.history else {})

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        picture = form["image"]
        assert isinstance(picture, web.FileField)
        assert form["overwrite"] == "true"
        name = f"{form['subfolder']}/{picture.filename}".lstrip("/")
        self.files[name] = picture.file.read()
        return web.json_response(
            {"name": picture.filename, "subfolder": form["subfolder"], "type": form["type"]}
        )

    async def _view(self, request: web.Request) -> web.StreamResponse:
        name = f"{request.query['subfolder']}/{request.query['filename']}".lstrip("/")
        if request.query["type"] == "input" and self.input_dir is not None:
            path = self.input_dir / name
            return web.FileResponse(path) if path.is_file() else web.Response(status=404)
        data = (self.files if request.query["type"] == "input" else self.outputs).get(name)
        return web.Response(status=404) if data is None else web.Response(body=data)

    async def _stats(self, request: web.Request) -> web.Response:
        body = json.loads((HTTP / "system_stats.json").read_text())["body"]
        body["system"]["argv"] = self.argv
        return web.json_response(body)

    async def _object_info(self, request: web.Request) -> web.Response:
        body = json.loads((HTTP / "object_info_one.json").read_text())["/object_info/SaveVideo"]["body"]
        return web.json_response(body)

    async def _models(self, request: web.Request) -> web.Response:
        recorded = json.loads((HTTP / "models.json").read_text())
        case = recorded.get(request.path, {"status": 200, "body": []})
        return web.json_response(case["body"], status=case["status"])
