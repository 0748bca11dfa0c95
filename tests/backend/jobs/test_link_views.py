"""What a private link shows of a job that has to do with others: no key of another job but those of a set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.jobs.job import DONE, EXTENSION, FINAL, VARIATIONS, Job
from backend.jobs.library import Library
from backend.jobs.parts import Part
from backend.jobs.store import Store
from backend.security import tokens
from tests.support.job_views import stored_job

OWNER, OTHER = "owner-token-of-mine-0001", "owner-token-of-another-02"
SECRET = b"secret"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path / "studio.db")
    yield found
    found.close()


@pytest.fixture
def library(store: Store, tmp_path: Path) -> Library:
    scheduler: Any = SimpleNamespace(
        unsaved=lambda id: None, children=lambda id: None, cancel=lambda id: None
    )
    sheets: Any = SimpleNamespace(waits=lambda id: False)
    return Library(store, scheduler, tmp_path, SECRET, lambda job: None, None, sheets)  # type: ignore[arg-type]


def stored(store: Store, number: int, **changes: Any) -> Job:
    job = replace(stored_job(number, status=DONE), owner=tokens.owner_id(OWNER), **changes)
    store.add(job)
    return job


def key(job: Job) -> str:
    return tokens.job_key(SECRET, job.id)


def test_the_keys_of_parts_are_for_the_owner_alone(store: Store, library: Library) -> None:
    clip = stored(store, 1)
    parts = (Part(clip.id, "parts/1", 5), Part("gone", "parts/2", 8, 1, "last_frame"))
    joined = stored(store, 2, assembly=EXTENSION, source=clip.id, parts=parts)
    for call in (library.job, library.cancel):
        for who in ((), (OTHER,), ("",), (key(joined),), (tokens.owner_id(OWNER),)):
            record = call(joined.id, key(joined), *who).record()
            assert [part["id"] for part in record["parts"]] == [clip.id, "gone"]
            assert not any("key" in part for part in record["parts"])
            assert key(clip) not in json.dumps(record), "frames that were left out stay with the owner"
        mine = call(joined.id, key(joined), OWNER).record()
        assert mine["parts"][0]["key"] == key(clip)
    (listed,) = [one for one in library.jobs(OWNER, 9, "", "") if one.id == joined.id]
    assert listed.parts[0].key == key(clip)


def test_a_final_and_its_draft_do_not_open_each_other(store: Store, library: Library) -> None:
    draft = stored(store, 1)
    final = stored(store, 2, source=draft.id, role=FINAL)
    child = stored(store, 3, parent=final.id, source=draft.id)
    for job in (draft, final, child):
        said = json.dumps(library.job(job.id, key(job)).record())
        assert [key(one) in said for one in (draft, final, child)] == [
            one is job for one in (draft, final, child)
        ]


def test_the_link_of_a_set_opens_its_clips(store: Store, library: Library) -> None:
    whole = stored(store, 1, assembly=VARIATIONS)
    clip = stored(store, 2, parent=whole.id)
    record = library.job(whole.id, key(whole)).record()
    assert [one["key"] for one in record["children"]] == [key(clip)]
    assert key(whole) not in json.dumps(library.job(clip.id, key(clip)).record()), "and not the reverse"
