"""What the next start does with the servers of a studio that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backend.engines.comfy.engine import ComfyEngine
from backend.events import Progress, Started
from backend.servers import launch
from backend.servers.run_folder import RunFolder, folder_for
from tests.support import comfyui_folder
from tests.support.comfy_run import Run, has
from tests.support.comfy_run import compiled_prompt as prompt
from tests.support.fleet import QUICK, Build, all_up, engine_of, faults
from tests.support.ports import free_port
from tests.support.processes import alive
from tests.support.waiting import until

pytestmark = pytest.mark.full

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


@pytest.mark.deep
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
