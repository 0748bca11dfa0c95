"""The list of LoRAs on the page and in the API: the value of the form, answers to its script, schema."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from backend.models.state import LoraState
from tests.support.fake_studio import FakeStudio
from tests.support.job_views import job
from ui.api import modes
from ui.forms import draft_values, schema, script_tables
from ui.forms.lora_picker import LoraPicker
from ui.views.result_details import differing
from workflows.modes.registry import MODES

LIST = [{"name": "ink_high.safetensors", "strength": 0.9, "strength_low": 0.6}, {"name": "zoom.safetensors"}]


@pytest.fixture
def studio() -> FakeStudio:
    fake = FakeStudio()
    fake.lora_rows = [LoraState("ink_high.safetensors", "Ink", "ink_low.safetensors", words=("1nk",))]
    fake.lora_pictures = {"ink_high.safetensors": b"jpeg"}
    return fake


@pytest.mark.parametrize("mode", MODES)
def test_a_jobs_loras_come_back_into_the_form(mode: str) -> None:
    """As an API client gave them, and as the page stores them."""
    text = json.dumps(LIST)
    for stored in (LIST, text):
        widgets = schema.from_params(mode, {"prompt": "x", "loras": stored})
        assert json.loads(widgets["loras"]) == LIST
        assert json.loads(schema.to_values(mode, widgets)["loras"]) == LIST
    assert schema.from_params(mode, {"prompt": "x", "loras": []})["loras"] == ""
    assert schema.page_defaults(mode)["loras"] == ""
    start = {"loras": ""}
    assert draft_values.restored(mode, {"loras": text}, start) == {"loras": text}
    assert draft_values.restored(mode, {"loras": LIST}, start) == start
    assert "loras" in script_tables.forms()[mode]["advanced"]


def test_strengths_for_both_experts_only_where_there_are_two() -> None:
    shown = {mode: form["experts"] for mode, form in script_tables.forms().items()}
    assert shown == {
        "image_to_video": True, "fast_video": True, "sound_to_video": False, "animate": False,
        "text_to_video": True, "text_to_image": True,
    }  # fmt: skip


def test_the_summary_counts_them() -> None:
    shown = [schema.summary("image_to_video", {"loras": json.dumps(LIST[:n])}) for n in (0, 1, 2)]
    assert ["LoRA" in one for one in shown] == [False, True, True]
    assert "1 LoRA," in shown[1] and "2 LoRAs," in shown[2]
    assert "LoRA" not in schema.summary("image_to_video", {"loras": "no list"})


def test_the_settings_of_a_result_name_them() -> None:
    made = job(mode="image_to_video", params={"prompt": "x", "loras": LIST})
    said = dict(differing(made))["LoRAs"]
    assert "ink_high.safetensors at 0.9 and 0.6" in said and "zoom.safetensors at 1" in said
    for none in ("", [], None):
        assert "LoRAs" not in dict(differing(job(mode="image_to_video", params={"loras": none})))


def test_the_api_takes_a_list_or_its_text() -> None:
    for mode, spec in MODES.items():
        found = modes.schemas(spec)
        assert list(found).index("loras") > list(found).index("wait"), "calls by position stay right"
        assert [one["type"] for one in found["loras"]["anyOf"]] == ["array", "string"]
        assert "loras: LoRAs of your own" in modes.documentation(spec)
        assert schema.api_values(mode, {"loras": LIST})["loras"] == LIST
        assert schema.api_values(mode, {})["loras"] == ""


def test_answers_to_the_script(studio: FakeStudio) -> None:
    picker = LoraPicker(studio)  # type: ignore[arg-type]
    found = picker.find({"mode": "image_to_video", "search": "ink"})
    assert found["listed"] and found["count"] == 1
    assert found["rows"][0]["partner"] == "ink_low.safetensors" and found["rows"][0]["words"] == ("1nk",)
    assert picker.find({"mode": "image_to_video", "search": "oil"})["rows"] == []
    data = picker.pictures({"names": ["ink_high.safetensors", "gone", 3]})
    assert list(data) == ["ink_high.safetensors"]
    assert base64.b64decode(data["ink_high.safetensors"].partition(",")[2]) == b"jpeg"


@pytest.mark.parametrize("asked", [None, 3, [], {"mode": 3, "search": [], "names": {}}, {"names": [None]}])
def test_malformed_calls_are_answered(studio: FakeStudio, asked: Any) -> None:
    picker = LoraPicker(studio)  # type: ignore[arg-type]
    for call in (picker.find, picker.pictures):
        assert isinstance(asyncio.run(picker._run(call, asked, None)), dict)
