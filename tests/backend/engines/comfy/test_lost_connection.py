"""A connection that is lost, and jobs that are taken up again."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.timing import Timing
from backend.errors import (
    EngineLost,
    JobCancelled,
)
from backend.events import Connection, Progress, Queued, Stage, Started
from tests.support.comfy_run import (
    COLD,
    FAST,
    REAL,
    REFUSED,
    Run,
    adjustable,
    has,
    in_order,
    prompt,
    reconnected,
    split,
)
from tests.support.fake_comfy import CLOSE, DROP, END, FORGET, GONE, FakeComfy, cut, half, play, status
from tests.support.waiting import until

pytestmark = pytest.mark.full


@pytest.fixture
def timing() -> Timing:
    return FAST


def test_a_job_that_ended_while_the_socket_was_down(server: FakeComfy, engine: ComfyEngine) -> None:
    first, _ = split(COLD, '"progress", "data": {"value": 1')
    server.script = [*first, DROP, END]
    run = Run(engine, prompt())
    assert run.result() == (REAL,)
    assert run.of(Connection)[0] == Connection(False)
    in_order(run)


@pytest.mark.parametrize("loss", [DROP, CLOSE])
def test_a_job_goes_on_after_a_reconnect(server: FakeComfy, engine: ComfyEngine, loss: object) -> None:
    first, rest = split(COLD, '"progress", "data": {"value": 1')
    back = threading.Event()
    server.script = [*first, loss, back, *rest, END]
    run = Run(engine, prompt())
    reconnected(server, run)
    back.set()
    assert run.result() == (REAL,)
    assert run.of(Connection) == [Connection(False), Connection(True)]
    in_order(run)
    assert run.of(Progress)[-1] == Progress(4, 4)


def test_steps_made_while_the_socket_was_down_are_caught_up(server: FakeComfy, engine: ComfyEngine) -> None:
    first, rest = split(COLD, '"progress", "data": {"value": 1')
    middle = next(n for n, frame in enumerate(rest) if '"node": "14"' in str(frame))
    back = threading.Event()
    server.script = [*first, DROP, back, *rest[middle + 1 :], END]
    run = Run(engine, prompt())
    reconnected(server, run)
    back.set()
    run.result()
    assert [event.step for event in run.of(Progress)] == [1, 3, 4]


def test_a_server_that_dropped_the_new_socket_is_polled(server: FakeComfy, engine: ComfyEngine) -> None:
    """An older socket of the same client id closed late: the new one is open and silent."""
    first, _ = split(COLD, '"progress", "data": {"value": 1')
    back = threading.Event()
    server.script = [*first, DROP, back, FORGET, END]
    run = Run(engine, prompt())
    reconnected(server, run)
    back.set()
    assert run.result() == (REAL,)


def test_a_silent_stale_socket_is_reopened(server: FakeComfy) -> None:
    timing = adjustable(replace(FAST, reopen_after=0.15))
    engine = ComfyEngine(server.url, timing=timing)
    first, rest = split(COLD, '"progress", "data": {"value": 1')
    back, more = threading.Event(), threading.Event()
    server.script = [*first, DROP, back, FORGET, more, *rest, END]
    run = Run(engine, prompt())
    reconnected(server, run)
    back.set()
    until(lambda: len(server.opened) >= 3)
    timing.reopen_after = 60.0
    asked = server.count("GET", "/queue")
    until(lambda: server.count("GET", "/queue") > asked + 1)  # it is not being reopened any more
    more.set()
    assert run.result() == (REAL,)
    assert run.of(Progress)[-1] == Progress(4, 4)
    assert run.of(Connection) == [Connection(False), Connection(True)], "making it again is not a loss"
    engine.close()


def test_after_an_unclean_loss_the_next_job_has_a_fresh_client_id(
    server: FakeComfy, engine: ComfyEngine
) -> None:
    first, _ = split(COLD, '"progress", "data": {"value": 1')
    server.script = [*first, DROP, END]
    Run(engine, prompt()).result()
    server.script = play(COLD)
    assert Run(engine, prompt()).result() == (REAL,)
    assert server.opened[-1] != server.opened[0]
    assert server.opened[-1].startswith(engine.client_id)
    assert server.bodies("/prompt")[-1]["client_id"] == server.opened[-1]


def test_a_restarted_server_does_not_know_the_job(server: FakeComfy, engine: ComfyEngine) -> None:
    first, _ = split(COLD, '"progress", "data": {"value": 1')
    back = threading.Event()
    server.script = [*first, DROP, back, GONE]
    run = Run(engine, prompt())
    reconnected(server, run)  # else two polls may find it gone before the lost socket is noticed
    back.set()
    with pytest.raises(EngineLost, match="restarted"):
        run.result()


def test_a_job_deleted_from_the_queue_is_cancelled(server: FakeComfy, engine: ComfyEngine) -> None:
    server.accept = False
    run = Run(engine, prompt())
    run.until(has(Queued))
    server.pending.clear()
    with pytest.raises(JobCancelled, match="queue"):
        run.result()


def test_a_server_that_refuses_connections_is_lost_after_the_limit(server: FakeComfy) -> None:
    engine = ComfyEngine(server.url, timing=REFUSED)
    first, _ = split(COLD, '"progress", "data": {"value": 1')
    server.script = [*first, threading.Event()]
    run = Run(engine, prompt())
    run.until(has(Progress))
    server.stop()
    with pytest.raises(EngineLost, match="stopped responding"):
        run.result()
    assert Connection(False) in run.events


@pytest.mark.parametrize("trouble", [status(500), status(502), status(200, "<html>"), half, cut, status(404)])
def test_temporary_invalid_responses_are_tolerated(
    server: FakeComfy, engine: ComfyEngine, trouble: Any
) -> None:
    first, _ = split(COLD, '"progress", "data": {"value": 1')
    job = prompt()
    server.script = [*first, DROP, END]
    server.answer("GET", "/queue", trouble, trouble, trouble)
    server.answer("GET", f"/history/{job.id}", trouble, trouble, trouble)
    assert Run(engine, job).result() == (REAL,)


def test_persistent_invalid_responses_end_the_job(server: FakeComfy) -> None:
    first, _ = split(COLD, '"progress", "data": {"value": 1')
    server.script = [*first, threading.Event()]
    job = prompt()
    server.answer("GET", f"/history/{job.id}", *[status(500)] * 200)
    engine = ComfyEngine(server.url, timing=Timing(receive=0.01, idle_poll=0.01, error_limit=0.1))
    with pytest.raises(EngineLost):
        Run(engine, job).result()


def test_a_job_without_a_websocket_is_followed_by_polling(server: FakeComfy, engine: ComfyEngine) -> None:
    server.sockets_allowed = False
    held = threading.Event()
    server.script = [held, END]
    run = Run(engine, prompt())
    run.until(has(Started))
    held.set()
    assert run.result() == (REAL,)
    assert run.of(Connection) == [Connection(False)]


def test_resume_follows_what_is_in_the_queue_under_its_own_client_id(server: FakeComfy) -> None:
    first, rest = split(COLD, '"progress", "data": {"value": 1')
    back = threading.Event()
    server.script = [*first, back, *rest, END]
    before = ComfyEngine(server.url, timing=FAST)
    run = Run(before, prompt())
    run.until(has(Progress))
    before.close()
    with pytest.raises(EngineLost):
        run.result()
    after = ComfyEngine(server.url, timing=FAST)
    again = Run(after, run.job, "resume")
    until(lambda: len(server.opened) == 2)
    back.set()
    assert again.result() == (REAL,)
    assert server.opened == [before.client_id] * 2
    assert server.count("POST", "/prompt") == 1
    assert again.of(Progress)[-1] == Progress(4, 4)


def test_resume_knows_at_once_what_runs(server: FakeComfy) -> None:
    """A reopened socket gets the running node without a prompt id; a long decoding sends nothing else."""
    first, rest = split(COLD, '"progress", "data": {"value": 1')
    back, on = threading.Event(), threading.Event()
    node = list(prompt().labels)[-1]
    repeated = json.dumps({"type": "executing", "data": {"node": node, "display_node": node}})
    server.script = [*first, back, repeated, on, *rest, END]
    before = ComfyEngine(server.url, timing=FAST)
    run = Run(before, prompt())
    run.until(has(Progress))
    before.close()
    with pytest.raises(EngineLost):
        run.result()
    again = Run(ComfyEngine(server.url, timing=replace(FAST, queue_poll=600.0)), run.job, "resume")
    again.until(has(Started))
    until(lambda: len(server.opened) == 2)
    back.set()
    again.until(has(Stage))
    assert again.of(Stage)[0].node == node
    on.set()
    assert again.result() == (REAL,)


def test_resume_finds_what_has_ended(server: FakeComfy, engine: ComfyEngine) -> None:
    job = prompt()
    server.end(job.id)
    assert Run(engine, job, "resume").result() == (REAL,)


def test_resume_of_an_unknown_job(engine: ComfyEngine) -> None:
    with pytest.raises(EngineLost):
        Run(engine, prompt(), "resume").result()
