"""The order of one owner's waiting jobs, and when they are expected to run."""

from __future__ import annotations

from dataclasses import replace

from backend.jobs.forecast import Forecast, forecasts
from backend.jobs.job import Job
from backend.jobs.order import moved, place, places
from backend.jobs.queue import FairQueue, Waiting

A = frozenset({"a"})


def job(name: str, owner: str = "me", created: float = 0.0) -> Job:
    return Job(name, owner, "image_to_video", {}, {}, created=created)


def names(jobs: list[Job]) -> str:
    return " ".join(one.id for one in jobs)


def test_a_job_moves_among_the_others_and_stops_at_the_ends() -> None:
    line = [job("1"), job("2"), job("3")]
    assert names(moved(line, "3", -1)) == "1 3 2"
    assert names(moved(line, "3", -9)) == "3 1 2"
    assert names(moved(line, "1", 1)) == "2 1 3"
    assert names(moved(line, "1", 9)) == "2 3 1"
    assert names(moved(line, "gone", 1)) == "1 2 3"


def test_places_keep_later_jobs_behind_and_never_repeat() -> None:
    line = [job("c", created=30.0), job("a", created=10.0), job("b", created=10.0)]
    dealt = places(line)
    assert list(dealt) == ["c", "a", "b"]
    assert dealt["c"] < dealt["a"] < dealt["b"] <= 30.0
    again = places(moved([replace(one, place=dealt[one.id]) for one in line], "b", -2))
    assert sorted(again, key=lambda name: again[name]) == ["b", "c", "a"]
    assert place(job("later", created=31.0)) > max(again.values())


def test_a_new_order_changes_nothing_between_owners() -> None:
    line = FairQueue()
    for name, owner in (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("b2", "b")):
        line.add(Waiting(job(name, owner)))
    line.add(Waiting(job("lost", "a"), first=True))
    assert names(line.movable("a")) == "a1 a2 a3", "an interrupted job is before all others, and stays there"
    line.reorder({"a3": 1.0, "a1": 2.0, "a2": 3.0, "taken": 0.0})
    assert names(line.order({})) == "lost a3 b1 a1 b2 a2"
    assert [one.place for one in line.movable("a")] == [1.0, 2.0, 3.0]


def test_a_job_moved_up_is_not_passed_over_for_loaded_models() -> None:
    line = FairQueue()
    line.add(Waiting(job("loaded"), A))
    line.add(Waiting(job("wanted"), frozenset({"b"})))
    line.reorder({"wanted": 1.0, "loaded": 2.0})
    taken = line.take({}, lane="s", held=A)
    assert taken is not None and taken.job.id == "wanted"


def test_waiting_jobs_start_on_the_lane_that_is_free_first() -> None:
    running, line = forecasts([10.0, 40.0], [20.0, 5.0, None, 7.0], 2)
    assert running == [Forecast(0.0, 10.0), Forecast(0.0, 40.0)]
    assert line == [Forecast(10.0, 30.0), Forecast(30.0, 35.0), Forecast(35.0, None), Forecast(40.0, 47.0)]


def test_what_is_not_known_is_not_guessed() -> None:
    assert forecasts([None], [5.0], 1) == ([Forecast(0.0, None)], [Forecast(None, None)])
    assert forecasts([None], [5.0], 2)[1] == [Forecast(0.0, 5.0)], "the second lane is free"
    assert forecasts([], [5.0], 0)[1] == [Forecast(None, None)], "no server"
    assert forecasts([3.0], [5.0], 1, paused=True) == ([Forecast(0.0, 3.0)], [Forecast(None, None)])
