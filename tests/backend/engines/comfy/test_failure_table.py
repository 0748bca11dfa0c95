"""Failures as users of ComfyUI report them: each has the code, sentence and hint of its cause."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import yaml

from backend.engines.comfy.execution_errors import execution_error
from backend.engines.comfy.failure_causes import CAUSES, UNKNOWN
from backend.engines.comfy.failure_match import Failure, find
from backend.error_texts import failures
from backend.errors import StudioError, by_code
from tests.support.paths import DATA

GROUPS: list[dict[str, Any]] = yaml.safe_load((DATA / "failures.yaml").read_text(encoding="utf-8"))


class Case(NamedTuple):
    code: str
    sentence: str
    hint: str
    kind: str
    node: str
    message: str


def cases() -> Iterator[Case]:
    for group in GROUPS:
        for kind, node, message in group["messages"]:
            yield Case(group["code"], group["sentence"], group["hint"], kind, node, message)


CASES = list(cases())


def reported(kind: str, message: str, node: str, **more: Any) -> dict[str, Any]:
    return {"exception_type": kind, "exception_message": message, "node_type": node, **more}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.node}-{case.message[:50]}")
def test_a_known_failure_has_the_code_sentence_and_hint_of_its_cause(case: Case) -> None:
    error = execution_error(reported(case.kind, case.message, case.node), "draw")
    assert (error.code, error.message) == (case.code, case.sentence)
    assert case.hint in error.hint
    assert type(error) is by_code()[case.code]


def test_there_are_enough_cases() -> None:
    assert len({case.message for case in CASES}) >= 60


def test_every_row_of_the_table_is_shown_by_a_case() -> None:
    """A row that no message reaches is dead, or hidden by one before it."""
    reached = {id(find(Failure(c.kind.rpartition(".")[2], c.message, c.node))[0]) for c in CASES}
    unreached = [
        f"{cause.reason}: {cause.pattern or cause.types}" for cause in CAUSES if id(cause) not in reached
    ]
    assert unreached == []


def test_every_reason_is_used_and_there() -> None:
    assert {cause.reason for cause in (*CAUSES, UNKNOWN)} == set(failures.TEXTS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.node}-{case.message[:50]}")
def test_a_failure_is_stored_as_a_reason_with_arguments(case: Case) -> None:
    error = execution_error(reported(case.kind, case.message, case.node), "draw")
    assert {name for name, _ in error.why.args} == failures.TEXTS[error.why.code].arguments
    again = StudioError.from_dict(json.loads(json.dumps(error.to_dict())))
    assert (again.message, again.hint, again.why) == (error.message, error.hint, error.why)


def test_a_failure_of_memory_or_disk_never_advises_a_download() -> None:
    for case in CASES:
        if case.kind.endswith("SafetensorError") and "os error" in case.message:
            error = execution_error(reported(case.kind, case.message, case.node))
            assert "ownload" not in error.hint and error.code != "bad_model_file", case.message


@pytest.mark.parametrize("number", [1455, 112, 8, 5, 28, 12])
@pytest.mark.parametrize(
    "words", ["", "何らかの理由で失敗しました。", "Es ist ein Fehler aufgetreten", "\ud800"]
)
def test_the_number_decides_in_every_language(number: int, words: str) -> None:
    expected = {1455: "page_file", 112: "disk_full", 8: "ram", 5: "file_denied", 28: "", 12: ""}[number]
    cause, _ = find(Failure("OSError", f"{words} (os error {number})", "UNETLoader"))
    assert cause.reason == f"failure_{expected or 'failed'}"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Access is denied. (os error 5)", "file_denied"),
        ("Input/output error (os error 5)", "disk_error"),
        ("No space left on device (os error 28)", "disk_full"),
        ("Cannot allocate memory (os error 12)", "ram"),
        ("The size of tensor a (12) must match the size of tensor b (5)", "failed"),
        ("cuDNN returned error code 5", "failed"),
        (f"[Errno {'9' * 5000}] x", "failed"),
    ],
)  # fmt: skip
def test_numbers_are_those_of_their_system(message: str, reason: str) -> None:
    assert find(Failure("OSError", message, "SomeNode"))[0].reason == f"failure_{reason}"


# -- ComfyUI's own words ------------------------------------------------------------------------


def test_an_unknown_failure_shows_what_comfyui_says() -> None:
    error = execution_error(
        reported("some.module.OddError", "The  flux\ncapacitor is misaligned", "KSampler")
    )
    assert error.code == "engine_failed" and "Try again" in error.hint
    assert error.cause == "OddError: The flux capacitor is misaligned"
    again = StudioError.from_dict(error.to_dict())
    assert again.cause == error.cause and "KSampler" not in str(error.to_dict())


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("bad file /home/ann/models/vae/wan.safetensors here", "bad file wan.safetensors here"),
        ("bad file 'C:\\Users\\Ann Other\\models\\wan.safetensors'", "bad file 'wan.safetensors'"),
        ("cannot open \"/mnt/my disk/x.mp4\"", "cannot open \"x.mp4\""),
        ("see https://host/a/b/c and 3/4 of it", "see https://host/a/b/c and 3/4 of it"),
        ("x" * 5000, "x"),
    ],
)  # fmt: skip
def test_its_words_have_no_folders_and_are_short(message: str, said: str) -> None:
    error = execution_error(reported("RuntimeError", message, "SomeNode"))
    assert said in error.cause and len(error.cause) <= 400
    assert not any(word in error.cause for word in ("ann/", "Ann Other", "my disk"))


def test_its_words_have_no_prompt() -> None:
    inputs = {"text": ["my secret wish"], "clip": [["4", 0]], "ckpt_name": ["wan.safetensors"]}
    data = reported("ValueError", "cannot encode 'my secret wish'", "CLIPTextEncode", current_inputs=inputs)
    assert execution_error(data).cause == "ValueError: cannot encode '[prompt]'"


def test_the_file_of_a_damaged_model_is_named_from_the_inputs() -> None:
    data = reported(
        "SafetensorError",
        "Error while deserializing header: incomplete metadata",
        "VAELoader",
        current_inputs={"vae_name": ["wan_2.1_vae.safetensors"]},
    )
    assert execution_error(data).message == (
        "The model file wan_2.1_vae.safetensors on this ComfyUI is damaged or incomplete."
    )


def test_no_report_raises() -> None:
    chance = random.Random(8)
    odd = [
        None,
        0,
        "",
        "x" * 100_000,
        [],
        {},
        [None],
        {"a": 1},
        "\ud800",
        "/" * 50_000,
        "a.safetensors" * 3000,
    ]
    for _ in range(20):
        names = ("exception_type", "exception_message", "node_type", "traceback", "current_inputs", "node_id")
        error = execution_error({name: chance.choice(odd) for name in names if chance.random() < 0.8})
        assert error.message and error.hint and len(error.cause) <= 400
