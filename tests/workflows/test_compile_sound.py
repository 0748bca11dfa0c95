"""Sound-to-Video and the text modes: chunk arithmetic, segments, wiring, the official templates."""

from __future__ import annotations

import math
from typing import Any

import pytest

from backend.notices import words
from tests.support.compile_cases import (
    JOB_MODES,
    MODE_CASES,
    SONG,
    compiled,
    golden,
    newer,
    sound,
    still,
    text,
)
from tests.support.template_diff import differences, template
from tests.support.tiers import deep
from workflows.catalog import load_catalog
from workflows.compile import Compiled, ServerFacts
from workflows.compiled import Derived
from workflows.graph.node_contract import VARYING, check, facts, recorded
from workflows.modes import sound_to_video
from workflows.modes.registry import MODES
from workflows.modes.sound_to_video import chunk_count
from workflows.params.media import Media
from workflows.spec import ModeParams
from workflows.stages.segments import spans


def nodes_of(graph: dict[str, Any], class_type: str) -> list[dict[str, Any]]:
    return [node["inputs"] for node in graph.values() if node["class_type"] == class_type]


def classes_of_varying(graph: dict[str, Any]) -> set[str]:
    """The nodes of a graph whose inputs differ between the versions of ComfyUI."""
    return set(classes(graph)) & set(VARYING)


def classes(graph: dict[str, Any]) -> list[str]:
    return [node["class_type"] for node in graph.values()]


def long(seconds: float, most: int = 8, **options: object) -> Compiled:
    params = sound(audio=Media("wan-studio/talk.wav", seconds=seconds), speed="fast", **options)
    return sound_to_video.build(params, load_catalog(), ServerFacts(frozenset()), "job", most)


@pytest.mark.parametrize(("seconds", "chunks"), [
    (0.2, 1), (1, 1), (4.875, 1), (4.9, 2), (5.1, 2), (9.875, 2), (9.876, 3), (12, 3), (16, 4), (60, 13),
    (600, 121),
])  # fmt: skip
def test_chunks(seconds: float, chunks: int) -> None:
    assert chunk_count(seconds) == chunks == math.ceil((16 * seconds + 2) / 80)
    result = long(seconds)
    assert sum(classes(graph).count("KSampler") for graph in result.graphs) == chunks
    assert result.frames == sum(result.kept) == round(16 * seconds)
    assert result.sampling_steps == 4 * chunks == result.evaluations


def test_a_length_that_floats_cannot_hold_costs_no_chunk() -> None:
    assert chunk_count(0.1 + 0.2 + 4.575) == 1  # 4.875000000000001


@pytest.mark.parametrize("step", [311, deep(7)])
def test_every_length_is_covered_to_the_frame_and_no_graph_is_empty(step: int) -> None:
    for tenths in range(2, 6001, step):
        result = long(tenths / 10)
        assert sum(result.kept) == result.frames == round(1.6 * tenths)
        assert all(kept >= 1 for kept in result.kept) and len(result.kept) == len(result.graphs)
        for graph, kept in zip(result.graphs, result.kept, strict=True):
            assert classes(graph).count("KSampler") <= 8
            assert nodes_of(graph, "ImageFromBatch")[0]["length"] == kept <= 640


@pytest.mark.parametrize(("chunks", "most", "shares"), [
    (1, 8, [1]), (8, 8, [8]), (9, 8, [5, 4]), (13, 8, [7, 6]), (17, 8, [6, 6, 5]), (6, 4, [3, 3]),
    (3, 1, [1, 1, 1]),
])  # fmt: skip
def test_chunks_are_shared_evenly(chunks: int, most: int, shares: list[int]) -> None:
    rows = spans(chunks, most)
    assert [row.chunks for row in rows] == shares
    assert [row.first for row in rows] == [sum(shares[:n]) for n in range(len(shares))]


def test_one_graph_brings_its_own_sound() -> None:
    result = compiled(sound(start=2.0, duration=5.0, level=True))
    heard, chosen = result.derived[0]
    assert heard == Derived(
        heard.name, "sound", SONG.name, 2.0, seconds=5.0, silence=0.125, level=(2.0, 5.0)
    )  # two frames of silence for the encoder only
    assert chosen == Derived(chosen.name, "sound", SONG.name, 2.0, seconds=5.0, level=(2.0, 5.0))
    (graph,) = result.graphs
    (encode,), (create,) = nodes_of(graph, "AudioEncoderEncode"), nodes_of(graph, "CreateVideo")
    assert graph[encode["audio"][0]]["inputs"] == {"audio": heard.name}
    assert graph[create["audio"][0]]["inputs"] == {"audio": chosen.name}
    assert (result.sound, result.segment_names, result.kept) == (None, ("",), (80,))
    assert result.inputs == (heard.name, "wan-studio/photo.png", chosen.name)


def test_the_first_frame_is_repaired_and_three_are_dropped() -> None:
    (graph,) = compiled(sound()).graphs
    (cut,) = nodes_of(graph, "LatentCut")
    assert (cut["dim"], cut["index"], cut["amount"]) == ("t", 0, 1)
    (decode,) = nodes_of(graph, "VAEDecode")
    whole = graph[decode["samples"][0]]["inputs"]
    assert graph[whole["samples1"][0]]["class_type"] == "LatentCut" and whole["samples2"] == cut["samples"]
    (frames,) = nodes_of(graph, "ImageFromBatch")
    assert (frames["batch_index"], frames["length"]) == (3, 192)


def test_a_second_graph_goes_on_from_73_frames() -> None:
    result = long(60.0)
    first, second = result.graphs
    assert result.kept == (7 * 80 - 2, 960 - (7 * 80 - 2))
    heard, tail = result.derived[1]
    assert heard.start == (7 * 80 - 2) / 16 and heard.silence == 0 and heard.seconds == 60 - heard.start
    assert result.derived[0][0].seconds == 7 * 5 - 0.125
    assert (tail.kind, tail.frames, tail.fps, tail.name) == ("tail", 73, 16, "wan-studio/job-1-tail.mkv")
    (kept, handed), (saved,) = nodes_of(first, "ImageFromBatch"), nodes_of(first, "SaveImage")
    assert (kept["length"], handed["batch_index"], handed["length"]) == (558, 558 - 73, 73)
    assert saved["filename_prefix"] == "wan-studio/sound_to_video-job-1-tail"
    assert nodes_of(first, "SaveVideo")[0]["filename_prefix"] == "wan-studio/sound_to_video-job-1"
    assert nodes_of(second, "SaveVideo")[0]["filename_prefix"] == "wan-studio/sound_to_video-job-2"

    (start,), (encode,) = nodes_of(second, "WanSoundImageToVideo"), nodes_of(second, "VAEEncode")
    assert start["ref_motion"] == encode["pixels"]
    components = second[start["ref_motion"][0]]
    assert second[components["inputs"]["video"][0]]["inputs"] == {"file": tail.name}
    assert "LatentCut" not in classes(second) and "SaveImage" not in classes(second)
    (decode,) = nodes_of(second, "VAEDecode")
    whole = second[decode["samples"][0]]["inputs"]
    assert second[whole["samples1"][0]]["class_type"] == "VAEEncode"
    extends = nodes_of(second, "WanSoundImageToVideoExtend")
    sampled = second[whole["samples2"][0]]["inputs"]
    assert sampled["samples1"] == extends[-1]["video_latent"]  # the 19 latents are not in it
    assert second[extends[0]["video_latent"][0]]["class_type"] == "KSampler"
    assert [frames["batch_index"] for frames in nodes_of(second, "ImageFromBatch")] == [73]
    assert "audio" not in nodes_of(second, "CreateVideo")[0]
    assert result.sound is not None
    assert (result.sound.kind, result.sound.start, result.sound.seconds) == ("sound", 0.0, 60.0)
    assert result.segment_names == ("parts 1 to 7 of 13", "parts 8 to 13 of 13")
    assert result.derived[0][0].name in result.inputs and tail.name in result.inputs


def test_every_graph_and_the_file_hear_one_loudness() -> None:
    result = long(100.0, start=5.0, duration=90.0, level=True)
    heard = [derived for row in result.derived for derived in row if derived.kind == "sound"]
    assert len(heard) == len(result.graphs) == 3 and result.sound is not None
    assert {derived.level for derived in (*heard, result.sound)} == {(5.0, 90.0)}
    assert {derived.level for row in long(100.0).derived for derived in row} == {None}


def test_in_several_graphs_every_chunk_draws_what_it_would_in_one() -> None:
    one, many = long(30.0), long(30.0, most=2)
    assert (len(one.graphs), len(many.graphs)) == (1, 4)

    def draws(result: Compiled) -> list[tuple]:
        rows = []
        for graph, labels in zip(result.graphs, result.labels, strict=True):
            for key, node in graph.items():
                if node["class_type"] == "KSampler":
                    label = labels[key]
                    rows.append((node["inputs"]["seed"], label.text, label.steps, label.first_step))
        return rows

    assert draws(one) == draws(many)
    assert [row[0] for row in draws(one)] == list(range(42, 49))
    assert draws(one)[1][1:] == ("Generating, part 2 of 7", 4, 4)
    assert one.frames == many.frames and sum(many.kept) == 480


def test_one_chunk_says_no_part() -> None:
    result = compiled(sound(duration=2.0))
    assert [label.text for label in result.labels[0].values() if label.stage == "draw"] == ["Generating"]


@pytest.mark.parametrize(("options", "expected"), [
    ({}, (20, 6.0, 8.0, [])),
    ({"speed": "fast"}, (4, 1.0, 8.0, ["wan2.2_t2v_lightx2v_4steps_lora_v1.1_high_noise.safetensors"])),
    ({"steps": 30, "cfg": 4.0, "shift": 5.0}, (30, 4.0, 5.0, [])),
])  # fmt: skip
def test_sound_settings(options: dict[str, Any], expected: tuple) -> None:
    (graph,) = compiled(sound(**options)).graphs
    for sampler in nodes_of(graph, "KSampler"):
        assert (sampler["steps"], sampler["cfg"]) == expected[:2]
        assert (sampler["sampler_name"], sampler["scheduler"]) == ("uni_pc", "simple")
    assert nodes_of(graph, "ModelSamplingSD3")[0]["shift"] == expected[2]
    assert [lora["lora_name"] for lora in nodes_of(graph, "LoraLoaderModelOnly")] == expected[3]
    for node in nodes_of(graph, "WanSoundImageToVideo") + nodes_of(graph, "WanSoundImageToVideoExtend"):
        assert node["length"] == 77 and "ref_image" in node


def test_without_a_picture_nothing_is_looked_at() -> None:
    result = compiled(sound(image=None))
    assert "LoadImage" not in classes(result.graphs[0]) and (result.width, result.height) == (832, 480)


def test_equal_cuts_of_equal_sounds_have_equal_names_in_every_job() -> None:
    first, again = compiled(sound(seed=1), "a"), compiled(sound(seed=2, prompt="x"), "b")
    assert first.inputs == again.inputs
    assert compiled(sound(start=1.0)).inputs != first.inputs


def test_a_new_seed_reads_no_input_again() -> None:
    (before,), (after,) = compiled(sound(seed=1)).graphs, compiled(sound(seed=9)).graphs
    changed = {before[key]["class_type"] for key in before if before[key] != after[key]}
    assert changed == {"KSampler"} and list(before) == list(after)


# text


def test_text_to_video_settings() -> None:
    for options, steps, cfg, shift, loras in (
        ({}, 20, 3.5, 5.0, []),
        ({"speed": "fast"}, 4, 1.0, 5.0, ["high", "low"]),
    ):
        result = compiled(text(**options))
        (graph,) = result.graphs
        first, second = nodes_of(graph, "KSamplerAdvanced")
        assert (first["steps"], first["cfg"], first["end_at_step"]) == (steps, cfg, steps // 2)
        assert (second["start_at_step"], second["end_at_step"]) == (steps // 2, steps)
        assert {node["shift"] for node in nodes_of(graph, "ModelSamplingSD3")} == {shift}
        names = [lora["lora_name"] for lora in nodes_of(graph, "LoraLoaderModelOnly")]
        assert names == [f"wan2.2_t2v_lightx2v_4steps_lora_v1.1_{e}_noise.safetensors" for e in loras]
        assert nodes_of(graph, "EmptyHunyuanLatentVideo") == [
            {"width": 832, "height": 480, "length": 81, "batch_size": 1}
        ]
        assert (result.still, result.inputs, result.frames) == (False, (), 81)


def test_a_picture_is_one_frame() -> None:
    result = compiled(still())
    (graph,) = result.graphs
    assert nodes_of(graph, "EmptyHunyuanLatentVideo")[0]["length"] == 1
    assert (result.still, result.frames, result.width, result.height) == (True, 1, 1280, 720)
    assert nodes_of(graph, "SaveImage")[0]["filename_prefix"] == "wan-studio/text_to_image-job"
    assert "SaveVideo" not in classes(graph)


def test_flux() -> None:
    result = compiled(still(model="flux"))
    (graph,) = result.graphs
    (sampler,) = nodes_of(graph, "KSampler")
    assert (sampler["steps"], sampler["cfg"], sampler["sampler_name"]) == (20, 1.0, "euler")
    assert nodes_of(graph, "FluxGuidance")[0]["guidance"] == 3.5
    assert graph[sampler["positive"][0]]["class_type"] == "FluxGuidance"
    assert result.models == ("flux1-dev-fp8.safetensors",) and result.evaluations == 20
    assert nodes_of(graph, "EmptySD3LatentImage")[0]["width"] == 1280
    assert compiled(still(model="flux", steps=1)).steps == 1


# every mode


def test_every_graph_keeps_both_recorded_contracts() -> None:
    for name, params in MODE_CASES.items():
        for graph in compiled(params).graphs:
            assert check(graph, recorded()) == (), name
            if not classes_of_varying(graph):
                assert check(graph, newer()) == (), name
        if any(classes_of_varying(graph) for graph in compiled(params).graphs):
            for graph in compiled(params, server=facts(newer())).graphs:
                assert check(graph, newer()) == (), name


def test_ids_do_not_depend_on_values() -> None:
    changes: dict[str, dict[str, Any]] = {
        "sound_to_video": {"start": 1.0, "level": True, "shift": 3.0},
        "animate": {"start": 0.5, "relight": 0.3, "shift": 3.0},
        "text_to_video": {"seconds": 1.0, "aspect": "1:1"},
        "text_to_image": {"aspect": "1:1"},
    }
    for mode, make in JOB_MODES.items():
        before = compiled(make())
        for change in ({"seed": 7}, {"prompt": "Something else"}, {"steps": 12}, changes[mode]):
            after = compiled(make(**change), "other")
            for old, new in zip(before.graphs, after.graphs, strict=True):
                assert [n["class_type"] for n in old.values()] == [n["class_type"] for n in new.values()]
                assert wires(old) == wires(new), (mode, change)


def wires(graph: dict[str, Any]) -> list[tuple]:
    return [
        (key, name, value)
        for key, node in graph.items()
        for name, value in node["inputs"].items()
        if isinstance(value, list)
    ]


def test_models_are_those_of_the_mode() -> None:
    for name, result in golden().items():
        mode = next(mode for mode in MODES if name.startswith(mode))
        known = {load_catalog().by_name(model) for model in result.models} - {None}  # own LoRAs are in none
        assert known <= {file for file in load_catalog().files if mode in file.modes}, name


@pytest.mark.parametrize(("params", "word"), [
    (sound(speed="fast", negative_prompt="rain"), "negative prompt"),
    (sound(width=1920, height=1088), "1920 × 1088"), (text(seconds=8.0), "5 s"),
    (text(speed="fast", negative_prompt="rain"), "negative prompt"),
])  # fmt: skip
def test_warnings(params: ModeParams, word: str) -> None:
    (warning,) = compiled(params).warnings
    assert word in words(warning)


# the official templates

OURS = {
    ("CLIPTextEncode", "text"): "the creator's words; our own default for what is not wanted",
    ("LoadImage", "image"): "the creator's picture",
    ("KSampler", "seed"): "the creator's seed, one more with every chunk",
    ("KSamplerAdvanced", "noise_seed"): "the creator's seed",
    ("KSamplerAdvanced", "end_at_step"): "10000 and the number of steps both mean: to the end",
    ("SaveVideo", "filename_prefix"): "the job's own file",
    ("SaveVideo", "format"): "auto is mp4",
    ("SaveVideo", "codec"): "auto is h264",
    ("LoadAudio", "audio"): "the creator's sound behind two frames of silence",
    ("ImageFromBatch", "length"): "cut to the length of the sound, theirs runs to the end of the last chunk",
    ("CreateVideo", "audio"): "the sound without that silence, so a file of its own",
}


@pytest.mark.parametrize(("kind", "speed", "seconds"), [("quality", "quality", 16.0), ("fast", "fast", 12.0)])
def test_official_sound_template(kind: str, speed: str, seconds: float) -> None:
    """Four chunks and three: the same nodes, wired the same, with the same settings."""
    ours = compiled(
        sound(duration=seconds, audio=Media("a.wav", seconds=60.0), speed=speed, width=640, height=640)
    )
    found = differences(template("s2v")[kind], ours.graphs[0], frozenset({("CreateVideo", "audio")}))
    assert set(found) == set(OURS) - {("KSamplerAdvanced", "noise_seed"), ("KSamplerAdvanced", "end_at_step")}
    assert found["ImageFromBatch", "length"] == [(4096, round(16 * seconds))]
    assert found["CreateVideo", "audio"] == [("LoadAudio", "LoadAudio")]


@pytest.mark.parametrize(("name", "kind", "shift"), [
    ("t2v", "quality", 0.0), ("t2v", "fast", 0.0),
    ("t2v_0_1_95", "quality", 8.0), ("t2v_0_1_95", "fast", 0.0),
])  # fmt: skip
def test_official_text_template(name: str, kind: str, shift: float) -> None:
    ours = compiled(text(speed=kind, shift=shift, width=640, height=640)).graphs[0]
    found = differences(template(name)[kind], ours)
    assert set(found) <= set(OURS)
    assert len(found["KSamplerAdvanced", "noise_seed"]) == 1


def test_the_comparison_sees_a_wrong_wire() -> None:
    (graph,) = compiled(sound(duration=12.0, speed="fast", width=640, height=640)).graphs
    cut = next(node for node in graph.values() if node["class_type"] == "LatentCut")
    cut["inputs"]["samples"] = nodes_of(graph, "WanSoundImageToVideoExtend")[0]["video_latent"]
    with pytest.raises(AssertionError):
        differences(template("s2v")["fast"], graph, frozenset({("CreateVideo", "audio")}))
