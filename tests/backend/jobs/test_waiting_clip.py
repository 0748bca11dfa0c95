"""A clip that is extended before it is finished: the joined video waits for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.engines.base import Prompt
from backend.errors import BadInput, EngineError
from backend.jobs.job import CANCELLED, DONE, FAILED, QUEUED
from backend.jobs.limits import Limits
from backend.jobs.views import JobView
from backend.notices import words
from backend.studio import Studio
from tests.support.extensions import CLIP, QUICK
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, Make, ended

pytestmark = pytest.mark.full


def queued(studio: Studio, picture: Path, **values: Any) -> JobView:
    return studio.submit(OWNER, "image_to_video", {**CLIP, **values}, {"image": picture})


def after(studio: Studio, source: JobView, **values: Any) -> JobView:
    named = {"image": {"id": source.id, "key": source.key}}
    return studio.submit(OWNER, "image_to_video", {**CLIP, "prompt": "", **values}, {}, results=named)


def test_a_chain_of_three_is_queued_at_once(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(limits=Limits(undo=3600))
    engine.hold.clear()
    first = queued(studio, picture)
    assert engine.drawing.wait(60)
    second = after(studio, first)
    plan = studio.extend_plan(OWNER, second.id, second.key, seconds=0.5)
    assert not plan.problems and plan.reason is not None
    assert "The clip is not finished" in words(plan.reason)
    longer = studio.extend(OWNER, second.id, second.key, prompt="It turns", **QUICK)
    assert longer.status == QUEUED and longer.frames == 17 and longer.source == second.id
    assert [part.status for part in longer.parts] == [QUEUED, QUEUED]
    with pytest.raises(BadInput, match="not finished"):
        studio.extend(OWNER, longer.id, longer.key, **QUICK)
    engine.hold.set()
    done = ended(studio, longer)
    assert done.status == DONE, done.error
    for each in (first, second):
        studio.delete(OWNER, each.id, each.key)
    clip, part = done.parts
    assert (clip.id, clip.frames, part.start, part.frames) == (second.id, 9, 9, 8)
    assert len(engine.prompts) == 3, "nothing is made twice"
    folder = studio.settings.jobs_dir / done.id
    assert (folder / "parts" / "1").is_file() and (folder / "parts" / "1-graph").is_file()
    assert list(studio.sources(OWNER, done.id, done.key)) == ["image"]
    recipe = studio.recipe(studio.result_path(done.id, done.key))
    assert recipe.mode == "image_to_video" and recipe.media["image"].sha256


@pytest.mark.deep
@pytest.mark.parametrize(
    ("how", "status"), [("fails", FAILED), ("is cancelled", CANCELLED), ("is deleted before", DONE)]
)
def test_the_end_of_the_clip_decides(
    make: Make, engine: FakeEngine, picture: Path, how: str, status: str
) -> None:
    studio = make()
    engine.hold.clear()
    clip = queued(studio, picture)
    assert engine.drawing.wait(60)
    longer = studio.extend(OWNER, clip.id, clip.key, frame=3, **QUICK)
    assert longer.frames == 12
    if how == "fails":
        engine.error = EngineError("Out of tricks.")
    elif how == "is cancelled":
        studio.cancel(clip.id, clip.key)
    else:
        studio.scheduler._awaited._linking.acquire()
    engine.hold.set()
    ended(studio, clip)
    if how == "is deleted before":
        studio.scheduler._awaited._linking.release()
        studio.delete(OWNER, clip.id, clip.key)
    done = ended(studio, longer)
    assert done.status == status, done.error
    assert not studio.store.unfinished()
    if status == DONE:
        assert done.frames == 12 and studio.result_path(done.id, done.key).is_file()
        again = ended(studio, studio.reroll(OWNER, done.id, done.key, 2))
        assert again.status == DONE and again.frames == 12


@pytest.mark.deep
def test_a_part_that_fails_can_be_drawn_again_after_its_clip(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    engine.hold.clear()
    first = queued(studio, picture)
    clip = after(studio, first)
    longer = studio.extend(OWNER, clip.id, clip.key, **QUICK)

    def fail_third(prompt: Prompt, on_event: Any) -> None:
        if len(engine.prompts) == 3:
            raise EngineError("Out of tricks.")

    engine.script = fail_third
    engine.hold.set()
    failed = ended(studio, longer)
    assert failed.status == FAILED and studio.job(clip.id, clip.key).status == DONE
    for each in (first, clip):
        studio.delete(OWNER, each.id, each.key)
    again = ended(studio, studio.reroll(OWNER, failed.id, failed.key, 2))
    assert again.status == DONE and again.frames == 17, again.error
    assert list(studio.sources(OWNER, again.id, again.key)) == ["image"]


@pytest.mark.deep
def test_a_restart_goes_on_waiting(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.hold.clear()
    clip = queued(studio, picture)
    assert engine.drawing.wait(60)
    longer = studio.extend(OWNER, clip.id, clip.key, **QUICK)
    studio.close()
    engine.hold.set()
    other = FakeEngine()
    studio = make(other)
    done = ended(studio, longer)
    assert done.status == DONE and done.frames == 17, done.error
    assert studio.job(clip.id, clip.key).status == DONE and other.prompts


@pytest.mark.deep
def test_what_an_unfinished_clip_cannot_be_asked_for(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.hold.clear()
    clip = queued(studio, picture)
    before = set(studio.settings.jobs_dir.iterdir())
    for frame in (9, -2, 1.5, "end"):
        with pytest.raises(BadInput) as refused:
            studio.extend(OWNER, clip.id, clip.key, frame=frame, **QUICK)  # type: ignore[arg-type]
        assert refused.value.field == "frame"
    with pytest.raises(BadInput, match="not finished"):
        studio.extend(OWNER, clip.id, clip.key, method="svi", **QUICK)
    assert set(studio.settings.jobs_dir.iterdir()) == before
