from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.errors import BadSettings
from backend.notices import words
from backend.servers import launch, oom, ports
from backend.servers.child import Child
from backend.servers.choice import Choice, choose
from backend.servers.launch import comfyui_command, comfyui_python, demo_command
from backend.servers.log_tail import LINE_MAX, Tail, is_important
from backend.servers.orphans import MARK, Mark, orphans
from backend.servers.process import ProcessExit, SupervisedProcess, Times, terminate
from backend.servers.run_folder import folder_for
from backend.settings.model import Settings
from tests.support.model_files import as_nobody
from tests.support.processes import alive
from tests.support.waiting import until

pytestmark = pytest.mark.full

FOREVER = "import sys, time\nprint('up', flush=True)\ntime.sleep(600)"
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FOREVER
PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\ntime.sleep(600)"
)
Make = Callable[..., SupervisedProcess]
LOCAL = "http://127.0.0.1:8188"
QUICK = Times(backoff_first=0.05, stop=0.5, look=0.02)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[SupervisedProcess] = []

    def build(code: str, **more: Any) -> SupervisedProcess:
        process = SupervisedProcess(
            "it", [sys.executable, "-c", code], tmp_path / "it.log", times=QUICK, **more
        )
        made.append(process)
        process.start()
        return process

    yield build
    for process in made:
        process.stop()


def test_a_killed_process_is_restarted(make: Make) -> None:
    process = make(FOREVER)
    until(lambda: "up" in process.tail.lines())
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: process.pid not in (None, first))
    assert process.restarts == 1
    (ended,) = process.exits
    assert ended.status == -9 and not ended.by_us and "up" in ended.lines
    process.stop()
    assert process.pid is None


@pytest.mark.parametrize("code", [FOREVER, DEAF])
def test_stop_leaves_nothing_behind(make: Make, code: str) -> None:
    process = make(code)
    until(lambda: process.tail.lines())
    pid = process.pid
    assert pid is not None
    process.stop()
    assert not alive(pid)
    until(lambda: "supervisor-it" not in {thread.name for thread in threading.enumerate()})
    assert process.pid is None and not process.exits, "it is not started again"


def test_a_suspended_process_is_killed(make: Make) -> None:
    process = make(FOREVER)
    until(lambda: process.tail.lines())
    pid = process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    process.stop()
    assert not alive(pid)


@pytest.mark.parametrize("way", ["stop", "exit"])
def test_child_processes_are_killed_too(make: Make, way: str) -> None:
    process = make(PARENT)
    until(lambda: process.tail.lines())
    child = int(process.tail.lines()[0])
    assert alive(child)
    if way == "stop":
        process.stop()
    else:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
    until(lambda: not alive(child))


def test_a_command_that_cannot_be_started_is_retried(tmp_path: Path) -> None:
    process = SupervisedProcess("it", ["/nowhere/python"], tmp_path / "log", times=QUICK)
    process.start()
    until(lambda: process.restarts >= 2)
    assert isinstance(process.trouble, FileNotFoundError)
    process.stop()


def test_a_hung_process_is_killed_and_restarted(make: Make) -> None:
    process = make(FOREVER)
    until(lambda: process.tail.lines())
    first = process.pid
    assert first is not None
    process.note_answer()
    assert process.is_up
    os.kill(first, signal.SIGSTOP)
    process.kill("it hangs")
    until(lambda: process.pid not in (None, first))
    assert not process.is_up, "the new one has not answered yet"
    assert process.exits[0].by_us and process.exits[0].was_up


def test_a_process_without_restart_reports_its_exit(make: Make) -> None:
    told: list[ProcessExit] = []
    process = make("raise SystemExit(7)", restart=False, on_exit=told.append)
    until(lambda: told)
    assert told[0].status == 7 and not told[0].was_up
    until(lambda: process.over)
    assert process.restarts == 0


@pytest.mark.parametrize(("count", "says"), [(3, ""), (None, "memory ran out")])
def test_sigkill_without_a_counted_oom_kill_is_not_lack_of_memory(
    make: Make, monkeypatch: pytest.MonkeyPatch, count: int | None, says: str
) -> None:
    monkeypatch.setattr(oom, "oom_kills", lambda: count)
    process = make(FOREVER)
    until(lambda: process.tail.lines())
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: process.exits)
    assert says in words(process.ended) and bool(process.ended) == bool(says)


def test_an_exit_is_found_by_its_time(make: Make) -> None:
    process = make(FOREVER)
    until(lambda: process.tail.lines())
    before = time.monotonic()
    assert process.exit_since(before) is None
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    ended = process.exit_since(before, wait=60)
    assert ended is not None and ended.status == -9
    assert process.exit_since(time.monotonic()) is None
    assert ended.after(time.monotonic()).lines == ()


# -- orphans ---------------------------------------------------------------


def leave(tmp_path: Path, mark: Mark) -> int:
    """Starts an orphan: a process whose parent has exited, with its output in a file."""
    code = (
        "import os, subprocess, sys\n"
        f"out = open({mark.log!r}, 'ab')\n"
        "p = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdout=out, stderr=out,\n"
        "                     start_new_session=True)\n"
        "print(p.pid)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, FOREVER], env={**os.environ, **mark.environment()}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    until(lambda: Path(mark.log).read_bytes())  # before that its environment may not be there to be read
    return int(done.stdout)


def test_an_orphan_is_found_and_taken_over(tmp_path: Path) -> None:
    mark = Mark(str(tmp_path), "key", 8188, str(tmp_path / "log"), "folder")
    pid = leave(tmp_path, mark)
    try:
        (orphan,) = orphans(tmp_path)
        assert (orphan.pid, orphan.mark) == (pid, mark)
        assert orphans(tmp_path / "another") == []
        process = SupervisedProcess("it", ["/nowhere"], tmp_path / "log", taken_over=orphan, times=QUICK)
        process.start()
        until(lambda: process.pid == pid)
        assert process.tail.lines() == ["up"], "what it printed before is known"
        process.stop()
        assert not alive(pid)
        assert orphans(tmp_path) == []
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_an_orphan_that_exits_after_the_takeover_is_replaced(tmp_path: Path) -> None:
    mark = Mark(str(tmp_path), "key", 8188, str(tmp_path / "log"))
    pid = leave(tmp_path, mark)
    (orphan,) = orphans(tmp_path)
    command = [sys.executable, "-c", FOREVER]
    process = SupervisedProcess("it", command, tmp_path / "log", taken_over=orphan, times=QUICK)
    process.start()
    until(lambda: process.pid == pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: process.pid not in (None, pid))
    assert process.exits[0].status is None, "the exit status of an orphan is unknown"
    process.stop()


def test_an_orphan_that_is_not_needed_is_terminated(tmp_path: Path) -> None:
    pid = leave(tmp_path, Mark(str(tmp_path), "key", 8188, str(tmp_path / "log")))
    (orphan,) = orphans(tmp_path)
    terminate(orphan)
    assert not alive(pid)


def test_a_zombie_orphan_counts_as_ended() -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=sys.stdin)\n"
        "print(child.pid, flush=True)\nimport time; time.sleep(600)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        child = Child(psutil.Process(int(parent.stdout.readline())))
        assert not child.wait(0.05)
        parent.stdin.close()
        until(lambda: child.wait(0.05))
        assert child.gone and child.status is None
        parent.kill()


class Reused(psutil.Process):
    """A process that has ended and whose PID belongs to another one now."""

    def is_running(self) -> bool:
        return False


def test_a_process_with_a_reused_pid_is_not_signalled() -> None:
    with subprocess.Popen([sys.executable, "-c", FOREVER], start_new_session=True) as other:
        child = Child(Reused(other.pid))
        child.signal(signal.SIGKILL)
        assert child.wait(0.0) and child.gone
        assert alive(other.pid)
        Child(psutil.Process(other.pid)).signal(signal.SIGKILL)
        assert other.wait(60) == -signal.SIGKILL


def test_processes_of_another_user_are_skipped(tmp_path: Path) -> None:
    pid = leave(tmp_path, Mark(str(tmp_path), "key", 8188, str(tmp_path / "log")))
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            assert ports.listener_environment(port) is not None

            def look() -> str:
                return f"{len(orphans(tmp_path))} {ports.listener_environment(port)}"

            assert as_nobody(look) == ("0 None" if os.getuid() == 0 else look())
    finally:
        os.kill(pid, signal.SIGKILL)


def test_an_environment_without_a_valid_mark() -> None:
    assert Mark.of({}) is None
    assert Mark.of({MARK: "{"}) is None
    assert Mark.of({MARK: '{"other": 1}'}) is None


# -- output -----------------------------------------------------------------------------


def test_output_faster_than_the_reader_does_not_fill_the_disk(tmp_path: Path) -> None:
    tail = Tail("it", tmp_path / "log", file_max=500_000)
    output = tail.start_file()
    os.write(output, b"first\n")
    tail.read()
    for _ in range(3):
        os.write(output, b"spam\n" * 1_000_000 + b"last words\n")
        tail.read()
        assert tail.path.stat().st_size == 0 and tail.lines()[-1] == "last words"
    os.close(output)

    class Spam(Tail):  # each line that is read makes the process print two more
        def _take(self, line: str) -> None:
            super()._take(line)
            os.write(output, b"%s\n%s\n" % (line.encode(), line.encode()))

    tail.close()
    tail = Spam("it", tmp_path / "log", file_max=50_000)
    output = tail.start_file()
    os.write(output, b"a line of the spam\n" * 10)
    for _ in range(5):
        tail.read()
        assert tail.path.stat().st_size < 500_000
    os.close(output)
    tail.close()


def test_lines_are_kept_and_the_file_stays_small(tmp_path: Path) -> None:
    tail = Tail("it", tmp_path / "log", file_max=100)
    output = tail.start_file()
    os.write(output, b"\x1b[1m\x1b[31mone\x1b[0m\n 10%\r 20%\rtwo\n 30%")
    tail.read()
    assert tail.lines() == ["one", "two"]
    os.write(output, b"\r 40%\n" + b"x" * 2000 + b"\n")
    tail.read()
    assert tail.lines()[2:] == [" 40%", "x" * LINE_MAX]
    assert tail.path.stat().st_size == 0, "cut off once it was read"
    os.write(output, b"after\nno end")
    tail.read()
    assert tail.lines()[-1] == "after", "the writer continues after the truncation"
    tail.finish()
    assert tail.lines()[-1] == "no end"
    os.close(output)
    os.close(tail.start_file())
    assert (tmp_path / "log.1").exists()
    tail.close()


@pytest.mark.parametrize(
    ("line", "loud"),
    [
        ("!!! Exception during processing !!! CUDA error", True),
        ("torch.OutOfMemoryError: Allocation on device", True),
        ("WARNING: You are using a python version older than 3.10", True),
        ("[ComfyUI-Manager] ERROR: no network", True),
        ("[ERROR] Failed to initialize database.", True),
        ("[node] [WARNING] slow", True),
        ("[INFO] got prompt", False),
        ("Traceback (most recent call last):", True),
        ("terminate called after throwing an instance of 'std::bad_alloc'", True),
        ("got prompt", False),
        ("Prompt executed in 2.00 seconds", False),
        ("a sailor makes an error and is killed", False),
    ],
)
def test_which_lines_reach_the_log(line: str, loud: bool) -> None:
    assert is_important(line) is loud


# -- which engine, which command ----------------------------------------------------------------


def test_which_engine(tmp_path: Path) -> None:
    def plan(up: bool = False, folder: bool = False, **env: str) -> Choice:
        comfyui = tmp_path / "ComfyUI"
        comfyui.mkdir(exist_ok=True)
        (comfyui / "main.py").touch()
        extra = {"COMFYUI_DIR": str(comfyui)} if folder else {}
        return choose(Settings.from_env({**env, **extra}, tmp_path), lambda url: up and url == LOCAL)

    assert plan().kind == "demo" and plan().start
    assert plan(up=True) == Choice("comfyui", (LOCAL,), start=False)
    assert plan(folder=True) == Choice("comfyui", (LOCAL,), start=True)
    assert plan(up=True, folder=True).start is False, "a running one is adopted, never doubled"
    given = plan(up=True, folder=True, COMFYUI_URL="http://a:1,http://b:2")
    assert given == Choice("comfyui", ("http://a:1", "http://b:2"), start=False)
    assert plan(up=True, COMFYUI_URL="http://a:1", WAN_ENGINE="demo").kind == "demo"
    with pytest.raises(BadSettings, match="no ComfyUI"):
        plan(WAN_ENGINE="comfyui")


def test_commands(tmp_path: Path) -> None:
    command = comfyui_command("py", "127.0.0.1", 8188, ["--fast"])
    assert command[:6] == ["py", "main.py", "--listen", "127.0.0.1", "--port", "8188"]
    assert command[-1] == "--fast" and "--preview-method" in command
    for own in (["--preview-method", "none"], ["--preview-method=none"]):
        assert sum("--preview-method" in word for word in comfyui_command("py", "::1", 8188, own)) == 1
    assert "--until-idle" in demo_command(1234, 0.1, tmp_path)


def test_only_known_options_are_passed(tmp_path: Path) -> None:
    known = frozenset({"--temp-directory", "--database-url"})
    assert launch.own_folders(tmp_path, frozenset(), []) == []
    assert launch.own_folders(tmp_path, frozenset({"--temp-directory"}), []) == [
        "--temp-directory", str(tmp_path)
    ]  # fmt: skip
    assert "--database-url" not in launch.own_folders(tmp_path, known, ["--database-url=sqlite://"])
    (tmp_path / "main.py").write_text("print('usage: --temp-directory DIR, --use-split-cross-attention')")
    assert launch.options(sys.executable, tmp_path) == {"--temp-directory", "--use-split-cross-attention"}
    assert launch.options("/nowhere/python", tmp_path) == frozenset()


def test_the_interpreter_of_a_comfyui_folder(tmp_path: Path) -> None:
    assert comfyui_python(tmp_path) == "python3"
    for venv in (".venv", ".venv-cu126", ".venv-cu128"):
        (tmp_path / venv / "bin").mkdir(parents=True)
        (tmp_path / venv / "bin" / "python").touch()
        assert comfyui_python(tmp_path) == str(tmp_path / venv / "bin" / "python")
    assert comfyui_python(tmp_path, "/my/python") == "/my/python"


def test_the_run_folder_belongs_to_the_user(tmp_path: Path) -> None:
    environ = {"TMPDIR": str(tmp_path)}
    folder = folder_for("data", environ)
    assert folder == folder_for("data", environ)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder != folder_for("other", environ)
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(BadSettings):
        folder_for("data", environ)


def test_a_port_in_use_and_its_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not ports.port_is_free(port)
        assert not ports.port_is_free(port, "0.0.0.0")
        assert ports.listener(port) == os.getpid()
    assert ports.port_is_free(port)
    assert ports.listener(port) is None
