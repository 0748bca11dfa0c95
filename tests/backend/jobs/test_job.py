from __future__ import annotations

import itertools

import pytest

from backend.jobs.job import CANCELLED, DONE, FAILED, LEGAL, QUEUED, RUNNING, TERMINAL, IllegalTransition, Job


def job(**changes: object) -> Job:
    values: dict = {
        "id": "a",
        "owner": "o",
        "mode": "image_to_video",
        "params": {},
        "inputs": {},
        "created": 1.0,
    }
    return Job(**{**values, **changes})


def test_a_job_runs_to_its_end() -> None:
    running = job().moved(RUNNING, started=10.0)
    done = running.moved(DONE, finished=75.0)
    assert done.elapsed == 65.0
    assert running.elapsed is None


@pytest.mark.parametrize(("before", "after"), list(itertools.product(LEGAL, LEGAL)))
def test_only_legal_transitions(before: str, after: str) -> None:
    legal = {
        (QUEUED, RUNNING), (QUEUED, FAILED), (QUEUED, CANCELLED),
        (RUNNING, DONE), (RUNNING, FAILED), (RUNNING, CANCELLED), (RUNNING, QUEUED),
    }  # fmt: skip
    if (before, after) in legal:
        assert job(status=before).moved(after).status == after
    else:
        with pytest.raises(IllegalTransition):
            job(status=before).moved(after)


def test_an_end_is_final() -> None:
    assert all(not LEGAL[status] for status in TERMINAL)


def test_a_clock_that_went_back_gives_no_negative_time() -> None:
    assert job(status=RUNNING, started=100.0).moved(DONE, finished=40.0).elapsed == 0.0
    assert job(frames=81, fps=16.0).seconds == pytest.approx(5.0625)
    assert job().seconds == 0.0
