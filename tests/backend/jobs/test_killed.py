"""A studio that is killed at any moment of a job: after the next start each job is there once, made once."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from backend.jobs.job import DONE
from backend.jobs.store import Store
from tests.support.killed_studio import MOMENTS, forked, posted

pytestmark = pytest.mark.full


def test_no_job_is_lost_or_made_twice_by_kills(tmp_path: Path) -> None:
    with forked() as run:
        assert [run(tmp_path, moment) for moment in MOMENTS] == [-signal.SIGKILL] * len(MOMENTS)
        assert run(tmp_path, "") == 0
    store = Store(tmp_path / "data" / "studio.db")
    jobs = store.ended_before(float("inf"))
    store.close()
    assert {job.status for job in jobs} == {DONE} and len(jobs) == len(MOMENTS) + 1
    assert Counter(posted(tmp_path)) == {job.id: 1 for job in jobs}, "each was sent to the server once"
    for job in jobs:
        videos = list((tmp_path / "data" / "jobs" / job.id).rglob("*.mp4"))
        assert [video.name for video in videos] == ["result.mp4"]
