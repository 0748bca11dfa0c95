"""Results that cannot be found or never end, and web pages in place of ComfyUI's responses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.http import Http
from backend.engines.comfy.timing import Timing
from backend.engines.comfy.transfer import MARGIN, UNKNOWN_LIMIT, download, result_limit
from backend.errors import EngineLost, EngineUnreachable, JobCancelled, NoOutput, PromptGone
from backend.events import Output, Progress, Queued
from backend.notices import words
from tests.support.comfy_run import COLD, OFTEN, Run, has, prompt
from tests.support.fake_comfy import END, GONE, FakeComfy, endless, page, play, status
from tests.support.tiers import deep
from tests.support.waiting import until

pytestmark = pytest.mark.full

FAST = replace(OFTEN, final_limit=0.2, error_limit=600.0, refused_limit=600.0)
REAL = Output("i2v4_00010_.mp4", "rig", "output")
VIDEO = Output("clip.mp4", "video", "output")


@pytest.fixture
def timing() -> Timing:
    return FAST


def frames(until_text: str) -> list[Any]:
    """The frames of a job up to and with the first that contains the text."""
    found = play(COLD, then=())
    return found[: next(n for n, frame in enumerate(found) if until_text in str(frame)) + 1]


# -- a finished prompt that the history does not have ------------------------------------------------


@pytest.mark.parametrize("seen", ["all but the end", "some steps", "nothing"])
def test_a_finished_prompt_that_is_not_in_the_history_is_lost_and_not_cancelled(
    server: FakeComfy, engine: ComfyEngine, seen: str
) -> None:
    steps = frames('"progress", "data": {"value": 1')
    server.script = {
        "all but the end": [f for f in play(COLD, then=()) if "execution_success" not in str(f)],
        "some steps": steps,
        "nothing": [],
    }[seen] + [GONE]
    with pytest.raises(PromptGone, match="no longer has its result"):
        Run(engine, prompt()).result()


@pytest.mark.parametrize("body", ['{"other": {"outputs": {}}}', "[]", "null", '{"history": []}'])
def test_a_history_of_another_form_is_a_lost_result(
    server: FakeComfy, engine: ComfyEngine, body: str
) -> None:
    job = prompt()
    server.script = [*frames('"progress", "data": {"value": 1'), GONE]
    server.answer("GET", f"/history/{job.id}", *[status(200, body)] * 50)
    with pytest.raises(PromptGone):
        Run(engine, job).result()


def test_a_prompt_that_was_seen_waiting_only_is_cancelled(server: FakeComfy, engine: ComfyEngine) -> None:
    server.accept = False
    run = Run(engine, prompt())
    run.until(has(Queued))
    server.pending.clear()
    with pytest.raises(JobCancelled, match="removed"):
        run.result()


# -- results that never end ------------------------------------------------------------------------


def test_a_result_that_never_ends_stops_at_what_the_job_can_weigh(
    server: FakeComfy, engine: ComfyEngine, tmp_path: Path
) -> None:
    graph = {"1": {"class_type": "WanImageToVideo", "inputs": {"width": 64, "height": 64, "length": 5}}}
    Run(engine, prompt(graph=graph)).result()
    server.answer("GET", "/view", endless, endless)
    with pytest.raises(NoOutput, match=r"more than this job can make \(128 MB\)"):
        engine.fetch(VIDEO, tmp_path / "result.mp4")
    assert list(tmp_path.iterdir()) == [] and server.count("GET", "/view") == 1, "it is not asked for again"


def test_a_result_that_announces_too_much_is_not_read(server: FakeComfy, tmp_path: Path) -> None:
    server.outputs["video/clip.mp4"] = bytes(2000)
    http = Http(server.url)
    with pytest.raises(NoOutput, match="more than this job can make"):
        download(http, VIDEO, tmp_path / "a", 1999)
    download(http, VIDEO, tmp_path / "a", 2000)
    assert (tmp_path / "a").stat().st_size == 2000
    http.close()


def test_a_result_that_takes_too_long(server: FakeComfy, tmp_path: Path) -> None:
    server.answer("GET", "/view", endless)
    http = Http(server.url)
    with pytest.raises(NoOutput, match="too slowly"):
        download(http, VIDEO, tmp_path / "a", seconds=0.0)
    http.close()


@pytest.mark.parametrize(
    ("inputs", "limit"),
    [
        ({"width": 832, "height": 480, "length": 81}, 3 * 832 * 480 * 81 + MARGIN),
        ({"width": 1024, "height": 1024}, 3 * 1024 * 1024 + MARGIN),
        ({"width": ["4", 0], "height": 480, "length": 81}, UNKNOWN_LIMIT),
        ({"width": True, "height": 480.0, "length": None}, UNKNOWN_LIMIT),
        ({}, UNKNOWN_LIMIT),
        (None, UNKNOWN_LIMIT),
    ],
)
def test_what_a_job_can_weigh(inputs: Any, limit: int) -> None:
    assert result_limit({"1": {"class_type": "X", "inputs": inputs}, "2": None}) == limit


# -- web pages ---------------------------------------------------------------------------------------


def job_of(engine: ComfyEngine, tmp_path: Path, name: str) -> Run:
    picture = tmp_path / f"{name}.png"
    picture.write_bytes(b"a picture")
    return Run(engine, prompt(files={f"wan-studio/{name}.png": picture}))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/prompt"),
        *(deep(*one) for one in [("HEAD", "/view"), ("POST", "/upload/image"), ("GET", "/queue")]),
    ],
)
def test_a_web_page_ends_a_job_in_seconds(
    server: FakeComfy, engine: ComfyEngine, tmp_path: Path, method: str, path: str
) -> None:
    server.script = [*frames('"progress", "data": {"value": 1'), GONE]
    server.answer(method, path, *[page()] * 500)
    with pytest.raises((EngineLost, EngineUnreachable), match="a web page"):
        job_of(engine, tmp_path, "a").result()  # far below the limits for other errors


@pytest.mark.parametrize(
    "answer", [page(), *map(deep, [page(404), status(302, Location="/login"), status(401)])]
)
def test_a_login_page_before_the_history_ends_a_running_job_in_seconds(
    server: FakeComfy, engine: ComfyEngine, answer: Any
) -> None:
    """The socket stays open; the job is not lost: its next attempt asks for the same prompt."""
    job = prompt()
    server.script = [*frames('"progress", "data": {"value": 1'), GONE]
    server.answer("GET", f"/history/{job.id}", *[answer] * 500)
    run = Run(engine, job)
    run.until(has(Progress))
    with pytest.raises(EngineLost) as caught:
        run.result()
    assert not isinstance(caught.value, PromptGone) and "stopped responding" not in caught.value.message


def test_a_page_for_a_moment_does_not(server: FakeComfy, engine: ComfyEngine) -> None:
    job = prompt()
    frames_ = [f for f in play(COLD, then=()) if "execution_success" not in str(f)]
    server.script = [END, *frames_]
    server.answer("GET", "/queue", page(), page())
    assert Run(ComfyEngine(server.url, timing=replace(FAST, final_limit=600.0)), job).result() == (REAL,)


@pytest.mark.parametrize(
    "answer", [page(), *map(deep, [status(200, "<html>x"), status(302, Location="/login")])]
)
def test_a_web_page_in_place_of_a_result(
    server: FakeComfy, engine: ComfyEngine, tmp_path: Path, answer: Any
) -> None:
    server.answer("GET", "/view", *[answer] * 9)
    with pytest.raises(EngineUnreachable) as caught:
        engine.fetch(VIDEO, tmp_path / "result.mp4")
    assert caught.value.final and list(tmp_path.iterdir()) == []
    assert server.count("GET", "/view") == 1, "waiting does not help"


@pytest.mark.parametrize("path", ["/system_stats", "/queue", "/object_info"])
def test_a_web_page_in_place_of_what_a_server_says_of_itself(
    server: FakeComfy, engine: ComfyEngine, path: str
) -> None:
    server.answer("GET", path, page(), page())
    info = engine.refresh()
    if path == "/object_info":
        assert info.state == "ok" and engine.known_contract() is None
        until(lambda: server.count("GET", path) >= 1)
        with pytest.raises(EngineUnreachable, match="a web page"):
            engine.facts()
    else:
        assert info.state == "starting" and info.fault is not None and "a web page" in words(info.error)


def test_the_usual_limit_is_seconds() -> None:
    assert Timing().final_limit <= 10
