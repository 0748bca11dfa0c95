"""Finals: from the creator's files, with the clip's seed; who may make them, what they say, what they are to
the clip."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backend import requester
from backend.errors import BadInput, EngineError, InputsGone, NotAllowed, NotFound
from backend.jobs.final_views import Relations
from backend.jobs.job import EXTENSION
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, Make, ended

OTHER = "owner-token-of-another-01"
DRAFT = {**SMALL, "prompt": "A boat", "speed": "fast", "seed": 7}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "beach.png"
    Image.radial_gradient("L").resize((1000, 1000)).convert("RGB").save(path)
    return path


def draft(studio: Studio, photo: Path, **values: Any) -> JobView:
    made = studio.submit(
        OWNER, "image_to_video", {**DRAFT, **values}, {"image": photo}, titles={"image": "Beach.png"}
    )
    return ended(studio, made)


def finish(studio: Studio, job: JobView, **more: Any) -> JobView:
    return studio.finish(OWNER, job.id, job.key, **more)


def test_a_final_is_made_from_the_original_with_the_same_seed(make: Make, photo: Path) -> None:
    studio = make()
    first = draft(studio, photo, steps=6)
    final = ended(studio, finish(studio, first))
    assert (final.seed, final.source, final.params["prompt"]) == (7, first.id, "A boat")
    assert (final.params["width"], final.params["height"]) == (624, 624)
    assert final.params["speed"] == "quality" and final.steps == 20
    assert final.record()["source"] == first.id
    (said,) = [one for one in final.warnings if one.code == "final_left"]
    assert said.arg("names") == ("steps",)
    sources = [studio.sources(OWNER, job.id, job.key)["image"] for job in (first, final)]
    assert sources[1].path.read_bytes() == photo.read_bytes() and not sources[1].reduced
    assert sources[1].filename == sources[0].filename
    studio.delete(OWNER, first.id, first.key)
    assert studio.result_path(final.id, final.key).is_file() and sources[1].path.is_file()


def test_draft_and_final_know_each_other(make: Make, engine: FakeEngine, photo: Path) -> None:
    studio = make()
    first = draft(studio, photo)
    assert studio.relations(OWNER, first) == Relations()
    engine.error = EngineError("Out of tricks.")
    failed = ended(studio, finish(studio, first))
    assert failed.status == "failed" and studio.relations(OWNER, first).finals == ()
    engine.error = None
    files = {name: one.path for name, one in studio.sources(OWNER, failed.id, failed.key).items()}
    retried = ended(studio, studio.submit(OWNER, failed.mode, failed.params, files, failed))
    assert retried.source == first.id, "a final that is tried again stays one"
    (found,) = studio.relations(OWNER, first).finals
    assert found.id == retried.id
    draft_of = studio.relations(OWNER, retried).origin
    assert draft_of is not None and draft_of.id == first.id
    another = ended(studio, studio.submit(OWNER, retried.mode, {**retried.params, "seed": 9}, files, retried))
    assert another.source == "" and len(studio.relations(OWNER, first).finals) == 1
    assert studio.relations(OTHER, first).finals == () and studio.relations(OTHER, retried).origin is None
    studio.delete(OWNER, first.id, first.key)
    assert studio.relations(OWNER, retried).origin is None


def test_only_the_owner_makes_a_final(make: Make, photo: Path) -> None:
    studio = make()
    first = draft(studio, photo)
    for who in (OTHER, "", first.key):
        with pytest.raises(NotAllowed):
            studio.finish(who, first.id, first.key)
    with pytest.raises(NotFound):
        studio.finish(OWNER, first.id, "wrong")
    with pytest.raises(NotFound):
        studio.final_plan(first.id, "wrong", "480p", "quality")
    assert len(studio.jobs(OWNER)) == 1


def test_what_is_refused_says_why(make: Make, engine: FakeEngine, photo: Path) -> None:
    studio = make()
    first = draft(studio, photo)
    final = ended(studio, finish(studio, first))
    picture = ended(studio, studio.submit(OWNER, "text_to_image", {"prompt": "A boat", **SIDES}, {}))
    engine.hold.clear()
    running = studio.submit(OWNER, "image_to_video", {**DRAFT, "seed": 8}, {"image": photo})
    cases: list[tuple[JobView, dict[str, str], str]] = [
        (final, {}, "final_not_better"),
        (picture, {}, "final_of_picture"),
        (running, {}, "final_of_unfinished"),
        (first, {"resolution": "4k"}, "final_resolution"),
        (first, {"resolution": ""}, "final_resolution"),
        (first, {"speed": "slow"}, "final_speed"),
        (ended(studio, studio.job(final.id, final.key)), {"resolution": "same"}, "final_not_better"),
    ]
    for job, more, code in cases:
        with pytest.raises(BadInput) as refused:
            finish(studio, job, **more)
        assert refused.value.why.code == code
        plan = studio.final_plan(
            job.id, job.key, more.get("resolution", "480p"), more.get("speed", "quality")
        )
        assert plan.obstacle is not None and plan.obstacle.arg("reason") == refused.value.why
    engine.hold.set()
    ended(studio, running)
    stored = studio.store.get(first.id)
    assert stored is not None and studio.store.save(replace(stored, assembly=EXTENSION))
    with pytest.raises(BadInput) as refused:
        finish(studio, first)
    assert refused.value.why.code == "final_of_joined"
    assert len(studio.jobs(OWNER)) == 4, "nothing was queued"


SIDES = {"width": 64, "height": 64, "seed": 5}


def test_a_final_from_the_copy_says_so_and_one_from_nothing_is_refused(make: Make, photo: Path) -> None:
    studio = make()
    first = draft(studio, photo)
    assert studio.final_plan(first.id, first.key, "480p", "quality").reduced is None
    assert studio.retention._drop_originals(first.id)
    plan = studio.final_plan(first.id, first.key, "480p", "quality")
    assert plan.reduced == (128, 128) and plan.obstacle is None
    assert "picture_enlarged" in {one.code for one in plan.notes}
    final = ended(studio, finish(studio, first))
    assert final.status == "done" and "original_gone" in final.record()["warning_codes"]
    shutil.rmtree(studio.settings.jobs_dir / first.id / "inputs")
    with pytest.raises(InputsGone):
        finish(studio, first)
    gone = studio.final_plan(first.id, first.key, "480p", "quality").obstacle
    assert gone is not None and gone.arg("error") == "inputs_gone"


@pytest.mark.parametrize(
    ("resolution", "speed", "size"),
    [("480p", "quality", (624, 624)), ("720p", "fast", (960, 960)), ("same", "quality", (64, 64))],
)
def test_the_plan_says_what_will_differ(
    make: Make, photo: Path, resolution: str, speed: str, size: tuple[int, int]
) -> None:
    studio = make()
    first = draft(studio, photo, cfg=2.0)
    plan = studio.final_plan(first.id, first.key, resolution, speed)
    assert (plan.before, plan.size, plan.speed_before) == ((64, 64), size, "fast")
    assert plan.resized is (resolution != "same") and plan.estimate is not None
    assert plan.left == (("cfg",) if speed == "quality" else ())
    assert plan.steps == (20 if speed == "quality" else 4) and plan.count == 1


def test_a_set_is_finished_together_and_one_of_it_alone(make: Make, photo: Path) -> None:
    studio = make()
    sheet = studio.submit(OWNER, "image_to_video", DRAFT, {"image": photo}, variations=2)
    sheet = ended(studio, sheet)
    assert studio.final_plan(sheet.id, sheet.key, "480p", "quality").count == 2
    whole = ended(studio, finish(studio, sheet, resolution="same"))
    assert whole.source == sheet.id and [one.seed for one in whole.children] == [7, 8]
    assert [one.id for one in studio.relations(OWNER, sheet).finals] == [whole.id]
    second = sheet.children[1]
    alone = ended(studio, finish(studio, second, resolution="same"))
    assert (alone.seed, alone.source, alone.children) == (8, second.id, ())


def test_a_request_that_arrives_twice_makes_one_final(make: Make, photo: Path) -> None:
    studio = make()
    first, other = draft(studio, photo), draft(studio, photo, seed=11)

    def arrival() -> list[str]:
        with requester.attempt("request-0001"):
            return [finish(studio, job).id for job in (first, other)]

    made = arrival()
    assert arrival() == made and len(set(made)) == 2 and len(studio.jobs(OWNER)) == 4
