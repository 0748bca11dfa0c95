"""What a job's seconds went into: kept apart, without waiting, and through restarts."""

from __future__ import annotations

import pytest

from backend.engines.base import EngineInfo
from backend.events import Connection, Progress, Queued, Stage, Started
from backend.jobs.job import Job
from backend.jobs.obstacles import no_engine
from backend.jobs.outline import Outline
from backend.jobs.progress import Tracker
from backend.jobs.stopwatch import UNTIL, worked
from backend.notices import words
from ui.views import progress, times

PREPARED = {"own": 2.0, "load": 5.0, "draw": 20.0}


def running(now: float = 0.0) -> Tracker:
    """A tracker of a job that the studio has sent to its engine."""
    tracker = Tracker()
    tracker.expect(Outline.by_stage(4), {"load": 5.0, "draw": 40.0, "finish": 10.0, "save": 1.0})
    tracker.enter_own_work(now)
    return tracker


def test_waiting_in_the_engines_queue_is_not_work() -> None:
    tracker = running()
    tracker.feed(Queued(others=2), 1.0)
    waits = tracker.snapshot(5.0)
    assert progress.status(waits) == "Waiting: 2 jobs ahead of you" and waits.elapsed == 1.0
    tracker.feed(Started(), 6.4)
    assert progress.status(tracker.snapshot(6.4)) == "Starting"
    tracker.feed(Stage("draw", "Generating"), 6.5)
    tracker.feed(Stage("finish", "Finishing"), 8.0)
    tracker.enter_own_work(9.0)
    tracker.end("done", 9.5)
    found = tracker.timings(20.0)
    assert found == pytest.approx(
        {"own": 1.5, "queue": 5.4, "load": 0.1, "draw": 1.5, "finish": 1.0}, abs=0.001
    )
    assert worked(found) == pytest.approx(4.1)
    job = Job("a", "o", "image_to_video", {}, {}, created=0, started=0, finished=9.5, timings=found)
    assert job.elapsed == pytest.approx(4.1)
    shown = times.details(found)
    assert (
        "5 s in the engine&#x27;s own queue" in shown and "<dd>1.5 s</dd>" in shown and "Saving" not in shown
    )


def test_a_job_of_an_earlier_version_counts_from_start_to_end() -> None:
    old = Job("a", "o", "image_to_video", {}, {}, created=0, started=5, finished=57, timings={"draw": 3.0})
    assert old.elapsed == 52 and times.details(old.timings) == ""


@pytest.mark.parametrize(
    ("adopted", "ended", "elapsed"),
    [(True, 0.0, 27.0 + 19.0), (True, 12.0, 27.0 + 7.0), (True, 60.0, 27.0), (False, 0.0, 27.0)],
    ids=["goes on", "ended meanwhile", "ended before", "posted again"],
)
def test_a_restart_of_the_studio_keeps_what_was_measured(adopted: bool, ended: float, elapsed: float) -> None:
    tracker = running()
    tracker.watch.activity = None
    tracker.watch.spent.clear()
    tracker.restore({**PREPARED, UNTIL: 1000.0}, 1019.0, 0.0, adopted=adopted)
    tracker.enter_own_work(0.0)
    tracker.feed(Started(), 0.0)
    if ended:
        tracker.ended_before(ended)
    assert tracker.snapshot(0.0).elapsed == pytest.approx(elapsed)
    tracker.feed(Stage("finish", "Finishing"), 0.0)
    tracker.end("done", 6.0)
    assert worked(tracker.timings(6.0)) == pytest.approx(elapsed + 6.0)


def test_a_prompt_that_was_lost_did_not_go_on_meanwhile() -> None:
    tracker = running()
    tracker.watch.activity = None
    tracker.restore({**PREPARED, UNTIL: 1000.0}, 1019.0, 0.0, adopted=True)
    tracker.attempt_lost(0.0)
    found = tracker.timings(0.0)
    assert (found["lost"], found["away"]) == (25.0, 0.0) and "draw" not in found


def test_an_attempt_that_was_lost_is_kept_apart() -> None:
    tracker = running()
    for at, event in ((1.0, Started()), (1.0, Stage("draw", "Generating")), (11.0, Progress(1, 4))):
        tracker.feed(event, at)
    tracker.requeue(11.0)
    tracker.enter_own_work(15.0)
    tracker.feed(Started(), 15.0)
    tracker.feed(Stage("draw", "Generating"), 15.0)
    tracker.end("done", 45.0)
    found = tracker.timings(45.0)
    assert (found["lost"], found["draw"]) == (10.0, 30.0)
    assert worked(found) == pytest.approx(41.0), "four seconds in the studio's queue do not count"


def test_no_time_left_is_said_that_stands_still() -> None:
    tracker = running()
    tracker.feed(Started(), 0.0)
    tracker.feed(Stage("draw", "Generating"), 0.0)
    for step in range(1, 5):
        tracker.feed(Progress(step, 4), 10.0 * step)
    tracker.feed(Stage("finish", "Finishing"), 40.0)
    said = [progress.progress(tracker.snapshot(40.0 + second))["left"] for second in range(0, 30, 3)]
    assert said[0] == "11 s left" and said[-1] == "" and len(set(said)) == len([s for s in said if s]) + 1
    tracker.feed(Connection(False), 43.0)
    lost = progress.progress(tracker.snapshot(44.0), engine="the demo engine")
    assert lost["left"] == ""
    assert lost["notice"].startswith("Lost contact with the demo engine.")


def test_a_restart_of_the_engine_is_said() -> None:
    again = EngineInfo("demo", "u", state="starting", ours=True, exited=1000.0, exit_cause="killed")
    assert words(no_engine([again])) == "The demo engine stopped and is being restarted"
    assert words(no_engine([EngineInfo("comfyui", "u")])) == "Waiting for ComfyUI to start"


def test_a_step_count_is_never_beside_another_one() -> None:
    """An engine that reports steps alone: the part is known from the job's outline."""
    tracker = Tracker()
    tracker.expect(Outline.by_stage(12, 3), {})
    tracker.feed(Started(), 0.0)
    tracker.feed(Stage("draw", "Generating"), 0.0)
    tracker.feed(Progress(5, 12), 5.0)
    assert progress.status(tracker.snapshot(5.0)) == "Generating, part 2 of 3, step 2 of 4"
    tracker.feed(Stage("finish", "Finishing"), 6.0)
    part = tracker.snapshot(16.0)
    assert progress.status(part) == "Finishing" and part.stage == "draw"
    assert {stage: done for stage, _, done in part.segments}["finish"] == 0.0
