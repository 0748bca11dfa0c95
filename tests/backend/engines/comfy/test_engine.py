"""A job of one ComfyUI, from its files to its result: sending, waiting, what it ends with."""

from __future__ import annotations

import logging
import uuid
from pathlib import Path

import pytest
from aiohttp import web

from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.timing import Timing
from backend.errors import (
    BadMedia,
    EngineError,
    EngineUnreachable,
    GraphRejected,
    InternalError,
    MissingModel,
    NoOutput,
)
from backend.events import Connection, Output, Preview, Progress, Queued, Started
from tests.support.comfy_run import (
    COLD,
    FAST,
    REAL,
    REFUSED,
    Run,
    has,
    in_order,
    prompt,
)
from tests.support.fake_comfy import END, FakeComfy, cut, play, status
from tests.support.recorded_answers import BODIES
from tests.support.transcripts import named
from tests.support.waiting import until
from workflows.graph.label import Label

pytestmark = pytest.mark.full

NEW = named("transcripts-0.33/success_i2v_two_expert_4step")


@pytest.fixture
def timing() -> Timing:
    return FAST


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


def test_the_second_graph_of_a_job_has_its_index(server: FakeComfy, engine: ComfyEngine) -> None:
    labels = {"13": Label("draw", "Generating", 2, 10), "14": Label("draw", "Generating", 2, 12)}
    run = Run(engine, prompt(labels=labels, sampling_steps=14, index=1))
    run.result()
    assert run.of(Started)[0].graph == 1
    assert run.of(Progress) == [Progress(step, 14) for step in (10, 11, 12, 13, 14)]


def test_a_file_of_ours_that_is_gone(engine: ComfyEngine, tmp_path: Path) -> None:
    with pytest.raises(BadMedia):
        Run(engine, prompt(files={"wan-studio/a.png": tmp_path / "gone.png"})).result()
