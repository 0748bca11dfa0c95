"""LoRAs of the creator's own: what is accepted, which file goes on which expert, and in which order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.compile_cases import (
    LORA_CASES,
    ORBIT,
    PAIR,
    animated,
    compiled,
    image,
    lora_server,
    sound,
    still,
    text,
)
from tests.support.least_params import least
from workflows.compile import ServerFacts, model_obstacle
from workflows.graph.lora_file import spelled
from workflows.graph.node_contract import check, recorded
from workflows.modes.parsing import params_from_text
from workflows.modes.registry import MODES
from workflows.params.loras import MOST, Lora
from workflows.params.values import InvalidParam
from workflows.spec import ModeParams

HIGH, LOW = PAIR
SERVER = lora_server(*PAIR, ORBIT)


def chains(params: ModeParams, server: ServerFacts = SERVER) -> list[list[tuple[str, float]]]:
    """The LoRAs behind each loaded model, in order, of the first graph."""
    graph = compiled(params, server=server).graphs[0]
    found = []
    for node, data in graph.items():
        if data["class_type"] not in ("UNETLoader", "CheckpointLoaderSimple"):
            continue
        loras, at = [], node
        while following := next(
            (
                key
                for key, one in graph.items()
                if one["class_type"] == "LoraLoaderModelOnly" and one["inputs"]["model"] == [at, 0]
            ),
            None,
        ):
            inputs = graph[following]["inputs"]
            loras.append((inputs["lora_name"], inputs["strength_model"]))
            at = following
        found.append(loras)
    return found


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_takes_loras(mode: str) -> None:
    params = least(mode, loras=[{"name": "a.safetensors", "strength": 0.5}])
    assert params.loras == (Lora("a.safetensors", 0.5, 0.5),)
    assert least(mode).loras == () and MODES[mode].field("loras").later
    assert MODES[mode].lora_target(params) in MODES[mode].lora_targets


@pytest.mark.parametrize(
    "value",
    [
        '[{"name": "a", "strength": 1, "strength_low": 0.5}]',
        [{"name": " a ", "strength_low": 0.5}],
        ({"name": "a", "strength": None, "strength_low": 0.5},),
        (Lora("a", 1.0, 0.5),),
    ],
)
def test_a_list_and_its_text_mean_the_same(value: Any) -> None:
    assert text(loras=value).loras == (Lora("a", 1.0, 0.5),)


def test_names_alone_and_nothing() -> None:
    assert text(loras=["a", "b/c"]).loras == (Lora("a"), Lora("b/c"))
    assert all(text(loras=none).loras == () for none in ("", "  ", "[]", None, [], ()))
    named = params_from_text("text_to_video", {"prompt": "A boat", "seed": "1", "loras": '["a"]'}, {})
    assert named.loras == (Lora("a"),)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("style.safetensors", "must be a JSON list"),
        ("[" * 30_000, "must be a JSON list"),
        ("[" * 15_000, "must be a JSON list"),
        ('{"name": "a"}', "must be a list"),
        (3, "must be a list"),
        ([3], "must be an object"),
        ([{}], "needs a name"),
        ([{"name": ""}], "needs a name"),
        ([{"name": 3}], "needs a name"),
        ([{"name": "../a"}], "is not the name of a LoRA"),
        ([{"name": "/etc/a"}], "is not the name of a LoRA"),
        ([{"name": "a\0"}], "is not the name of a LoRA"),
        ([{"name": "a" * 401}], "is not the name of a LoRA"),
        ([{"name": "a", "weight": 1}], "A LoRA has no 'weight'"),
        ([{"name": "a", "strength": 5.1}], "between -5 and 5"),
        ([{"name": "a", "strength_low": -6}], "between -5 and 5"),
        ([{"name": "a", "strength": "1"}], "must be a number"),
        ([{"name": "a", "strength": True}], "must be a number"),
        ('[{"name": "a", "strength": NaN}]', "must be a finite number"),
        (["a", "A"], "is in the list twice"),
        (["x/a", "X\\a"], "is in the list twice"),
        ([f"{n}" for n in range(MOST + 1)], f"too many: {MOST + 1} of {MOST}"),
    ],
)
def test_what_is_refused(value: Any, said: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        text(loras=value)
    error = caught.value
    assert error.field == "loras" and said in error.message, error.message
    assert error.message.endswith(".") and error.hint.endswith(".") and len(error.message) < 200


def test_they_follow_the_speed_lora_in_order() -> None:
    speed_high, speed_low = (
        f"wan2.2_i2v_A14b_{one}_noise_lora_rank64_lightx2v_4step_1022.safetensors" for one in ("high", "low")
    )
    own = [{"name": HIGH, "strength": 0.9, "strength_low": 0.6}, {"name": ORBIT, "strength": -0.5}]
    assert chains(image(speed="fast", loras=own, distillation="1022")) == [
        [(speed_high, 1.0), (HIGH, 0.9), (ORBIT, -0.5)],
        [(speed_low, 1.0), (LOW, 0.6), (ORBIT, -0.5)],
    ]
    assert chains(image(loras=own[::-1])) == [[(ORBIT, -0.5), (HIGH, 0.9)], [(ORBIT, -0.5), (LOW, 0.6)]]


@pytest.mark.parametrize("name", [HIGH, LOW])
def test_either_file_of_a_pair_stands_for_both(name: str) -> None:
    given = [{"name": name, "strength": 1.2, "strength_low": 0.4}]
    assert chains(image(loras=given)) == [[(HIGH, 1.2)], [(LOW, 0.4)]]


def test_both_files_of_a_pair_in_the_list_have_strengths_of_their_own() -> None:
    given = [{"name": LOW, "strength": 0.3}, {"name": HIGH, "strength": 0.9}]
    assert chains(image(loras=given)) == [[(HIGH, 0.9)], [(LOW, 0.3)]]


def test_an_expert_without_a_strength_or_a_file_has_none() -> None:
    assert chains(image(loras=[{"name": HIGH, "strength": 0, "strength_low": 1}])) == [[], [(LOW, 1.0)]]
    alone = lora_server(HIGH)
    made = compiled(image(loras=[HIGH]), server=alone)
    assert chains(image(loras=[HIGH]), alone) == [[(HIGH, 1.0)], []]
    assert [one.code for one in made.warnings] == ["lora_one_expert"]
    assert compiled(image(loras=[HIGH], experts="high"), server=alone).warnings[1:] == ()


def test_one_model_gets_the_file_itself() -> None:
    given = [{"name": HIGH, "strength": 0.8, "strength_low": 0.1}]
    assert chains(sound(loras=given, duration=1.0)) == [[(HIGH, 0.8)]]
    assert chains(animated(loras=given, relight=0.0)) == [[(HIGH, 0.8)]]
    assert chains(still(loras=given, model="flux")) == [[(HIGH, 0.8)]]
    assert chains(still(loras=given)) == [[(HIGH, 0.8)], [(LOW, 0.1)]]


@pytest.mark.parametrize(
    "written",
    [
        "styles\\Wan2.2-I2V-paper-cut_HIGH.safetensors",
        "STYLES/wan2.2-i2v-paper-cut_high.safetensors",
        "Wan2.2-I2V-paper-cut_HIGH.safetensors",
        "styles/Wan2.2-I2V-paper-cut_HIGH",
    ],
)
def test_the_graph_has_the_spelling_of_the_server(written: str) -> None:
    assert chains(image(loras=[written])) == [[(HIGH, 1.0)], [(LOW, 1.0)]]


@pytest.mark.parametrize("written", ["Z\u00fcrich", "zu\u0308rich.safetensors", "x\\Z\u00dcRICH"])
def test_either_form_of_an_accented_letter_may_be_written(written: str) -> None:
    for listed in ("x/Z\u00fcrich.safetensors", "x/Zu\u0308rich.safetensors"):
        assert spelled(written, ("x/zurich.safetensors", listed)) == listed


def test_a_name_that_may_mean_two_files_is_refused() -> None:
    server = lora_server("a/ink.safetensors", "b/ink.safetensors")
    params = image(loras=["ink.safetensors"])
    obstacle = model_obstacle(params, compiled(params, server=server), server)
    assert obstacle is not None and obstacle.code == "lora_ambiguous"
    for exact in ("a/ink.safetensors", "b/ink.safetensors"):
        assert chains(image(loras=[exact]), server) == [[(exact, 1.0)]] * 2


@pytest.mark.parametrize(
    ("high", "low"),
    [
        ("style-hn.safetensors", "style-ln.safetensors"),
        ("HighNoise/style.safetensors", "LowNoise/style.safetensors"),
        ("Style_H.safetensors", "Style_L.safetensors"),
        ("Style_High_e40.safetensors", "style_low_e40.safetensors"),
        ("style_high_v1.1.safetensors", "style_low_v1.0.safetensors"),
        ("w\\style_high_noise.safetensors", "w\\style_low_noise.safetensors"),
        ("ink_high_fp16.safetensors", "ink_low_bf16.safetensors"),
        ("ink_fp32_high.safetensors", "ink_fp16_low.safetensors"),
        ("ink-HIGH-fp8_e4m3fn.safetensors", "ink-LOW-bf16.safetensors"),
        ("ink_high_noise.safetensors", "ink_low_noise_fp16.safetensors"),
        ("ink_high_fp16_e40.safetensors", "ink_low_bf16_e40.safetensors"),
        ("ink_high_e40_fp16.safetensors", "ink_low_e40.safetensors"),
        ("fp16/ink_HN.safetensors", "bf16/ink_LN.safetensors"),
        ("ink (High) [fp16].safetensors", "ink (Low) [bf16].safetensors"),
        ("inkHighFP16.safetensors", "inkLowBF16.safetensors"),
        ("ink_high_float16.safetensors", "ink_low_bfloat16.safetensors"),
        ("ink_high_Q8_0.gguf", "ink_low_Q4_K_M.gguf"),
        ("ink_high_v1.1_fp16.safetensors", "ink_low_v1.0_bf16.safetensors"),
        ("ink_high_fp16_v1.1.safetensors", "ink_low_bf16_v1.0.safetensors"),
    ],
)
def test_pairs_by_name(high: str, low: str) -> None:
    server = lora_server("other_low.safetensors", high, low, "lowvram.safetensors")
    assert chains(image(loras=[low]), server) == [[(high, 1.0)], [(low, 1.0)]]
    codes = [one.code for one in compiled(image(loras=[low]), server=server).warnings]
    assert codes == (["lora_pair_differs"] if "v1" in high else [])


def test_of_two_versions_none_is_guessed() -> None:
    server = lora_server("s_high_v2.safetensors", "s_low_v1.safetensors", "s_low_v3.safetensors")
    assert chains(image(loras=["s_high_v2.safetensors"]), server) == [[("s_high_v2.safetensors", 1.0)], []]


def test_a_server_that_lists_nothing_gets_the_names_as_they_are() -> None:
    unknown = ServerFacts(frozenset())
    made = compiled(image(loras=["x_HIGH.safetensors"]), server=unknown)
    assert chains(image(loras=["x_HIGH.safetensors"]), unknown) == [
        [("x_HIGH.safetensors", 1.0)],
        [("x_LOW.safetensors", 1.0)],
    ]
    assert [one.code for one in made.warnings] == ["lora_list_unknown"]


def test_a_missing_lora_is_named() -> None:
    params = text(loras=["gone.safetensors"])
    obstacle = model_obstacle(params, compiled(params, server=SERVER), SERVER)
    assert obstacle is not None and obstacle.to_json() == {
        "code": "lora_missing",
        "args": {"lora": "gone.safetensors"},
    }
    assert model_obstacle(text(), compiled(text(), server=SERVER), SERVER) is None


@pytest.mark.parametrize("name", LORA_CASES)
def test_the_graphs_keep_to_the_contract_of_the_nodes(name: str) -> None:
    made = compiled(LORA_CASES[name], server=SERVER)
    for graph in made.graphs:
        problems = check(graph, recorded())
        assert {one.value for one in problems if one.kind == "not_in_list"} == {one.value for one in problems}
    assert len(json.dumps(made.graphs)) > 100


def test_without_loras_nothing_changes() -> None:
    for params in (image(speed="fast"), sound(duration=1.0), animated(), text(), still()):
        assert (
            compiled(params, server=SERVER).graphs
            == compiled(type(params)(**{**vars(params), "loras": "[]"}), server=SERVER).graphs
        )
