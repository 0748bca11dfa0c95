from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.compile_cases import compiled, image
from tests.support.paths import ROOT
from workflows.graph.node_contract import ServerFacts, check, facts, from_object_info, missing, recorded

NEWER_INFO = json.loads((ROOT / "tests" / "data" / "object_info_0_33.json").read_text())
NEWER = from_object_info(NEWER_INFO)
GRAPH = compiled(image(clip_vision=True, tiled_decode=True, easy_cache=True)).graphs[0]
BY_CLASS = {data["class_type"]: node for node, data in GRAPH.items()}


def changed(class_type: str, **inputs: Any) -> dict:
    graph = copy.deepcopy(GRAPH)
    graph[BY_CLASS[class_type]]["inputs"].update(inputs)
    return graph


def found(graph: dict) -> list[tuple[str, str, str]]:
    """What both recorded servers' facts have to say; they must agree."""
    one, other = (
        [(p.class_type, p.input, p.kind) for p in check(graph, c)] for c in (recorded(), NEWER.offline())
    )
    assert one == other
    return one


def test_the_graph_is_right() -> None:
    assert found(GRAPH) == []


@pytest.mark.parametrize(("class_type", "inputs", "kind"), [
    ("KSamplerAdvanced", {"steps": "20"}, "wrong_type"),
    ("KSamplerAdvanced", {"steps": 20.0}, "wrong_type"),
    ("KSamplerAdvanced", {"steps": True}, "wrong_type"),
    ("KSamplerAdvanced", {"steps": None}, "wrong_type"),
    ("KSamplerAdvanced", {"steps": 0}, "out_of_range"),
    ("KSamplerAdvanced", {"steps": 10_001}, "out_of_range"),
    ("KSamplerAdvanced", {"noise_seed": -1}, "out_of_range"),
    ("KSamplerAdvanced", {"noise_seed": 2**64}, "out_of_range"),
    ("KSamplerAdvanced", {"cfg": "3.5"}, "wrong_type"),
    ("KSamplerAdvanced", {"cfg": float("nan")}, "out_of_range"),
    ("KSamplerAdvanced", {"cfg": 100.5}, "out_of_range"),
    ("KSamplerAdvanced", {"add_noise": "on"}, "not_in_list"),
    ("KSamplerAdvanced", {"add_noise": True}, "wrong_type"),
    ("KSamplerAdvanced", {"sampler_name": "Euler"}, "not_in_list"),
    ("KSamplerAdvanced", {"model": "wan"}, "wrong_type"),
    ("KSamplerAdvanced", {"denoise": 1.0}, "unknown_input"),
    ("WanImageToVideo", {"width": 840}, "out_of_range"),
    ("WanImageToVideo", {"length": 80}, "out_of_range"),
    ("WanImageToVideo", {"end_image": ["1", 0]}, "unknown_input"),
    ("VAEDecodeTiled", {"tile_size": 500}, "out_of_range"),
    ("CLIPTextEncode", {"text": 5}, "wrong_type"),
    ("EasyCache", {"verbose": "false"}, "wrong_type"),
    ("EasyCache", {"verbose": 0}, "wrong_type"),
    ("SaveVideo", {"format": "avi"}, "not_in_list"),
    ("SaveVideo", {"codec": "prores"}, "not_in_list"),
    ("SaveVideo", {"crf": 18}, "unknown_input"),
    ("UNETLoader", {"unet_name": "other.safetensors"}, "not_in_list"),
    ("UNETLoader", {"unet_name": "wan_2.1_vae.safetensors"}, "not_in_list"),
    ("CLIPVisionLoader", {"clip_name": ""}, "not_in_list"),
    ("LoadImage", {"image": ""}, "wrong_type"),
    ("LoadImage", {"image": 7}, "wrong_type"),
])  # fmt: skip
def test_wrong_values(class_type: str, inputs: dict, kind: str) -> None:
    problems = found(changed(class_type, **inputs))
    (name,) = inputs
    assert (class_type, name, kind) in problems


@pytest.mark.parametrize("link", [
    ["99", 0], ["1", 1], ["1", -1], ["1", "0"], ["1", True], [1, 0], ["1"], [], ["1", 0, 0],
])  # fmt: skip
def test_bad_links(link: list) -> None:
    assert ("ModelSamplingSD3", "model", "bad_link") in found(changed("ModelSamplingSD3", model=link))


def test_links_of_the_wrong_type() -> None:
    clip = BY_CLASS["CLIPLoader"]
    assert found(changed("EasyCache", model=[clip, 0])) == [("EasyCache", "model", "bad_link")]
    assert found(changed("VAEDecodeTiled", samples=[BY_CLASS["WanImageToVideo"], 0])) == [
        ("VAEDecodeTiled", "samples", "bad_link")
    ]
    assert found(changed("KSamplerAdvanced", steps=[clip, 0])) == [("KSamplerAdvanced", "steps", "bad_link")]


def test_missing_input_and_unknown_node() -> None:
    graph = copy.deepcopy(GRAPH)
    del graph[BY_CLASS["SaveVideo"]]["inputs"]["codec"]
    del graph[BY_CLASS["CreateVideo"]]["inputs"]["images"]
    assert found(graph) == [
        ("CreateVideo", "images", "missing_input"),
        ("SaveVideo", "codec", "missing_input"),
    ]
    graph = copy.deepcopy(GRAPH)
    graph[BY_CLASS["LoadImage"]]["class_type"] = "LoadPicture"
    assert found(graph) == [("LoadPicture", "", "unknown_node")]
    assert [p.kind for p in check({"1": {}, "2": None}, recorded())] == ["unknown_node"] * 2


def test_a_loop_is_found() -> None:
    graph = changed("EasyCache", model=[BY_CLASS["EasyCache"], 0])
    assert [kind for _, _, kind in found(graph)] == ["bad_link"]


def test_a_long_chain_is_not_a_loop_and_raises_no_recursion_error() -> None:
    chain = {"0": GRAPH[BY_CLASS["UNETLoader"]]}
    for n in range(1, 3000):
        chain[str(n)] = {"class_type": "ModelSamplingSD3", "inputs": {"model": [str(n - 1), 0], "shift": 8.0}}
    assert check(dict(reversed(chain.items())), recorded()) == ()


def test_problems_say_where_and_what() -> None:
    (problem,) = check(changed("WanImageToVideo", width=840), recorded())
    assert problem.node == BY_CLASS["WanImageToVideo"] and problem.value == 840
    assert "16" in problem.message and "width" in problem.message


# the spellings of combos


@pytest.mark.parametrize("spec", [
    [["a", "b"]],
    [["a", "b"], {}],
    ["COMBO", {"options": ["a", "b"]}],
    ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "a", "inputs": {}}, {"key": "b", "inputs": {}}]}],
])  # fmt: skip
def test_combo_spellings(spec: list) -> None:
    contract = from_object_info({"N": {"input": {"required": {"x": spec}}, "output": []}})
    assert contract.nodes["N"].inputs["x"].options == ("a", "b")

    def kinds(value: Any) -> list[str]:
        return [p.kind for p in check({"1": {"class_type": "N", "inputs": {"x": value}}}, contract)]

    assert kinds("a") == [] and kinds("c") == ["not_in_list"] and kinds(0) == ["wrong_type"]


def test_combo_of_numbers_and_a_combo_without_list() -> None:
    spec = {"n": [[1, 2]], "remote": ["COMBO", {"remote": {"route": "/x"}}]}
    contract = from_object_info({"N": {"input": {"required": spec}, "output": []}})

    def kinds(**inputs: Any) -> list[str]:
        return [p.kind for p in check({"1": {"class_type": "N", "inputs": inputs}}, contract)]

    assert kinds(n=1, remote="anything") == []
    assert kinds(n="1", remote="anything") == ["not_in_list"]
    assert kinds(n=True, remote="") == ["wrong_type", "wrong_type"]


def test_dynamic_combo_inputs_flat_dotted_and_nested() -> None:
    save = BY_CLASS["SaveVideo"]

    def kinds(**inputs: Any) -> list[tuple[str, str]]:
        graph = copy.deepcopy(GRAPH)
        values = graph[save]["inputs"]
        del values["codec"]
        values.update({key.replace("__", "."): value for key, value in inputs.items()})
        return [(p.input, p.kind) for p in check(graph, NEWER.offline())]

    assert kinds(codec="h264") == []
    assert kinds(format__codec="h264") == []
    assert kinds(format__codec="h265") == [("format.codec", "not_in_list")]
    assert kinds(codec="h264", encoding="re-encode", crf=18.0, color_space="auto") == []
    assert kinds(codec="h264", encoding="re-encode", crf=99.0, color_space="auto") == [
        ("crf", "out_of_range")
    ]
    assert kinds(codec="h264", encoding="re-encode", color_space="auto") == [("crf", "missing_input")]
    assert kinds(codec="auto", encoding="auto") == [("encoding", "unknown_input")]
    assert kinds() == [("codec", "missing_input")]


def test_types_that_take_anything() -> None:
    info = {
        "Any": {"input": {"required": {"x": ["*"], "y": ["COMFY_MATCHTYPE_V3", {}]}}, "output": ["*"]},
        "Two": {"input": {"required": {"x": ["IMAGE,MASK"]}}, "output": [["a", "b"]]},
    }
    info["Mask"] = {"input": {}, "output": ["MASK", "LATENT"]}
    contract = from_object_info(info)

    def kinds(link: list) -> list[str]:
        graph = {
            "1": {"class_type": "Mask", "inputs": {}},
            "2": {"class_type": "Any", "inputs": {"x": ["1", 0], "y": ["1", 1]}},
            "3": {"class_type": "Two", "inputs": {"x": link}},
        }
        return [p.kind for p in check(graph, contract)]

    assert kinds(["1", 0]) == [] and kinds(["2", 0]) == [] and kinds(["1", 1]) == ["bad_link"]


# a live server


def live(**files: list[str]) -> Any:
    info = copy.deepcopy(NEWER_INFO)
    for class_type, names in files.items():
        required = info[class_type]["input"]["required"]
        required[next(iter(required))] = [names]
    return from_object_info(info)


def test_model_files_of_a_live_server_are_checked_by_its_own_list() -> None:
    unet = GRAPH["1"]["inputs"]["unet_name"]
    kinds = [(p.class_type, p.kind) for p in check(GRAPH, live(UNETLoader=[unet]))]
    assert kinds.count(("UNETLoader", "not_in_list")) == 1  # the other expert
    assert ("VAELoader", "not_in_list") in kinds
    assert all(kind == "not_in_list" for _, kind in kinds)


def test_missing_by_facts_alone() -> None:
    server = facts(live(UNETLoader=[GRAPH["1"]["inputs"]["unet_name"]]))
    problems = missing(GRAPH, ServerFacts(server.nodes - {"EasyCache"}, server.options))
    assert {p.value for p in problems if p.class_type == "UNETLoader"} == {
        "wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors"
    }
    assert {p.class_type for p in problems if p.kind == "unknown_node"} == {"EasyCache"}
    assert missing(GRAPH, facts(recorded())) == missing(GRAPH, ServerFacts(frozenset())) == ()


def test_facts_leave_out_what_is_not_known() -> None:
    known = facts(recorded())
    assert ("UNETLoader", "unet_name") not in known.options
    assert ("LoadImage", "image") not in known.options
    assert known.options[("SaveVideo", "format")] == ("auto", "mp4")
    assert known.options[("UNETLoader", "weight_dtype")][0] == "default"
    assert facts(live(UNETLoader=["a"])).options[("UNETLoader", "unet_name")] == ("a",)
    assert ("LoadImage", "image") not in facts(NEWER).options
    assert "KSamplerAdvanced" in known.nodes


def test_recorded_is_read_once_and_has_the_nodes_of_all_modes() -> None:
    assert recorded() is recorded()
    assert set(recorded().nodes) == set(NEWER.nodes) >= {
        "WanImageToVideo", "WanSoundImageToVideoExtend", "WanAnimateToVideo", "EmptyHunyuanLatentVideo",
    }  # fmt: skip


def test_recorded_defaults_lie_on_their_own_grid() -> None:
    """The step rule counts from the minimum; a server whose defaults break it would mean we misread it."""
    for path in ("workflows/graph/node_contract.json", "tests/data/object_info_0_33.json"):
        for class_type, data in json.loads((ROOT / path).read_text()).items():
            entries = {k: v for group in data["input"].values() for k, v in group.items()}
            for name, spec in entries.items():
                extra = spec[1]
                if spec[0] == "INT" and extra.get("step", 1) > 1:
                    assert (extra["default"] - extra["min"]) % extra["step"] == 0, (class_type, name)


@pytest.mark.full
def test_recording_the_record_again_changes_nothing(tmp_path: Path) -> None:
    for source in (
        ROOT / "workflows" / "graph" / "node_contract.json",
        ROOT / "tests" / "data" / "object_info_0_33.json",
    ):
        out = tmp_path / "out.json"
        command = [
            sys.executable,
            str(ROOT / "scripts" / "record_contract.py"),
            str(source),
            "--out",
            str(out),
        ]
        subprocess.run(command, check=True, capture_output=True)
        assert out.read_text() == source.read_text()
        assert "safetensors" not in out.read_text() and ".png" not in out.read_text()


@pytest.mark.full
def test_recording_names_a_node_that_is_not_there(tmp_path: Path) -> None:
    source = tmp_path / "info.json"
    source.write_text(json.dumps({k: v for k, v in NEWER_INFO.items() if k != "SaveVideo"}))
    command = [
        sys.executable,
        str(ROOT / "scripts" / "record_contract.py"),
        str(source),
        "--out",
        str(source),
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1 and "SaveVideo" in result.stderr
