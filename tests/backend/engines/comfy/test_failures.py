"""A real server process that hangs, stalls or trickles, and a connection that is cut again and again."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.http import Http, is_read_timeout
from backend.engines.comfy.timing import Timing
from backend.errors import EngineHung, EngineLost, EngineUnreachable, JobCancelled
from backend.events import Connection, Progress, Queued, Started
from tests.support.comfy_run import COLD, Run, adjustable, has, in_order
from tests.support.comfy_run import compiled_prompt as prompt
from tests.support.comfy_run import prompt as recorded
from tests.support.demo_server import DemoServer, start_demo
from tests.support.fake_comfy import FakeComfy, play
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import let_pass, until

pytestmark = pytest.mark.full

TIMING = Timing(
    receive=0.05,
    first_poll=0.02,
    queue_poll=0.1,
    idle_poll=0.2,
    offline_poll=0.05,
    interrupt_interval=0.1,
    reopen_after=0.6,
    refused_limit=60.0,
    error_limit=60.0,
    hung=60.0,
    connect=5.0,
    read=5.0,
)


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with start_demo(step_seconds=0.02, faults=True) as server:
        yield server


@pytest.fixture
def demo(server: DemoServer) -> Iterator[DemoServer]:
    """The server with nothing left of the test before."""
    server.faults()
    until(lambda: server.call("GET", "/prompt").json()["exec_info"]["queue_remaining"] == 0)
    yield server
    server.faults()


def impatient(engine: ComfyEngine, **limits: float) -> None:
    """Shortens limits of a running prompt, and that of a response."""
    for name, seconds in limits.items():
        setattr(engine.timing, name, seconds)
    engine.http._timeout = (5.0, 0.3)


def hanging(demo: DemoServer, picture: Path, **timing: float) -> tuple[ComfyEngine, Run]:
    """A run whose second step lasts until the faults are cleared, with limits that can be changed."""
    engine = ComfyEngine(demo.url, timing=adjustable(replace(TIMING, **timing)))
    demo.faults(hang_at_step=2)
    run = Run(engine, prompt(engine, picture))
    run.until(has(Progress))
    return engine, run


def test_a_stopped_server_is_hung(demo: DemoServer, picture: Path) -> None:
    engine, run = hanging(demo, picture)
    os.kill(demo.process.pid, signal.SIGSTOP)
    try:
        impatient(engine, hung=0.5)
        with pytest.raises(EngineHung, match="has not responded") as caught:
            run.result(60)
        assert "Restart ComfyUI" in caught.value.hint
    finally:
        os.kill(demo.process.pid, signal.SIGCONT)


def test_a_server_that_continues_in_time_is_not_hung(demo: DemoServer, picture: Path) -> None:
    """Longer than the limit for invalid responses, shorter than the limit for a hung server."""
    engine, run = hanging(demo, picture)
    os.kill(demo.process.pid, signal.SIGSTOP)
    impatient(engine, error_limit=0.4)
    let_pass(1.0)
    os.kill(demo.process.pid, signal.SIGCONT)
    demo.faults()
    assert run.result(60)
    in_order(run)


def test_a_step_that_never_ends_is_hung_although_the_server_answers(demo: DemoServer, picture: Path) -> None:
    engine, run = hanging(demo, picture)
    engine.timing.hung = 0.2
    with pytest.raises(EngineHung):
        run.result(60)
    assert demo.call("GET", "/system_stats").status == 200


def test_a_hung_server_is_detected_while_a_stale_socket_is_reopened(demo: DemoServer, picture: Path) -> None:
    engine = ComfyEngine(demo.url, timing=adjustable(replace(TIMING, reopen_after=0.2)))
    demo.faults(drop_socket_at_step=1, hang_at_step=2)
    run = Run(engine, prompt(engine, picture))
    run.until(lambda events: sum(isinstance(event, Connection) for event in events) >= 2)
    engine.timing.hung = 0.2
    with pytest.raises(EngineHung):
        run.result(60)


def test_a_cancelled_hanging_job_does_not_block_the_lane(demo: DemoServer, picture: Path) -> None:
    engine, run = hanging(demo, picture)
    engine.cancel(run.job.id)
    engine.timing.hung = 0.5
    with pytest.raises((EngineHung, JobCancelled)):
        run.result(60)


def test_a_job_that_waits_behind_a_hanging_one_is_not_hung(demo: DemoServer, picture: Path) -> None:
    _, ahead = hanging(demo, picture)
    second = ComfyEngine(demo.url, timing=adjustable(replace(TIMING, hung=0.1)))
    waits = Run(second, prompt(second, picture))
    waits.until(has(Queued, others=1))
    let_pass(10 * 0.1)
    assert not waits.of(Started) and waits._future.running()
    second.timing.hung = 60.0
    demo.faults()
    assert ahead.result(60) and waits.result(60)


def test_a_connection_cut_again_and_again(demo: DemoServer, picture: Path) -> None:
    """The job succeeds, no event is reported twice and the progress never decreases."""
    with TcpProxy(demo.url) as proxy:
        engine = ComfyEngine(proxy.url, timing=TIMING)
        for step in (2, 3, 4):
            demo.faults(hang_at_step=step)
            if step == 2:
                run = Run(engine, prompt(engine, picture))
                run.until(has(Progress))
            until(lambda: not demo.call("GET", "/demo/faults").json(), says="it is at that step")
            proxy.cut_every(0.1, times=5)
            until(lambda cuts=5 * (step - 1): proxy.cuts >= cuts)
        demo.faults()
        assert run.result(60)
        in_order(run)
        states = [event.connected for event in run.of(Connection)]
        assert len(states) >= 2, "it was seen"
        assert states == [bool(n % 2) for n in range(len(states))], "down and up in turn, never twice"


def test_a_response_that_arrives_too_slowly_is_an_error(demo: DemoServer) -> None:
    with TcpProxy(demo.url, trickle=0.1) as proxy:
        http = Http(proxy.url, read=0.2)
        with pytest.raises(EngineUnreachable) as caught:
            http.get("/object_info")
        assert is_read_timeout(caught.value)
        proxy.trickle = 0.0
        assert http.get("/system_stats")


def test_frames_that_arrive_too_slowly_do_not_block_the_lane() -> None:
    """One of 10 MB, a byte at a time, would take for ever."""
    with FakeComfy(play(COLD), COLD) as server, TcpProxy(server.url) as proxy:
        ready = threading.Event()
        server.script = [*play(COLD)[:3], ready, json.dumps({"type": "x" * 10_000_000})]
        patient = replace(
            TIMING, hung=600.0, idle_poll=600.0, error_limit=600.0, refused_limit=600.0, read=60.0
        )
        engine = ComfyEngine(proxy.url, timing=patient)
        run = Run(engine, recorded())
        run.until(has(Started))
        proxy.trickle = 0.001
        ready.set()
        until(lambda: proxy.trickled > 1000)
        engine.close()
        with pytest.raises(EngineLost, match="stopped while"):
            run.result()
