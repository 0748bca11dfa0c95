"""Jobs that are cancelled before, while and after they are sent."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import pytest
from aiohttp import web

from backend.engines.base import Prompt
from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.timing import Timing
from backend.errors import (
    EngineLost,
    JobCancelled,
)
from backend.events import Progress, Queued
from tests.support.comfy_run import (
    COLD,
    FAST,
    REAL,
    REFUSED,
    Run,
    has,
    prompt,
    split,
)
from tests.support.fake_comfy import FakeComfy, play

pytestmark = pytest.mark.full


@pytest.fixture
def timing() -> Timing:
    return FAST


def test_cancelled_before_it_was_sent(server: FakeComfy, engine: ComfyEngine) -> None:
    job = prompt()
    engine.cancel(job.id)
    with pytest.raises(JobCancelled):
        Run(engine, job).result()
    assert server.count("POST", "/prompt") == 0


def test_cancelled_while_a_file_is_sent(server: FakeComfy, engine: ComfyEngine, tmp_path: Path) -> None:
    big = tmp_path / "big.png"
    with big.open("wb") as file:
        file.truncate(64 << 20)
    job = prompt(files={"wan-studio/big.png": big})

    async def slow(request: web.Request) -> web.StreamResponse:
        await request.content.read(1000)
        engine._cancelled[job.id] = None  # as cancel() does first, on another thread
        await request.read()
        return web.Response(status=500)

    server.answer("POST", "/upload/image", slow)
    with pytest.raises(JobCancelled):
        Run(engine, job).result()
    assert server.count("POST", "/prompt") == 0


def test_cancelled_during_the_post(server: FakeComfy, engine: ComfyEngine) -> None:
    """The deletion comes before the prompt is there; it must still be stopped afterwards."""
    job = prompt()
    server.accept = False
    server.ignore_interrupts = 0

    async def late(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        engine._cancelled[job.id] = None
        server.take(body)
        return web.json_response({"prompt_id": body["prompt_id"], "number": 1, "node_errors": {}})

    server.answer("POST", "/prompt", late)
    with pytest.raises(JobCancelled):
        Run(engine, job).result()
    assert server.pending == []


def test_cancelled_while_it_waits(server: FakeComfy, engine: ComfyEngine) -> None:
    server.busy = [[3, "theirs", {}, {"client_id": "x"}, []]]
    run = Run(engine, prompt())
    run.until(has(Queued))
    engine.cancel(run.job.id)
    with pytest.raises(JobCancelled):
        run.result()
    assert server.pending == []
    assert server.bodies("/interrupt") == [], "another client's job was running"


def test_cancelled_while_it_runs_and_interrupted_until_it_stops(
    server: FakeComfy, engine: ComfyEngine
) -> None:
    first, _ = split(COLD, '"progress", "data": {"value": 1')
    server.script = [*first, threading.Event()]
    server.ignore_interrupts = 2
    run = Run(engine, prompt())
    run.until(has(Progress))
    engine.cancel(run.job.id)
    with pytest.raises(JobCancelled):
        run.result()
    interrupts = server.bodies("/interrupt")
    assert len(interrupts) >= 3 and all(body == {"prompt_id": run.job.id} for body in interrupts)
    assert Run(engine, _scripted(server)).result() == (REAL,), "the next job is not hit"


def _scripted(server: FakeComfy) -> Prompt:
    server.script = play(COLD)
    return prompt()


def test_cancelling_what_is_not_there_is_harmless(server: FakeComfy, engine: ComfyEngine) -> None:
    server.busy = [[3, "theirs", {}, {"client_id": "x"}, []]]
    engine.cancel(str(uuid.uuid4()))
    assert server.bodies("/interrupt") == []


def test_a_cancelled_job_whose_server_goes_away_is_cancelled(server: FakeComfy) -> None:
    engine = ComfyEngine(server.url, timing=REFUSED)
    first, _ = split(COLD, '"progress", "data": {"value": 1')
    server.script = [*first, threading.Event()]
    server.ignore_interrupts = 1000
    run = Run(engine, prompt())
    run.until(has(Progress))
    engine.cancel(run.job.id)
    server.stop()
    with pytest.raises(JobCancelled):
        run.result()


def test_close_disconnects_and_leaves_the_job_running(server: FakeComfy, engine: ComfyEngine) -> None:
    first, _ = split(COLD, '"progress", "data": {"value": 1')
    server.script = [*first, threading.Event()]
    run = Run(engine, prompt())
    run.until(has(Progress))
    engine.close()
    with pytest.raises(EngineLost):
        run.result()
    assert server.running
    assert server.bodies("/interrupt") == []
