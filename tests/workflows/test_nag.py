"""A negative prompt in runs without guidance: WanVideoNAG where the server has it, a warning elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.compile_cases import (
    PHOTO,
    animated,
    compiled,
    image,
    newer,
    route_server,
    sound,
    text,
)
from workflows.compile import ServerFacts
from workflows.compiled import Compiled
from workflows.graph.node_contract import check, facts, recorded
from workflows.modes.fast_video import FastVideo
from workflows.spec import ModeParams

PLAIN = facts(recorded())
SERVER = facts(newer())
UNGUIDED: dict[str, Any] = {
    "image_to_video": lambda **more: image(speed="fast", **more),
    "image_to_video quality": lambda **more: image(cfg=1.0, **more),
    "fast_video": lambda **more: FastVideo(image=PHOTO, seed=1, **more),
    "text_to_video": lambda **more: text(speed="fast", **more),
    "sound_to_video": lambda **more: sound(speed="fast", **more),
    "animate": lambda **more: animated(**more),
}


def graph_of(result: Compiled) -> dict[str, Any]:
    return result.graphs[0]


def steered(result: Compiled) -> list[tuple[float, str]]:
    """(cfg, negative prompt that its model is steered away from) of each sampler; "": none."""
    graph = graph_of(result)
    rows = []
    for node in graph.values():
        if node["class_type"] not in ("KSamplerAdvanced", "KSampler"):
            continue
        words, link = "", node["inputs"]["model"]
        while link is not None:
            model = graph[link[0]]
            if model["class_type"] == "WanVideoNAG":
                words = graph[model["inputs"]["conditioning"][0]]["inputs"]["text"]
                assert (model["inputs"]["nag_scale"], model["inputs"]["nag_alpha"]) == (11.0, 0.25)
            link = model["inputs"].get("model")
        rows.append((node["inputs"]["cfg"], words))
    return rows


def codes(params: ModeParams, server: ServerFacts) -> list[str]:
    result = compiled(params, server=server)
    return [one.code for one in result.warnings if one.code.startswith("negative_prompt")]


@pytest.mark.parametrize("name", UNGUIDED)
def test_every_unguided_sampler_is_steered(name: str) -> None:
    params = UNGUIDED[name](negative_prompt="rain (heavy)")
    result = compiled(params, server=SERVER)
    rows = steered(result)
    assert rows and set(rows) == {(1.0, r"rain \(heavy\)")}
    assert codes(params, SERVER) == []
    assert check(graph_of(result), newer()) == ()
    assert result.evaluations == compiled(UNGUIDED[name](), server=SERVER).evaluations


@pytest.mark.parametrize("name", UNGUIDED)
def test_without_the_node_the_field_says_so(name: str) -> None:
    params = UNGUIDED[name](negative_prompt="rain")
    assert {words for _, words in steered(compiled(params, server=PLAIN))} == {""}
    assert codes(params, PLAIN) == ["negative_prompt_unused"]
    assert codes(params, ServerFacts(frozenset())) == ["negative_prompt_unknown"]


@pytest.mark.parametrize("name", UNGUIDED)
def test_it_is_off_when_turned_off_or_without_words_of_ones_own(name: str) -> None:
    off = UNGUIDED[name](negative_prompt="rain", nag="off")
    assert {words for _, words in steered(compiled(off, server=SERVER))} == {""}
    assert codes(off, SERVER) == ["negative_prompt_off"]
    for negative in (None, "", "  "):
        params = UNGUIDED[name](negative_prompt=negative)
        assert {words for _, words in steered(compiled(params, server=SERVER))} == {""}
        assert codes(params, SERVER) == []


@pytest.mark.parametrize("params", [
    image(negative_prompt="rain"), text(negative_prompt="rain"), sound(negative_prompt="rain"),
    text(motion="official", negative_prompt="rain"), animated(cfg=3.0, negative_prompt="rain"),
])  # fmt: skip
def test_with_guidance_it_is_not_used(params: ModeParams) -> None:
    assert {words for _, words in steered(compiled(params, server=SERVER))} == {""}
    assert codes(params, SERVER) == []


def test_a_run_of_both_kinds_steers_the_unguided_steps() -> None:
    params = FastVideo(image=PHOTO, seed=1, variant="anti_slow_motion", negative_prompt="rain")
    assert steered(compiled(params, server=SERVER)) == [(3.5, ""), (1.0, "rain"), (1.0, "rain")]
    assert codes(params, PLAIN) == []


def test_comfyuis_own_node_is_never_used() -> None:
    server = ServerFacts(route_server("native").nodes | {"NAGuidance"}, SERVER.options)
    for make in UNGUIDED.values():
        graph = graph_of(compiled(make(negative_prompt="rain"), server=server))
        assert "NAGuidance" not in {node["class_type"] for node in graph.values()}
