from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from backend.engines.base import Prompt
from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.folders import input_folder, output_folder, sibling_output
from backend.engines.comfy.http import Http
from backend.engines.comfy.info import gpu_name
from backend.engines.comfy.timing import Timing
from backend.engines.comfy.transfer import MultipartForm
from backend.errors import (
    BadEngineInput,
    DiskFull,
    EngineError,
    EngineUnreachable,
    InternalError,
    NoOutput,
)
from backend.events import Output
from backend.notices import words
from tests.support.fake_comfy import FakeComfy, cut, half, status
from tests.support.recorded_answers import BODIES
from tests.support.transcripts import named

pytestmark = pytest.mark.full

COLD = named("success_i2v_cold")
NAME = "wan-studio/3fa9.png"
CONTENT = bytes(range(256)) * 4000
VIDEO = Output("clip.mp4", "video", "output")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "input.png"
    path.write_bytes(CONTENT)
    return path


def engine_of(server: FakeComfy, **more: Any) -> ComfyEngine:
    return ComfyEngine(
        server.url, timing=Timing(receive=0.02, first_poll=0.01, idle_poll=0.1, offline_poll=0.02), **more
    )


def go(engine: ComfyEngine, files: dict[str, Path]) -> None:
    labels = COLD.labels(COLD.posted()[0])
    engine.run(Prompt(str(uuid.uuid4()), {}, labels, 4, files), lambda event: None)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


# -- inputs -------------------------------------------------------------------------------------


def test_an_input_is_sent_once_under_its_name(server: FakeComfy, picture: Path) -> None:
    engine = engine_of(server)
    for _ in range(3):
        go(engine, {NAME: picture})
    assert server.files == {NAME: CONTENT}
    assert server.count("POST", "/upload/image") == 1
    assert server.count("HEAD", "/view") == 1, "it is remembered, not asked for"


def test_after_a_restart_of_the_app_it_is_not_sent_again(server: FakeComfy, picture: Path) -> None:
    go(engine_of(server), {NAME: picture})
    go(engine_of(server), {NAME: picture})
    assert server.count("POST", "/upload/image") == 1


def test_a_file_of_another_size_is_uploaded_again(server: FakeComfy, picture: Path) -> None:
    server.files[NAME] = CONTENT[:-1]
    go(engine_of(server), {NAME: picture})
    assert server.files[NAME] == CONTENT


def test_files_are_uploaded_again_after_the_input_folder_was_emptied(
    server: FakeComfy, picture: Path
) -> None:
    engine = engine_of(server)
    go(engine, {NAME: picture})
    server.files.clear()

    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.json_response(BODIES["missing_input_image"]["body"], status=400)

    server.answer("POST", "/prompt", refuse)
    go(engine, {NAME: picture})
    assert server.files == {NAME: CONTENT}
    assert server.count("POST", "/prompt") == 3


def test_a_file_that_the_server_never_finds_is_an_error(server: FakeComfy, picture: Path) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.json_response(BODIES["missing_input_image"]["body"], status=400)

    server.answer("POST", "/prompt", refuse, refuse)
    with pytest.raises(BadEngineInput):
        go(engine_of(server), {NAME: picture})


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (status(413), BadEngineInput),
        (status(500), EngineError),
        (status(400), EngineError),
        (status(200, '{"name": "3fa9 (1).png", "subfolder": "wan-studio"}'), EngineError),
        (status(503), EngineUnreachable),
        (cut, EngineUnreachable),
    ],
)
def test_refused_uploads(server: FakeComfy, picture: Path, answer: Any, error: type[Exception]) -> None:
    server.answer("POST", "/upload/image", answer)
    with pytest.raises(error):
        go(engine_of(server), {NAME: picture})
    assert server.count("POST", "/prompt") == 0


def test_the_form_is_streamed_with_its_length(picture: Path) -> None:
    stops: list[int] = []
    with picture.open("rb") as file:
        form = MultipartForm({"type": "input"}, "a.png", file, len(CONTENT), lambda: stops.append(1))
        pieces = []
        while piece := form.read(1000):
            assert len(piece) <= 1000
            pieces.append(piece)
    assert len(b"".join(pieces)) == len(form)
    assert CONTENT in b"".join(pieces)
    assert len(stops) > 1, "whoever cancels is heard on the way"


# -- hard links ---------------------------------------------------------------------------------


def test_an_input_folder_of_this_machine_gets_a_hard_link(
    server: FakeComfy, picture: Path, tmp_path: Path
) -> None:
    server.input_dir = tmp_path / "comfy-input"
    server.input_dir.mkdir()
    engine = engine_of(server, input_dir=server.input_dir)
    go(engine, {NAME: picture})
    go(engine, {NAME: picture})
    assert (server.input_dir / NAME).samefile(picture)
    assert names_in(server.input_dir / "wan-studio") == ["3fa9.png"], "no temporary file is left"
    assert server.count("POST", "/upload/image") == 0


def test_the_folder_is_read_from_the_command_line(server: FakeComfy, picture: Path, tmp_path: Path) -> None:
    server.input_dir = tmp_path / "comfy-input"
    server.input_dir.mkdir()
    server.argv = ["main.py", "--input-directory", str(server.input_dir)]
    engine = engine_of(server)
    engine.refresh()
    go(engine, {NAME: picture})
    assert (server.input_dir / NAME).samefile(picture)


def test_a_folder_that_is_not_the_servers_is_left_alone(
    server: FakeComfy, picture: Path, tmp_path: Path
) -> None:
    """A container on loopback may name a folder that exists here, too."""
    folder = tmp_path / "same-name-here"
    folder.mkdir()
    server.argv = ["main.py", f"--input-directory={folder}"]
    engine = engine_of(server)
    engine.refresh()
    go(engine, {NAME: picture})
    assert server.files == {NAME: CONTENT}
    assert list((folder / "wan-studio").iterdir()) == []
    go(engine, {"wan-studio/two.png": picture})
    assert list((folder / "wan-studio").iterdir()) == [], "tried once"


def test_another_file_system_gets_a_copy(
    server: FakeComfy, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*paths: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    server.input_dir = tmp_path / "comfy-input"
    server.input_dir.mkdir()
    go(engine_of(server, input_dir=server.input_dir), {NAME: picture})
    assert (server.input_dir / NAME).read_bytes() == CONTENT
    assert not (server.input_dir / NAME).samefile(picture)


def test_a_name_never_leaves_the_folder(server: FakeComfy, picture: Path, tmp_path: Path) -> None:
    server.input_dir = tmp_path / "comfy-input"
    server.input_dir.mkdir()
    with pytest.raises(EngineError):
        go(engine_of(server, input_dir=server.input_dir), {"../../outside.png": picture})
    assert not (tmp_path.parent / "outside.png").exists()


def test_input_folder_by_command_line(tmp_path: Path) -> None:
    one, base = tmp_path / "one", tmp_path / "base"
    for folder in (one, base / "input", tmp_path / "input"):
        folder.mkdir(parents=True)
    main = str(tmp_path / "main.py")
    assert input_folder([main, "--input-directory", str(one), "--base-directory", str(base)]) == one
    assert input_folder([main, f"--base-directory={base}"]) == base / "input"
    assert input_folder([main]) == tmp_path / "input"
    assert input_folder(["main.py"]) is None, "relative to a folder that is not known"
    assert input_folder([main, "--input-directory", "relative"]) is None
    assert input_folder([main, "--input-directory", str(tmp_path / "gone")]) is None
    assert input_folder([main, "--input-directory"]) is None
    assert input_folder([]) is None
    assert input_folder(None) is None


def test_a_linked_file_that_was_removed_is_linked_again(
    server: FakeComfy, picture: Path, tmp_path: Path
) -> None:
    server.input_dir = tmp_path / "comfy-input"
    server.input_dir.mkdir()
    engine = engine_of(server, input_dir=server.input_dir)
    go(engine, {NAME: picture})
    (server.input_dir / NAME).unlink()
    before = server.count("POST", "/prompt")
    go(engine, {NAME: picture})
    assert (server.input_dir / NAME).samefile(picture)
    assert server.count("POST", "/prompt") == before + 1, "and the prompt is sent once"


def test_output_folder_by_command_line(tmp_path: Path) -> None:
    one, base = tmp_path / "one", tmp_path / "base"
    for folder in (one, base / "output", tmp_path / "output", tmp_path / "input"):
        folder.mkdir(parents=True)
    main = str(tmp_path / "main.py")
    both = [main, "--output-directory", str(one), "--base-directory", str(base), "--input-directory", "/x"]
    assert output_folder(both) == one
    assert output_folder([main, f"--base-directory={base}"]) == base / "output"
    assert output_folder([main]) == sibling_output(tmp_path / "input") == tmp_path / "output"
    assert output_folder(["main.py"]) is None
    assert sibling_output(one / "input") is None


# -- outputs ------------------------------------------------------------------------------------


def test_fetch(server: FakeComfy, tmp_path: Path) -> None:
    server.outputs["video/clip.mp4"] = CONTENT
    engine_of(server).fetch(VIDEO, tmp_path / "result.mp4")
    assert (tmp_path / "result.mp4").read_bytes() == CONTENT
    assert names_in(tmp_path) == ["result.mp4"]


def test_an_incomplete_download_is_repeated(server: FakeComfy, tmp_path: Path) -> None:
    server.outputs["video/clip.mp4"] = CONTENT
    server.answer("GET", "/view", half, cut)
    engine_of(server).fetch(VIDEO, tmp_path / "result.mp4")
    assert (tmp_path / "result.mp4").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([half] * 3, NoOutput),
        ([status(404)], NoOutput),
        ([status(200)], NoOutput),
        ([status(502)] * 3, EngineUnreachable),
        ([cut] * 3, EngineUnreachable),
    ],
)
def test_what_cannot_be_fetched(
    server: FakeComfy, tmp_path: Path, answers: list[Any], error: type[Exception]
) -> None:
    server.answer("GET", "/view", *answers)
    with pytest.raises(error):
        engine_of(server).fetch(VIDEO, tmp_path / "result.mp4")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, InternalError)]
)
def test_a_full_disk(
    server: FakeComfy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    server.outputs["video/clip.mp4"] = CONTENT

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(error):
        engine_of(server).fetch(VIDEO, tmp_path / "result.mp4")
    assert names_in(tmp_path) == []


# -- what the server says of itself -------------------------------------------------------------


def test_refresh_reads_the_recorded_server(server: FakeComfy) -> None:
    engine = engine_of(server)
    assert engine.info().state == "starting"
    info = engine.refresh()
    assert info == engine.info()
    assert (info.kind, info.state, info.version, info.gpu) == ("comfyui", "ok", "0.3.64", "CPU")
    assert (info.ram_total, info.vram_free) == (25276510208, 22008766464)
    assert (info.python, info.pytorch) == ("3.11.7", "2.9.1+cu128")
    assert (info.running, info.pending) == (0, 0)
    assert "wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors" in info.models["diffusion_models"]
    assert len(info.models["loras"]) == 7


def test_refresh_counts_and_does_not_list_the_models_every_time(server: FakeComfy) -> None:
    engine = engine_of(server)
    server.busy = [[1, "a", {}, {}, []]]
    server.pending = [[2, "b", {}, {}, []], [3, "c", {}, {}, []]]
    assert (engine.refresh().running, engine.refresh().pending) == (1, 2)
    assert server.count("GET", "/models/loras") == 1


def test_a_server_that_stops_and_restarts(server: FakeComfy) -> None:
    engine = engine_of(server)
    assert engine.known_contract() is None
    assert engine.refresh().state == "ok"
    assert engine.known_contract() is not None, "plans know what the server offers"
    engine.facts()
    assert engine.refresh().state == "ok"
    assert server.count("GET", "/object_info") == 1
    server.answer("GET", "/system_stats", status(502))
    lost = engine.refresh()
    assert (lost.state, lost.version) == ("lost", "0.3.64")
    assert lost.error
    assert engine.refresh().state == "ok"
    engine.facts()
    assert server.count("GET", "/object_info") == 2, "it may be another server now"


@pytest.mark.parametrize("odd", [status(200, "<html>hello"), status(200, "[]"), status(404), half, cut])
def test_something_else_at_the_address(server: FakeComfy, odd: Any) -> None:
    engine = engine_of(server)
    server.answer("GET", "/system_stats", odd, odd)
    assert engine.refresh().state == "starting"
    server.answer("GET", "/object_info", odd, odd)
    with pytest.raises(EngineError):
        engine.facts()


@pytest.mark.parametrize(
    ("version", "says"),
    [("0.3.40", "too old"), ("0.3.64", ""), ("0.33.0", ""), ("0.38.2", ""), ("0.39.0", "newer"), ("v1", "")],
)
def test_unsupported_versions(version: str, says: str) -> None:
    from backend.engines.comfy.info import version_note

    note = version_note(version)
    assert says in words(note) and bool(note) == bool(says)


def test_facts(server: FakeComfy) -> None:
    facts = engine_of(server).facts()
    assert "SaveVideo" in facts.nodes
    assert facts.options[("SaveVideo", "codec")] == ("auto", "h264")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync", "NVIDIA GeForce RTX 4090"),
        ("cuda:1 NVIDIA A100-SXM4-80GB : native", "NVIDIA A100-SXM4-80GB"),
        ("cpu", "CPU"),
        ("mps", "mps"),
        ("", ""),
    ],
)
def test_gpu_name(name: str, words: str) -> None:
    assert gpu_name(name) == words


@pytest.mark.parametrize(
    ("url", "address", "socket", "loopback"),
    [
        ("127.0.0.1:8188", "http://127.0.0.1:8188", "ws://127.0.0.1:8188/ws?clientId=a", True),
        ("http://localhost:8188/", "http://localhost:8188", "ws://localhost:8188/ws?clientId=a", True),
        ("https://x.example/comfy/", "https://x.example/comfy", "wss://x.example/comfy/ws?clientId=a", False),
        ("http://me:p%40ss@box:1", "http://box:1", "ws://box:1/ws?clientId=a", False),
        ("http://[::1]:8188", "http://[::1]:8188", "ws://[::1]:8188/ws?clientId=a", True),
    ],
)
def test_addresses(url: str, address: str, socket: str, loopback: bool) -> None:
    http = Http(url)
    assert (http.address, http.socket_url("a"), http.loopback) == (address, socket, loopback)


def test_a_password_appears_only_in_the_header() -> None:
    http = Http("http://me:p%40ss@box:1")
    assert http.headers["Authorization"] == "Basic bWU6cEBzcw=="


def test_proxies_of_the_environment_are_not_used(server: FakeComfy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    engine = engine_of(server)
    assert engine.refresh().state == "ok"
    go(engine, {})
    assert server.opened, "the websocket, too"
