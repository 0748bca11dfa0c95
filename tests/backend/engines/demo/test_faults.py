"""Faults on order, start and end of the demo engine's process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

from backend.engines.demo.__main__ import alive
from backend.engines.demo.faults import Faults
from tests.support import demo_graphs as graphs
from tests.support import demo_inputs
from tests.support.demo_server import ROOT, DemoServer, start_demo
from tests.support.waiting import until as soon

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    folder = tmp_path_factory.mktemp("demo")
    demo_inputs.make(folder / "input")
    with start_demo(folder=folder, faults=True) as server:
        yield server


@pytest.fixture
def demo(server: DemoServer) -> DemoServer:
    """The server with nothing left of the test before."""
    server.faults()
    soon(lambda: server.call("GET", "/prompt").json()["exec_info"]["queue_remaining"] == 0)
    server.call("POST", "/free", {"free_memory": True})
    return server


def connect(demo: DemoServer) -> tuple[str, websocket.WebSocket]:
    id = uuid.uuid4().hex
    address = demo.url.replace("http", "ws") + "/ws?clientId=" + id
    return id, websocket.create_connection(address, timeout=60)


def until(socket: websocket.WebSocket, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    while True:
        text = socket.recv()
        if not text:
            raise ConnectionError
        message: dict[str, Any] = json.loads(text)
        if what(message):
            return message


@pytest.mark.parametrize("step", [0, 2])
def test_injected_out_of_memory(demo: DemoServer, step: int) -> None:
    demo.faults(error_at={"class": "KSamplerAdvanced", "kind": "oom", "step": step})
    id, socket = connect(demo)
    prompt = demo.submit(graphs.text_to_video(), client_id=id)
    data = until(socket, lambda m: m["type"] == "execution_error")["data"]
    assert data["exception_type"] == "RuntimeError" and "can't allocate memory" in data["exception_message"]
    assert (data["node_id"], data["node_type"]) == ("12", "KSamplerAdvanced")
    entry = demo.wait(prompt)
    assert entry["status"]["messages"][-1][1]["exception_message"] == data["exception_message"]
    again = demo.wait(demo.submit(graphs.text_to_video(), client_id=id))
    assert again["status"]["status_str"] == "success", "each fault applies once"
    socket.close()


def test_times(demo: DemoServer) -> None:
    demo.faults(error_at={"class": "VAEDecode", "kind": "error", "times": 2})
    results = [demo.wait(demo.submit(graphs.text_to_video(seed=n)))["status"]["completed"] for n in range(3)]
    assert results == [False, False, True]


def test_a_dropped_socket_leaves_the_job_running(demo: DemoServer) -> None:
    demo.faults(drop_socket_at_step=3)
    id, socket = connect(demo)
    prompt = demo.submit(graphs.text_to_video(), client_id=id)
    with pytest.raises((ConnectionError, websocket.WebSocketException)):
        until(socket, lambda message: message["type"] == "execution_success")
    assert demo.wait(prompt)["status"]["completed"]
    socket.close()


def test_a_hang_lasts_until_it_is_released(demo: DemoServer) -> None:
    demo.faults(hang_at_step=2)
    id, socket = connect(demo)
    prompt = demo.submit(graphs.text_to_video(), client_id=id)
    until(socket, lambda m: m["type"] == "progress" and m["data"]["value"] == 1)
    soon(lambda: not demo.call("GET", "/demo/faults").json())
    demo.call("POST", "/interrupt", {"prompt_id": prompt})
    assert demo.call("GET", f"/history/{prompt}").json() == {}
    assert demo.call("GET", "/queue").json()["queue_running"][0][1] == prompt
    demo.faults()
    assert demo.wait(prompt)["status"]["messages"][-1][0] == "execution_interrupted"
    socket.close()


def test_death() -> None:
    with start_demo(faults=True) as demo:
        demo.faults(die_at_step=2)
        id, socket = connect(demo)
        demo.submit(graphs.text_to_video(), client_id=id)
        with pytest.raises((ConnectionError, websocket.WebSocketException)):
            until(socket, lambda message: message["type"] == "execution_success")
        assert demo.process.wait(timeout=60) != 0
        socket.close()


def test_failing_requests(demo: DemoServer) -> None:
    demo.faults(http_500={"path": "/history", "times": 2})
    assert [demo.call("GET", "/history").status for _ in range(3)] == [500, 500, 200]
    assert demo.call("GET", "/queue").status == 200


def test_a_slow_step() -> None:
    with start_demo(faults=True) as demo:
        demo.faults(slow_step=3600)
        prompt = demo.submit(graphs.text_to_video())
        soon(lambda: demo.call("GET", "/demo/faults").json() == {})
        assert demo.call("GET", "/queue").json()["queue_running"][0][1] == prompt, "it is in that step"


def test_an_unknown_fault_is_refused(demo: DemoServer) -> None:
    answer = demo.call("POST", "/demo/faults", {"explode": 1})
    assert answer.status == 400 and "explode" in answer.json()["error"]


def test_steps_are_counted_per_prompt() -> None:
    dropped: list[int] = []
    faults = Faults(lambda: dropped.append(1), lambda: None)
    faults.configure({"drop_socket_at_step": 3})
    faults.at_step("KSamplerAdvanced", 2, 2)
    assert not dropped
    faults.at_step("KSamplerAdvanced", 1, 3)
    faults.at_step("KSamplerAdvanced", 1, 3)
    assert dropped == [1]


def written(demo: DemoServer) -> set[Path]:
    return set((demo.folder / "output").rglob("*.*"))


def test_a_cancelled_save_leaves_nothing_behind(demo: DemoServer) -> None:
    id, socket = connect(demo)
    graph = graphs.image_to_video(width=832, height=480, length=401)
    before = written(demo)
    prompt = demo.submit(graph, client_id=id)
    until(socket, lambda m: m["type"] == "executing" and m["data"]["node"] == "17")
    demo.call("POST", "/interrupt", {"prompt_id": prompt})
    data = until(socket, lambda m: m["type"] == "execution_interrupted")["data"]
    assert data["node_type"] == "SaveVideo"
    assert written(demo) == before
    assert demo.wait(prompt)["outputs"] == {}
    socket.close()


def test_requests_are_answered_while_a_video_is_written(demo: DemoServer) -> None:
    id, socket = connect(demo)
    prompt = demo.submit(graphs.image_to_video(width=832, height=480, length=161), client_id=id)
    until(socket, lambda m: m["type"] == "executing" and m["data"]["node"] == "17")
    for _ in range(5):
        assert demo.call("GET", "/queue").json()["queue_running"][0][1] == prompt
    demo.call("POST", "/interrupt", {})
    socket.close()


COMMAND = [sys.executable, "-m", "backend.engines.demo", "--port", "0", "--step-seconds", "5"]


def launch(*more: str, temp: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "TMPDIR": str(temp)}
    process = subprocess.Popen(
        [*COMMAND, *more], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None and "(no GPU; results are marked DEMO)" in process.stdout.readline()
    return process


def test_a_signal_ends_it_at_once_and_its_own_folder_goes(tmp_path: Path) -> None:
    process = launch(temp=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert list(tmp_path.iterdir()) == []
    assert process.stdout is not None
    process.stdout.close()


def test_a_signal_does_not_wait_for_a_running_job(tmp_path: Path) -> None:
    demo_inputs.make(tmp_path / "input")
    with start_demo(folder=tmp_path, step_seconds=60) as demo:
        id, socket = connect(demo)
        demo.submit(graphs.text_to_video(), client_id=id)
        until(socket, lambda m: m["type"] == "executing" and m["data"]["node"] == "12")
        demo.process.send_signal(signal.SIGTERM)
        assert demo.process.wait(timeout=60) == 0
        socket.close()
    assert (tmp_path / "input").is_dir(), "a folder that was given is kept"


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    process = launch("--parent-pid", str(parent.pid), temp=tmp_path)
    parent.kill()
    parent.wait()
    assert process.wait(timeout=60) == 0
    assert process.stdout is not None
    process.stdout.close()


def test_alive() -> None:
    assert alive(os.getpid(), was_parent=False)
    assert alive(os.getppid(), was_parent=True) and not alive(os.getpid(), was_parent=True)


def test_a_port_that_is_taken(demo: DemoServer, tmp_path: Path) -> None:
    port = demo.url.rsplit(":", 1)[1]
    command = [*COMMAND[:3], "--port", port, "--dir", str(tmp_path / "other")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and port in done.stderr and "Traceback" not in done.stderr


def test_wrong_use() -> None:
    done = subprocess.run(
        [*COMMAND[:3], "--port", "x"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
