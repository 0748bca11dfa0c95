"""What a part takes over from its clip: by the specifications of both modes."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.continuing import MODE, OWN, carried, kept_of
from workflows.modes.registry import MODES
from workflows.resolved import Resolved
from workflows.spec import Field

LORAS = [{"name": "style.safetensors", "strength": 0.7, "strength_low": 0.7}]
VIDEO = sorted(name for name, spec in MODES.items() if not spec.still)


def other_value(field: Field) -> Any:
    """A value that is not the default."""
    if field.kind == "loras":
        return LORAS
    if field.kind == "choice":
        return next(value for value in field.values if value != field.default)
    return {"text": "Blur", "switch": True}.get(field.kind, max(field.low, 2))


@pytest.mark.parametrize("speed", ["fast", "quality"])
def test_a_part_has_every_setting_of_a_clip_of_its_mode(speed: str) -> None:
    given = {field.name: other_value(field) for field in MODES[MODE].fields if field.name != "speed"}
    found = carried(MODE, {**given, "speed": speed}, speed)
    assert found.values == {name: value for name, value in given.items() if name not in OWN}
    assert {
        "steps",
        "cfg",
        "shift",
        "experts",
        "distillation",
        "loras",
        "tiled_decode",
    } <= found.values.keys()
    assert (found.of_speed, found.of_mode) == ((), ())
    other = "quality" if speed == "fast" else "fast"
    left = carried(MODE, {**given, "speed": speed}, other)
    assert left.of_speed == ("steps", "cfg", "shift") and left.of_mode == ()
    assert left.values.keys() == found.values.keys() - set(left.of_speed)


@pytest.mark.parametrize("mode", VIDEO)
def test_every_setting_of_every_mode_is_taken_over_or_named(mode: str) -> None:
    shared = [field for field in MODES[mode].fields if field.name in MODES[MODE].by_name]
    given = {field.name: other_value(field) for field in shared if field.name != "speed"}
    speed = "fast" if MODES[mode].always_fast else "quality"
    found = carried(mode, {**given, "speed": speed}, speed)
    named = found.values.keys() | set(found.of_mode) | set(found.of_speed)
    assert named == given.keys() - OWN
    assert carried(mode, {field.name: field.default for field in shared}, speed).values == {}


@pytest.mark.parametrize(
    ("mode", "values", "taken", "left"),
    [
        ("text_to_video", {"steps": 30, "cfg": 4.0, "motion": "dynamic", "speed": "quality"},
         {"steps": 30, "cfg": 4.0, "motion": "dynamic"}, ()),
        ("text_to_video", {"loras": LORAS, "distillation": "v1.1", "speed": "quality"}, {},
         ("distillation", "loras")),
        ("sound_to_video", {"steps": 30, "cfg": 5.0, "shift": 7.0, "nag": "off"}, {"steps": 30, "nag": "off"},
         ("cfg", "shift")),
        ("animate", {"method": "mix", "relight": 1.0, "loras": LORAS}, {}, ("loras",)),
        ("image_to_video", {"steps": 0, "cfg": 0.0, "loras": (), "fit": "pad", "loop": True}, {}, ()),
    ],
)  # fmt: skip
def test_what_means_something_else_stays_with_its_mode(
    mode: str, values: dict[str, Any], taken: dict[str, Any], left: tuple[str, ...]
) -> None:
    found = carried(mode, values, "quality")
    assert found.values == taken and found.of_mode == left


@pytest.mark.parametrize("speed", ["fast", "quality"])
def test_of_a_fast_variant_the_motion_is_taken_over(speed: str) -> None:
    values = {"distillation": "1022", "loras": LORAS, "negative_prompt": ""}
    found = carried("fast_video", {**values, "variant": "dynamic"}, speed)
    assert found.values == {**values, "motion": "dynamic"} and found.of_mode == ()
    for variant in ("480p", "480p_strong", "anti_slow_motion"):
        found = carried("fast_video", {"variant": variant}, speed)
        assert found.values == {} and found.of_mode == ("variant",)


def test_a_part_keeps_the_model_files_of_a_clip_of_the_same_model() -> None:
    stored = Resolved(
        values={"steps": 20, "width": 64, "height": 64, "variant": "dynamic"},
        files={"i2v_high": "mine-Q4.gguf", "lora_i2v_high": "fast.safetensors"},
    ).to_json()
    for mode, speed in ((MODE, "quality"), ("fast_video", "fast")):
        same = kept_of(mode, {}, stored, speed)
        assert same is not None and same.files["i2v_high"] == "mine-Q4.gguf" and same.values == {"steps": 20}
    other = kept_of(MODE, {}, stored, "fast")
    assert other is not None and other.files["i2v_high"] == "mine-Q4.gguf" and "steps" not in other.values
    assert carried("of_a_later_version", {"steps": 3}, "fast").values == {}
    assert kept_of("of_a_later_version", {}, stored, "fast") is None
    assert kept_of("text_to_video", {}, stored, "quality") is None and kept_of(MODE, {}, {}, "fast") is None
