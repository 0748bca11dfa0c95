"""app.py as a process, and visitors that send raw requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import httpx

from backend.security.tokens import new_token
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.waiting import until

META = {"_type": "gradio.FileData"}
SECONDS = 60


class Visitor:
    """A client with its own token that can send raw events of the page."""

    def __init__(self, site: Site, headers: dict[str, str] | None = None) -> None:
        self.site, self.token = site, new_token()
        self.http = httpx.Client(base_url=site.url, timeout=SECONDS, headers=headers, trust_env=False)

    def log_in(self, user: str, password: str) -> Visitor:
        answer = self.http.post("/login", data={"username": user, "password": password})
        assert answer.status_code == 200, answer.text
        return self

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        content = json.dumps({} if body is None else body)  # ASCII, so that it can hold anything
        return self.http.post(path, content=content, headers=headers, **more)

    def upload(self, name: str, data: bytes, kind: str = "application/octet-stream") -> Path:
        answer = self.http.post("/gradio_api/upload", files={"files": (name, data, kind)})
        assert answer.status_code == 200, answer.text
        return Path(answer.json()[0])

    def call(self, api_name: str, *data: Any, owner: bool = True) -> tuple[str, Any]:
        """The final (event, data) of an endpoint: ("complete", [...]) or ("error", message)."""
        headers = {"X-Wan-Owner": self.token} if owner else {}
        begun = self.post(f"/gradio_api/call/{api_name}", {"data": list(data)}, headers=headers)
        if begun.status_code != 200:
            return "error", begun.text
        seen: tuple[str, Any] = ("error", "nothing")
        with self.http.stream("GET", f"/gradio_api/call/{api_name}/{begun.json()['event_id']}") as lines:
            event = ""
            for line in lines.iter_lines():
                if line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: ") and event in ("complete", "error"):
                    seen = (event, json.loads(line[6:]))
        return seen

    def event(self, fn: int, data: list[Any], event_data: Any = None) -> Any:
        """Calls a private event of the page by its number; returns its output or the rejection."""
        session = uuid.uuid4().hex
        body = {"fn_index": fn, "data": data, "event_data": event_data, "session_hash": session}
        if not self.site.queued(fn):
            answer = self.post("/gradio_api/run/predict", body)
            return answer.json().get("data") or answer.json()
        begun = self.post("/gradio_api/queue/join", body)
        if begun.status_code != 200:
            return {"error": begun.text}
        with self.http.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as lines:
            for line in lines.iter_lines():
                if line.startswith("data: "):
                    message = json.loads(line[6:])
                    if message["msg"] == "process_completed":
                        output = message["output"]
                        return output.get("data") if message["success"] else output
        return None

    def server_function(self, elem_id: str, name: str, asked: Any) -> Any:
        """Calls a server function of a component with any argument."""
        component = self.site.component(elem_id)
        body = {"component_id": component, "fn_name": name, "session_hash": "x", "data": asked}
        return self.post("/gradio_api/component_server", body).json()

    def poll(self, request: Any) -> Any:
        """Calls the card's server function with any argument."""
        return self.server_function("ws-card", "poll", request)


class Site:
    """app.py with the demo engine; `login`: user:password of the machine's owner, if a login is required."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data, self.uploads = folder / "data", folder / "uploads"
        self.env = {
            **os.environ, "WAN_ENGINE": "demo", "WAN_DATA_DIR": str(self.data), "WAN_DEMO_STEP_SECONDS": "0",
            "GRADIO_TEMP_DIR": str(self.uploads), "GRADIO_SERVER_PORT": str(self.port),
            "GRADIO_SERVER_NAME": "127.0.0.1", "WAN_MAX_UPLOAD_MB": "3", "WAN_LOG_LEVEL": "debug",
            "PYTHONUNBUFFERED": "1", **env,
        }  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        self._out = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=self.env, stdout=self._out, stderr=self._out
        )
        until(lambda: self._ready() or self.process.poll() is not None, 180, self.log)
        assert self.process.poll() is None, self.log()
        self.login = self.env.get("WAN_AUTH", "").split(",")[0]
        self._config: dict[str, Any] = {}

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=10, trust_env=False).json()["status"] == "ok"
        except (httpx.HTTPError, ValueError):
            return False

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._out.close()

    @property
    def config(self) -> dict[str, Any]:
        if not self._config:
            with httpx.Client(base_url=self.url, timeout=SECONDS, trust_env=False) as http:
                if self.login:
                    user, _, password = self.login.partition(":")
                    http.post("/login", data={"username": user, "password": password})
                self._config = http.get("/config").json()
        return self._config

    def component(self, elem_id: str) -> int:
        return next(c["id"] for c in self.config["components"] if c["props"].get("elem_id") == elem_id)

    def fn(self, elem_id: str, event: str) -> int:
        """The number of the first event that this component's trigger starts."""
        target = [self.component(elem_id), event]
        return next(d["id"] for d in self.config["dependencies"] if target in [list(t) for t in d["targets"]])

    def named(self, handler: str) -> int:
        """The number of the private event with this handler."""
        return next(d["id"] for d in self.config["dependencies"] if d.get("api_name") == handler)

    def queued(self, fn: int) -> bool:
        return bool(next(d for d in self.config["dependencies"] if d["id"] == fn)["queue"])

    def values(self, fn: int) -> list[Any]:
        """The default values of the event's input components."""
        dependency = next(d for d in self.config["dependencies"] if d["id"] == fn)
        known = {c["id"]: c["props"].get("value") for c in self.config["components"]}
        return [known[number] for number in dependency["inputs"]]

    def place(self, fn: int, elem_id: str) -> int:
        """The index of the component among the event's inputs."""
        dependency = next(d for d in self.config["dependencies"] if d["id"] == fn)
        return dependency["inputs"].index(self.component(elem_id))
