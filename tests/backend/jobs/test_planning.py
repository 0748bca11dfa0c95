"""What is planned before Generate when several servers differ: what the least of them can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from backend.engines.base import EngineInfo
from backend.engines.kinds import engine_name
from backend.errors import BadInput
from backend.jobs import planning
from backend.jobs.job import Job
from backend.jobs.offers import Offer
from backend.jobs.planning import DIFFERENT
from backend.jobs.views import Plan
from tests.support.compile_cases import animated, route_server
from workflows.catalog import load_catalog
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
    assert found.route == "native" and found.obstacle == "" and DIFFERENT not in found.warnings


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_server_that_can_do_least_is_planned_for(order: tuple[int, int]) -> None:
    servers = [offer("native", 1), offer("none", 2)]
    found = planned([servers[n] for n in order])
    assert found.route == "driving" and found.warnings[0].startswith("Results will be poor")
    assert found.warnings[-1] == DIFFERENT and not found.problems


def test_servers_that_are_alike_are_one() -> None:
    found = planned([offer("native", 1), offer("native", 2)])
    assert found == planned([offer("native")]) and found.warnings == ()


def test_a_server_that_cannot_do_it_is_named() -> None:
    found = planned([offer("none", 1), offer("native", 2)], method="mix")
    assert not found.problems and found.obstacle == "" and found.route == "native+sam3"
    assert found.warnings == (
        "The server at http://gpu-1:8188 cannot do this: "
        "Replace needs a person mask, and none can be detected here.",
    )


def test_what_no_server_can_do_is_a_problem() -> None:
    servers = [offer("none", 1), offer("none", 2)]
    found = planned(servers, method="mix")
    assert (
        "Replace needs a person mask" in found.problems["mask"] and found.obstacle == found.problems["mask"]
    )
    with pytest.raises(BadInput) as caught:
        planning.outlook("animate", animated(method="mix"), servers, "job")
    assert caught.value.field == "mask"


def test_a_server_that_lacks_a_file_is_named_and_none_that_has_it_is_an_obstacle() -> None:
    full, bare = everything(), {"vae": ("wan_2.1_vae.safetensors",)}
    one = planned([offer("native", 1, models=bare), offer("native", 2, models=full)])
    assert one.obstacle == ""
    (said,) = one.warnings
    assert said.startswith("The server at http://gpu-1:8188 cannot do this: Animate needs ")
    assert "clip_vision_h.safetensors in clip_vision (1.3 GB)" in said
    none = planned([offer("native", 1, models=bare), offer("native", 2, models=bare)])
    assert none.obstacle.startswith("Animate needs ") and none.warnings == ()


def test_a_lost_server_does_not_count_while_another_is_there() -> None:
    found = planned([offer("none", 1, "lost"), offer("native", 2)])
    assert found.route == "native" and found.warnings == () and found.obstacle == ""
    lost = planned([offer("native", 1, "lost"), offer("native", 2, "lost")])
    assert "gpu-1" in lost.obstacle


def test_the_time_is_that_of_the_slowest() -> None:
    servers = [offer("native", 1), offer("native", 2)]
    length = planned(servers).frames
    draw = {engine_name(servers[0].info): 60.0, engine_name(servers[1].info): 600.0}

    def history(engine: str, mode: str) -> list[Job]:
        return [
            Job("a", "o", mode, {}, {}, created=0, status="done", evaluations=20, width=832, height=480,
                frames=length, timings={"draw": draw[engine]}),
        ]  # fmt: skip

    assert planned(servers, history, steps=10).estimate_text == "About 10 min on the slowest server"
    assert planned(servers[:1], history, steps=10).estimate_text == "About 1 min on this GPU"


@pytest.mark.parametrize(
    ("gigabytes", "gpu", "kind", "told"),
    [
        (16, "NVIDIA RTX A4000", "comfyui", True),
        (23.6, "NVIDIA GeForce RTX 4090", "comfyui", False),
        (80, "NVIDIA A100", "comfyui", False),
        (0, "NVIDIA A100", "comfyui", False),
        (16, "CPU", "comfyui", False),
        (16, "Demo", "demo", False),
    ],
)
def test_a_small_gpu_is_pointed_out(gigabytes: float, gpu: str, kind: str, told: bool) -> None:
    info = EngineInfo(kind, "http://gpu:8188", state="ok", gpu=gpu, vram_total=int(gigabytes * planning.GIB))
    found = planned([Offer(info, route_server("native"))])
    assert any("This GPU has 16 GB; 24 GB or more" in text for text in found.warnings) is told
    assert not found.obstacle
