"""Servers with real processes: the demo engine as ComfyUI, one for each GPU."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.timing import Timing
from backend.errors import EngineHung, EngineLost, EngineUnreachable, OutOfMemory, StudioError
from backend.events import Progress, Started
from backend.notices import words
from backend.servers import fleet, launch, oom
from backend.servers.fleet import Server, Servers
from backend.servers.orphans import orphans
from backend.servers.process import Times
from backend.servers.run_folder import RunFolder, folder_for
from backend.servers.server import Limits
from backend.settings.folders import RUNPOD_COMFYUI
from backend.settings.model import Settings
from backend.system import health
from tests.support import comfyui_folder
from tests.support.comfy_run import Run, adjustable, has
from tests.support.comfy_run import compiled_prompt as prompt
from tests.support.demo_server import start_demo
from tests.support.ports import free_port, free_row
from tests.support.processes import alive
from tests.support.waiting import let_pass, until

pytestmark = pytest.mark.full

Build = Callable[..., Servers]
QUICK = Limits(
    look=0.2,
    search=0.2,
    process=Times(backoff_first=0.05, look=0.05, count=0.1),
)


@pytest.fixture
def base() -> int:
    """The first of the ports on which servers are started, far from a real ComfyUI's."""
    return free_row(4)


@pytest.fixture
def build(base: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    comfyui_folder.make(tmp_path / "ComfyUI")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    made: list[Servers] = []

    def one(
        gpus: str | None = "0,1",
        restart: bool = True,
        limits: Limits = QUICK,
        runpod_folder: Path = RUNPOD_COMFYUI,
        found_only: bool = False,
        **env: str,
    ) -> Servers:
        if gpus is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
        more: dict[str, Any] = {} if restart else {"restart": False, "on_exit": exits.append}
        given = settings(tmp_path, COMFYUI_PORT=str(base), **env)
        given = given.model_copy(update={"comfyui_dir_given": not found_only})
        all_of_them = Servers(given, limits=limits, runpod_folder=runpod_folder, **more)
        made.append(all_of_them)
        return all_of_them

    yield one
    for all_of_them in made:
        all_of_them.close()
    assert orphans(tmp_path / "data") == [], "none is left behind"


exits: list[StudioError] = []


def settings(folder: Path, **env: str) -> Settings:
    given = {
        "COMFYUI_DIR": str(folder / "ComfyUI"), "WAN_DATA_DIR": str(folder / "data"),
        "WAN_MODELS_DIR": str(folder / "models"), **env,
    }  # fmt: skip
    (folder / "data").mkdir(exist_ok=True)
    return Settings.from_env(given, folder)


def all_up(all_of_them: Servers) -> None:
    for engine in all_of_them.engines:
        until(lambda engine=engine: engine.refresh().state == "ok", 60)


def facts(folder: Path, server: Server) -> dict[str, Any]:
    port = server.engine.http.address.rpartition(":")[2]
    found: dict[str, Any] = json.loads((folder / "ComfyUI" / f"started-{port}.json").read_text())
    return found


def say(folder: Path, server: Server, words: str) -> None:
    """Makes the server print a text."""
    port = server.engine.http.address.rpartition(":")[2]
    file = folder / "ComfyUI" / f"say-{port}"
    part = file.with_suffix(".part")
    part.write_text(words)
    part.replace(file)
    assert server.process is not None
    process = server.process
    until(lambda: any(words in line for line in process.tail.lines()))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "input.png"
    Image.new("RGB", (96, 64), (200, 120, 40)).save(path)
    return path


def engine_of(server: Server) -> ComfyEngine:
    """Short intervals, and limits that a slow machine does not reach before the test shortens one."""
    server.engine.timing = adjustable(
        replace(
            Timing(),
            receive=0.05,
            first_poll=0.02,
            queue_poll=0.1,
            idle_poll=0.2,
            offline_poll=0.05,
            refused_limit=600.0,
            error_limit=600.0,
        )
    )
    server.engine.http._timeout = (5.0, 20.0)
    return server.engine


# -- one for each GPU ---------------------------------------------------------------------------


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


# -- beside a running one -----------------------------------------------------------------------


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


# -- the studio is killed -----------------------------------------------------------------------

STUDIO = """
import os, sys, time
from pathlib import Path
from backend.servers import fleet
from backend.settings.model import Settings
all_of_them = fleet.Servers(Settings.from_env(os.environ, Path(sys.argv[1])))
while not all(engine.refresh().state == "ok" for engine in all_of_them.engines):
    time.sleep(0.05)
print(*(process.pid for process in all_of_them.processes), flush=True)
time.sleep(600)
"""


def killed_studio(tmp_path: Path, base: int, **env: str) -> list[int]:
    """The servers that a studio started before it was killed."""
    given = {
        "WAN_DATA_DIR": str(tmp_path / "data"), "COMFYUI_DIR": str(tmp_path / "ComfyUI"),
        "WAN_MODELS_DIR": str(tmp_path / "models"), "COMFYUI_PORT": str(base), **env,
    }  # fmt: skip
    (tmp_path / "data").mkdir(exist_ok=True)
    studio = subprocess.Popen(
        [sys.executable, "-c", STUDIO, str(tmp_path)], cwd=comfyui_folder.ROOT,
        env={**os.environ, **given}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert studio.stdout is not None
    pids = [int(pid) for pid in studio.stdout.readline().split()]
    studio.kill()
    studio.wait()
    studio.stdout.close()
    assert pids and all(alive(pid) for pid in pids)
    return pids


def test_after_a_kill_the_next_start_takes_over_the_servers_and_the_job(
    build: Build, base: int, tmp_path: Path, picture: Path
) -> None:
    pids = killed_studio(tmp_path, base, CUDA_VISIBLE_DEVICES="0,1")
    lost = ComfyEngine(f"http://127.0.0.1:{base + 1}", client_id="lane")
    faults(lost, hang_at_step=2)
    run = Run(lost, prompt(lost, picture))
    run.until(has(Progress))
    lost.close()
    both = build()
    all_up(both)
    assert [process.pid for process in both.processes] == pids
    assert both.choice.urls == (f"http://127.0.0.1:{base}", f"http://127.0.0.1:{base + 1}")
    resumed = Run(engine_of(both.servers[1]), run.job, "resume")
    resumed.until(has(Started))
    faults(lost)
    assert resumed.result(60)
    assert [engine.info().restarts for engine in both.engines] == [0, 0]
    both.close()
    assert not any(alive(pid) for pid in pids)


def test_a_second_studio_on_the_same_folder_leaves_the_first_alone(
    build: Build, base: int, tmp_path: Path
) -> None:
    first = build("0")
    all_up(first)
    second = build("0")
    all_up(second)
    assert second.choice.urls != first.choice.urls or second.processes == []
    before = first.processes[0].pid
    second.close()
    assert first.processes[0].pid == before and first.engines[0].refresh().state == "ok"
    assert (first._run_folder.folder / f"comfyui-{base}.log").exists()


def test_orphans_of_a_killed_second_studio_are_terminated(build: Build, base: int, tmp_path: Path) -> None:
    run_folder = RunFolder(tmp_path / "data")
    pids = killed_studio(tmp_path, base, CUDA_VISIBLE_DEVICES="0")
    run_folder.release(keep_logs=False)
    one = build("0", COMFYUI_ARGS="--step-seconds 0.2")
    assert not any(alive(pid) for pid in pids)
    all_up(one)


def test_an_orphan_that_does_not_answer_is_killed(build: Build, base: int, tmp_path: Path) -> None:
    limits = replace(QUICK, taken_over=0.5, process=replace(QUICK.process, young=0.0))
    (pid,) = killed_studio(tmp_path, base, CUDA_VISIBLE_DEVICES="0")
    os.kill(pid, signal.SIGSTOP)
    one = build("0", limits=limits, WAN_HUNG_SECONDS="8")
    until(lambda: not alive(pid), 60)
    all_up(one)
    assert one.engines[0].info().restarts == 1


def test_an_orphan_with_other_settings_is_replaced(build: Build, base: int, tmp_path: Path) -> None:
    (pid,) = killed_studio(tmp_path, base, CUDA_VISIBLE_DEVICES="0")
    one = build("0", COMFYUI_ARGS="--step-seconds 0.2")
    assert not alive(pid)
    all_up(one)


def test_the_demo_engine_is_taken_over_too(build: Build, base: int, tmp_path: Path, picture: Path) -> None:
    (pid,) = killed_studio(tmp_path, base, WAN_ENGINE="demo")
    one = build(WAN_ENGINE="demo")
    all_up(one)
    assert [process.pid for process in one.processes] == [pid]
    assert Run(engine_of(one.servers[0]), prompt(one.servers[0].engine, picture)).result(60)
    one.close()
    assert not alive(pid)
    assert not folder_for(str(tmp_path / "data")).joinpath("demo").exists()


def test_the_demo_engine_exits_when_its_studio_does_not_return(tmp_path: Path) -> None:
    command = launch.demo_command(free_port(), 0.1, tmp_path)
    command[-1] = "0.3"
    process = subprocess.Popen(command, cwd=comfyui_folder.ROOT, stdout=subprocess.DEVNULL)
    assert process.wait(timeout=60) == 0


# -- what a job ended with ----------------------------------------------------------------------


def lost_job(server: Server, picture: Path, act: Callable[[], None]) -> StudioError:
    """The error of a job during which this event occurs; its second step lasts until then."""
    engine = engine_of(server)
    engine.refresh()
    faults(engine, hang_at_step=2)
    run = Run(engine, prompt(engine, picture))
    run.until(has(Progress))
    act()
    engine.timing.hung = server._hung_seconds
    engine.http._timeout = (1.0, 1.0)
    with pytest.raises((EngineLost, EngineUnreachable)) as caught:
        run.result(60)
    assert isinstance(caught.value, StudioError)
    return caught.value


def faults(engine: ComfyEngine, **orders: object) -> None:
    """Replaces the faults of the engine's server."""
    requests.post(f"{engine.http.address}/demo/faults", json=orders, timeout=60).raise_for_status()


def kill(server: Server) -> None:
    assert server.process is not None and server.process.pid is not None
    os.kill(server.process.pid, signal.SIGKILL)


def test_the_error_names_the_exit_status_of_a_killed_server(build: Build, picture: Path) -> None:
    one = build("0")
    all_up(one)
    engine = engine_of(one.servers[0])
    faults(engine, hang_at_step=2)
    run = Run(engine, prompt(engine, picture))
    run.until(has(Progress))
    kill(one.servers[0])
    with pytest.raises(EngineLost) as lost:  # its end is known; no limit has to pass
        run.result(60)
    error = lost.value
    assert one.engines[0].info().exit_cause == "killed" and one.engines[0].info().state != "ok"
    found = one.recover(one.engines[0], error)
    assert type(found) is EngineLost and found.message == "The demo engine stopped unexpectedly."
    assert found.to_dict()["cause"] == "signal SIGKILL"
    all_up(one)
    assert Run(engine_of(one.servers[0]), prompt(one.servers[0].engine, picture)).result(60)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", "GPU"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "RAM"),
    ],
)
def test_out_of_memory_from_the_output(
    build: Build, tmp_path: Path, picture: Path, words: str, says: str
) -> None:
    one = build("0")
    all_up(one)
    server = one.servers[0]

    def act() -> None:
        say(tmp_path, server, words)
        kill(server)

    found = one.recover(one.engines[0], lost_job(server, picture, act))
    assert isinstance(found, OutOfMemory) and says in found.message and "smaller" in found.hint


def test_out_of_memory_from_the_kernels_counter(
    build: Build, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = [3]
    monkeypatch.setattr(oom, "oom_kills", lambda: count[0])
    one = build("0")
    all_up(one)

    def act() -> None:
        count[0] += 1
        kill(one.servers[0])

    found = one.recover(one.engines[0], lost_job(one.servers[0], picture, act))
    assert isinstance(found, OutOfMemory) and "RAM" in found.message


def test_output_of_an_earlier_job_is_ignored(build: Build, tmp_path: Path, picture: Path) -> None:
    one = build("0")
    all_up(one)
    say(tmp_path, one.servers[0], "torch.OutOfMemoryError: CUDA out of memory.")
    found = one.recover(one.engines[0], lost_job(one.servers[0], picture, lambda: kill(one.servers[0])))
    assert type(found) is EngineLost


def test_a_hung_server_is_restarted_and_the_other_continues(build: Build, picture: Path) -> None:
    both = build(WAN_HUNG_SECONDS="2")
    all_up(both)
    first, second = both.servers
    assert first.process is not None and second.process is not None
    hangs, stays = first.process.pid, second.process.pid
    assert hangs is not None

    def act() -> None:
        os.kill(hangs, signal.SIGSTOP)

    error = lost_job(first, picture, act)
    found = both.recover(both.engines[0], error)
    assert isinstance(found, EngineHung) and "restarted" in found.message
    until(lambda: not alive(hangs), 60)
    all_up(both)
    assert second.process.pid == stays
    assert Run(engine_of(first), prompt(first.engine, picture)).result(60)


def test_a_server_that_hangs_without_a_job_is_restarted(build: Build) -> None:
    one = build("0", WAN_HUNG_SECONDS="1")
    all_up(one)
    pid = one.processes[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    until(lambda: not alive(pid), 60)
    all_up(one)
    assert one.engines[0].info().restarts == 1


# -- what does not come up ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        (
            "RuntimeError: The NVIDIA driver on your system is too old (found version 12020).",
            "driver is too old",
        ),
        ("RuntimeError: Found no NVIDIA driver on your system.", "no NVIDIA GPU"),
        ("ModuleNotFoundError: No module named 'torchsde'", "torchsde"),
        ("ERROR Port 8188 is already in use on address 127.0.0.1.", "taken by another program"),
        ("main.py: error: unrecognized arguments: --normalvram", "--normalvram"),
        ("something else", "something else"),
    ],
)
def test_the_reason_for_a_failed_start_is_shown(build: Build, printed: str, says: str) -> None:
    exits.clear()
    one = build("0", restart=False, COMFYUI_ARGS=f"--fail {json.dumps(printed)}")
    until(lambda: exits, 60)
    info = one.engines[0].refresh()
    assert info.state == "lost" and says in words(info.error) and "Traceback" not in words(info.error)
    assert says in exits[0].message
    let_pass(0.3)
    assert one.processes[0].restarts == 0, "it is not started again where the container is to end"


def test_a_missing_python(build: Build) -> None:
    one = build("0", COMFYUI_PYTHON="/nowhere/python")
    until(lambda: "/nowhere/python" in words(one.engines[0].refresh().error), 60)
    assert "COMFYUI_PYTHON" in words(one.engines[0].info().error)
    assert one.engines[0].info().state == "starting", "it is tried again"


def test_an_option_that_comfyui_does_not_have(build: Build) -> None:
    one = build("0", COMFYUI_ARGS="--normalvram")
    until(lambda: "--normalvram" in words(one.engines[0].refresh().error), 60)
