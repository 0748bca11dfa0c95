"""Animate by Animate 2: when it is used, its chunks and figures, its cache."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.notices import words
from tests.support.compile_cases import (
    ANIMATE_2,
    DANCE,
    HELPERS,
    MASK,
    SECOND_CASES,
    SHORT,
    animated,
    compiled,
    newer,
    second_server,
)
from tests.support.template_diff import behind
from workflows.catalog import load_catalog
from workflows.compile import Compiled, ServerFacts, compile
from workflows.graph.node_contract import RoleFile, check
from workflows.modes.animate import animate_2, build
from workflows.modes.animate.animate_2 import CHUNKS
from workflows.modes.animate.pose_cache import RESERVED, cache_bytes, cache_dtype
from workflows.modes.registry import MODES
from workflows.notice import notice
from workflows.params.media import Media
from workflows.params.values import InvalidParam

LORA = "lightx2v_I2V_14B_480p_cfg_step_distill_rank64_bf16.safetensors"
NODE, FIRST_NODE = "WanAnimate2ToVideo", "WanAnimateToVideo"


def nodes_of(graph: dict[str, Any], class_type: str) -> list[dict[str, Any]]:
    return [node["inputs"] for node in graph.values() if node["class_type"] == class_type]


def on(server: ServerFacts | None = None, **options: object) -> Compiled:
    return compiled(animated(**options), server=server or second_server())


def lasting(frames: int, most: int = 4, **options: object) -> Compiled:
    params = animated(video=Media("wan-studio/v.mp4", 640, 480, seconds=frames / 16), **options)
    return build.build(params, load_catalog(), second_server(), "job", most)


def is_second(result: Compiled) -> bool:
    used = {node["class_type"] for graph in result.graphs for node in graph.values()}
    assert (NODE in used) != (FIRST_NODE in used)
    return NODE in used


# which model draws


def test_it_draws_move_where_node_and_file_are_there() -> None:
    result = on()
    assert is_second(result) and result.route == "animate_2"
    assert [one.code for one in result.warnings] == ["animate_2_used"]
    used = {node["class_type"] for node in result.graphs[0].values()}
    assert not used & {"SDPoseKeypointExtractor", "CropByBBoxes", "SaveAnimatedWEBP"}, (
        "it needs no preparation"
    )


@pytest.mark.parametrize("server", [
    second_server(()), second_server(without=NODE), ServerFacts(frozenset()),
    ServerFacts(second_server().nodes),
], ids=["no file", "no node", "nothing known", "no lists"])  # fmt: skip
def test_without_node_or_file_the_first_animate_draws_as_before(server: ServerFacts) -> None:
    result = on(server)
    assert not is_second(result)
    assert not {"animate_2_used", "animate_1_reads"} & {one.code for one in result.warnings}


def test_a_file_without_its_node_is_pointed_out() -> None:
    bare = second_server(without=NODE)
    result = on(bare)
    assert not is_second(result) and notice("animate_2_needs_node") in result.warnings
    assert "Update it to 0.33" in words(notice("animate_2_needs_node"))
    others = [on(bare, model="animate_1"), on(bare, method="mix"), on(bare, pose_video=HELPERS["pose"])]
    others += [on(second_server(()) if known else ServerFacts(frozenset())) for known in (True, False)]
    bad = RoleFile(ANIMATE_2[0], obstacle=notice("text", text="It is damaged."))
    others.append(on(replace(second_server(ANIMATE_2[:1], without=NODE), models={"animate_2": bad})))
    for one in others:
        assert notice("animate_2_needs_node") not in one.warnings
    first = on(second_server(()))
    again = compile(animated(), load_catalog(), second_server(), "job", first.resolved)
    assert not is_second(again) and notice("animate_2_needs_node") not in again.warnings


@pytest.mark.parametrize(("given", "words_of_it"), [
    ({"pose_video": HELPERS["pose"]}, "pose video"), ({"face_video": HELPERS["face"]}, "face video"),
    ({"mask": MASK}, "mask"),
    ({"pose_video": HELPERS["pose"], "face_video": HELPERS["face"]}, "pose video and face video"),
])  # fmt: skip
def test_files_for_the_first_animate_are_used_and_the_reason_is_said(given: dict, words_of_it: str) -> None:
    result = on(**given)
    assert not is_second(result)
    (note,) = [one for one in result.warnings if one.code == "animate_1_reads"]
    assert f"cannot use the {words_of_it}." in words(note)


def test_replace_stays_with_the_first_animate_and_says_so() -> None:
    result = on(method="mix")
    assert not is_second(result) and result.warnings == (notice("animate_1_replaces"),)


def test_the_model_can_be_chosen() -> None:
    first = on(model="animate_1")
    assert not is_second(first) and first.warnings == ()
    assert on(model="animate_1", method="mix").warnings == ()
    second = on(model="animate_2", pose_video=HELPERS["pose"])
    assert is_second(second) and second.warnings == (notice("animate_2_ignores", helpers=("pose_video",)),)
    assert "does not use the pose video" in words(second.warnings[0])
    missing = on(second_server(()), model="animate_2")
    assert is_second(missing) and ANIMATE_2[0] in missing.models, "the missing file is named, not avoided"
    with pytest.raises(InvalidParam) as refused:
        animated(model="animate_2", method="mix")
    assert refused.value.field == "model"


def test_a_file_that_cannot_be_used_is_no_reason_to_use_it() -> None:
    bad = RoleFile(ANIMATE_2[0], obstacle=notice("text", text="It is damaged."))
    server = replace(second_server(ANIMATE_2[:1]), models={"animate_2": bad})
    assert not is_second(on(server))


# figures


@pytest.mark.parametrize(("files", "options", "model", "figures", "route"), [
    (ANIMATE_2, {}, 0, (40, 3.0, "dpmpp_2m"), "animate_2"),
    (ANIMATE_2[:1], {"speed": "fast"}, 0, (6, 1.0, "lcm"), "animate_2"),
    (ANIMATE_2, {"speed": "fast"}, 1, (10, 1.0, "lcm"), "animate_2_distilled"),
    (ANIMATE_2[1:], {"speed": "fast"}, 1, (10, 1.0, "lcm"), "animate_2_distilled"),
    (ANIMATE_2[1:], {}, 1, (10, 1.0, "lcm"), "animate_2_distilled"),
    (ANIMATE_2, {"steps": 7, "cfg": 2.5}, 0, (7, 2.5, "dpmpp_2m"), "animate_2"),
])  # fmt: skip
def test_figures(files: tuple, options: dict, model: int, figures: tuple, route: str) -> None:
    params = animated(**options)
    result = compiled(params, server=second_server(files))
    (graph,) = result.graphs
    for sampler in nodes_of(graph, "KSampler"):
        assert (sampler["steps"], sampler["cfg"], sampler["sampler_name"]) == figures
        assert sampler["scheduler"] == "simple"
    assert nodes_of(graph, "ModelSamplingSD3")[0]["shift"] == 5.0
    assert nodes_of(graph, "UNETLoader") == [{"unet_name": ANIMATE_2[model], "weight_dtype": "default"}]
    loras = [node["lora_name"] for node in nodes_of(graph, "LoraLoaderModelOnly")]
    assert loras == ([LORA] if figures[:1] == (6,) else []), "no relighting, and none on a distilled file"
    assert result.route == route and result.steps == figures[0]
    assert result.evaluations == 3 * figures[0] * (2 if figures[1] > 1 else 1)
    own = MODES["animate"].figures(replace(params, steps=0, cfg=0.0), route)
    if not options.get("steps"):
        assert own == {"steps": figures[0], "cfg": figures[1], "shift": 5.0}, (
            "what the page shows as the default"
        )


def test_a_distilled_file_in_full_quality_is_pointed_out() -> None:
    codes = [one.code for one in on(second_server(ANIMATE_2[1:]), cfg=3.0).warnings]
    assert codes == ["distilled_in_quality", "distilled_with_cfg", "animate_2_used"]
    baked = RoleFile("mine/animate2_turbo.safetensors", distilled=True)
    server = replace(second_server(("mine/animate2_turbo.safetensors",)), models={"animate_2": baked})
    assert on(server, speed="fast").route == "animate_2_distilled"


# chunks


@pytest.mark.parametrize(("frames", "chunks", "graphs"), [
    (4, 1, 1), (81, 1, 1), (82, 2, 1), (161, 2, 1), (162, 3, 1), (321, 4, 1), (322, 5, 2), (4800, 60, 15),
])  # fmt: skip
def test_chunks(frames: int, chunks: int, graphs: int) -> None:
    assert CHUNKS.count(frames) == chunks
    result = lasting(frames)
    drawn = [len(nodes_of(graph, NODE)) for graph in result.graphs]
    assert (len(drawn), sum(drawn)) == (graphs, chunks)
    assert sum(result.kept) == result.frames == frames
    places = {(label.chunk, label.chunks) for part in result.labels for label in part.values() if label.steps}
    assert places == ({(0, 0)} if chunks == 1 else {(n + 1, chunks) for n in range(chunks)})


def test_every_chunk_has_frames_of_the_driving_video_left() -> None:
    """The node fails when the offset, less the frame that it continues, is beyond the clip."""
    for frames in range(4, 700, 13):
        for most in (1, 2, 4):
            result = lasting(frames, most)
            assert sum(result.kept) == frames
            for derived, graph in zip(result.derived, result.graphs, strict=True):
                clip = next(one for one in derived if one.kind == "clip")
                chunks = nodes_of(graph, NODE)
                first = chunks[0]["video_frame_offset"]
                offset = max(0, first - (1 if "continue_motion" in chunks[0] else 0)) + 81
                assert offset - 81 < clip.frames
                for _ in chunks[1:]:
                    assert offset - 1 < clip.frames
                    offset += 80


def test_chunks_hand_on_inside_a_graph() -> None:
    (graph,) = lasting(200).graphs
    chunks = [(key, n["inputs"]) for key, n in graph.items() if n["class_type"] == NODE]
    assert [c["video_frame_offset"] for _, c in chunks] == [0, [chunks[0][0], 5], [chunks[1][0], 5]]
    cuts = [n for n in nodes_of(graph, "ImageFromBatch") if isinstance(n["batch_index"], list)]
    assert [cut["length"] for cut in cuts] == [81, 80, 39]
    assert [cut["batch_index"] for cut in cuts] == [[key, 4] for key, _ in chunks]
    assert [n["trim_amount"] for n in nodes_of(graph, "TrimVideoLatent")] == [[key, 3] for key, _ in chunks]
    assert "continue_motion" not in chunks[0][1]
    assert all(behind(graph, c["continue_motion"]) == "ImageFromBatch" for _, c in chunks[1:])
    assert len(nodes_of(graph, "UNETLoader")) == 1 and len(nodes_of(graph, "LoadVideo")) == 1


def test_a_second_graph_goes_on_from_one_frame() -> None:
    result = lasting(400)
    first, second = result.graphs
    assert result.kept == (241, 159)
    clips = [[one for one in part if one.kind == "clip"] for part in result.derived]
    assert [(c.first_frame, c.frames) for c in clips[0]] == [(0, 241), (0, 1)]
    assert [(c.first_frame, c.frames) for c in clips[1]] == [(240, 160), (0, 1)]
    assert clips[0][1] == clips[1][1], "all graphs encode the same first frame"
    (tail,) = [one for one in result.derived[1] if one.kind == "tail"]
    (saved,) = nodes_of(first, "SaveImage")
    assert tail.frames == 1 and first[saved["images"][0]]["inputs"]["batch_index"] == 80 - 1
    assert nodes_of(second, NODE)[0]["video_frame_offset"] == 1
    assert behind(second, nodes_of(second, NODE)[0]["continue_motion"]) == "GetVideoComponents"
    assert result.sound is not None and result.segment_names == ("parts 1 to 3 of 5", "parts 4 to 5 of 5")


def test_in_several_graphs_every_chunk_draws_what_it_would_in_one() -> None:
    def draws(result: Compiled) -> list[tuple]:
        return [
            (node["inputs"]["seed"], labels[key].text, labels[key].first_step)
            for graph, labels in zip(result.graphs, result.labels, strict=True)
            for key, node in graph.items()
            if node["class_type"] == "KSampler"
        ]

    assert draws(lasting(250)) == draws(lasting(250, 1)) and len(draws(lasting(250))) == 4


def test_rate_part_and_sound() -> None:
    result = on(fps=30.0, start=1.0, seconds=2.0)
    assert (result.frames, result.fps) == (60, 30.0)
    clip, sound = result.derived[0]
    assert (clip.source, clip.start, clip.fps, clip.frames) == (DANCE.name, 1.0, 30.0, 60)
    assert (sound.kind, sound.start, sound.seconds) == ("sound", 1.0, 2.0)
    codes = {one.code for one in on(image=Media("p.png", 600, 1600), fps=30.0).warnings}
    assert "cropped" in codes


# cache

GB = 1_000_000_000


@pytest.mark.parametrize(("wanted", "ram", "size", "steps", "dtype"), [
    ("auto", 0, (832, 480), 10, ""), ("auto", 32 * GB, (832, 480), 10, ""),
    ("auto", 64 * GB, (832, 480), 10, "default"), ("auto", 64 * GB, (1280, 720), 10, "default"),
    ("auto", 48 * GB, (1280, 720), 10, "int8"), ("auto", 40 * GB, (832, 480), 10, "int8"),
    ("auto", 38 * GB, (832, 480), 10, ""), ("auto", 64 * GB, (832, 480), 1, ""),
    ("off", 512 * GB, (832, 480), 40, ""), ("full", 0, (832, 480), 10, "default"),
    ("int8", 16 * GB, (1280, 720), 10, "int8"), ("int4", 0, (832, 480), 10, "int4"),
])  # fmt: skip
def test_cache_by_memory(wanted: str, ram: int, size: tuple, steps: int, dtype: str) -> None:
    assert cache_dtype(wanted, size, 81, steps, second_server(ram=ram)) == dtype


def test_the_cache_is_as_large_as_its_node_says() -> None:
    assert cache_bytes(480, 832, 81) == 12_500_000_000 < 64 * GB - RESERVED


def test_cache_in_the_graph() -> None:
    (graph,) = on(second_server(ram=64 * GB), speed="fast").graphs
    assert [(n["device"], n["dtype"]) for n in nodes_of(graph, "WanAnimate2Cache")] == [("cpu", "default")]
    assert behind(graph, nodes_of(graph, "ModelSamplingSD3")[0]["model"]) == "WanAnimate2Cache"
    (plain,) = on(speed="fast").graphs
    assert not nodes_of(plain, "WanAnimate2Cache"), "memory not known"
    lacking = on(second_server(ram=64 * GB, without="WanAnimate2Cache"), pose_cache="int8")
    assert not nodes_of(lacking.graphs[0], "WanAnimate2Cache")
    assert lacking.warnings[0] == notice("no_pose_cache")


# contract


@pytest.mark.parametrize("name", SECOND_CASES)
def test_contract(name: str) -> None:
    params, files, ram = SECOND_CASES[name]
    result = compiled(params, server=second_server(files, ram))
    assert is_second(result) and animate_2.is_route(result.route)
    for graph in result.graphs:
        assert list(check(graph, newer())) == []


def test_own_negative_prompt_and_weights_reach_the_graph() -> None:
    (graph,) = on(video=SHORT, negative_prompt="mud (dirt)", speed="fast").graphs
    texts = [node["text"] for node in nodes_of(graph, "CLIPTextEncode")]
    assert texts[1] == r"mud \(dirt\)"
    (nag,) = nodes_of(graph, "WanVideoNAG")
    assert graph[nag["conditioning"][0]]["inputs"]["text"] == r"mud \(dirt\)"


def test_own_loras_go_on_its_model() -> None:
    server = second_server(ANIMATE_2[:1])
    names = (LORA, "ink.safetensors")
    server = replace(server, options={**server.options, ("LoraLoaderModelOnly", "lora_name"): names})
    (graph,) = on(server, speed="fast", loras='[{"name": "ink.safetensors", "strength": 0.6}]').graphs
    chain = [(n["lora_name"], n["strength_model"]) for n in nodes_of(graph, "LoraLoaderModelOnly")]
    assert chain == [(LORA, 1.0), ("ink.safetensors", 0.6)]
