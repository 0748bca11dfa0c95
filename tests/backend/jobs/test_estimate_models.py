"""Estimates by the model that draws: those of Animate and of Text-to-Image are kept apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.engines.base import EngineInfo
from backend.jobs.drawing_model import model_of, usual_model
from backend.jobs.estimate import Workload, expected, fits, workload
from backend.jobs.job import Job
from tests.support.compile_cases import animated, compiled, still
from tests.workflows.test_cards import ENTRY, GIB, ROW
from workflows.cards import parse_card
from workflows.graph.node_contract import RoleFile, facts, recorded

INFO = EngineInfo("comfyui", "a", "ok", gpu="NVIDIA GeForce RTX 4090", vram_total=24 * GIB)
ENDPOINT = EngineInfo("runpod", "b", "ok")
FIRST = {"animate": "a.safetensors", "vae": "v"}
SECOND = {"animate_2_distilled": "b.safetensors", "vae": "v"}
WORK = Workload(6, 832, 480, 77, 1, 6, "animate_2")


def done(name: str, files: dict[str, str], draw: float, mode: str = "animate", frames: int = 77) -> Job:
    return Job(
        name, "o", mode, {}, {}, created=0, status="done", evaluations=6, steps=6, width=832, height=480,
        frames=frames, timings={"draw": draw}, resolved={"files": files} if files else {},
    )  # fmt: skip


def drawn(work: Workload, *jobs: Job, info: EngineInfo = INFO, mode: str = "animate") -> float | None:
    """Seconds of drawing by these jobs, the latest first; None without an estimate."""

    def history(engine: str, of: str) -> list[Job]:
        return [job for job in jobs if job.mode == of]

    return expected(work, mode, info, history, None).stages.get("draw")


def test_each_model_of_animate_has_its_own_history() -> None:
    both = (done("1", FIRST, 60.0), done("2", SECOND, 180.0))
    assert drawn(WORK, *both) == pytest.approx(180.0)
    assert drawn(replace(WORK, model="animate"), *both) == pytest.approx(60.0)
    assert drawn(WORK, done("1", FIRST, 60.0)) is None, "not even the only job"
    unknown = done("3", {}, 90.0)
    assert drawn(WORK, done("1", FIRST, 60.0), unknown) == pytest.approx(90.0), "of an earlier version"
    video = done("4", {"i2v_high": "h"}, 30.0, "image_to_video")
    assert drawn(WORK, done("1", FIRST, 60.0), video) == pytest.approx(30.0), "as before there is any job"


def test_an_endpoint_is_estimated_by_the_model_of_its_latest_job() -> None:
    history = (done("2", SECOND, 180.0), done("1", FIRST, 60.0), done("0", {}, 5.0))
    assert drawn(replace(WORK, model="animate"), *history, info=ENDPOINT) == pytest.approx(180.0)


def test_the_models_of_text_to_image_are_kept_apart() -> None:
    wan = done("1", {"t2v_high": "h", "t2v_low": "l"}, 40.0, "text_to_image", 1)
    flux = workload(compiled(still(model="flux")))
    assert flux.model == "flux_checkpoint" and drawn(flux, wan, mode="text_to_image") is None
    assert drawn(workload(compiled(still())), wan, mode="text_to_image") is not None


def test_the_model_of_a_compiled_job() -> None:
    server = facts(recorded())
    first = workload(compiled(animated(), server=server)).model
    second = replace(server, models={"animate_2": RoleFile("wan_animate_2_int8_convrot.safetensors")})
    options = {
        key: (*names, "wan_animate_2_int8_convrot.safetensors") if key[1] == "unet_name" else names
        for key, names in server.options.items()
    }
    made = compiled(animated(model="animate_2"), server=replace(second, options=options))
    assert (first, workload(made).model) == ("animate", "animate_2")
    assert model_of(("i2v_1030_high", "i2v_low", "vae", "lora_i2v_high")) == "i2v"
    assert (usual_model("animate"), usual_model("text_to_image"), usual_model("x")) == ("animate", "t2v", "")


def test_chunks_are_those_of_the_model() -> None:
    long = replace(WORK, frames=161, chunks=2)
    assert drawn(long, done("1", SECOND, 100.0, frames=161)) == pytest.approx(100.0)
    first = replace(WORK, frames=149, chunks=2, model="animate")
    assert drawn(first, done("1", FIRST, 100.0, frames=149)) == pytest.approx(100.0)


def none(engine: str, mode: str) -> list[Job]:
    return []


def test_measurements_of_a_card_are_of_a_model() -> None:
    rows = [{**ROW, "mode": "animate"}, {**ROW, "mode": "animate", "model": "animate_2"}]
    rows[1]["stages"] = {**ROW["stages"], "draw": 400.0}
    card = parse_card({**ENTRY, "rows": rows, "source": "a test"})
    second = expected(WORK, "animate", INFO, none, card).stages["draw"]
    first = expected(replace(WORK, model="animate"), "animate", INFO, none, card).stages["draw"]
    assert second == pytest.approx(10 * first)
    alone = parse_card({**ENTRY, "rows": [{**rows[0], "out_of_memory": True}], "source": "a test"})
    large = replace(WORK, frames=81)
    assert fits(large, "animate", alone) is None
    assert fits(replace(large, model="animate"), "animate", alone) is False
