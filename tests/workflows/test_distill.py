"""The distillations of Fast: their files and figures, and which of them a run takes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.compile_cases import PHOTO, compiled, fast, image, newer, text
from workflows.catalog import load_catalog
from workflows.compile import ServerFacts
from workflows.graph.node_contract import check, facts
from workflows.modes.fast_video import FastVideo
from workflows.modes.registry import MODES
from workflows.params.values import InvalidParam
from workflows.spec import ModeParams
from workflows.stages.distill import AUTO, I2V, T2V, Distillation

CATALOG = load_catalog()


def server(*known: Distillation, without: str = "") -> ServerFacts:
    """A server with WAN's own files and those of these distillations."""
    roles = [role for one in known for role in (*one.loras.values(), *one.experts.values())]
    own = ("i2v_high", "i2v_low", "t2v_high", "t2v_low")
    files = [CATALOG.file(role) for role in (*own, *roles) if role != without]
    options = {
        ("LoraLoaderModelOnly", "lora_name"): tuple(f.name for f in files if f.folder == "loras"),
        ("UNETLoader", "unet_name"): tuple(f.name for f in files if f.folder == "diffusion_models"),
    }
    full = facts(newer())
    return ServerFacts(full.nodes, {**full.options, **options})


def loaded(params: ModeParams, on: ServerFacts) -> tuple[list[str], list[tuple[str, float]]]:
    """(models, LoRAs with their strengths) of a run, in order."""
    (graph,) = compiled(params, server=on).graphs
    nodes = [(node["class_type"], node["inputs"]) for node in graph.values()]
    models = [inputs["unet_name"] for kind, inputs in nodes if kind == "UNETLoader"]
    loras = [
        (inputs["lora_name"], inputs["strength_model"])
        for kind, inputs in nodes if kind == "LoraLoaderModelOnly"
    ]  # fmt: skip
    return models, loras


def expected(one: Distillation, own: tuple[str, str]) -> tuple[list[str], list[tuple[str, float]]]:
    models = [CATALOG.file(role).name for role in (one.experts.values() or own)]
    return models, [(CATALOG.file(role).name, one.strengths[who]) for who, role in one.loras.items()]


OF_MODE: dict[str, tuple[Any, tuple[Distillation, ...], tuple[str, str]]] = {
    "image_to_video": (lambda **more: image(speed="fast", **more), I2V, ("i2v_high", "i2v_low")),
    "fast_video": (lambda **more: FastVideo(image=PHOTO, seed=1, **more), I2V, ("i2v_high", "i2v_low")),
    "text_to_video": (lambda **more: text(speed="fast", **more), T2V, ("t2v_high", "t2v_low")),
}
CASES = [(mode, one.name) for mode, (_, known, _) in OF_MODE.items() for one in known]


@pytest.mark.parametrize(("mode", "name"), CASES)
def test_each_is_taken_when_chosen_and_when_it_is_the_only_one(mode: str, name: str) -> None:
    make, known, own = OF_MODE[mode]
    one = next(each for each in known if each.name == name)
    assert loaded(make(distillation=name), server(one)) == expected(one, own)
    assert loaded(make(), server(one)) == expected(one, own)
    (graph,) = compiled(make(distillation=name), server=server(one)).graphs
    assert check(graph, newer()) == ()
    samplers = [node["inputs"] for node in graph.values() if node["class_type"] == "KSamplerAdvanced"]
    assert [(each["steps"], each["cfg"]) for each in samplers] == [(4, 1.0)] * 2
    shifts = {node["inputs"]["shift"] for node in graph.values() if node["class_type"] == "ModelSamplingSD3"}
    assert shifts == {5.0}


@pytest.mark.parametrize("mode", OF_MODE)
def test_auto_takes_the_best_that_is_complete(mode: str) -> None:
    make, known, own = OF_MODE[mode]
    assert loaded(make(), server(*known)) == expected(known[0], own)
    lacking = next(iter((*known[0].experts.values(), *known[0].loras.values())))
    assert loaded(make(), server(*known, without=lacking)) == expected(known[1], own)
    assert loaded(make(), server()) == expected(known[-1], own)  # which it then names as missing
    assert loaded(make(), ServerFacts(frozenset())) == expected(known[-1], own)


@pytest.mark.parametrize("mode", OF_MODE)
def test_the_page_names_each(mode: str) -> None:
    known = OF_MODE[mode][1]
    assert set(MODES[mode].field("distillation").values) == {AUTO, *(one.name for one in known)}


def test_quality_takes_none() -> None:
    for params in (image(distillation="260412"), text(distillation="1217")):
        models, loras = loaded(params, server(*I2V, *T2V))
        assert loras == [] and not any("lightx2v" in name for name in models)


def test_a_variant_that_needs_the_plain_expert_takes_loras() -> None:
    params = fast("anti_slow_motion")
    models, loras = loaded(params, server(*I2V))
    assert models == [CATALOG.file(role).name for role in ("i2v_high", "i2v_low")]
    assert [name for name, _ in loras] == [
        CATALOG.file(f"lora_i2v_1022_{who}").name for who in ("high", "low")
    ]


@pytest.mark.parametrize(("variant", "distillation"), [
    ("anti_slow_motion", "260412"), ("anti_slow_motion", "1030"), ("480p", "1022"), ("480p_strong", "v1"),
])  # fmt: skip
def test_a_variant_refuses_a_distillation_that_it_cannot_use(variant: str, distillation: str) -> None:
    with pytest.raises(InvalidParam) as refused:
        FastVideo(image=PHOTO, seed=1, variant=variant, distillation=distillation)
    assert refused.value.field == "distillation" and refused.value.hint


def test_the_files_of_each_are_an_option_of_its_modes() -> None:
    for mode, (_, known, _) in OF_MODE.items():
        for one in known[:-1]:
            for role in (*one.loras.values(), *one.experts.values()):
                file = CATALOG.file(role)
                assert file.option(mode) == f"distillation={one.name}"
                assert mode in file.modes and not file.needed_by
