"""A run that repeats an earlier one: the same graphs on a better server, and what is said otherwise."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.support.compile_cases import CASES, MODE_CASES, ROUTE_CASES, compiled, newer, route_server
from tests.support.legal_values import legal
from workflows.catalog import load_catalog
from workflows.compile import Compiled, Resolved, RoleFile, ServerFacts, compile
from workflows.graph.node_contract import facts
from workflows.graph.object_info import FILE_INPUTS
from workflows.modes.parsing import params_from_values
from workflows.modes.registry import MODES
from workflows.params.loras import Lora
from workflows.params.media import Media
from workflows.params.values import InvalidParam
from workflows.repetition import SIZE, for_repetition
from workflows.spec import ModeParams
from workflows.stages.distill import AUTO

CATALOG = load_catalog()
FIRST = {"i2v_high", "i2v_low", "t2v_high", "t2v_low", "lora_i2v_high", "lora_i2v_low", "lora_t2v_high"} | {
    "lora_t2v_low", "lora_480p", "s2v", "animate", "lora_relight", "text_encoder", "vae", "audio_encoder",
    "clip_vision", "flux",
}  # fmt: skip
"""Roles of the files of a first installation."""
MEDIA = {
    "picture": Media("wan-studio/photo.png", 1600, 900),
    "sound": Media("wan-studio/song.mp3", seconds=6.0),
    "video": Media("wan-studio/dance.mp4", 1280, 720, 180, 30.0, 6.0),
}
POOR = ("WanVideoNAG", "EasyCache", "CLIPVisionLoader", "BlockifyMask", "CropByBBoxes")


def listing(roles: set[str], spelled: str = "") -> dict[tuple[str, str], tuple[str, ...]]:
    """What a server lists that has these files, in a folder of its own."""
    files = [file for file in CATALOG.files if file.role in roles]
    return {key: tuple(spelled + f.name for f in files if f.folder == at) for key, at in FILE_INPUTS.items()}


def servers() -> dict[str, ServerFacts]:
    """Servers of a first installation, by their route for Animate."""
    full = facts(newer())
    plain = ServerFacts(full.nodes - set(POOR), {**full.options, **listing(FIRST)})
    found = {"plain": route_less(plain)}
    for route in ("native", "preprocess", "template", "none"):
        one = route_server(route, frozenset(POOR) - {"CropByBBoxes"})
        extra = {"sdpose", "sam3"} if route == "native" else set()
        onnx = {key: names for key, names in one.options.items() if key[0] == "OnnxDetectionModelLoader"}
        found[route] = ServerFacts(one.nodes, {**full.options, **listing(FIRST | extra), **onnx})
    return found


def route_less(server: ServerFacts) -> ServerFacts:
    lacking = {"SDPoseKeypointExtractor", "PoseAndFaceDetection", "DWPreprocessor", "SAM3_VideoTrack"}
    return replace(server, nodes=server.nodes - lacking - {"Sam2Segmentation"})


def rich(other: str = "") -> ServerFacts:
    """A server with every node and file; `other`: a role whose file is a newer one of another name too."""
    full = facts(newer())
    onnx = ("better_vitpose.onnx", "vitpose_h_wholebody_model.onnx", "a_yolo.onnx", "yolov10m.onnx")
    options = {**full.options, **listing({file.role for file in CATALOG.files})}
    for key in ("vitpose_model", "yolo_model"):
        options[("OnnxDetectionModelLoader", key)] = onnx
    models = {}
    if other:
        models = {other: RoleFile("newer/best.gguf", distilled=other == "i2v_high")}
        for key in (("UNETLoader", "unet_name"), ("UnetLoaderGGUF", "unet_name")):
            options[key] = (*options.get(key, ()), "newer/best.gguf")
    return ServerFacts(full.nodes, options, models)


def again(params: ModeParams, first: Compiled, server: ServerFacts) -> Compiled:
    stored = Resolved.from_json(first.resolved.to_json())
    return compile(params, CATALOG, server, "job", stored)


def codes(made: Compiled) -> set[str]:
    return {warning.code for warning in made.warnings}


def drawn(mode: str, draw: random.Random) -> ModeParams | None:
    """Random parameters of a mode; None for a combination that it refuses."""
    values: dict[str, Any] = {**legal(mode, draw), "seed": 5}
    values.pop("loras", None)  # of files that none of the servers has
    if "steps" in values:
        values["steps"] = draw.choice([0, 0, 4])
    for field in MODES[mode].fields:
        if field.zero and field.kind == "number":
            values[field.name] = draw.choice([0.0, 0.0, values[field.name]])
    if "distillation" in values and draw.random() < 0.7:
        values["distillation"] = AUTO
    media = {name: MEDIA[field.kind] for name, field in MODES[mode].media.items() if field.required}
    for name, field in MODES[mode].media.items():
        if not field.required and draw.random() < 0.3:
            media[name] = MEDIA[field.kind]
    try:
        return params_from_values(mode, values, media)
    except InvalidParam:
        return None


@pytest.mark.parametrize("mode", MODES)
def test_any_job_gets_the_same_graphs_where_its_files_are_still_there(mode: str) -> None:
    draw, tried, changed = random.Random(20261126), 0, 0
    earlier, better = servers(), [rich(), rich("i2v_high"), rich("t2v_low"), rich("s2v"), rich("animate")]
    while tried < 60:
        params = drawn(mode, draw)
        if params is None:
            continue
        try:
            first = compile(params, CATALOG, draw.choice(list(earlier.values())), "job")
        except InvalidParam:  # Replace without a mask on a server that finds no person
            continue
        tried += 1
        now = draw.choice(better)
        repeated = again(params, first, now)
        assert repeated.graphs == first.graphs
        assert repeated.resolved == first.resolved
        fresh = compile(params, CATALOG, now, "job")
        assert ("repeats_earlier_run" in codes(repeated)) == (fresh.graphs != first.graphs)
        assert "earlier_run_gone" not in codes(repeated)
        changed += fresh.graphs != first.graphs
    assert changed, f"nothing differs between the servers for {mode}"


@pytest.mark.parametrize("name", [*CASES, *MODE_CASES])
def test_every_open_parameter_is_written_down(name: str) -> None:
    params = {**CASES, **MODE_CASES}[name]
    made = compiled(params)
    for field in MODES[params.MODE].fields:
        value = getattr(params, field.name)
        if not (field.zero and value == 0) and field.name != "distillation":
            continue
        if field.name == "distillation" and (getattr(params, "speed", "fast") != "fast" or "480p" in name):
            continue  # none is used, or the variant's own
        if (
            field.name == "cfg"
            and getattr(params, "motion", "") == "official"
            and params.MODE == "text_to_video"
        ):
            continue  # the experts differ in it
        if field.name == "shift" and params.MODE == "text_to_image":
            continue
        assert made.resolved.values[field.name] not in (0, AUTO), field.name
    assert made.resolved.files and set(made.resolved.files.values()) == set(made.models)


@pytest.mark.parametrize("name", ROUTE_CASES)
def test_a_preparation_route_is_kept_beside_a_better_one(name: str) -> None:
    params, route = ROUTE_CASES[name]
    first = compiled(params, server=route_server(route))
    assert again(params, first, rich()).graphs == first.graphs


def test_a_detector_that_is_there_by_now_is_not_said_to_be_missing() -> None:
    params = MODE_CASES["animate-move_driving"]
    first = compile(params, CATALOG, servers()["plain"], "job")
    assert "no_pose_detector" in codes(first)
    assert codes(again(params, first, rich())) >= {"repeats_earlier_run"}
    assert "no_pose_detector" not in codes(again(params, first, rich()))
    assert "no_pose_detector" in codes(again(params, first, servers()["plain"]))


@pytest.mark.parametrize("role", ["lora_i2v_1022_high", "i2v_low", "vae"])
def test_a_file_that_is_gone_is_named_and_replaced(role: str) -> None:
    params = CASES["image_to_video-fast"]
    roles = {file.role for file in CATALOG.files if not file.role.startswith(("i2v_26", "i2v_10"))}
    full = facts(newer())
    first = compile(params, CATALOG, ServerFacts(full.nodes, listing(roles)), "job")
    assert first.resolved.values["distillation"] == "1022"
    left = again(params, first, ServerFacts(full.nodes, listing(roles - {role})))
    (said,) = [one for one in left.warnings if one.code == "earlier_run_gone"]
    assert said.arg("names") == (CATALOG.file(role).name,)
    if role.startswith("lora"):
        assert left.resolved.values["distillation"] == "v1", "a run that can be made is made"


def test_a_node_that_is_gone_is_named() -> None:
    params = replace(CASES["image_to_video-fast"], negative_prompt="people")
    first = compile(params, CATALOG, rich(), "job")
    assert first.resolved.nodes == ("WanVideoNAG",)
    left = again(params, first, replace(rich(), nodes=rich().nodes - {"WanVideoNAG"}))
    assert [one.arg("names") for one in left.warnings if one.code == "earlier_run_gone"] == [("WanVideoNAG",)]


def test_the_same_files_in_another_folder_are_the_same_files() -> None:
    params = CASES["image_to_video-fast"]
    first = compile(params, CATALOG, ServerFacts(facts(newer()).nodes, listing(FIRST)), "job")
    moved = again(params, first, ServerFacts(facts(newer()).nodes, listing(FIRST, "wan\\2_2\\")))
    assert "earlier_run_gone" not in codes(moved)
    assert set(moved.models) == {f"wan\\2_2\\{name}" for name in first.models}


def test_a_lora_of_ones_own_is_not_paired_with_a_file_that_came_later() -> None:
    params = replace(CASES["image_to_video-fast"], loras=(Lora("style_high_noise.safetensors"),))
    key = ("LoraLoaderModelOnly", "lora_name")
    full, names = facts(newer()), listing(FIRST)
    alone = {**names, key: (*names[key], "style_high_noise.safetensors")}
    both = {**names, key: (*alone[key], "style_low_noise.safetensors")}
    first = compile(params, CATALOG, ServerFacts(full.nodes, alone), "job")
    now = ServerFacts(full.nodes, both)
    assert compile(params, CATALOG, now, "job").graphs != first.graphs
    assert again(params, first, now).graphs == first.graphs
    pair = compile(params, CATALOG, now, "job")
    assert set(pair.resolved.loras) == {"style_high_noise.safetensors", "style_low_noise.safetensors"}
    left = again(params, pair, ServerFacts(full.nodes, alone))
    (said,) = [one for one in left.warnings if one.code == "earlier_run_gone"]
    assert said.arg("names") == ("style_low_noise.safetensors",)


def test_a_chosen_value_is_never_replaced() -> None:
    params = replace(CASES["image_to_video-fast"], distillation="v1", steps=6, shift=7.0)
    first = compile(CASES["image_to_video-fast"], CATALOG, rich(), "job")
    made = again(params, first, rich())
    assert (made.distillation, made.steps, made.resolved.values["shift"]) == ("v1", 6, 7.0)


def test_what_is_kept_when_values_change() -> None:
    stored = compiled(CASES["image_to_video-fast"]).resolved.to_json()
    values = {"prompt": "A boat", "speed": "fast", "seed": 1, "resolution": "480p"}
    kept = for_repetition("image_to_video", values, stored, {**values, "seed": 2, "steps": 0, "cfg": 0.0})
    assert kept is not None and kept.to_json() == stored
    smaller = for_repetition("image_to_video", values, stored, {**values, "resolution": "draft"})
    assert smaller is not None and not SIZE & set(smaller.values) and smaller.values["distillation"] == "v1"
    assert for_repetition("image_to_video", values, stored, {**values, "speed": "quality"}) is None
    assert for_repetition("image_to_video", values, {}, values) is None


@pytest.mark.parametrize(
    "data", [{"values": 1}, {"values": {}, "files": []}, {"values": {}, "files": {"a": 1}}]
)
def test_what_cannot_be_read_is_left_out(data: dict[str, Any]) -> None:
    assert Resolved.from_json(data) is None


@pytest.mark.parametrize("loras", [None, 5, "abc", {"a": 1}])
def test_loras_that_cannot_be_read_are_none(loras: Any) -> None:
    kept = Resolved({"steps": 20}, {"vae": "x"}, loras=("a", "b"))
    assert Resolved.from_json(kept.to_json()) == kept
    assert Resolved.from_json({**kept.to_json(), "loras": loras}) == Resolved(kept.values, kept.files)
