"""What a part is drawn with: the settings and LoRAs of its clip, at either speed and when drawn again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backend.errors import BadInput
from backend.jobs.job import DONE
from backend.jobs.views import JobView
from backend.notices import words
from backend.studio import Studio
from tests.support.extensions import extended, made, svi_contract, with_svi
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, Make, ended

STYLE = "lightx2v_I2V_14B_480p_cfg_step_distill_rank64_bf16.safetensors"


def part(studio: Studio, job: JobView, number: int = 2) -> JobView:
    """The job that drew a part."""
    drawn = job.parts[number - 1]
    return studio.job(drawn.id, drawn.key)


def without(engine: FakeEngine, lora: str) -> None:
    """Deletes a LoRA of the engine."""
    found = svi_contract()
    node = found.nodes["LoraLoaderModelOnly"]
    there = tuple(name for name in node.inputs["lora_name"].options or () if name != lora)
    listed = {**node.inputs, "lora_name": replace(node.inputs["lora_name"], options=there)}
    found = replace(found, nodes={**found.nodes, "LoraLoaderModelOnly": replace(node, inputs=listed)})
    engine.contract = engine.known_contract = lambda: found  # type: ignore[method-assign]


def test_settings_of_a_speed_stay_with_it_and_are_named(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    clip = made(studio, picture, speed="quality", steps=6, cfg=2.0, tiled_decode=True, distillation="1022")
    same = studio.extend_plan(OWNER, clip.id, clip.key, speed="quality")
    assert same.notes == () and same.values["steps"] == 6
    plan = studio.extend_plan(OWNER, clip.id, clip.key)
    assert list(map(words, plan.notes)) == [
        "Set for the other speed and not used for the part: Steps and CFG."
    ]
    job = extended(studio, clip, speed="quality")
    assert "part_of_speed" not in job.record()["warning_codes"]
    drawn = part(studio, job)
    assert (drawn.steps, drawn.params["cfg"], drawn.params["tiled_decode"]) == (6, 2.0, True)


@pytest.mark.deep
def test_at_another_speed_and_back(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture, speed="quality", steps=6)
    fast = extended(studio, clip)
    assert "part_of_speed" in fast.record()["warning_codes"] and part(studio, fast).steps == 4
    assert "part_of_speed" in part(studio, fast).record()["warning_codes"]
    longer = extended(studio, fast, speed="quality")
    assert part(studio, longer, 3).steps == 6, "of the clip, at its own speed again"
    again = ended(studio, studio.reroll(OWNER, longer.id, longer.key, 3))
    assert part(studio, again, 3).steps == 6


@pytest.mark.deep
def test_a_part_keeps_its_settings_when_the_job_that_drew_it_is_gone(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make(with_svi(engine))
    clip = made(studio, picture, speed="quality", steps=6, loras=[{"name": STYLE, "strength": 0.4}])
    second = extended(studio, clip, speed="quality")
    third = extended(studio, second)
    for one in (second, clip):
        studio.delete(OWNER, one.id, one.key)
    assert studio.store.get(third.parts[1].id) is None
    again = ended(studio, studio.reroll(OWNER, third.id, third.key, 2))
    params = part(studio, again).params
    assert again.status == DONE and params["steps"] == 6 and params["loras"][0]["strength"] == 0.4


def test_a_clip_whose_lora_is_gone_goes_on_without_it(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(with_svi(engine))
    clip = made(studio, picture, loras=[{"name": STYLE}])
    job = extended(studio, clip)
    assert part(studio, job).params["loras"][0]["name"] == STYLE
    without(engine, STYLE)
    plan = studio.extend_plan(OWNER, clip.id, clip.key)
    said = f"The LoRA {STYLE} is not on this engine. The part is drawn without it."
    assert plan.problems == () and said in map(words, plan.notes) and plan.values["loras"] == []
    for number in (1, 2):
        assert said in map(words, studio.reroll_plan(OWNER, job.id, job.key, number).notes)
        one = ended(studio, studio.reroll(OWNER, job.id, job.key, number))
        assert one.status == DONE and said in one.record()["warnings"], one.error
        assert sum(STYLE in each for each in one.record()["warnings"]) == 1, "said once"
    with pytest.raises(BadInput) as refused:
        studio.finish(OWNER, clip.id, clip.key)
    assert STYLE in refused.value.message and "loras folder" in refused.value.hint
    obstacle = studio.final_plan(clip.id, clip.key, "480p", "quality").obstacle
    assert obstacle is not None and STYLE in words(obstacle)


@pytest.mark.deep
def test_what_svi_has_no_place_for_is_named(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(with_svi(engine))
    clip = made(studio, picture, easy_cache=True, clip_vision=True)
    said = "Not used with SVI Pro: CLIP vision and EasyCache."
    assert said in map(words, studio.extend_plan(OWNER, clip.id, clip.key).notes)
    assert said in extended(studio, clip).record()["warnings"]
    assert studio.extend_plan(OWNER, clip.id, clip.key, method="last_frame").notes == ()


@pytest.mark.deep
def test_one_expert_alone_goes_on_from_a_frame(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(with_svi(engine))
    clip = made(studio, picture, experts="high", steps=1)
    plan = studio.extend_plan(OWNER, clip.id, clip.key)
    assert plan.route == "last_frame" and "both experts" in words(plan.reason)
    refused = studio.extend_plan(OWNER, clip.id, clip.key, method="svi")
    assert refused.problems[0].arg("field") == "method"
    job = extended(studio, clip)
    assert job.status == DONE and part(studio, job).params["experts"] == "high", job.error


@pytest.mark.deep
def test_the_server_that_has_the_lora_draws_the_part(make: Make, picture: Path) -> None:
    able, bare = with_svi(FakeEngine("http://able")), with_svi(FakeEngine("http://bare"))
    studio = make(able, bare)
    clip = made(studio, picture, loras=[{"name": STYLE}])
    without(bare, STYLE)
    before = len(bare.prompts)
    for _ in range(3):
        job = extended(studio, clip)
        assert job.status == DONE and "part_without_lora" not in job.record()["warning_codes"]
    assert len(bare.prompts) == before
