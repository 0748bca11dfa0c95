"""Compiling with the files that a server has in place of the catalogue's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.compile_cases import CASES, MODE_CASES, compiled, fast, image, newer, still, text
from workflows.catalog import load_catalog
from workflows.compile import Compiled, model_obstacle
from workflows.graph.node_contract import RoleFile, ServerFacts, check, facts, from_object_info, recorded
from workflows.notice import notice
from workflows.spec import ModeParams

PLAIN = facts(recorded())
OWN = {file.role: RoleFile(file.name) for file in load_catalog().files}
WINDOWS = {
    "i2v_high": RoleFile("WanVideo\\2_2\\high.safetensors"),
    "i2v_low": RoleFile("WanVideo\\2_2\\low.safetensors"),
}
BAKED = {"i2v_high": RoleFile("wan/h4.safetensors", True), "i2v_low": RoleFile("wan/l4.safetensors", True)}


def on(params: ModeParams, models: dict[str, RoleFile]) -> Compiled:
    return compiled(params, server=ServerFacts(PLAIN.nodes, PLAIN.options, models))


def inputs(made: Compiled, class_type: str) -> list[dict]:
    return [n["inputs"] for g in made.graphs for n in g.values() if n["class_type"] == class_type]


@pytest.mark.parametrize("name", [*CASES, *MODE_CASES])
def test_the_catalogues_own_names_change_nothing(name: str) -> None:
    params = {**CASES, **MODE_CASES}[name]
    assert on(params, OWN) == on(params, {})


def test_the_servers_spelling_goes_into_the_graph() -> None:
    made = on(image(), WINDOWS)
    assert [node["unet_name"] for node in inputs(made, "UNETLoader")] == [f.name for f in WINDOWS.values()]
    assert set(made.models) >= {f.name for f in WINDOWS.values()}
    before = on(image(), {})
    assert [set(node["inputs"]) for node in made.graphs[0].values()] == [
        set(node["inputs"]) for node in before.graphs[0].values()
    ]


def test_gguf_files_have_the_loaders_of_comfyui_gguf() -> None:
    models = {"i2v_high": RoleFile("a/High-Q4_K_M.gguf"), "text_encoder": RoleFile("umt5-Q8_0.GGUF")}
    made = on(image(), models)
    assert inputs(made, "UnetLoaderGGUF") == [{"unet_name": "a/High-Q4_K_M.gguf"}]
    assert inputs(made, "CLIPLoaderGGUF") == [{"clip_name": "umt5-Q8_0.GGUF", "type": "wan"}]
    assert len(inputs(made, "UNETLoader")) == 1 and not inputs(made, "CLIPLoader")
    listed = {
        "UnetLoaderGGUF": {
            "input": {"required": {"unet_name": [["a/High-Q4_K_M.gguf"]]}},
            "output": ["MODEL"],
        },
        "CLIPLoaderGGUF": {
            "input": {"required": {"clip_name": [["umt5-Q8_0.GGUF"]], "type": [["wan", "sd3"]]}},
            "output": ["CLIP"],
        },
    }
    nodes = {**newer().nodes, **from_object_info(listed).nodes}
    problems = check(made.graphs[0], replace(newer(), nodes=nodes))
    assert {p.kind for p in problems} <= {"not_in_list"} and not any(
        "gguf" in str(p.value).lower() for p in problems
    )


@pytest.mark.parametrize("params", [image(), image(speed="fast"), fast("balanced"), fast("480p")])
def test_a_baked_pair_runs_without_speed_loras_and_guidance(params: ModeParams) -> None:
    made = on(params, BAKED)
    assert not inputs(made, "LoraLoaderModelOnly")
    assert {node["cfg"] for node in inputs(made, "KSamplerAdvanced")} == {1.0}
    assert made.steps == 4
    codes = [warning.code for warning in made.warnings]
    assert ("distilled_in_quality" in codes) == (getattr(params, "speed", "") == "quality")


def test_a_mixed_pair_has_the_lora_on_the_other_expert() -> None:
    made = on(image(speed="fast"), {"i2v_high": BAKED["i2v_high"]})
    assert [node["lora_name"] for node in inputs(made, "LoraLoaderModelOnly")] == [
        load_catalog().file("lora_i2v_low").name
    ]


def test_the_creators_own_figures_stay() -> None:
    made = on(image(steps=6, cfg=2.0), BAKED)
    assert made.steps == 6 and {node["cfg"] for node in inputs(made, "KSamplerAdvanced")} == {2.0}
    assert "distilled_with_cfg" in [warning.code for warning in made.warnings]


def test_anti_slow_motion_has_no_guidance_on_a_baked_expert() -> None:
    made = on(fast("anti_slow_motion"), BAKED)
    assert {node["cfg"] for node in inputs(made, "KSamplerAdvanced")} == {1.0}


@pytest.mark.parametrize("params", [text(), still()])
def test_text_modes_with_a_baked_pair(params: ModeParams) -> None:
    models = {"t2v_high": RoleFile("h.safetensors", True), "t2v_low": RoleFile("l.safetensors", True)}
    made = on(params, models)
    assert made.steps == 4 and {node["cfg"] for node in inputs(made, "KSamplerAdvanced")} == {1.0}


def test_notes_and_obstacles_of_the_files_that_a_job_loads() -> None:
    damaged = notice("model_damaged", file="x", title="VAE", fault="cut_short")
    models = {
        "vae": RoleFile("v.safetensors", notes=(damaged,)),
        "s2v": RoleFile("s.safetensors", obstacle=damaged),
        "i2v_low": RoleFile("l.safetensors", obstacle=damaged),
    }
    server = ServerFacts(PLAIN.nodes, PLAIN.options, models)
    made = on(image(), models)
    assert damaged in made.warnings and model_obstacle(image(), made, server) == damaged
    for params in (image(experts="high"), text()):
        assert model_obstacle(params, on(params, models), server) is None
