"""What files of ComfyUI and of others say: prompt, seed, size and the rest, as far as it goes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.errors import BadInput
from backend.jobs import graph_settings, recipe
from backend.jobs.recipe_texts import recipe_in
from backend.media.metadata_keys import COMMENT, JSON_TEXT, PARAMETERS, PROMPT, RECIPE, WORKFLOW
from tests.backend.jobs.test_recipes import SERVERS, made_with
from workflows.modes.settings_json import to_json
from workflows.params.expert_names import pair_key

PLAIN = [name for name in SERVERS if not name.startswith("animate")]


@pytest.mark.parametrize("name", SERVERS)
def test_a_graph_alone_says_what_was_made(name: str) -> None:
    params, server = SERVERS[name]
    made = made_with(params, server)
    found = recipe_in({PROMPT: json.dumps(made.graphs[0])})
    mode = {"fast_video": "image_to_video"}.get(params.MODE, params.MODE)
    assert (found.mode, found.origin, found.left_out) == (mode, "comfyui", ())
    values = found.values
    assert values["prompt"] == params.prompt and values["seed"] == params.seed
    assert (values["width"], values["height"]) == (made.width, made.height)
    assert values["steps"] == made.steps
    if mode in ("image_to_video", "text_to_video"):
        if not getattr(params, "loop", False):  # whose graph draws more or fewer frames than the loop has
            assert values["seconds"] == pytest.approx((made.frames - 1) / 16)
        fast = params.MODE == "fast_video" or getattr(params, "speed", "") == "fast"
        assert (values["speed"] == "fast") == fast
    if mode == "image_to_video":
        assert values.get("experts", "both") == getattr(params, "experts", "both")
    given = [pair_key(one.name) for one in getattr(params, "loras", ())]
    said = [pair_key(one["name"]) for one in json.loads(values.get("loras") or "[]")]
    assert said == given, "of a pair one file stands for both"
    assert found.graphs == made.graphs[:1] and {model.name for model in found.models} <= set(made.models)


def test_the_default_negative_prompt_is_the_default_here_too() -> None:
    params, server = SERVERS["image_to_video-quality"]
    graph = made_with(params, server).graphs[0]
    assert "negative_prompt" not in recipe_in({PROMPT: json.dumps(graph)}).values
    for node in graph.values():
        if node["class_type"] == "CLIPTextEncode" and node["inputs"]["text"] != params.prompt:
            node["inputs"]["text"] = "blurred"
    assert recipe_in({PROMPT: json.dumps(graph)}).values["negative_prompt"] == "blurred"


LORA = "sub\\ink.safetensors"
LINKED: dict[str, Any] = {
    "1": {"class_type": "PrimitiveStringMultiline", "inputs": {"value": "a paper boat"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": ["1", 0], "clip": ["9", 0]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurred", "clip": ["9", 0]}},
    "4": {"class_type": "PrimitiveInt", "inputs": {"value": 640}},
    "5": {
        "class_type": "WanImageToVideo",
        "inputs": {
            "positive": ["2", 0], "negative": ["3", 0], "width": ["4", 0], "height": 480, "length": 49,
            "start_image": ["8", 0],
        },
    },
    "6": {"class_type": "RandomNoise", "inputs": {"noise_seed": 77}},
    "7": {"class_type": "CFGGuider", "inputs": {"positive": ["5", 0], "negative": ["5", 1], "cfg": 2.5}},
    "8": {"class_type": "LoadImage", "inputs": {"image": "C:\\Users\\a\\boat.png"}},
    "9": {"class_type": "UnetLoaderGGUF", "inputs": {"unet_name": "wan2.2_i2v_Q4_K_M.gguf"}},
    "10": {"class_type": "LoraLoader", "inputs": {"lora_name": LORA, "strength_model": 0.7}},
}  # fmt: skip
WANTED = {
    "prompt": "a paper boat", "negative_prompt": "blurred", "width": 640, "height": 480, "seconds": 3.0,
    "seed": 77, "cfg": 2.5, "speed": "quality",
    "loras": json.dumps([{"name": "sub\\ink.safetensors", "strength": 0.7, "strength_low": 0.7}]),
}  # fmt: skip


@pytest.mark.parametrize(
    "texts",
    [
        {PROMPT: json.dumps(LINKED), WORKFLOW: "{}"}, {PROMPT: json.dumps(json.dumps(LINKED))},
        {COMMENT: json.dumps({"prompt": LINKED, "workflow": {}})},
        {COMMENT: json.dumps({"prompt": json.dumps(LINKED)})},
        {JSON_TEXT: json.dumps(LINKED)}, {JSON_TEXT: json.dumps([LINKED, LINKED])},
        {JSON_TEXT: json.dumps({"prompt": LINKED})}, {PROMPT: "{", COMMENT: json.dumps({"prompt": LINKED})},
    ],
)  # fmt: skip
def test_links_are_followed_wherever_the_graph_is(texts: dict[str, str]) -> None:
    found = recipe_in(texts)
    assert (found.mode, found.values, found.origin) == ("image_to_video", WANTED, "comfyui")
    assert [model.name for model in found.models] == ["wan2.2_i2v_Q4_K_M.gguf"]
    assert [lora.name for lora in found.loras] == ["sub\\ink.safetensors"]


def test_a_workflow_as_the_page_of_comfyui_saves_it_is_read() -> None:
    nodes = [
        {"id": 1, "type": "CLIPTextEncode", "widgets_values": ["a boat"], "inputs": [{"name": "clip"}]},
        {"id": 2, "type": "CLIPTextEncode", "widgets_values": ["grey"]},
        {"id": 3, "type": "EmptyHunyuanLatentVideo", "widgets_values": [832, 480, 81, 1]},
        {
            "id": 4, "type": "KSampler", "widgets_values": [5, "fixed", 20, 4.5, "euler", "simple", 1],
            "inputs": [{"name": "positive", "link": 1}, {"name": "negative", "link": 2}, {"name": 3}],
        },
        "x", {"type": 5},
    ]  # fmt: skip
    links = [
        [1, 1, 0, 4, 1, "CONDITIONING"],
        [2, 2, 0, 4, 2, "CONDITIONING"],
        [3, 3, 0, 4, 3, "LATENT"],
        [4],
        5,
    ]
    found = recipe_in({WORKFLOW: json.dumps({"nodes": nodes, "links": links, "version": 0.4})})
    assert found.mode == "text_to_video"
    assert found.values == {
        "prompt": "a boat", "negative_prompt": "grey", "width": 832, "height": 480, "seconds": 5.0, "seed": 5,
        "steps": 20, "cfg": 4.5, "speed": "quality",
    }  # fmt: skip


def test_settings_are_read_from_the_nodes_of_wanvideowrapper() -> None:
    graph = {
        "1": {"class_type": "WanVideoTextEncode", "inputs": {"positive_prompt": "p", "negative_prompt": "n"}},
        "2": {"class_type": "WanVideoEmptyEmbeds", "inputs": {"width": 832, "height": 480, "num_frames": 81}},
        "3": {"class_type": "WanVideoSampler", "inputs": {"seed": 1, "steps": 4, "cfg": 1.0, "shift": 5.0}},
        "4": {"class_type": "WanVideoLoraSelect", "inputs": {"lora": "wan_lightx2v_rank64.safetensors"}},
    }
    found = recipe_in({PROMPT: json.dumps(graph)})
    assert found.mode == "text_to_video" and found.values == {
        "prompt": "p", "negative_prompt": "n", "width": 832, "height": 480, "seconds": 5.0, "seed": 1,
        "steps": 4, "cfg": 1.0, "shift": 5.0, "speed": "fast",
    }  # fmt: skip


def test_names_of_a_graph_are_one_line_and_as_many_as_are_read() -> None:
    graph = json.loads(json.dumps(LINKED))
    graph["9"]["inputs"]["unet_name"] = "<b>a</b>\n\u202eb" + "x" * 9000 + ".gguf"
    loader = {"class_type": "LoraLoaderModelOnly", "inputs": {"strength_model": 1.0}}
    for number in range(2000):
        name = f"style_{number}_high_noise.safetensors"
        graph[f"l{number}"] = {**loader, "inputs": {**loader["inputs"], "lora_name": name}}
    found = recipe_in({PROMPT: json.dumps(graph)})
    (model,) = found.models
    assert model.name.startswith("<b>a</b>bx") and len(model.name) <= recipe.NAME_MAX
    assert len(found.loras) == recipe.ENTRIES_MAX and found.loras[0].name == LORA
    assert json.loads(found.values["loras"])[0]["name"] == LORA
    assert recipe.lines_of(["", "\n", "a\tb", *map(str, range(99))])[:2] == ("ab", "0")


def test_values_that_do_not_fit_are_named() -> None:
    graph = json.loads(json.dumps(LINKED))
    graph["5"]["inputs"] |= {"width": 851, "length": 4001}
    found = recipe_in({PROMPT: json.dumps(graph)})
    assert set(found.left_out) == {"width", "seconds"} and found.values["height"] == 480


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a cat\nin the sun\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, Seed: 12, Size: 1x1",
         {"prompt": "a cat\nin the sun", "seed": 12}),
        ("a <b>cat</b>", {"prompt": "a <b>cat</b>"}),
        ("cat\nSteps: 20, Seed: 99999999999999999999", {"prompt": "cat"}),
    ],
)  # fmt: skip
def test_prompts_and_seed_are_read_from_the_parameters_of_a_webui(text: str, values: dict[str, Any]) -> None:
    found = recipe_in({PARAMETERS: text})
    assert (found.mode, found.values, found.origin) == ("text_to_image", values, "parameters")


def test_settings_alone_are_read() -> None:
    settings = to_json("text_to_video", {"prompt": "x", "seed": 4})
    for data in (settings, {"preset": 1, "name": "Mine", "settings": settings}):
        found = recipe_in({JSON_TEXT: json.dumps(data)})
        assert (found.mode, found.origin) == ("text_to_video", "settings")
        assert found.values == {"prompt": "x", "seed": 4}


def test_our_own_recipe_comes_first() -> None:
    own = {"version": 1, "settings": to_json("text_to_video", {"prompt": "ours"})}
    for texts in ({RECIPE: json.dumps(own), PROMPT: json.dumps(LINKED)}, {JSON_TEXT: json.dumps(own)}):
        assert recipe_in(texts).values == {"prompt": "ours"}


def loop(kind: str) -> dict[str, Any]:
    """A graph whose links go in a circle."""
    return {
        "1": {
            "class_type": kind,
            "inputs": {"positive": ["1", 0], "text": ["1", 0], "conditioning": ["1", 0]},
        },
        "2": {
            "class_type": "KSampler",
            "inputs": {"positive": ["1", 0], "seed": ["2", 0], "width": ["3", 0]},
        },
    }


def deep(depth: int) -> str:
    return "[" * depth + "]" * depth


def one_node(inputs: dict[str, Any]) -> str:
    return json.dumps({"1": {"class_type": "KSampler", "inputs": inputs}})


FORGED: dict[str, dict[str, str]] = {
    "nothing": {}, "other keys": {"comment": "made on a Sunday"}, "no object": {PROMPT: "[1, 2]"},
    "deep": {PROMPT: deep(100_000)}, "deep recipe": {RECIPE: deep(100_000)},
    "deep file": {JSON_TEXT: deep(900)},
    "circle": {PROMPT: json.dumps(loop("CLIPTextEncode"))},
    "circle of others": {PROMPT: json.dumps(loop("Any"))},
    "wrong types": {PROMPT: one_node({"positive": [None], "seed": {}})},
    "link to nothing": {PROMPT: one_node({"positive": []})},
    "link to a list": {PROMPT: one_node({"positive": [[["1"]], 0]})},
    "wrapped": {JSON_TEXT: '{"prompt":' * 400 + "{}" + "}" * 400},
    "page": {WORKFLOW: json.dumps({"nodes": [{"type": "KSampler", "inputs": 5}], "links": [[[]], None]})},
    "broken recipe": {RECIPE: '{"version": 1, "settings": ', PROMPT: json.dumps(LINKED)},
    "empty parameters": {PARAMETERS: " \n"},
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_forged_texts_are_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(BadInput) as caught:
        recipe_in(FORGED[name])
    assert caught.value.message.endswith(".")


def test_a_graph_of_thousands_of_nodes_is_not_read() -> None:
    node = {"class_type": "CLIPTextEncode", "inputs": {"text": "x"}}
    graph = {str(number): node for number in range(recipe.NODES_MAX + 1)}
    assert recipe.graphs_in(graph) == ()
    assert graph_settings.read({"1": node}) is not None
