"""Servers that end or hang: what their jobs end with."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import EngineHung, EngineLost, EngineUnreachable, OutOfMemory, StudioError
from backend.events import Progress
from backend.servers import oom
from backend.servers.fleet import Server
from tests.support.comfy_run import Run, has
from tests.support.comfy_run import compiled_prompt as prompt
from tests.support.fleet import Build, all_up, engine_of, faults, say
from tests.support.processes import alive
from tests.support.waiting import until

pytestmark = pytest.mark.full


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


@pytest.mark.deep
def test_a_server_that_hangs_without_a_job_is_restarted(build: Build) -> None:
    one = build("0", WAN_HUNG_SECONDS="1")
    all_up(one)
    pid = one.processes[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    until(lambda: not alive(pid), 60)
    all_up(one)
    assert one.engines[0].info().restarts == 1
