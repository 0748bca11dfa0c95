"""One request that arrives twice makes one job."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from backend import requester
from backend.errors import QueueFull
from backend.jobs.repeats import OneAtATime, job_id
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, Make, ended
from tests.support.waiting import until


def sent(studio: Studio, picture: Path, id: str, times: int = 1, owner: str = OWNER) -> list[JobView]:
    with requester.attempt(id):
        return [
            studio.submit(owner, "image_to_video", {**SMALL, "seed": -1}, {"image": picture})
            for _ in range(times)
        ]


def test_a_repetition_gets_the_job_of_the_first_arrival(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    (first,) = sent(studio, picture, "press-0001")
    (again,) = sent(studio, picture, "press-0001")
    assert again.id == first.id and again.seed == first.seed
    ended(studio, first)
    assert sent(studio, picture, "press-0001")[0].status == "done"
    others = [sent(studio, picture, "press-0002")[0], sent(studio, picture, "")[0]]
    others += sent(studio, picture, "press-0001", owner="owner-token-of-another-02")
    assert len({first.id, *(other.id for other in others)}) == 4
    for other in others:
        ended(studio, other)
    studio.close()
    later = make()
    assert sent(later, picture, "press-0001")[0].id == first.id, "also after a restart"


def test_several_jobs_of_one_request_stay_several(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    first = [job.id for job in sent(studio, picture, "press-0001", 3)]
    assert len(set(first)) == 3
    assert [job.id for job in sent(studio, picture, "press-0001", 3)] == first


def test_a_full_queue_does_not_refuse_a_repetition(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make(WAN_MAX_QUEUED_PER_OWNER="1")
    studio.scheduler.pause(True)
    (first,) = sent(studio, picture, "press-0001")
    with pytest.raises(QueueFull):
        sent(studio, picture, "press-0002")
    assert sent(studio, picture, "press-0001")[0].id == first.id


def test_the_id_follows_from_owner_request_mode_and_values() -> None:
    ids = {
        job_id("a", "press:0", "image_to_video", {"seed": 1, "prompt": "x"}),
        job_id("a", "press:0", "image_to_video", {"prompt": "x", "seed": 1}),
    }
    assert len(ids) == 1 and all(len(found) == 32 for found in ids)
    ids |= {
        job_id("b", "press:0", "image_to_video", {"seed": 1, "prompt": "x"}),
        job_id("a", "press:1", "image_to_video", {"seed": 1, "prompt": "x"}),
        job_id("a", "press:0", "fast_video", {"seed": 1, "prompt": "x"}),
        job_id("a", "press:0", "image_to_video", {"seed": 2, "prompt": "x"}),
    }
    assert len(ids) == 5


def test_attempts_number_their_submissions() -> None:
    assert requester.next_submission() == ""
    for _ in range(2):
        with requester.attempt("press"):
            assert [requester.next_submission() for _ in range(2)] == ["press:0", "press:1"]
    with requester.attempt(""):
        assert requester.next_submission() == ""


def test_one_name_is_held_by_one_thread_at_a_time() -> None:
    locks, order = OneAtATime(), list[str]()

    def second() -> None:
        with locks.holding("press"):
            order.append("second")

    with locks.holding("press"):
        thread = threading.Thread(target=second)
        thread.start()
        until(lambda: locks._held["press"][1] == 2)
        with locks.holding("other"):
            order.append("other")
        order.append("first")
    thread.join(60)
    assert order == ["other", "first", "second"] and len(locks) == 0
