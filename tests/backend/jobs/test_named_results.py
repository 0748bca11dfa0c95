"""How a caller names results of other jobs as the files of a new one: what is read, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.errors import BadInput
from backend.jobs.job import ResultOf
from backend.jobs.named_results import TEXT_LONGEST, read
from backend.jobs.repeats import asked, job_id
from workflows.modes.registry import MODES

WHO = {"id": "a" * 32, "key": "k" * 24}
MODE = "image_to_video"


@pytest.mark.parametrize("given", ["", "  ", None, {}, "{}", {"image": None}, '{"image": null}'])
def test_nothing_is_named(given: Any) -> None:
    assert read(MODE, given) == {}


@pytest.mark.parametrize(
    ("frame", "found"), [({}, -1), ({"frame": None}, -1), ({"frame": 0}, 0), ({"frame": 7.0}, 7)]
)
def test_a_result_is_named_as_text_or_as_an_object(frame: dict[str, Any], found: int) -> None:
    named = {"image": {**WHO, **frame}, "end_image": WHO}
    expected = {
        "image": ResultOf(WHO["id"], found, WHO["key"]),
        "end_image": ResultOf(WHO["id"], -1, WHO["key"]),
    }
    assert read(MODE, named) == read(MODE, json.dumps(named)) == expected


@pytest.mark.parametrize("mode", MODES)
def test_every_file_of_a_mode_can_be_a_result(mode: str) -> None:
    names = list(MODES[mode].media)
    assert list(read(mode, dict.fromkeys(names, WHO))) == names


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ("{", "results", "JSON object"),
        ("[" * 5000, "results", "JSON object"),
        ('{"image": 1' + "0" * 5000 + "}", "results", "JSON object"),
        ("x" * (TEXT_LONGEST + 1), "results", f"{TEXT_LONGEST} characters"),
        ("[]", "results", "JSON object"),
        ([WHO], "results", "JSON object"),
        (5, "results", "JSON object"),
        (False, "results", "JSON object"),
        (0, "results", "JSON object"),
        ("job:1", "results", "JSON object"),
        ({"sparkle": WHO}, "results", "'sparkle'. Known: image, end_image."),
        ({"video": WHO}, "results", "'video'"),
        ({"\ud800": WHO}, "results", "No result can be used"),
        ({"image": "a" * 32}, "image", "result for image needs the id and the key"),
        ({"image": [WHO]}, "image", "result for image needs"),
        ({"image": {}}, "image", "result for image needs"),
        ({"image": {"id": WHO["id"]}}, "image", "result for image needs"),
        ({"image": {**WHO, "id": ["a"]}}, "image", "result for image needs"),
        ({"image": {**WHO, "id": " "}}, "image", "result for image needs"),
        ({"image": {**WHO, "key": 5}}, "image", "result for image needs"),
        ({"image": {**WHO, "key": "k" * 201}}, "image", "result for image needs"),
        ({"image": {**WHO, "path": "/etc/passwd"}}, "image", "has no 'path'"),
        ({"image": {**WHO, "frame": "0"}}, "image", "must be a whole number, not '0'"),
        ({"image": {**WHO, "frame": 1.5}}, "image", "not 1.5"),
        ({"image": {**WHO, "frame": float("nan")}}, "image", "not nan"),
        ({"image": {**WHO, "frame": float("inf")}}, "image", "not inf"),
        ({"image": {**WHO, "frame": True}}, "image", "not True"),
        ({"image": {**WHO, "frame": [0]}}, "image", "whole number"),
        ({"end_image": {**WHO, "frame": {}}}, "end_image", "for end_image must be"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_field(given: Any, field: str, says: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(MODE, given)
    assert refused.value.field == field
    said = f"{refused.value.message} {refused.value.hint}"
    assert says in said and len(said) < 300


def test_a_mode_without_files_says_so() -> None:
    with pytest.raises(BadInput, match="takes no files"):
        read("text_to_video", {"image": WHO})
    assert read("text_to_video", "") == {} == read("no_such_mode", {"image": WHO})


def test_a_repeated_request_with_another_result_is_another_job() -> None:
    def made(**files: Any) -> str:
        return job_id("owner", "submission", MODE, asked({"prompt": "x"}, files, {}))

    assert made(image=ResultOf("a")) == made(image=ResultOf("a", key="k"))
    several = {made(image=ResultOf("a")), made(image=ResultOf("b")), made(image=ResultOf("a", 3)), made()}
    assert len(several) == 4
    assert made() == job_id("owner", "submission", MODE, {"prompt": "x"}), "as in earlier versions"
