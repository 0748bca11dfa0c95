"""Parents whose children partly failed, are gone or were changed: what is shown, retried and left out."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from backend.engines.base import Prompt
from backend.errors import BadInput
from backend.jobs.job import CANCELLED, DONE, FAILED, QUEUED, ResultOf
from backend.jobs.views import JobView
from backend.media.grid import size
from backend.studio import Studio
from tests.backend.jobs.test_chains import PICTURE, children, fail_seeds, submit
from tests.support.extensions import QUICK, made
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, Make, ended, until

pytestmark = pytest.mark.full


def seeds(prompts: list[Prompt]) -> list[int]:
    return [
        next(node["inputs"]["noise_seed"] for node in prompt.graph.values() if "noise_seed" in node["inputs"])
        for prompt in prompts
    ]


def again(studio: Studio, parent: JobView, **change: Any) -> JobView:
    files = {name: one.path for name, one in studio.sources(OWNER, parent.id, parent.key).items()}
    return studio.submit(OWNER, parent.mode, {**parent.params, **change}, files, parent)


def test_a_retry_makes_only_what_is_missing(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.script = fail_seeds(6)
    studio = make()
    first = ended(studio, submit(studio, picture))
    engine.script = None
    engine.prompts.clear()
    second = ended(studio, again(studio, first))
    assert seeds(engine.prompts) == [6]
    assert second.status == DONE and (second.width, second.height) == size(3, 64, 64)
    assert second.record()["warning_codes"] == ["variations_kept"]
    assert "2 of 3 variations are kept" in second.record()["warnings"][0]
    before, after = (
        [studio.result_path(one.id, one.key).stat().st_ino for one in job.children if one.status == DONE]
        for job in (first, second)
    )
    assert set(before) < set(after) and len(after) == 3, "kept by hard links"
    studio.delete(OWNER, first.id, first.key)
    assert all(studio.result_path(one.id, one.key).is_file() for one in second.children)


@pytest.mark.deep
def test_a_parent_that_has_all_is_made_again(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    first = ended(studio, submit(studio, picture, 2))
    engine.prompts.clear()
    second = ended(studio, again(studio, first))
    assert len(engine.prompts) == 2 and not second.warnings


def test_a_failed_child_is_made_again_within_its_set(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.script = fail_seeds(5)
    engine.hold.clear()
    studio = make()
    first = submit(studio, picture, 2)
    failed = until(lambda: (one := children(studio, first)[0]).status == FAILED and one)
    with pytest.raises(BadInput, match="others of this set are still made"):
        again(studio, failed, seed=failed.seed)
    engine.hold.set()
    ended(studio, first)
    engine.script, engine.prompts[:] = None, []
    second = ended(studio, again(studio, failed, seed=failed.seed))
    assert len(second.children) == 2 and seeds(engine.prompts) == [5]
    assert second.record()["warning_codes"] == ["variations_kept"]
    assert again(studio, failed, prompt="Another sentence").children == (), (
        "a changed repetition is not a set"
    )
    assert again(studio, children(studio, first)[1]).children == (), "as is one that did not fail"


@pytest.mark.deep
def test_a_set_that_was_cut_is_made_again_without_what_was_deleted(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.script = fail_seeds(7)
    studio = make(WAN_MAX_QUEUED_PER_OWNER="9")
    first = ended(studio, submit(studio, picture, 4))
    gone = next(one for one in first.children if one.seed == 6)
    studio.delete(OWNER, gone.id, gone.key, undo=True)
    until(lambda: not studio.sheet_waits(first.id))
    second = first
    for missing in ([7], [5, 7, 8]):  # then all that are left, as of any set that has all
        engine.script, engine.prompts[:] = None, []
        second = ended(studio, again(studio, studio.job(second.id, second.key, OWNER)))
        assert seeds(engine.prompts) == missing
        assert [one.seed for one in second.children] == [5, 7, 8] and second.params["variations"] == 3
    path = studio.result_path(second.id, second.key)
    assert studio.recipe(path).values["variations"] == 4, "from the first seed to the last one"


@pytest.mark.deep
def test_a_retry_with_another_setting_makes_all(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.script = fail_seeds(6)
    studio = make()
    first = ended(studio, submit(studio, picture, 2))
    engine.script = None
    engine.prompts.clear()
    second = ended(studio, again(studio, first, prompt="Another sentence"))
    assert seeds(engine.prompts) == [5, 6] and not second.warnings


def test_a_single_survivor_shows_its_own_seed(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.script = fail_seeds(5, 7)
    studio = make()
    parent = ended(studio, submit(studio, picture))
    assert parent.seed == parent.record()["seed"] == 6 and parent.params["seed"] == 5
    assert [job.id for job in studio.jobs(OWNER, search="6")] == [parent.id]


@pytest.mark.deep
def test_a_single_survivor_shows_its_own_value(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.script = fail_seeds(5, 7)
    studio = make()
    parent = ended(studio, submit(studio, picture))
    engine.script, engine.prompts[:] = None, []
    assert ended(studio, again(studio, parent)).seed == 5 and seeds(engine.prompts) == [5, 7]

    def no_subtle(prompt: Prompt, _: Any) -> None:
        if len(engine.prompts) == 1:
            engine.error = RuntimeError("x")
        else:
            engine.error = None

    engine.script, engine.prompts[:] = no_subtle, []
    varied = ended(studio, submit(studio, picture, 1, vary={"motion": ["subtle", "dynamic"]}))
    assert varied.status == DONE and varied.params["motion"] == "dynamic"
    assert varied.params["vary"] == {"motion": ["subtle", "dynamic"]}


@pytest.mark.parametrize(
    "how", ["truncated", *(pytest.param(how, marks=pytest.mark.deep) for how in ("another file", "a folder"))]
)
def test_a_childs_result_that_was_changed_is_left_out(
    make: Make, engine: FakeEngine, picture: Path, how: str
) -> None:
    studio = make()
    engine.script = lambda prompt, _: engine.hold.clear() if seeds([prompt]) == [7] else None
    parent = submit(studio, picture)
    until(lambda: len(engine.prompts) == 3 and engine.drawing.is_set())
    result = studio.settings.jobs_dir / parent.children[0].id / "result.mp4"
    if how == "truncated":
        result.write_bytes(result.read_bytes()[:200])
    elif how == "another file":
        result.write_text("This is no video at all. " * 99)
    else:
        result.unlink()
        result.mkdir()
    engine.hold.set()
    done = ended(studio, parent)
    assert done.status == DONE and (done.width, done.height) == size(2, 64, 64)
    assert "variations_missing" in done.record()["warning_codes"] and done.seed == 6


def test_records_that_do_not_fit_together(make: Make, engine: FakeEngine, picture: Path) -> None:
    """Circles, orphans, a parent without children, a child of a job that is no parent: all are shown and end,
    and can be deleted."""
    studio = make(WAN_MAX_QUEUED_PER_OWNER="20")
    engine.state = "lost"
    one, two = submit(studio, picture, 2), submit(studio, picture, 2)
    single = studio.submit(OWNER, "image_to_video", PICTURE, {"image": picture})
    child = studio.submit(OWNER, "image_to_video", PICTURE, {"image": picture})
    own = studio.submit(OWNER, "image_to_video", PICTURE, {"image": picture})
    studio.close()
    with sqlite3.connect(studio.settings.database) as database:
        parent_of = "UPDATE job SET parent = ? WHERE id = ?"
        for job, parent in ((one.id, two.id), (two.id, one.id), (child.id, single.id), (own.id, own.id)):
            database.execute(parent_of, (parent, job))
        database.execute("DELETE FROM job WHERE id IN (?, ?)", [part.id for part in two.children])
        database.execute(parent_of, ("f" * 32, one.children[0].id))
    database.close()
    engine.state, engine.closed = "ok", False
    second = make(WAN_MAX_QUEUED_PER_OWNER="20")
    until(lambda: not second.store.unfinished())
    shown = {job.id: job.status for job in second.jobs(OWNER)}
    orphan = one.children[0].id
    assert shown == {
        one.id: DONE, two.id: FAILED, single.id: DONE, child.id: DONE, own.id: DONE, orphan: DONE
    }  # fmt: skip
    for job in second.jobs(OWNER):
        second.delete(OWNER, job.id, job.key)
    assert second.store.summaries() == []


@pytest.mark.deep
def test_a_parent_is_deleted_while_its_child_waits(make: Make, engine: FakeEngine, picture: Path) -> None:
    """By a changed database, or by a delete that an earlier version allowed."""
    studio = make()
    engine.hold.clear()
    parent = submit(studio, picture, 2)
    assert engine.drawing.wait(60)
    studio.close()
    with sqlite3.connect(studio.settings.database) as database:
        database.execute("DELETE FROM job WHERE id = ?", (parent.id,))
    database.close()
    engine.closed = False
    engine.hold.set()
    second = make()
    until(lambda: not second.store.unfinished())
    assert {job.status for job in second.jobs(OWNER)} == {DONE}
    assert {job.id for job in second.jobs(OWNER)} == {child.id for child in parent.children}


@pytest.mark.deep
def test_a_job_waits_for_a_parent_that_is_cancelled(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture)
    engine.hold.clear()
    parent = studio.extend(OWNER, clip.id, clip.key, **QUICK)
    job = studio.submit(OWNER, "image_to_video", PICTURE, {"image": ResultOf(parent.id, key=parent.key)})
    assert studio.progress(job.id, job.key).status == QUEUED
    studio.cancel(parent.id, parent.key)
    engine.hold.set()
    assert ended(studio, job).status == CANCELLED
    assert (studio.job(job.id, job.key).error or {})["reason"]["code"] == "source_cancelled"
