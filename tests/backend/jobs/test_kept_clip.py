"""What a joined video keeps of a clip that was not finished when it was submitted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.jobs.awaited import AwaitedResults
from backend.jobs.job import DONE, EXTENSION, Job, StoredInput
from backend.jobs.layout import WORKFLOW, result_name
from backend.jobs.limits import Limits
from backend.jobs.parts import GRAPH, Part, file_of
from backend.jobs.result_inputs import linked
from backend.jobs.store import Store
from backend.jobs.waiting_clip import FIELD
from tests.support.job_views import stored_job
from workflows.params.media import Media

WAITS = {FIELD: StoredInput(Media("result"), "", job="clip", frame=-1)}
PICTURE = {"image": StoredInput(Media("a.png", 64, 64), "inputs/image")}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path / "studio.db")
    yield found
    found.close()


def chain(store: Store, jobs_dir: Path) -> Job:
    """A finished clip that waited for another job itself, and what is joined to it: the new part."""
    folder = jobs_dir / "clip"
    (folder / "inputs").mkdir(parents=True)
    (folder / "inputs" / "image").write_bytes(b"picture")
    (folder / WORKFLOW).write_text("[]")
    (folder / result_name("image_to_video")).write_bytes(b"video")
    parts = (Part("clip", "", 9), Part("part", "", 8, 1))
    part = stored_job(3, id="part", parent="joined", role="2", inputs=WAITS)
    store.add(
        stored_job(1, id="clip", status=DONE, inputs=PICTURE),
        stored_job(2, id="joined", assembly=EXTENSION, source="clip", parts=parts, inputs={}),
        part,
    )
    return part


def waiting(store: Store, jobs_dir: Path, part: Job) -> AwaitedResults:
    active: Any = SimpleNamespace(on_end=[], ends=SimpleNamespace(unsaved=lambda job_id: None))
    found = AwaitedResults(store, jobs_dir, active, Limits(), lambda job: job)
    found.add(part)
    return found


@pytest.mark.parametrize("half", [False, True], ids=["before the link", "after a kill behind the link"])
def test_a_clip_that_is_deleted_before_its_part_begins_leaves_its_inputs(
    store: Store, tmp_path: Path, half: bool
) -> None:
    part = chain(store, tmp_path)
    if half:
        target = linked(tmp_path / "part", FIELD)
        target.parent.mkdir(parents=True)
        target.write_bytes(b"video")
    results = waiting(store, tmp_path, part)
    for _ in range(2):  # a repetition changes nothing
        results.link_before_removal("clip")
        joined, own = store.get("joined"), tmp_path / "joined"
        assert joined is not None and joined.inputs == PICTURE
        assert (own / "inputs" / "image").read_bytes() == b"picture"
        assert (own / file_of(1)).read_bytes() == b"video"
        assert (own / (file_of(1) + GRAPH)).read_text() == "[]"


def test_nothing_is_kept_while_the_clip_is_not_finished(store: Store, tmp_path: Path) -> None:
    part = chain(store, tmp_path)
    waiting(store, tmp_path, part).link_before_removal("another job")
    assert not (tmp_path / "joined").exists()
