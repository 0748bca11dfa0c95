"""`models check`, `use` and `loras` ask every server of COMFYUI_URL."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import app
from backend.cli import models as model_commands
from backend.cli.ask_servers import Asked
from backend.engines.base import EngineInfo
from tests.backend.system.test_model_servers import AWAY, FAR, OTHER, VAE, full, server

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    for name in list(os.environ):
        if name.startswith(("WAN_", "COMFYUI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WAN_MODELS_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("WAN_DATA_DIR", str(tmp_path / "data"))

    def call(*arguments: str) -> tuple[int, str, str]:
        status = app.main(["models", *arguments], tmp_path)
        caught = capsys.readouterr()
        return status, caught.out, caught.err

    return call


def answering(monkeypatch: pytest.MonkeyPatch, *infos: EngineInfo | None) -> None:
    """The servers of the settings: None does not answer."""
    asked = tuple(
        Asked(info, f"{info.address} was asked." if info else "No ComfyUI answers at http://off:8188.")
        for info in infos
    )
    monkeypatch.setattr(model_commands, "ask_servers", lambda _: asked)


def test_check_lists_each_server(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, server(AWAY, {**full(), "vae": ()}), None, server(FAR, full()))
    status, out, error = run("check")
    assert (status, error) == (0, ""), "jobs go to the server that has all files"
    assert f"{AWAY}, by the names that it lists:" in out and f"{FAR}, by the names that it lists:" in out
    assert "No ComfyUI answers at http://off:8188." in out and "Model store:" not in out
    first, second = out.split(f"{FAR}, by")
    assert "Image-to-Video needs 1 more file" in first and "Image-to-Video is ready." in second
    assert "on disk" not in out and "models download" not in out
    status, out, _ = run("check", "animate", "--json")
    found = json.loads(out)
    assert status == 0 and found["complete"]
    assert [(one["address"], one["complete"]) for one in found["servers"]] == [(AWAY, False), (FAR, True)]
    assert [one["state"] for one in found["files"] if one["name"] == VAE] == ["ready"]


def test_check_fails_where_no_server_has_all_files(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, server(AWAY, {**full(), "vae": ()}), server(FAR, {**full(), "vae": ()}))
    status, _, error = run("check")
    assert status == 1 and error.startswith("Not complete: Image-to-Video") and "fetches" not in error


def test_use_and_loras_know_all_servers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    away = {**full(), "loras": ("ink.safetensors",)}
    far = {"diffusion_models": (OTHER,), "loras": ("ink.safetensors", "paper.safetensors")}
    answering(monkeypatch, server(AWAY, away), server(FAR, far))
    status, out, _ = run("use", "i2v_high", OTHER)
    assert status == 0 and f"i2v_high: {OTHER} is used." in out and f"Not by {AWAY}," in out
    status, _, error = run("use", "i2v_high", "gone.safetensors")
    assert status == 2 and "gone.safetensors" in error
    status, out, _ = run("loras", "--json")
    missing = {row["name"]: row["missing"] for row in json.loads(out)["loras"]}
    assert status == 0 and missing == {"ink.safetensors": [], "paper.safetensors": [AWAY]}
    assert f"paper.safetensors: Not on {AWAY}." in run("loras")[1]


@pytest.fixture
def serve() -> Iterator[Callable[[Mapping[str, object]], str]]:
    """Starts a server that answers from a dictionary of paths; returns its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(answers: Mapping[str, object]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = answers.get(self.path)
                body = json.dumps(found).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}"

    yield start
    for one in servers:
        one.shutdown()
        one.server_close()


@pytest.mark.full
def test_every_address_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch, serve: Callable[..., str]) -> None:
    lists = {f"/models/{folder}": list(names) for folder, names in full().items()}
    stats = {"system": {"comfyui_version": "0.33.0"}}
    first = serve({"/system_stats": stats, "/models": ["loras"], "/models/loras": ["a.safetensors"]})
    second = serve({"/system_stats": stats, "/models": sorted(full()), **lists})
    monkeypatch.setenv("COMFYUI_URL", f"{first},{second},http://127.0.0.1:9")
    _, out, _ = run("check", "--json")
    found = json.loads(out)
    assert [one["address"] for one in found["servers"]] == [first, second]
    assert "No ComfyUI answers at http://127.0.0.1:9." in found["server"]
    _, out, _ = run("loras", "--json")
    assert json.loads(out)["loras"][0]["missing"] == [second]
