"""Jobs made of jobs: variations below one parent, from submit to end, cancel, delete, restart and failure."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.engines.base import Prompt
from backend.errors import BadInput, DiskFull, EngineError, NotFound, QueueFull
from backend.events import Event
from backend.jobs.job import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Job
from backend.jobs.limits import Limits
from backend.jobs.migrations import MIGRATIONS
from backend.jobs.parent_outcome import shared
from backend.jobs.store import Store
from backend.jobs.views import JobView
from backend.media.grid import size
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.job_views import stored_job
from tests.support.scripted import OWNER, SMALL, Make, ended, until
from workflows.resolved import Resolved

PICTURE = {**SMALL, "seed": 5}


def submit(studio: Studio, picture: Path, count: int = 3, **more: Any) -> JobView:
    return studio.submit(OWNER, "image_to_video", PICTURE, {"image": picture}, variations=count, **more)


def children(studio: Studio, job: JobView) -> list[JobView]:
    return [studio.job(child.id, child.key) for child in studio.job(job.id, job.key).children]


def fail_seeds(*seeds: int) -> Callable[[Prompt, Callable[[Event], None]], None]:
    """A script that fails the prompts with these seeds."""

    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        if any(node["inputs"].get("noise_seed") in seeds for node in prompt.graph.values()):
            raise EngineError("Out of tricks.")

    return script


def test_a_parent_ends_with_the_contact_sheet_of_its_children(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    parent = ended(studio, submit(studio, picture))
    assert parent.status == DONE and (parent.width, parent.height) == size(3, 64, 64)
    assert studio.result_path(parent.id, parent.key).is_file()
    parts = children(studio, parent)
    assert [part.seed for part in parts] == [5, 6, 7] and {part.status for part in parts} == {DONE}
    assert {part.parent for part in parts} == {parent.id}
    assert len(engine.prompts) == 3, "the parent itself is not drawn"
    record = parent.record()
    assert [child["seed"] for child in record["children"]] == [5, 6, 7]
    assert {child["status"] for child in record["children"]} == {"done"}
    assert parts[0].record()["parent"] == parent.id
    assert parent.elapsed and parent.elapsed >= sum(part.elapsed or 0.0 for part in parts) * 0.9


def test_exactly_one_video_for_each_job(
    make: Make, engine: FakeEngine, picture: Path, tmp_path: Path
) -> None:
    studio = make()
    parent = ended(studio, submit(studio, picture, 2))
    found = sorted(path.parent.name for path in studio.settings.jobs_dir.rglob("*.mp4"))
    assert found == sorted([parent.id, *(child.id for child in parent.children)])


def test_the_library_has_one_card_for_all(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    parent = ended(studio, submit(studio, picture))
    (card,) = studio.jobs(OWNER)
    assert card.id == parent.id and len(card.children) == 3
    assert [job.id for job in studio.jobs(OWNER, search="6")] == [parent.id], "found by a child's seed"
    last = parent.children[2]
    studio.delete(OWNER, last.id, last.key)
    assert len(studio.jobs(OWNER)[0].children) == 2
    studio.store.delete(parent.id)  # as retention does
    assert {job.id for job in studio.jobs(OWNER)} == {child.id for child in parent.children[:2]}


def test_they_count_as_many_in_line(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(WAN_MAX_QUEUED_PER_OWNER="3")
    engine.hold.clear()
    before = set(studio.settings.jobs_dir.iterdir())
    with pytest.raises(QueueFull):
        submit(studio, picture, 4)
    assert set(studio.settings.jobs_dir.iterdir()) == before, "nothing is left of a refused batch"
    assert studio.jobs(OWNER) == []
    parent = submit(studio, picture, 3)
    until(lambda: studio.job(parent.id, parent.key).status == RUNNING)
    assert len(studio.queue_rows(OWNER)) == 3
    engine.hold.set()
    assert ended(studio, parent).status == DONE


def test_progress_is_that_of_all_and_never_goes_back(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.hold.clear()
    parent = submit(studio, picture, 2)
    until(lambda: studio.progress(parent.id, parent.key).status == RUNNING)
    first = studio.progress(parent.id, parent.key)
    assert first.text == "Variation 1 of 2" and 0 < first.percent < 50
    until(lambda: studio.progress(parent.id, parent.key) and studio.preview(parent.id, parent.key))
    active = studio.active(OWNER)
    assert active is not None and active.id == parent.id and active.children[1].status == QUEUED
    engine.hold.set()
    assert ended(studio, parent).status == DONE
    assert studio.progress(parent.id, parent.key).percent == 100


@pytest.mark.parametrize(("failing", "status"), [((6,), DONE), ((5, 6, 7), FAILED)])
def test_what_failed_is_said(
    make: Make, engine: FakeEngine, picture: Path, failing: tuple[int, ...], status: str
) -> None:
    engine.script = fail_seeds(*failing)
    studio = make()
    parent = ended(studio, submit(studio, picture))
    assert parent.status == status
    if status == DONE:
        assert "variations_missing" in parent.record()["warning_codes"]
        assert (parent.width, parent.height) == size(2, 64, 64)
    else:
        assert parent.error and parent.error["message"] == "Out of tricks."
        assert [child.status for child in parent.children] == [FAILED] * 3


def test_a_cancel_ends_them_all(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.hold.clear()
    parent = submit(studio, picture)
    assert engine.drawing.wait(60)
    studio.cancel(parent.id, parent.key)
    assert ended(studio, parent).status == CANCELLED
    until(lambda: not studio.store.unfinished())
    assert {part.status for part in children(studio, parent)} == {CANCELLED}
    assert not list(studio.settings.jobs_dir.rglob("*.mp4"))


def test_a_cancel_while_it_is_noted_that_the_parent_runs(
    make: Make, engine: FakeEngine, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is written after what was being written, whichever thread comes first."""
    studio = make()
    engine.hold.clear()
    real, noting, go_on = studio.store.save, threading.Event(), threading.Event()

    def save(job: Job) -> bool:
        if job.assembly and job.status == RUNNING:
            noting.set()
            assert go_on.wait(60)
        return real(job)

    monkeypatch.setattr(studio.store, "save", save)
    parent = submit(studio, picture, 2)
    assert noting.wait(60)
    cancelling = threading.Thread(target=studio.cancel, args=(parent.id, parent.key))
    cancelling.start()
    row = studio.store.get
    until(lambda: (job := row(parent.id)) is not None and job.cancel_requested is not None)
    go_on.set()
    cancelling.join(60)
    assert ended(studio, parent).status == CANCELLED
    until(lambda: not studio.store.unfinished())


def test_one_child_can_be_cancelled(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.hold.clear()
    parent = submit(studio, picture)
    assert engine.drawing.wait(60)
    last = parent.children[2]
    studio.cancel(last.id, last.key)
    engine.hold.set()
    parent = ended(studio, parent)
    assert parent.status == DONE and [child.status for child in parent.children] == [DONE, DONE, CANCELLED]


def test_deleting_a_parent_deletes_its_children_and_undo_brings_all_back(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    parent = ended(studio, submit(studio, picture, 2))
    studio.delete(OWNER, parent.id, parent.key, undo=True)
    for each in (parent, *parent.children):
        with pytest.raises(NotFound):
            studio.job(each.id, each.key)
    assert studio.jobs(OWNER) == []
    assert len(studio.undo_delete(OWNER, parent.id, parent.key).children) == 2
    studio.delete(OWNER, parent.id, parent.key)
    assert studio.jobs(OWNER) == [] and not list(studio.settings.jobs_dir.rglob("*.mp4"))


def test_a_parent_that_waits_is_cancelled_before_it_is_deleted(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    engine.hold.clear()
    parent = submit(studio, picture, 2)
    with pytest.raises(BadInput):
        studio.delete(OWNER, parent.id, parent.key)
    assert ended(studio, parent).status == CANCELLED
    until(lambda: not studio.store.unfinished())
    studio.delete(OWNER, parent.id, parent.key)
    assert not studio.store.summaries()


def test_a_pin_holds_for_all(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    parent = ended(studio, submit(studio, picture, 2))
    studio.pin(OWNER, parent.id, parent.key, True)
    assert all(row.pinned for row in studio.store.summaries())


def test_inputs_are_stored_once(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.hold.clear()
    studio = make()
    parent = submit(studio, picture, 3)
    folders = [studio.settings.jobs_dir / child.id / "inputs" / "image" for child in parent.children]
    assert len({path.stat().st_ino for path in folders}) == 1
    engine.hold.set()
    ended(studio, parent)
    assert len({str(prompt.graph).count("wan-studio/") for prompt in engine.prompts}) == 1


def test_one_setting_is_varied(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    parent = ended(studio, submit(studio, picture, 1, vary={"motion": ["subtle", "dynamic"]}))
    parts = children(studio, parent)
    assert [(part.params["motion"], part.seed) for part in parts] == [("subtle", 5), ("dynamic", 5)]
    assert parent.params["vary"] == {"motion": ["subtle", "dynamic"]}


def test_all_of_it_can_be_made_again(make: Make, engine: FakeEngine, picture: Path) -> None:
    """As Try again, Another seed and Reuse settings do it, also when the children are gone."""
    studio = make()
    parent = ended(studio, submit(studio, picture, 2))
    for child in parent.children:
        studio.delete(OWNER, child.id, child.key)
    files = {name: source.path for name, source in studio.sources(OWNER, parent.id, parent.key).items()}
    again = ended(studio, studio.submit(OWNER, parent.mode, {**parent.params, "seed": -1}, files))
    assert again.status == DONE and len(again.children) == 2 and again.params["variations"] == 2
    graphs = json.loads((studio.settings.jobs_dir / again.id / "workflow.json").read_text())
    assert len(graphs) == 2 and graphs[0] != graphs[1]


def test_what_they_were_resolved_to_is_kept_when_they_are_repeated(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    parent = ended(studio, submit(studio, picture, 2))
    first = children(studio, parent)[0]
    assert parent.resolved == first.resolved != {} and parent.record()["models"] == first.record()["models"]
    again = submit(studio, picture, 2, earlier=parent)
    assert children(studio, again)[1].resolved == first.resolved
    assert again.params == parent.params, "with the same seeds"


def test_a_parent_has_no_resolution_of_what_its_children_differ_in() -> None:
    found = Resolved({"steps": 4, "shift": 5.0}).to_json()
    first = stored_job(1, params={"prompt": "Waves", "steps": 0}, resolved=found)
    other = replace(first, id="job2", params={"prompt": "Waves", "steps": 8})
    assert shared(first, [first, other])["values"] == {"shift": 5.0}
    assert shared(first, [first])["values"] == {"steps": 4, "shift": 5.0}
    assert shared(replace(first, resolved={}), [first]) == {}


def test_a_bad_value_refuses_all_of_them(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    before = set(studio.settings.jobs_dir.iterdir())
    with pytest.raises(BadInput):
        submit(studio, picture, 1, vary={"motion": ["subtle", "sideways"]})
    assert studio.store.summaries() == [] and set(studio.settings.jobs_dir.iterdir()) == before


@pytest.mark.parametrize("moment", ["before any", "after one", "before the sheet"])
def test_a_restart_at_every_step(make: Make, engine: FakeEngine, picture: Path, moment: str) -> None:
    first = make()
    if moment == "before any":
        engine.state = "lost"
    elif moment == "after one":
        engine.script = lambda prompt, _: engine.hold.clear() if len(engine.prompts) == 2 else None
    parent = submit(first, picture, 2)
    if moment == "after one":
        assert until(lambda: len(engine.prompts) == 2 and engine.drawing.is_set())
    if moment == "before the sheet":
        ended(first, parent)
        row = first.store.get(parent.id)
        assert row is not None
        (first.settings.jobs_dir / parent.id / "result.mp4").unlink()
    first.close()
    engine.state, engine.closed, engine.script = "ok", False, None
    engine.hold.set()
    if moment == "before the sheet":
        with sqlite3.connect(first.settings.database) as database:
            database.execute("UPDATE job SET status = 'running', finished = NULL WHERE id = ?", (parent.id,))
    second = make()
    again = ended(second, parent)
    assert again.status == DONE and second.result_path(parent.id, parent.key).is_file()
    assert [child.status for child in again.children] == [DONE, DONE]
    names = [str(prompt.graph) for prompt in engine.prompts]
    for child in again.children:
        assert sum(child.id in name for name in names) <= 2, "begun again at most once"


def test_a_cancel_just_before_a_kill_holds_for_all(make: Make, engine: FakeEngine, picture: Path) -> None:
    first = make()
    engine.state = "lost"
    parent = submit(first, picture, 2)
    first.close()
    store = Store(first.settings.database)
    assert store.request_cancel(parent.id, 1.0), "all that a killed app may have written"
    store.close()
    engine.state, engine.closed = "ok", False
    second = make()
    until(lambda: not second.store.unfinished())
    assert second.job(parent.id, parent.key).status == CANCELLED
    assert {part.status for part in children(second, parent)} == {CANCELLED} and not engine.prompts


def test_a_full_disk_delays_the_sheet(
    make: Make, engine: FakeEngine, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = make(limits=Limits(room=0.05))
    real, calls = studio.decoder.video_sheet, []

    def full_once(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise DiskFull.of("no_room_video")
        return real(*args, **kwargs)

    monkeypatch.setattr(studio.decoder, "video_sheet", full_once)
    assert ended(studio, submit(studio, picture, 2)).status == DONE and len(calls) == 2


def test_a_repeated_request_makes_one_batch(make: Make, engine: FakeEngine, picture: Path) -> None:
    from backend import requester

    studio = make()
    with requester.attempt("the-same-request"):
        first = submit(studio, picture, 2)
    with requester.attempt("the-same-request"):
        second = submit(studio, picture, 2)
    assert first.id == second.id and len(studio.store.summaries()) == 3


def test_a_database_of_before_is_migrated_with_its_jobs(
    tmp_path: Path, make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    done = ended(studio, studio.submit(OWNER, "image_to_video", PICTURE, {"image": picture}))
    row = studio.store.get(done.id)
    assert row is not None
    old = Store(tmp_path / "old.db", migrations=MIGRATIONS[:8])
    old.close()
    with sqlite3.connect(tmp_path / "old.db") as database:
        columns = [name for _, name, *_ in database.execute("PRAGMA table_info(job)")]
        with sqlite3.connect(studio.settings.database) as present:
            values = present.execute(f"SELECT {', '.join(columns)} FROM job").fetchone()
        marks = ", ".join("?" * len(columns))
        database.execute(f"INSERT INTO job ({', '.join(columns)}) VALUES ({marks})", values)
    new = Store(tmp_path / "old.db")
    assert new.get(done.id) == replace(row, parent="", role="", assembly="")
    new.close()
