from __future__ import annotations

import json
import logging
import threading
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from backend.engines.base import Prompt
from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.timing import Timing
from backend.errors import (
    BadMedia,
    EngineError,
    EngineLost,
    EngineUnreachable,
    GraphRejected,
    InternalError,
    JobCancelled,
    MissingModel,
    NoOutput,
)
from backend.events import Connection, Output, Preview, Progress, Queued, Stage, Started
from tests.support.comfy_run import COLD, OFTEN, Run, adjustable, has, in_order, prompt
from tests.support.fake_comfy import CLOSE, DROP, END, FORGET, GONE, FakeComfy, cut, half, play, status
from tests.support.recorded_answers import BODIES
from tests.support.transcripts import Transcript, named
from tests.support.waiting import until
from workflows.graph.label import Label

pytestmark = pytest.mark.full

FAST = replace(OFTEN, reopen_after=60.0, refused_limit=60.0, error_limit=60.0, connect=60.0)
"""No limit that a slow machine could reach."""
REFUSED = replace(FAST, refused_limit=0.2)
REAL = Output("i2v4_00010_.mp4", "rig", "output")
NEW = named("transcripts-0.33/success_i2v_two_expert_4step")


@pytest.fixture
def timing() -> Timing:
    return FAST


def split(transcript: Transcript, text: str) -> tuple[list[Any], list[Any]]:
    """The frames up to and with the first that contains the text, and the rest."""
    frames = list(transcript.frames())
    index = next(n for n, frame in enumerate(frames) if isinstance(frame, str) and text in frame)
    return frames[: index + 1], frames[index + 1 :]


def reconnected(server: FakeComfy, run: Run) -> None:
    """Waits until the socket is back and the server was asked what happened meanwhile."""
    run.until(has(Connection, connected=True))
    asked = server.count("GET", "/queue")
    until(lambda: server.count("GET", "/queue") > asked)


# -- a job --------------------------------------------------------------------------------------


def test_a_job_from_post_to_file(server: FakeComfy, engine: ComfyEngine) -> None:
    job = prompt()
    run = Run(engine, job)
    assert run.result() == (REAL,)
    in_order(run)
    assert [event.step for event in run.of(Progress)] == [1, 2, 3, 4]
    assert run.of(Output) == [REAL]
    assert not run.of(Connection)
    (body,) = server.bodies("/prompt")
    assert body["prompt_id"] == job.id
    assert body["client_id"] == engine.client_id == server.opened[0]
    assert body["extra_data"] == {"preview_method": "auto"}
    assert server.flags == [{"type": "feature_flags", "data": {"supports_preview_metadata": True}}]


def test_previews_reach_the_watcher(server: FakeComfy, engine: ComfyEngine) -> None:
    server.script, server.transcript = play(NEW), NEW
    run = Run(engine, prompt(NEW))
    run.result()
    assert len(run.of(Preview)) == 4


def test_the_same_client_id_for_every_job(server: FakeComfy, engine: ComfyEngine) -> None:
    for _ in range(3):
        Run(engine, prompt()).result()
    assert set(server.opened) == {engine.client_id}
    until(lambda: not server.sockets)


def test_success_without_its_frame_is_found_in_the_history(server: FakeComfy, engine: ComfyEngine) -> None:
    frames = [frame for frame in play(COLD, then=()) if "execution_success" not in str(frame)]
    server.script = [END, *frames]
    assert Run(engine, prompt()).result() == (REAL,)


def test_files_whose_frame_was_missed_are_taken_from_the_history(
    server: FakeComfy, engine: ComfyEngine
) -> None:
    server.script = [frame for frame in play(COLD) if '"executed"' not in str(frame)]
    assert Run(engine, prompt()).result() == (REAL,)


def test_success_without_a_file_is_a_failure(server: FakeComfy, engine: ComfyEngine) -> None:
    server.script = [frame for frame in play(COLD) if '"executed"' not in str(frame)]
    server.transcript = None
    server.script = [
        str(frame).replace(COLD.posted()[0], "ID") if isinstance(frame, str) else frame
        for frame in server.script
    ]
    job = prompt(id="ID")
    with pytest.raises(NoOutput):
        Run(engine, job).result()


@pytest.mark.parametrize(
    ("name", "code"),
    [("error_out_of_memory", "out_of_memory"), ("error_corrupt_image", "engine_bad_input"),
     ("error_truncated_model", "bad_model_file"), ("interrupt_by_prompt_id", "cancelled")],
)  # fmt: skip
def test_final_events_are_raised(server: FakeComfy, engine: ComfyEngine, name: str, code: str) -> None:
    transcript = named(name)
    server.script, server.transcript = play(transcript), transcript
    with pytest.raises(Exception) as caught:
        Run(engine, prompt(transcript)).result()
    assert getattr(caught.value, "code", "") == code


def test_prompts_are_never_logged(
    server: FakeComfy, engine: ComfyEngine, caplog: pytest.LogCaptureFixture
) -> None:
    graph = {"1": {"class_type": "CLIPTextEncode", "inputs": {"text": "my secret wish"}}}
    with caplog.at_level(logging.DEBUG, "wan.engines.comfy"):
        Run(engine, prompt(graph=graph)).result()
        server.answer("POST", "/prompt", status(400, '{"error": "x", "node_errors": {}}'))
        with pytest.raises(GraphRejected):
            Run(engine, prompt(graph=graph)).result()
    assert caplog.records
    assert "secret" not in caplog.text


# -- a connection that is lost ------------------------------------------------------------------


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


# -- sending ------------------------------------------------------------------------------------


def test_a_post_without_an_answer_is_not_sent_twice(server: FakeComfy, engine: ComfyEngine) -> None:
    async def accept_and_cut(request: web.Request) -> web.StreamResponse:
        server.take(await request.json())
        return await cut(request)

    server.answer("POST", "/prompt", accept_and_cut)
    assert Run(engine, prompt()).result() == (REAL,)
    assert server.count("POST", "/prompt") == 1


def test_a_post_that_did_not_arrive_is_sent_again(server: FakeComfy, engine: ComfyEngine) -> None:
    server.answer("POST", "/prompt", cut)
    assert Run(engine, prompt()).result() == (REAL,)
    assert server.count("POST", "/prompt") == 2


def test_connection_refused() -> None:
    with FakeComfy() as gone:
        url = gone.url
    engine = ComfyEngine(url, timing=REFUSED)
    with pytest.raises(EngineUnreachable):
        Run(engine, prompt()).result()
    with pytest.raises(EngineUnreachable):
        engine.facts()
    assert engine.refresh().state == "starting"
    engine.cancel(str(uuid.uuid4()))


@pytest.mark.parametrize("name", ["missing_model", "unknown_node_class", "too_big", "not_json"])
def test_a_refused_graph(server: FakeComfy, engine: ComfyEngine, name: str) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        body = BODIES[name]["body"]
        if isinstance(body, str):
            return web.Response(status=500, text=body)
        return web.json_response(body, status=400)

    server.answer("POST", "/prompt", refuse)
    with pytest.raises(EngineError) as caught:
        Run(engine, prompt()).result()
    codes = {
        "missing_model": "missing_model",
        "unknown_node_class": "missing_node",
        "too_big": "graph_rejected",
    }
    assert caught.value.code == codes.get(name, "engine_failed")


def test_the_contract_is_read_again_after_a_missing_model(server: FakeComfy, engine: ComfyEngine) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.json_response(BODIES["missing_model"]["body"], status=400)

    engine.facts()
    engine.facts()
    assert server.count("GET", "/object_info") == 1
    server.answer("POST", "/prompt", refuse)
    with pytest.raises(MissingModel):
        Run(engine, prompt()).result()
    engine.facts()
    assert server.count("GET", "/object_info") == 2


def test_a_partially_accepted_graph_is_cancelled(server: FakeComfy, engine: ComfyEngine) -> None:
    server.accept = False

    async def partly(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        server.take(body)
        errors = BODIES["too_big"]["body"]["node_errors"]
        return web.json_response({"prompt_id": body["prompt_id"], "number": 1, "node_errors": errors})

    server.answer("POST", "/prompt", partly)
    with pytest.raises(GraphRejected):
        Run(engine, prompt()).result()
    assert server.pending == []


def test_a_server_that_gives_another_id_is_too_old(server: FakeComfy, engine: ComfyEngine) -> None:
    async def rename(request: web.Request) -> web.StreamResponse:
        return web.json_response({"prompt_id": "other", "number": 1, "node_errors": {}})

    server.answer("POST", "/prompt", rename)
    with pytest.raises(EngineError, match="too old"):
        Run(engine, prompt()).result()
    assert {"delete": ["other"]} in server.bodies("/queue")


def test_a_graph_that_is_not_json_is_an_internal_error(engine: ComfyEngine) -> None:
    with pytest.raises(InternalError):
        Run(engine, prompt(graph={"1": {"inputs": {"cfg": float("nan")}}})).result()


# -- waiting ------------------------------------------------------------------------------------


def test_jobs_of_others_are_counted_while_we_wait(server: FakeComfy, engine: ComfyEngine) -> None:
    others = [[3, "a", {}, {"client_id": "x"}, []], [4, "b", {}, {"client_id": "y"}, []]]
    server.busy = list(others)
    run = Run(engine, prompt())
    run.until(has(Queued, others=2))
    server.busy = others[:1]
    run.until(has(Queued, others=1))
    server.busy = []
    server.start_pending()
    assert run.result() == (REAL,)
    assert [event.others for event in run.of(Queued)][:2] == [2, 1]
    assert all(event.ahead == 0 for event in run.of(Queued))


# -- cancelling ---------------------------------------------------------------------------------


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


# -- taking a job up again ----------------------------------------------------------------------


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


# -- labels of several graphs -------------------------------------------------------------------


def test_the_second_graph_of_a_job_has_its_index(server: FakeComfy, engine: ComfyEngine) -> None:
    labels = {"13": Label("draw", "Generating", 2, 10), "14": Label("draw", "Generating", 2, 12)}
    run = Run(engine, prompt(labels=labels, sampling_steps=14, index=1))
    run.result()
    assert run.of(Started)[0].graph == 1
    assert run.of(Progress) == [Progress(step, 14) for step in (10, 11, 12, 13, 14)]


def test_a_file_of_ours_that_is_gone(engine: ComfyEngine, tmp_path: Path) -> None:
    with pytest.raises(BadMedia):
        Run(engine, prompt(files={"wan-studio/a.png": tmp_path / "gone.png"})).result()
