"""What is planned before Generate when several servers differ: what the least of them can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from backend.engines.base import EngineInfo
from backend.engines.kinds import engine_name
from backend.errors import BadInput
from backend.jobs import planning
from backend.jobs.job import Job
from backend.jobs.offers import Offer
from backend.jobs.planning import DIFFERENT
from backend.jobs.views import Estimate, Plan
from backend.notices import brief, words
from tests.support.compile_cases import animated, route_server, second_server
from workflows.catalog import load_catalog
from workflows.notice import notice
from workflows.params.media import Media

PERSON, DANCE = Media("image", 832, 480), Media("video", 832, 480, 80, 16.0, 5.0)
SIZES: Mapping[str, Media] = {"image": PERSON, "video": DANCE}
NO_MODELS: Mapping[str, tuple[str, ...]] = {}


def everything() -> dict[str, tuple[str, ...]]:
    files = load_catalog().files
    return {
        folder: tuple(f.name for f in files if f.folder == folder) for folder in {f.folder for f in files}
    }


def offer(route: str, number: int = 1, state: str = "ok", models: Mapping[str, Any] = NO_MODELS) -> Offer:
    info = EngineInfo("comfyui", f"http://gpu-{number}:8188", state=state, gpu=f"GPU {number}", models=models)
    return Offer(info, route_server(route))


def planned(offers: Sequence[Offer], history: planning.History = lambda *_: (), **values: Any) -> Plan:
    engines = [each.info for each in offers]
    return planning.plan("animate", values, SIZES, engines, history, offers=offers)


def test_one_server() -> None:
    found = planned([offer("native")])
    assert found.route == "native" and found.obstacle is None and DIFFERENT not in found.warnings


def test_a_note_on_the_route_does_not_make_a_server_the_least_capable() -> None:
    second = replace(offer("native", 1), facts=second_server())
    found = planned([offer("none", 2), second])
    assert found.route == "driving", "the other one has a warning that counts"
    assert planned([offer("native", 2), second]).route == "native"
    alone = planned([second], speed="fast")
    assert alone.route == "animate_2_distilled" and alone.own["steps"] == 10 and alone.chunks == 1
    assert [one.code for one in alone.warnings] == ["animate_2_used"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_server_that_can_do_least_is_planned_for(order: tuple[int, int]) -> None:
    servers = [offer("native", 1), offer("none", 2)]
    found = planned([servers[n] for n in order])
    assert found.route == "driving" and found.warnings[0].code == "no_pose_detector"
    assert found.warnings[-1] == DIFFERENT and not found.problems


def test_servers_that_are_alike_are_one() -> None:
    found = planned([offer("native", 1), offer("native", 2)])
    assert found == planned([offer("native")]) and found.warnings == ()


def test_a_server_that_cannot_do_it_is_named() -> None:
    found = planned([offer("none", 1), offer("native", 2)], method="mix")
    assert not found.problems and found.obstacle is None and found.route == "native+sam3"
    (said,) = found.warnings
    assert said.code == "server_refuses" and words(said) == (
        "The server at http://gpu-1:8188 cannot do this: "
        "Replace needs a person mask, and none can be detected here."
    )


def test_what_no_server_can_do_is_a_problem() -> None:
    servers = [offer("none", 1), offer("none", 2)]
    found = planned(servers, method="mix")
    assert (
        "Replace needs a person mask" in found.problems["mask"]
        and words(found.obstacle) == found.problems["mask"]
    )
    assert found.obstacle is not None and found.obstacle.arg("error") == "bad_input"
    assert brief(found.obstacle) == "Replace needs a person mask, and none can be detected here."
    with pytest.raises(BadInput) as caught:
        planning.outlook("animate", animated(method="mix"), servers, "job")
    assert caught.value.field == "mask"


def test_a_server_that_lacks_a_file_is_named_and_none_that_has_it_is_an_obstacle() -> None:
    full, bare = everything(), {"vae": ("wan_2.1_vae.safetensors",)}
    one = planned([offer("native", 1, models=bare), offer("native", 2, models=full)])
    assert one.obstacle is None
    (said,) = one.warnings
    assert words(said).startswith("The server at http://gpu-1:8188 cannot do this: Animate needs ")
    assert "clip_vision_h.safetensors in clip_vision (1.3 GB)" in words(said)
    none = planned([offer("native", 1, models=bare), offer("native", 2, models=bare)])
    assert words(none.obstacle).startswith("Animate needs ") and none.warnings == ()
    assert none.obstacle is not None and none.obstacle.code == "missing_files"


def test_a_lost_server_does_not_count_while_another_is_there() -> None:
    found = planned([offer("none", 1, "lost"), offer("native", 2)])
    assert found.route == "native" and found.warnings == () and found.obstacle is None
    lost = planned([offer("native", 1, "lost"), offer("native", 2, "lost")])
    assert lost.obstacle == notice("comfyui_silent", address="http://gpu-1:8188")


def test_the_time_is_that_of_the_slowest() -> None:
    servers = [offer("native", 1), offer("native", 2)]
    length = planned(servers).frames
    draw = {engine_name(servers[0].info): 60.0, engine_name(servers[1].info): 600.0}

    def history(engine: str, mode: str) -> list[Job]:
        return [
            Job("a", "o", mode, {}, {}, created=0, status="done", evaluations=20, width=832, height=480,
                frames=length, timings={"draw": draw[engine]}),
        ]  # fmt: skip

    def estimated(offers: Sequence[Offer]) -> Estimate:
        found = planned(offers, history, steps=10).estimate
        assert found is not None
        return found

    assert estimated(servers) == Estimate("animate", 600.0, "slowest")
    assert (estimated(servers).text, estimated(servers).short) == (
        "About 10 min on the slowest server",
        "About 10 min",
    )
    assert estimated(servers[:1]).text == "About 1 min on this GPU"


@pytest.mark.parametrize(
    ("gigabytes", "gpu", "kind", "warned"),
    [
        (16, "NVIDIA RTX A4000", "comfyui", True),
        (23.6, "NVIDIA GeForce RTX 4090", "comfyui", False),
        (80, "NVIDIA A100", "comfyui", False),
        (0, "NVIDIA A100", "comfyui", False),
        (16, "CPU", "comfyui", False),
        (16, "Demo", "demo", False),
    ],
)
def test_a_small_gpu_is_pointed_out(gigabytes: float, gpu: str, kind: str, warned: bool) -> None:
    info = EngineInfo(kind, "http://gpu:8188", state="ok", gpu=gpu, vram_total=int(gigabytes * planning.GIB))
    found = planned([Offer(info, route_server("native"))])
    assert (notice("small_gpu", gigabytes=16) in found.warnings) is warned
    assert not found.obstacle


@pytest.mark.parametrize("speed", ["fast", "quality"])
def test_the_plan_says_what_an_empty_number_stands_for(speed: str) -> None:
    found = planned([offer("native")], speed=speed)
    own = planned([offer("native")], speed=speed, steps=3, cfg=2.0)
    assert found.own["steps"] == found.steps and own.steps == 3
    assert own.own == found.own == {"steps": 6 if speed == "fast" else 20, "cfg": 1.0, "shift": 8.0}
