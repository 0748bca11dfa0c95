"""The final of a clip: its size and speed, the settings that go along, and the clips that have none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.compile_cases import newer
from workflows.catalog import load_catalog
from workflows.compile import Compiled, ServerFacts, compile
from workflows.finals import FAST, QUALITY, RESOLUTIONS, SAME, SPEEDS, Clip, Final, can_be_final, final, sizes
from workflows.graph.node_contract import facts
from workflows.graph.object_info import FILE_INPUTS
from workflows.modes.parsing import params_from_values
from workflows.modes.registry import MODES
from workflows.params.media import Media
from workflows.params.sizes import AREAS
from workflows.repetition import for_final

MOVING = [name for name, spec in MODES.items() if not spec.still]
WITH_SPEED = [name for name in MOVING if "speed" in MODES[name].by_name]
DRAFT = {"prompt": "A boat", "seed": 7, "resolution": "draft"}


def clip(mode: str = "image_to_video", width: int = 512, height: int = 288, **values: Any) -> Clip:
    return Clip(mode, {**DRAFT, **values}, width, height)


def made(one: Clip, resolution: str = "480p", speed: str = QUALITY) -> Final:
    found = final(one, resolution, speed)
    assert isinstance(found, Final), found
    return found


@pytest.mark.parametrize("mode", MOVING)
@pytest.mark.parametrize("resolution", ["480p", "720p"])
@pytest.mark.parametrize("speed", SPEEDS)
def test_a_draft_of_every_mode_has_a_final_in_every_size_and_speed(
    mode: str, resolution: str, speed: str
) -> None:
    found = made(clip(mode, speed=FAST), resolution, speed)
    target = MODES[found.mode]
    assert found.values["seed"] == 7 and found.values["prompt"] == "A boat"
    assert found.values["resolution"] == resolution and found.resized
    assert set(found.values) <= set(target.by_name) | {"speed"}
    if not target.always_fast:
        assert found.values["speed"] == speed
    assert found.other_speed is (speed == QUALITY) and found.left == ()


@pytest.mark.parametrize("mode", WITH_SPEED)
@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("then", SPEEDS)
def test_what_was_set_for_a_speed_stays_with_it(mode: str, speed: str, then: str) -> None:
    """steps, cfg and shift by hand: kept at the same speed, left and named at another one."""
    by_hand = {"steps": 6, "cfg": 2.0, "shift": 8.0}
    loras = [{"name": "ink.safetensors", "strength": 0.8}]
    found = made(clip(mode, speed=speed, **by_hand, loras=loras, negative_prompt="fog"), "720p", then)
    assert found.values["loras"] == loras and found.values["negative_prompt"] == "fog"
    if speed == then:
        assert found.left == () and {name: found.values[name] for name in by_hand} == by_hand
    else:
        assert found.left == ("steps", "cfg", "shift")
        assert [found.values[name] for name in by_hand] == [0, 0, 0]


def test_a_fast_variant_becomes_image_to_video_with_its_motion() -> None:
    found = made(clip("fast_video", variant="dynamic", negative_prompt="fog"))
    assert (found.mode, found.values["motion"], found.values["speed"]) == (
        "image_to_video",
        "dynamic",
        QUALITY,
    )
    assert found.left == () and found.values["negative_prompt"] == "fog"
    other = made(clip("fast_video", variant="480p"))
    assert other.values["motion"] == "balanced" and other.left == ("variant",), "it is said"
    stays = made(clip("fast_video", variant="480p"), "480p", FAST)
    assert stays.mode == "fast_video" and stays.values["variant"] == "480p"


@pytest.mark.parametrize(
    ("width", "height", "small"),
    [(288, 512, (480, 832)), (512, 288, (832, 480)), (384, 384, (624, 624)), (640, 160, (1248, 320))],
)
def test_a_size_by_hand_keeps_its_shape(width: int, height: int, small: tuple[int, int]) -> None:
    found = made(by_hand(width, height))
    assert (found.values["width"], found.values["height"]) == small
    assert abs(small[0] / small[1] * height / width - 1) < 0.07
    large = made(by_hand(width, height), "720p")
    assert large.values["width"] * large.values["height"] > small[0] * small[1]


def by_hand(width: int, height: int, **values: Any) -> Clip:
    return Clip(
        "image_to_video", {**DRAFT, "speed": FAST, "width": width, "height": height, **values}, width, height
    )


@pytest.mark.parametrize(
    ("one", "resolution", "speed", "why"),
    [
        (clip(resolution="480p", speed=QUALITY), "480p", QUALITY, "not_better"),
        (clip(resolution="480p", speed=QUALITY), SAME, QUALITY, "not_better"),
        (clip(resolution="480p", speed=QUALITY), "480p", FAST, "not_better"),
        (clip(resolution="480p"), "480p", QUALITY, "not_better"),  # quality is the API's default
        (clip(resolution="480p", speed=FAST), "480p", FAST, "not_better"),
        (clip(resolution="720p", speed=FAST), "480p", QUALITY, "smaller"),
        (by_hand(1280, 720), "480p", QUALITY, "smaller"),
        (by_hand(832, 480, speed=QUALITY), "480p", QUALITY, "not_better"),
        (Clip("text_to_image", {"prompt": "A boat", "seed": 7}, 1280, 720), "720p", QUALITY, "picture"),
        (Clip("of_tomorrow", {}, 512, 288), "480p", QUALITY, "other_mode"),
    ],
)
def test_what_has_no_such_final(one: Clip, resolution: str, speed: str, why: str) -> None:
    assert final(one, resolution, speed) == why


@pytest.mark.parametrize(
    ("one", "resolution", "speed"),
    [
        (clip(resolution="720p", speed=FAST), SAME, QUALITY),
        (clip(resolution="480p", speed=FAST), "480p", QUALITY),
        (clip(resolution="480p", speed=QUALITY), "720p", QUALITY),
        (clip(speed=QUALITY), "480p", FAST),
        (by_hand(1280, 1280), SAME, QUALITY),
    ],
)
def test_what_is_fast_or_small_has_one(one: Clip, resolution: str, speed: str) -> None:
    found = made(one, resolution, speed)
    assert found.resized is (resolution != SAME and one.resolution != resolution)
    if not found.resized:
        assert {name: found.values.get(name) for name in ("resolution", "width")} == {
            name: one.values.get(name) for name in ("resolution", "width")
        }


@pytest.mark.parametrize(
    ("one", "draft", "can"),
    [
        (clip(speed=FAST), True, True),
        (clip(speed=QUALITY), True, True),
        (by_hand(288, 512), True, True),
        (by_hand(640, 368), False, True),
        (clip(resolution="480p", speed=QUALITY), False, True),
        (clip(resolution="720p", speed=QUALITY), False, False),
        (clip(resolution="720p", speed=FAST), False, True),
        (by_hand(1280, 1280, speed=QUALITY), False, False),
        (Clip("text_to_image", {"width": 64, "height": 64}, 64, 64), False, False),
        (Clip("of_tomorrow", {"resolution": "draft"}, 64, 64), False, False),
    ],
)
def test_which_clips_are_drafts_and_which_can_be_finished(one: Clip, draft: bool, can: bool) -> None:
    assert (one.is_draft, can_be_final(one)) == (draft, can)


@pytest.mark.parametrize(
    ("mode", "given", "several"),
    [
        ("image_to_video", {"variations": 3}, {"variations": 3}),
        ("fast_video", {"variations": 3}, {"variations": 3}),
        ("fast_video", {"variations": 2, "vary": {"prompt": ["a", "b"]}}, None),
        (
            "fast_video",
            {"variations": 2, "vary": {"variant": ["subtle", "480p"]}},
            {"variations": 1, "vary": ""},
        ),
        (
            "image_to_video",
            {"variations": 2, "vary": {"speed": ["fast", "quality"]}},
            {"variations": 1, "vary": ""},
        ),
        (
            "image_to_video",
            {"variations": 2, "vary": {"resolution": ["draft", "480p"]}},
            {"variations": 1, "vary": ""},
        ),
    ],
)
def test_variations_are_finished_together_unless_the_final_decides_what_they_differ_in(
    mode: str, given: dict[str, Any], several: dict[str, Any] | None
) -> None:
    found = made(clip(mode, speed=FAST, **given))
    kept = {name: found.values[name] for name in ("variations", "vary") if name in found.values}
    assert kept == (several or given)


# -- what the clip was resolved to ---------------------------------------------------------------------------

CATALOG = load_catalog()
PICTURE = {"image": Media("wan-studio/photo.png", 1600, 900)}


def server(*lacking: str, without: tuple[str, ...] = ()) -> ServerFacts:
    """ComfyUI with all files but those of these roles, and all nodes but `without`."""
    full = facts(newer())
    files = [file for file in CATALOG.files if file.role not in lacking]
    listed = {key: tuple(f.name for f in files if f.folder == at) for key, at in FILE_INPUTS.items()}
    return ServerFacts(full.nodes - set(without), {**full.options, **listed})


def drawn(mode: str, values: dict[str, Any], on: ServerFacts, keep: Any = None) -> Compiled:
    return compile(params_from_values(mode, values, PICTURE), CATALOG, on, "job", keep)


@pytest.mark.parametrize("mode", ["image_to_video", "fast_video"])
def test_a_final_at_another_speed_asks_for_no_file_of_the_drafts_speed(mode: str) -> None:
    """The draft's distillation is gone by now; the final never needed it."""
    speed = {} if mode == "fast_video" else {"speed": FAST}
    draft = drawn(mode, {**DRAFT, **speed}, server())
    assert draft.resolved.values["distillation"] == "260412"
    found = made(clip(mode, **speed), "720p")
    keep = for_final(draft.resolved.to_json(), found.resized, found.other_speed)
    assert keep is not None and not set(keep.values) & {"steps", "cfg", "shift", "width", "distillation"}
    result = drawn(found.mode, dict(found.values), server("i2v_260412_high", "i2v_260412_low"), keep)
    assert result.steps == 20 and (result.width, result.height) == (1280, 720)
    assert not {one.code for one in result.warnings} & {"earlier_run_gone", "repeats_earlier_run"}


def test_a_final_at_the_same_speed_takes_the_drafts_distillation() -> None:
    old = server("i2v_260412_high", "i2v_260412_low", "i2v_1030_high", "i2v_1030_low")
    draft = drawn("image_to_video", {**DRAFT, "speed": FAST}, old)
    assert draft.resolved.values["distillation"] == "1022"
    found = made(clip(speed=FAST), "480p", FAST)
    keep = for_final(draft.resolved.to_json(), found.resized, found.other_speed)
    result = drawn(found.mode, dict(found.values), server(), keep)
    assert result.resolved.values["distillation"] == "1022", "although better ones were downloaded"
    assert result.width * result.height > 0.9 * AREAS["480p"]


def test_a_fast_final_of_a_draft_in_quality_may_use_nag() -> None:
    """Guidance made it needless for the draft; without it the negative prompt would have no effect."""
    values = {**DRAFT, "speed": QUALITY, "negative_prompt": "fog"}
    draft = drawn("image_to_video", values, server())
    assert "WanVideoNAG" not in draft.resolved.nodes
    found = made(Clip("image_to_video", values, 512, 288), "480p", FAST)
    keep = for_final(draft.resolved.to_json(), found.resized, found.other_speed)
    result = drawn(found.mode, dict(found.values), server(), keep)
    assert "WanVideoNAG" in result.resolved.nodes
    without = drawn(found.mode, dict(found.values), server(without=("WanVideoNAG",)), keep)
    assert "earlier_run_gone" not in {one.code for one in without.warnings}


@pytest.mark.parametrize(
    ("one", "offered"),
    [
        (clip(speed=FAST), ("480p", "720p")),
        (clip(resolution="480p", speed=FAST), ("480p", "720p")),
        (clip(resolution="480p", speed=QUALITY), ("720p",)),
        (clip(resolution="720p", speed=FAST), ("720p",)),
        (by_hand(640, 368), ("480p", "720p", SAME)),
        (by_hand(1280, 1280), (SAME,)),
        (by_hand(1280, 1280, speed=QUALITY), ()),
    ],
)
def test_the_sizes_on_offer(one: Clip, offered: tuple[str, ...]) -> None:
    assert sizes(one) == offered


def test_nothing_known_of_the_draft_is_nothing_kept() -> None:
    assert for_final({}, True, True) is None


def test_the_sizes_and_speeds_on_offer() -> None:
    assert RESOLUTIONS[0] == "480p" and SPEEDS[0] == QUALITY
    assert all(name in AREAS for name in RESOLUTIONS if name != SAME)
