"""Contact sheets that are made again when clips of their set are deleted or brought back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.errors import ShuttingDown, StudioError
from backend.jobs.limits import Limits
from backend.jobs.sheets import AGAIN, SETTING, Sheets
from backend.jobs.views import JobView
from backend.media.grid import size
from backend.studio import Studio
from tests.backend.jobs.test_chains import submit
from tests.backend.jobs.test_recipe_files import Painter
from tests.support.boxes import mdta_texts
from tests.support.scripted import OWNER, Make, ended, until

pytestmark = pytest.mark.full

NOW, NEVER = Limits(undo=3600.0, sheet=0.0), Limits(undo=3600.0, sheet=3600.0)


def settled(studio: Studio, job: JobView) -> JobView:
    until(lambda: not studio.sheet_waits(job.id))
    return studio.job(job.id, job.key)


def shows(studio: Studio, job: JobView, count: int) -> dict[str, Any]:
    """Asserts that file, record and recipe of a set are of so many clips: its recipe."""
    now = settled(studio, job)
    path = studio.result_path(job.id, job.key)
    found = studio.decoder.video_facts(path)
    assert (found.width, found.height) == (now.width, now.height) == size(count, 64, 64)
    assert now.bytes == path.stat().st_size and len(now.children) == count
    assert list(path.parent.rglob("*.mp4")) == [path]
    recipe = studio.recipe(path)
    assert recipe == studio.recipe_of(OWNER, job.id, job.key)
    assert len(recipe.graphs) == count
    return recipe.values


def carried(studio: Studio, job: JobView) -> dict[str, Any]:
    """The recipe in the file of a set, as it is written."""
    recipe: dict[str, Any] = json.loads(mdta_texts(studio.result_path(job.id, job.key))["wan_studio"])
    return recipe


def test_a_sheet_shows_the_clips_that_are_left(make: Make, picture: Path) -> None:
    studio = make(limits=NOW)
    job = ended(studio, submit(studio, picture, 2))
    first, second = job.children
    studio.delete(OWNER, first.id, first.key, undo=True)
    values = shows(studio, job, 1)
    assert values["seed"] == second.seed and "variations" not in values
    assert carried(studio, job)["clips"] == [{"seed": second.seed}]
    studio.undo_delete(OWNER, first.id, first.key)
    assert shows(studio, job, 2)["seed"] == first.seed
    until(lambda: not (studio.settings.jobs_dir / job.id / "work").exists())


@pytest.mark.deep
def test_a_sheet_is_made_again_after_a_restart(make: Make, picture: Path) -> None:
    studio = make(limits=NEVER)
    job = ended(studio, submit(studio, picture, 3))
    first, second, third = job.children
    studio.delete(OWNER, first.id, first.key, undo=True)
    assert studio.sheet_waits(job.id) and studio.job(job.id, job.key).bytes == 0
    studio.close()
    later = make(limits=NOW)
    values = shows(later, job, 2)
    assert (values["seed"], values["variations"]) == (second.seed, 2)
    assert carried(later, job)["clips"] == [{"seed": second.seed}, {"seed": third.seed}]


@pytest.mark.deep
def test_clips_that_are_removed_at_once(make: Make, picture: Path) -> None:
    studio = make(limits=NOW)
    job = ended(studio, submit(studio, picture, 3))
    first, second, third = job.children
    studio.delete(OWNER, second.id, second.key)
    values = shows(studio, job, 2)
    assert (values["seed"], values["variations"]) == (first.seed, 3), "seeds are counted up"
    studio.delete(OWNER, first.id, first.key)
    values = shows(studio, job, 1)
    assert values["seed"] == third.seed == studio.job(job.id, job.key).seed and "variations" not in values


@pytest.mark.deep
@pytest.mark.parametrize("vary", [True, False])
def test_a_still_and_a_varied_setting(make: Make, vary: bool) -> None:
    studio = make(Painter(), limits=NOW)
    given: dict[str, Any] = (
        {"vary": {"prompt": ["A boat", "A pond", "A tree"]}} if vary else {"variations": 3}
    )
    values = {"prompt": "A boat", "width": 64, "height": 64, "seed": 7}
    job = ended(studio, studio.submit(OWNER, "text_to_image", values, {}, **given))
    studio.delete(OWNER, job.children[0].id, job.children[0].key, undo=True)
    settled(studio, job)
    found = studio.recipe(studio.result_path(job.id, job.key)).values
    assert found.get("vary") == ({"prompt": ["A pond", "A tree"]} if vary else None)
    assert (found["variations"], found["seed"]) == (2, 7 if vary else 8)
    assert studio.job(job.id, job.key).width == size(2, 64, 64)[0]


@pytest.mark.deep
@pytest.mark.parametrize("step", ["video_sheet", "with_metadata", "poster", "set_result"])
def test_a_sheet_that_is_interrupted_is_old_or_new(
    make: Make, picture: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = make(limits=NEVER)
    job = ended(studio, submit(studio, picture, 3))
    before = studio.result_path(job.id, job.key).read_bytes()
    studio.delete(OWNER, job.children[2].id, job.children[2].key, undo=True)

    def killed(*_: Any, **__: Any) -> None:
        raise ShuttingDown.of("closing")

    sheets: Sheets = studio._services.sheets
    owner = studio.store if step == "set_result" else studio.decoder
    monkeypatch.setattr(owner, step, killed)
    with pytest.raises(StudioError):
        sheets._look(job.id)
    monkeypatch.undo()
    folder = studio.settings.jobs_dir / job.id
    now = studio.decoder.video_facts(folder / "result.mp4")
    assert ((folder / "result.mp4").read_bytes() == before) is (step != "set_result")
    assert (now.width, now.height) == size(2 if step == "set_result" else 3, 64, 64)
    assert studio.store.setting(SETTING) and not (folder / "work" / AGAIN).exists()
    studio.close()
    shows(make(limits=NOW), job, 2)


@pytest.mark.deep
def test_a_set_that_is_deleted_leaves_nothing(make: Make, picture: Path) -> None:
    studio = make(limits=NOW)
    job = ended(studio, submit(studio, picture, 3))
    studio.delete(OWNER, job.children[0].id, job.children[0].key)
    studio.delete(OWNER, job.id, job.key)
    until(lambda: not studio.sheet_waits(job.id))
    assert not (studio.settings.jobs_dir / job.id).exists() and studio.store.summaries() == []
    assert studio.store.setting(SETTING) == ""
