"""Servers with real processes: one for each GPU, and beside a running one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backend.errors import EngineHung
from backend.servers import fleet
from backend.system import health
from tests.support.demo_server import start_demo
from tests.support.fleet import Build, all_up, facts
from tests.support.processes import alive
from tests.support.waiting import until

pytestmark = pytest.mark.full


def test_one_server_for_each_gpu(build: Build, base: int, tmp_path: Path) -> None:
    both = build()
    all_up(both)
    first, second = (facts(tmp_path, server) for server in both.servers)
    assert (first["gpu"], second["gpu"]) == ("0", "1")
    assert both.choice.urls == (f"http://127.0.0.1:{base}", f"http://127.0.0.1:{base + 1}")
    assert "--temp-directory" not in first["argv"], "the first uses what the folder has"
    own = second["argv"][second["argv"].index("--temp-directory") + 1]
    assert Path(own).is_dir() and not Path(own).is_relative_to(tmp_path / "data")
    assert second["argv"][second["argv"].index("--database-url") + 1].startswith(f"sqlite:///{own}")
    rows = health.servers([engine.info() for engine in both.engines])
    assert [row["ours"] for row in rows] == [True, True] and [row["restarts"] for row in rows] == [0, 0]
    assert health.status([engine.info() for engine in both.engines]) == "ok"
    pids = [process.pid for process in both.processes]
    both.close()
    assert not any(alive(pid) for pid in pids if pid is not None)
    assert not Path(own).exists()


def test_a_killed_server_is_restarted_and_the_other_is_not(build: Build, tmp_path: Path) -> None:
    both = build()
    all_up(both)
    first, second = both.processes
    before = (first.pid, second.pid)
    assert before[0] is not None
    hold = tmp_path / "ComfyUI" / "hold"
    hold.touch()
    os.kill(before[0], signal.SIGKILL)
    until(lambda: both.engines[0].refresh().state != "ok")
    until(lambda: health.status([engine.refresh() for engine in both.engines]) == "degraded")
    hold.unlink()
    until(lambda: both.engines[0].refresh().state == "ok", 60)
    assert both.engines[0].info().restarts == 1
    assert first.pid != before[0] and second.pid == before[1]
    assert both.engines[1].info().restarts == 0


def test_a_port_in_use_is_skipped(build: Build, base: int) -> None:
    import socket

    with socket.create_server(("127.0.0.1", base)):
        one = build("")
        all_up(one)
        assert one.choice.urls == (f"http://127.0.0.1:{base + 1}",)


def test_a_single_gpu_leaves_the_environment_as_it_is(build: Build, tmp_path: Path) -> None:
    one = build("3")
    all_up(one)
    assert facts(tmp_path, one.servers[0])["gpu"] == "3"


def test_several_given_servers_need_no_supervisor(build: Build, tmp_path: Path) -> None:
    with start_demo() as first, start_demo() as second:
        both = build(COMFYUI_URL=f"{first.url},{second.url}")
        all_up(both)
        assert both.processes == [] and both.choice.start is False
        second.process.kill()
        until(lambda: both.engines[1].refresh().state == "lost")
        assert health.status([engine.info() for engine in both.engines]) == "degraded"
        error = EngineHung("It hangs.")
        assert both.recover(both.engines[0], error) is error
        both.close()
        assert first.process.poll() is None, "what we did not start is not stopped"


def foreign(folder: Path, port: int, **env: str) -> subprocess.Popen[bytes]:
    """A ComfyUI that another program started from the same folder."""
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    process = subprocess.Popen(
        [sys.executable, "main.py", "--port", str(port)], cwd=folder / "ComfyUI",
        env={**environment, **env}, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    until(lambda: fleet.answers(f"http://127.0.0.1:{port}"), 60)
    return process


@pytest.mark.parametrize(("env", "rest"), [({}, "1"), ({"CUDA_VISIBLE_DEVICES": "1"}, "0")])
def test_a_running_server_is_used_and_the_others_are_started(
    build: Build, base: int, tmp_path: Path, env: dict[str, str], rest: str
) -> None:
    running = foreign(tmp_path, base, **env)
    try:
        both = build()
        all_up(both)
        assert both.choice.urls == (f"http://127.0.0.1:{base}", f"http://127.0.0.1:{base + 1}")
        assert both.servers[0].process is None
        seen = facts(tmp_path, both.servers[1])
        assert seen["gpu"] == rest and "--temp-directory" in seen["argv"]
        assert [engine.info().ours for engine in both.engines] == [False, True]
        both.close()
        assert running.poll() is None
    finally:
        running.kill()
        running.wait()


def test_nothing_is_started_beside_a_server_with_an_unknown_gpu(
    build: Build, base: int, tmp_path: Path
) -> None:
    running = foreign(tmp_path, base, CUDA_VISIBLE_DEVICES="GPU-1234")
    try:
        one = build()
        assert len(one.engines) == 1 and one.processes == []
    finally:
        running.kill()
        running.wait()


def test_nothing_is_started_beside_a_server_from_a_folder_that_was_not_configured(
    build: Build, base: int, tmp_path: Path
) -> None:
    running = foreign(tmp_path, base)
    try:
        one = build(found_only=True)
        assert len(one.engines) == 1 and one.processes == []
    finally:
        running.kill()
        running.wait()


def test_runpods_start_script_has_priority(build: Build, base: int, tmp_path: Path) -> None:
    both = build(COMFYUI_WAIT_SECONDS="600", runpod_folder=tmp_path / "ComfyUI")
    assert [process.pid for process in both.processes] == [None, None], "it may still be upgrading the folder"
    running = foreign(tmp_path, base)
    try:
        all_up(both)
        assert [engine.info().ours for engine in both.engines] == [False, True]
        assert facts(tmp_path, both.servers[1])["gpu"] == "1"
    finally:
        both.close()
        assert running.poll() is None
        running.kill()
        running.wait()


def test_after_the_wait_comfyui_is_started_in_place_of_runpod(build: Build, tmp_path: Path) -> None:
    both = build(COMFYUI_WAIT_SECONDS="0", runpod_folder=tmp_path / "ComfyUI")
    all_up(both)
    assert [engine.info().ours for engine in both.engines] == [True, True]
