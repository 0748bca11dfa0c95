"""Loops: which graph, how many frames, how the windows wrap, and what is refused."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import pytest

from tests.support.compile_cases import COMMON, LAST, compiled, image, newer, text
from workflows.compiled import Compiled
from workflows.graph.node_contract import ServerFacts, check, facts, recorded
from workflows.modes.fast_video import FastVideo
from workflows.params.sizes import frames_for
from workflows.params.values import InvalidParam
from workflows.spec import ModeParams
from workflows.stages.looping import NEWER_INPUTS, NODE, TRAINED, wrapping

LOOPS: dict[str, ModeParams] = {
    "image": image(loop=True),
    "image_fast": image(loop=True, speed="fast"),
    "fast_video": FastVideo(**COMMON, loop=True),
    "text": text(loop=True),
}


def inputs_of(made: Compiled, class_type: str) -> list[dict[str, Any]]:
    return [node["inputs"] for node in made.graphs[0].values() if node["class_type"] == class_type]


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("contract", [recorded(), newer()], ids=["0.3.64", "0.33"])
def test_both_versions_of_comfyui_take_the_graph(name: str, contract: Any) -> None:
    assert check(compiled(LOOPS[name], server=facts(contract)).graphs[0], contract) == ()


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_of_five_seconds_has_eighty_frames(name: str) -> None:
    made = compiled(LOOPS[name])
    assert (made.frames, made.kept, LOOPS[name].frames) == (80, (80,), 80)
    assert made.frames / made.fps == 5.0


@pytest.mark.parametrize("name", ["image", "image_fast", "fast_video"])
def test_a_picture_leads_back_to_itself_and_its_second_copy_is_dropped(name: str) -> None:
    made = compiled(LOOPS[name])
    (pictures,) = inputs_of(made, "WanFirstLastFrameToVideo")
    assert pictures["start_image"] == pictures["end_image"] and pictures["length"] == 81
    assert len(inputs_of(made, "LoadImage")) == 1 and inputs_of(made, "WanImageToVideo") == []
    (cut,) = inputs_of(made, "ImageFromBatch")
    assert (cut["batch_index"], cut["length"]) == (0, 80)
    assert made.inputs == ("wan-studio/photo.png",)


def test_a_loop_of_a_picture_has_the_figures_of_first_and_last_frame() -> None:
    loop, pair = (inputs_of(compiled(image(**one)), "KSamplerAdvanced") for one in
                  ({"loop": True}, {"end_image": LAST}))  # fmt: skip
    assert [(row["cfg"], row["steps"]) for row in loop] == [(row["cfg"], row["steps"]) for row in pair]
    shifts = inputs_of(compiled(image(loop=True)), "ModelSamplingSD3")
    assert [row["shift"] for row in shifts] == [8.0, 8.0]


def test_clip_vision_sees_the_picture_once() -> None:
    made = compiled(image(loop=True, clip_vision=True))
    (pictures,) = inputs_of(made, "WanFirstLastFrameToVideo")
    assert pictures["clip_vision_start_image"] == pictures["clip_vision_end_image"]
    assert len(inputs_of(made, "CLIPVisionEncode")) == 1


def test_words_are_drawn_in_windows_that_wrap() -> None:
    made = compiled(text(loop=True), server=facts(newer()))
    windows = inputs_of(made, NODE)
    assert len(windows) == 2  # one for each expert
    for row in windows:
        assert row["context_schedule"] == "looped_uniform" and row["closed_loop"] is True
        assert 0 < row["context_overlap"] < row["context_length"] < 80
        assert {name: row[name] for name in NEWER_INPUTS} == {
            "freenoise": True, "retain_first_frame": False, "split_conds_to_windows": False,
        }  # fmt: skip
    older = inputs_of(compiled(text(loop=True)), NODE)
    assert all(name not in row for row in older for name in NEWER_INPUTS)
    unknown = inputs_of(compiled(text(loop=True), server=ServerFacts(frozenset())), NODE)
    assert all(name in row for row in unknown for name in NEWER_INPUTS)


@pytest.mark.parametrize("seconds", [1.0, 1.25, 2.0, 3.0, 5.0, 5.25, 8.0, 15.0])
def test_every_latent_is_in_the_middle_of_a_window(seconds: float) -> None:
    """Whatever the offset of a step, the wrapping windows cover the clip, and the seam lies inside of one."""
    frames = frames_for(seconds) - 1
    made = wrapping(frames, ServerFacts(frozenset()))
    assert made.latents * 4 == frames and made.overlap < made.length < made.latents
    assert made.length <= TRAINED
    for pad in range(made.latents):
        starts = range(pad, made.latents + pad, made.length - made.overlap)
        parts = [[at % made.latents for at in range(start, start + made.length)] for start in starts]
        assert len(parts) == made.count
        assert {at for part in parts for at in part} == set(range(made.latents))
        pairs = {(a, b) for part in parts for a, b in pairwise(part)}
        assert (made.latents - 1, 0) in pairs


def test_the_first_latent_is_decoded_behind_the_last_ones() -> None:
    made = compiled(text(loop=True, seconds=2.0))
    (latent,) = inputs_of(made, "EmptyHunyuanLatentVideo")
    (cut,), (joined,) = inputs_of(made, "LatentCut"), inputs_of(made, "LatentConcat")
    (kept,) = inputs_of(made, "ImageFromBatch")
    latents = (latent["length"] - 1) // 4 + 1
    assert (cut["index"], cut["amount"]) == (-4, 4) and joined["samples2"] == cut["samples"]
    decoded = 4 * (latents + cut["amount"]) - 3
    assert kept["length"] == made.frames == 32 == 4 * latents
    assert kept["batch_index"] + kept["length"] == decoded


def test_the_windows_count_as_work() -> None:
    plain, loop = compiled(text()), compiled(text(loop=True))
    assert plain.evaluations == 40 and 70 <= loop.evaluations <= 80
    assert loop.sampling_steps == plain.sampling_steps


def test_an_end_frame_is_refused_at_its_field() -> None:
    with pytest.raises(InvalidParam) as caught:
        image(loop=True, end_image=LAST)
    assert caught.value.field == "end_image" and "loop" in caught.value.message.lower()


def test_a_loop_from_words_needs_a_second() -> None:
    with pytest.raises(InvalidParam) as caught:
        text(loop=True, seconds=0.75)
    assert caught.value.field == "seconds"
    assert text(seconds=0.75).frames == 13 and image(loop=True, seconds=0.25).frames == 4


def test_a_server_without_the_node_is_refused_at_the_field() -> None:
    known = facts(recorded())
    server = dataclasses.replace(known, nodes=known.nodes - {NODE})
    with pytest.raises(InvalidParam) as caught:
        compiled(text(loop=True), server=server)
    assert caught.value.field == "loop" and NODE in caught.value.message
    compiled(image(loop=True), server=server)  # needs no windows
