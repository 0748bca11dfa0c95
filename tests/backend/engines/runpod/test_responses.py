"""What our worker sends and what this side reads of it, in this version and in earlier ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.engines.runpod import responses
from backend.engines.runpod.responses import JobProgress, progress_of
from backend.errors import EngineError, EngineLost, InternalError, StudioError
from backend.events import Stage
from backend.notices import words
from workflows.notice import notice
from workflows.resolved import Resolved

POOR, UNUSED = notice("no_pose_detector"), notice("negative_prompt_unused")


def test_a_report_carries_the_chunk_and_one_of_an_earlier_worker_has_none() -> None:
    stage = Stage("draw", "Generating, part 2 of 5", chunk=2, chunks=5)
    _, events = responses.read_status(
        {"status": "IN_PROGRESS", "output": progress_of(3.0, stage, 1, 4)}, JobProgress()
    )
    assert stage in events
    cut = Stage("load", "Preparing part 3 of 5", preparing=True)
    _, events = responses.read_status(
        {"status": "IN_PROGRESS", "output": progress_of(3.0, cut, 1, 4)}, JobProgress()
    )
    assert cut in events
    for more in ({}, {"chunk": 9, "chunks": 5}, {"chunk": "2", "chunks": 5}, {"preparing": "yes"}):
        report = {"stage": "draw", "text": "Generating, part 2 of 5", **more}
        _, events = responses.read_status({"status": "IN_PROGRESS", "output": report}, JobProgress())
        assert Stage("draw", "Generating, part 2 of 5") in events


def test_the_warnings_of_a_worker_are_notices() -> None:
    output = {
        "warnings": [words(POOR), words(UNUSED)],
        "notices": [POOR.to_json(), UNUSED.to_json()],
    }
    assert responses.warnings(output) == (POOR, UNUSED)


@pytest.mark.parametrize(
    "coded",
    [None, [], "odd", [5], [{}], [{"code": 7}], [{"code": "of_a_newer_version", "args": {}}],
     [{"code": "easy_cache_steps", "args": {"step": 10}}], [{"code": "text", "args": [1]}]],
)  # fmt: skip
def test_a_sentence_stands_in_for_what_cannot_be_read(coded: object) -> None:
    output: dict[str, Any] = {"warnings": ["Results may be poor."], "notices": coded}
    assert responses.warnings(output) == (notice("text", text="Results may be poor."),)


def test_a_worker_of_an_earlier_version_sends_sentences_alone() -> None:
    (said,) = responses.warnings({"warnings": [words(POOR)]})
    assert said == notice("text", text=words(POOR)) and words(said) == words(POOR)


def test_what_a_worker_resolved_a_job_to() -> None:
    stored = Resolved({"distillation": "1022"}, {"vae": "a.safetensors"}).to_json()
    assert responses.resolved({"resolved": stored}) == stored
    for odd in (None, [], {"values": 3}):
        assert responses.resolved({"resolved": odd}) == {}


@pytest.mark.parametrize("said", [None, "odd", {}, 3])
def test_warnings_that_are_no_list(said: object) -> None:
    assert responses.warnings({"warnings": said, "notices": [POOR.to_json()]}) == ()


def test_warnings_are_bounded() -> None:
    found = responses.warnings({"warnings": ["x" * 5000] * 100})
    assert len(found) == 20 and all(len(words(one)) == 500 for one in found)


@pytest.mark.parametrize("error", [
    EngineLost.of("server_stuck", server="ComfyUI", silence=300.0),
    EngineError.of("worker_unexpected"),
])  # fmt: skip
def test_the_error_of_a_worker_keeps_its_reason(error: StudioError) -> None:
    found = responses.failed_job_error(json.dumps(error.to_dict()))
    assert (type(found), found.why, found.message) == (type(error), error.why, error.message)


def test_an_error_of_a_worker_that_is_unknown_here_is_one_of_the_engine() -> None:
    later = {
        "code": "of_tomorrow",
        "message": "It broke.",
        "hint": "",
        "reason": {"code": "later", "args": {}},
    }
    for data in (later, {**later, "reason": None}, {**later, "reason": "It broke."}):
        found = responses.failed_job_error(json.dumps(data))
        assert (type(found), found.message) == (EngineError, "It broke.") and found.hint
    own = responses.failed_job_error(json.dumps(InternalError.of("worker_unexpected").to_dict()))
    assert type(own) is EngineError and own.why == InternalError.of("worker_unexpected").why
