"""The whole app with its own servers on two GPUs under kills: no job is lost and no process is left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from backend.servers.orphans import orphans
from tests.support import comfyui_folder
from tests.support.ports import free_row
from tests.support.storm import STEP_SECONDS, UP_SECONDS, App, Storm
from tests.support.tiers import deep
from tests.support.waiting import until

pytestmark = pytest.mark.full


class SupervisedApp(App):
    def __init__(self, folder: Path, comfyui: Path, port: int) -> None:
        (folder / "tmp").mkdir(parents=True)
        super().__init__(
            folder / "app", [], COMFYUI_DIR=str(comfyui), CUDA_VISIBLE_DEVICES="0,1",
            TMPDIR=str(folder / "tmp"),
            COMFYUI_PORT=str(port), COMFYUI_ARGS=f"--step-seconds {STEP_SECONDS}",
            WAN_MODELS_DIR=str(folder / "models"),
        )  # fmt: skip


class SupervisedServer:
    """A server that the app starts and restarts."""

    process = None

    def __init__(self, app: App, notes: Path, port: int) -> None:
        self.app, self.notes, self.port = app, notes, port
        self.killed_at: list[float] = []
        notes.touch()

    def start(self) -> None:
        pass

    def pid(self) -> int | None:
        found = {server.mark.port: server.pid for server in orphans(self.app.data)}
        return found.get(self.port)

    def kill(self) -> None:
        until(lambda: self.pid() is not None, UP_SECONDS)  # it may be restarting
        pid = self.pid()
        assert pid is not None
        self.killed_at.append(time.time())
        os.kill(pid, signal.SIGKILL)


class SupervisedStorm(Storm):
    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder, servers=0, seed=seed)
        comfyui = comfyui_folder.make(folder / "ComfyUI")
        (comfyui / "record").touch()
        port = free_row(2)
        self.app: Any = SupervisedApp(folder / "supervised", comfyui, port)
        self.servers: Any = [SupervisedServer(self.app, comfyui / f"notes-{p}", p) for p in (port, port + 1)]


@pytest.mark.parametrize(
    ("jobs", "app_kills", "server_kills"),
    [deep(3, 1, 1), deep(8, 2, 3)],
    ids=["breeze", "storm"],
)
def test_kills_of_the_app_and_of_its_servers(
    tmp_path: Path, jobs: int, app_kills: int, server_kills: int
) -> None:
    storm = SupervisedStorm(tmp_path, seed=11)
    storm.start()
    try:
        storm.run(jobs=jobs, app_kills=app_kills, server_kills=server_kills)
        storm.wait(240)
        account = storm.account()
        log = storm.app.log()
        assert not account.lost, (account, log[-4000:])
        assert not account.twice and not account.without_reason, account
        assert account.done + account.failed + account.cancelled == jobs, account
        assert not account.after_cancel, account
        assert "is taken over from an earlier run" in log and "Traceback" not in log, log[-4000:]
        until(lambda: all(server.pid() for server in storm.servers), UP_SECONDS)
    finally:
        storm.close()
    assert [server.pid() for server in storm.servers] == [None, None], "stopped with the app"
