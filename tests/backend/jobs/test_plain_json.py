"""JSON of unknown origin can be written again by every writer, also by that of the API's answers."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from backend.jobs import plain_json
from backend.jobs.recipe_texts import recipe_in
from backend.media.metadata_keys import COMMENT, JSON_TEXT, PROMPT, RECIPE
from workflows.modes.settings_json import to_json

LONGEST = 2**64 - 1
"""The highest seed of ComfyUI."""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, -5, 0.5, true, null, \"\\u00e9\"]", [1, -5, 0.5, True, None, "é"]),
        (str(LONGEST), LONGEST), (str(-(2**63)), -(2**63)), (str(LONGEST + 1), float(LONGEST + 1)),
        ("1" + "0" * 30, 1e30), ("9" * 5000, float("inf")), ("-" + "9" * 400, float("-inf")),
        (r'"\ud83d\ude00 \ud800 \uDFFF"', "😀 ? ?"), (r'{"\ud800": "\\ud800"}', {"?": "\\ud800"}),
        ('{"a": 1, "a": 2}', {"a": 2}), ("[" * plain_json.DEEPEST + "]" * plain_json.DEEPEST, None),
    ],
    ids=range(11),
)  # fmt: skip
def test_values_that_every_writer_takes(text: str, value: Any) -> None:
    found = plain_json.parsed(text)
    assert value is None or found == value
    assert orjson.loads(orjson.dumps(found)) is not found


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 102 + "]" * 102, '{"a":' * 300 + "1" + "}" * 300, "[" * 10**5]
)
def test_what_is_no_json_or_too_deep(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        plain_json.parsed(text)


def graph(**inputs: Any) -> dict[str, Any]:
    return {
        "1": {"class_type": "CLIPTextEncode", "inputs": {"text": "a boat", **inputs}},
        "2": {"class_type": "WanImageToVideo", "inputs": {"length": 10**400, "positive": ["1", 0]}},
        "3": {"class_type": "KSampler", "inputs": {"seed": LONGEST, "cfg": 10**30, "steps": 1e308}},
        "4": {
            "class_type": "LoraLoader",
            "inputs": {"lora_name": "a.safetensors", "strength_model": 10**400},
        },
    }  # fmt: skip


SETTINGS = to_json("text_to_video", {"prompt": "x"})
DEEP: Any = []
for _ in range(98):
    DEEP = [DEEP]
FORGED = {"prompt": "a \ud800 boat", "seed": 10**400, "x\ud800": 1}
GIVEN: dict[str, dict[str, str]] = {
    "numbers": {PROMPT: json.dumps(graph(), allow_nan=True)},
    "no numbers": {PROMPT: json.dumps(graph(is_changed=[float("nan"), float("inf")]))},
    "half characters": {PROMPT: json.dumps(graph(other="\ud800", **{"\udfff": 1}))},
    "file of a workflow": {JSON_TEXT: json.dumps(graph(other="\ud800"))},
    "recipe": {
        RECIPE: json.dumps(
            {
                "version": 1,
                "settings": {**SETTINGS, "values": FORGED},
                "graphs": [graph(other="\ud800", big=10**30)], "models": [{"name": "a\ud800"}],
                "engine": "\ud800", "result": {"width": 10**400, "fps": float("nan")},
            }
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
def test_what_a_forged_file_says_can_be_answered(name: str) -> None:
    found = recipe_in(GIVEN[name])
    record = json.loads(orjson.dumps(found.record()))
    assert record["values"]["prompt"] in ("a boat", "a ? boat")
    assert record["graph"]["1"]["class_type"] == "CLIPTextEncode"
    assert "seed" not in found.values and "seed" in found.left_out


def test_a_graph_that_is_too_deep_is_no_recipe_and_breaks_no_other_text() -> None:
    texts = {PROMPT: json.dumps(graph(other=DEEP)), COMMENT: json.dumps({"prompt": graph()})}
    assert recipe_in(texts).values["prompt"] == "a boat"
