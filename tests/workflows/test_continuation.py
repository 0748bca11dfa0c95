"""Parts that go on from the last frames of a clip: the graph with SVI Pro, its frames, and what it needs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.compile_cases import CLIP, CONTINUED, LAST, ORBIT, PAIR, compiled, image, newer, svi_server
from workflows.catalog import load_catalog
from workflows.compile import ServerFacts
from workflows.graph.node_contract import RoleFile, check
from workflows.notice import notice
from workflows.params.values import InvalidParam
from workflows.stages import svi

HIGH, LOW = (load_catalog().file(role).name for role in svi.LORAS.values())


def inputs(name: str, class_type: str) -> list[dict[str, Any]]:
    graph = compiled(CONTINUED[name], server=svi_server()).graphs[0]
    return [node["inputs"] for node in graph.values() if node["class_type"] == class_type]


@pytest.mark.parametrize("name", CONTINUED)
def test_the_node_takes_it(name: str) -> None:
    made = compiled(CONTINUED[name], server=svi_server())
    own = set(PAIR) | {ORBIT}  # LoRAs of the creator's own
    assert [problem for problem in check(made.graphs[0], newer()) if problem.value not in own] == []


@pytest.mark.parametrize("seconds", [0.25, 2.0, 5.0, 15.0])
def test_its_latents_hold_anchor_and_motion(seconds: float) -> None:
    params = image(clip=CLIP, width=832, height=480, seconds=seconds)
    new = round(16 * seconds)
    assert params.frames == svi.OVERLAP + new
    graph = compiled(params, server=svi_server()).graphs[0]
    (node,) = (n["inputs"] for n in graph.values() if n["class_type"] == svi.NODE)
    assert node["length"] == 1 + params.frames and node["length"] % 4 == 1
    assert (node["length"] - 1) // 4 + 1 >= 1 + node["motion_latent_count"]
    (cut,) = (n["inputs"] for n in graph.values() if n["class_type"] == "ImageFromBatch")
    assert (cut["batch_index"], cut["length"]) == (1, params.frames), "the anchor is dropped"


def test_both_experts_have_its_lora_after_the_speed_lora() -> None:
    loras = [node["lora_name"] for node in inputs("image_to_video-continued_fast", "LoraLoaderModelOnly")]
    assert [name for name in loras if name in (HIGH, LOW)] == [HIGH, LOW]
    assert loras.index(HIGH) == 1 and loras.index(LOW) == 3
    assert len(inputs("image_to_video-continued_quality", "LoraLoaderModelOnly")) == 2


def test_the_clip_is_cut_to_a_file_of_its_frames() -> None:
    made = compiled(CONTINUED["image_to_video-continued_fast"], server=svi_server())
    (cut,) = made.derived[0]
    assert cut.frames == CLIP.frames and (cut.width, cut.height) == (832, 480) and cut.name.endswith(".mkv")
    assert cut.name in made.inputs and made.frames == made.kept[0] == 84


@pytest.mark.parametrize(("frames", "taken"), [(1, 0), (4, 0), (5, 5), (8, 5), (9, 9), (13, 13), (81, 13)])
def test_how_many_frames_are_handed_on(frames: int, taken: int) -> None:
    assert svi.frames_handed_on(frames) == taken


@pytest.mark.parametrize("options", [{"end_image": LAST}, {"experts": "low"}])
def test_what_cannot_be_handed_on_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidParam) as caught:
        image(clip=CLIP, **options)
    assert caught.value.field == "clip"


def test_what_a_server_lacks() -> None:
    catalog = load_catalog()
    assert svi.missing(catalog, svi_server()) == ()
    assert svi.missing(catalog, svi_server(without=frozenset({svi.NODE, LOW}))) == (svi.NODE, LOW)
    assert svi.missing(catalog, ServerFacts(frozenset())) == (svi.NODE, HIGH, LOW)


def test_files_of_a_server_s_own_names() -> None:
    server = svi_server("SVI/" + HIGH, without=frozenset({HIGH}))
    assert svi.missing(load_catalog(), server) == (HIGH,)
    named = ServerFacts(server.nodes, server.options, {svi.LORAS["high"]: RoleFile("SVI/" + HIGH, False)})
    assert svi.missing(load_catalog(), named) == ()
    assert "SVI/" + HIGH in compiled(CONTINUED["image_to_video-continued_fast"], server=named).models
    damaged = RoleFile("SVI/" + HIGH, False, notice("model_damaged", file=HIGH, title="", fault="damaged"))
    spoilt = ServerFacts(server.nodes, server.options, {svi.LORAS["high"]: damaged})
    assert svi.missing(load_catalog(), spoilt) == ("SVI/" + HIGH,)
