from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend import servers, supervisor
from backend.errors import BadSettings
from backend.servers import LOCAL, choose
from backend.settings import Settings
from backend.supervisor import Process, comfyui_command, comfyui_python, demo_command

FOREVER = "import sys, time\nprint('up', flush=True)\ntime.sleep(600)"
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FOREVER
PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\ntime.sleep(600)"
)


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_FIRST_SECONDS", 0.05)
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.5)


def test_a_process_that_dies_is_started_again() -> None:
    process = Process("it", [sys.executable, "-c", FOREVER])
    process.start()
    try:
        until(lambda: "up" in process.lines)
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: process.pid not in (None, first))
        assert process.restarts == 1 and process.last_exit == -9
    finally:
        process.stop()
    assert process.pid is None


@pytest.mark.parametrize("code", [FOREVER, DEAF])
def test_stop_leaves_nothing_behind(code: str) -> None:
    process = Process("it", [sys.executable, "-c", code])
    process.start()
    until(lambda: process.tail())
    pid = process.pid
    assert pid is not None
    process.stop()
    assert not alive(pid)
    time.sleep(0.2)
    assert process.pid is None, "it is not started again"


def test_stop_reaches_the_children() -> None:
    process = Process("it", [sys.executable, "-c", PARENT])
    process.start()
    until(lambda: process.tail())
    child = int(process.tail()[0])
    assert alive(child)
    process.stop()
    until(lambda: not alive(child))


def test_a_command_that_cannot_be_started_is_tried_again_not_raised() -> None:
    process = Process("it", ["/nowhere/python"])
    process.start()
    until(lambda: process.restarts >= 2)
    process.stop()


def test_which_engine(tmp_path: Path) -> None:
    def plan(up: bool = False, folder: bool = False, **env: str) -> servers.Plan:
        comfyui = tmp_path / "ComfyUI"
        comfyui.mkdir(exist_ok=True)
        (comfyui / "main.py").touch()
        extra = {"COMFYUI_DIR": str(comfyui)} if folder else {}
        return choose(Settings.from_env({**env, **extra}, tmp_path), lambda url: up and url == LOCAL)

    assert plan().kind == "demo" and plan().start
    assert plan(up=True) == servers.Plan("comfyui", (LOCAL,), start=False)
    assert plan(folder=True) == servers.Plan("comfyui", (LOCAL,), start=True)
    assert plan(up=True, folder=True).start is False, "a running one is adopted, never doubled"
    given = plan(up=True, folder=True, COMFYUI_URL="http://a:1,http://b:2")
    assert given == servers.Plan("comfyui", ("http://a:1", "http://b:2"), start=False)
    assert plan(up=True, COMFYUI_URL="http://a:1", WAN_ENGINE="demo").kind == "demo"
    with pytest.raises(BadSettings, match="no ComfyUI"):
        plan(WAN_ENGINE="comfyui")


def test_commands(tmp_path: Path) -> None:
    command = comfyui_command(tmp_path, "py", "127.0.0.1", 8188, ["--fast"])
    assert command[:6] == ["py", "main.py", "--listen", "127.0.0.1", "--port", "8188"]
    assert command[-1] == "--fast" and "--preview-method" in command
    own = comfyui_command(tmp_path, "py", "127.0.0.1", 8188, ["--preview-method", "none"])
    assert own.count("--preview-method") == 1
    assert "--parent-pid" in demo_command(1234, 0.1, tmp_path)


def test_the_interpreter_of_a_comfyui_folder(tmp_path: Path) -> None:
    assert comfyui_python(tmp_path) == "python3"
    for venv in (".venv", ".venv-cu126", ".venv-cu128"):
        (tmp_path / venv / "bin").mkdir(parents=True)
        (tmp_path / venv / "bin" / "python").touch()
        assert comfyui_python(tmp_path) == str(tmp_path / venv / "bin" / "python")
    assert comfyui_python(tmp_path, "/my/python") == "/my/python"
