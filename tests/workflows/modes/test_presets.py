"""The shipped presets make the graphs that are written down, and hold what they are to hold."""

from __future__ import annotations

import pytest

from tests.support.compile_cases import COMMON, as_text, compiled
from tests.support.paths import GOLDEN
from workflows.modes.image_to_video import ImageToVideo
from workflows.modes.presets import SHIPPED, Shipped, kept, shipped
from workflows.modes.registry import MODES
from workflows.modes.settings_json import read, to_json
from workflows.spec import ModeParams

FOLDER = GOLDEN / "presets"
"""Written by `python -m tests.workflows.modes.test_presets`; read the difference before committing it."""


def params(one: Shipped) -> ModeParams:
    """A job with the values of a preset and nothing else chosen."""
    spec = MODES[one.mode]
    given = {name: value for name, value in COMMON.items() if name in spec.by_name}
    return spec.params(**{**given, **one.values})


def written(one: Shipped) -> str:
    return as_text(compiled(params(one)))


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.id)
def test_the_graph_is_the_one_that_is_written_down(one: Shipped) -> None:
    assert written(one) == (FOLDER / f"{one.id}.json").read_text("utf-8")


def test_no_graph_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {one.id for one in SHIPPED}


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.id)
def test_every_value_is_one_of_the_mode(one: Shipped) -> None:
    found = read(to_json(one.mode, one.values))
    assert found.values == one.values and not found.left_out
    assert kept(one.mode, one.values) == one.values, "neither seed nor prompt nor part of a file"
    assert shipped(one.id) is one


def test_they_are_six_and_no_two_of_a_mode_are_the_same() -> None:
    assert len({one.id for one in SHIPPED}) == len(SHIPPED) == 6
    for one in SHIPPED:
        for other in SHIPPED:
            assert one is other or one.mode != other.mode or one.values != other.values


def figures(id: str) -> tuple[object, ...]:
    """(width, height, frames, steps, step of the hand-over) of a shipped preset's job."""
    one = shipped(id)
    assert one is not None
    result = compiled(params(one))
    (graph,) = result.graphs
    samplers = [node["inputs"] for node in graph.values() if node["class_type"] == "KSamplerAdvanced"]
    return (result.width, result.height, result.frames, samplers[0]["steps"], samplers[0]["end_at_step"])


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        ("quick_draft", (512, 288, 49, 4, 2)),
        ("lively_motion", (832, 480, 81, 20, 13)),
        ("calm_motion", (832, 480, 81, 20, 7)),
        ("official_image", (1280, 720, 81, 40, 15)),
        ("official_text", (1280, 720, 81, 40, 26)),
        ("lifelike_speed", (832, 480, 81, 8, 2)),
    ],
)
def test_they_do_what_their_notes_say(id: str, expected: tuple[object, ...]) -> None:
    assert figures(id) == expected


@pytest.mark.parametrize("mode", MODES)
def test_what_a_preset_holds(mode: str) -> None:
    spec = MODES[mode]
    values = {field.name: field.default for field in spec.fields}
    plain, whole = kept(mode, values), kept(mode, values, sentence=True)
    assert whole.keys() - plain.keys() == {"prompt"} and "seed" not in whole
    part = {spec.trim.start, spec.trim.length} if spec.trim else set()
    assert whole.keys() == {field.name for field in spec.fields} - {"seed"} - part
    assert not whole.keys() & spec.media.keys()


def test_what_is_not_given_is_not_held() -> None:
    assert kept(ImageToVideo.MODE, {"motion": "subtle", "image": "x", "other": 1}) == {"motion": "subtle"}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for one in SHIPPED:
        (FOLDER / f"{one.id}.json").write_text(written(one), encoding="utf-8")
