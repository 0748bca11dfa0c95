from __future__ import annotations

import random

import pytest

from backend.events import Connection, Preview, Progress, Queued, Stage, Started
from backend.jobs.outline import Outline
from backend.jobs.progress import ACTIVE_STAGES, Tracker


def expecting(**seconds: float) -> Tracker:
    """A tracker of a job of which earlier ones took these seconds by stage."""
    tracker = Tracker()
    tracker.expect(Outline.by_stage(), seconds)
    return tracker


RUN = [
    (0.0, Started()),
    (0.1, Stage("load", "Loading the text encoder")),
    (5.0, Stage("read", "Reading the prompt")),
    (7.0, Stage("load", "Loading the high-noise expert")),
    (20.0, Stage("draw", "Generating")),
    (30.0, Progress(1, 4)),
    (40.0, Progress(2, 4)),
    (41.0, Stage("load", "Loading the low-noise expert")),
    (55.0, Stage("draw", "Generating")),
    (65.0, Progress(3, 4)),
    (75.0, Progress(4, 4)),
    (75.5, Stage("finish", "Finishing")),
    (85.0, Stage("save", "Saving")),
]


def test_percent_never_goes_back_and_ends_at_100() -> None:
    tracker, seen = Tracker(), []
    for at, event in RUN:
        tracker.feed(event, at)
        seen += [tracker.snapshot(at).percent, tracker.snapshot(at + 0.4).percent]
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[-1] < 100
    tracker.end("done", 86.0)
    last = tracker.snapshot(500.0)
    assert last.percent == 100 and last.stage == "done" and last.elapsed == pytest.approx(86.0)
    assert all(done == 1.0 for _, _, done in last.segments)


def test_percent_never_goes_back_whatever_comes() -> None:
    chance = random.Random(7)
    events = [event for _, event in RUN] + [Connection(False), Connection(True), Queued(2, 1), Preview(b"x")]
    for _ in range(50):
        tracker, now, best = expecting(**{"draw": 3.0} if chance.random() < 0.5 else {}), 0.0, 0.0
        for _ in range(60):
            now += chance.random() * 5
            tracker.feed(chance.choice(events), now)
            if chance.random() < 0.1:
                tracker.requeue(now)
            snapshot = tracker.snapshot(now)
            assert best <= snapshot.percent <= 99.0
            assert sum(weight for _, weight, _ in snapshot.segments) == pytest.approx(1.0)
            assert all(0.0 <= done <= 1.0 for _, _, done in snapshot.segments)
            best = snapshot.percent


def test_loading_the_second_expert_changes_the_words_but_not_the_stage() -> None:
    tracker = Tracker()
    for at, event in RUN[:8]:
        tracker.feed(event, at)
    snapshot = tracker.snapshot(41.0)
    assert snapshot.stage == "draw"
    assert snapshot.text == "Loading the low-noise expert"


def test_a_saved_segment_is_not_the_end_of_the_job() -> None:
    tracker = Tracker()
    tracker.feed(Started(), 0.0)
    tracker.feed(Stage("draw", "Generating, part 1 of 2", chunk=1, chunks=2), 0.0)
    tracker.feed(Progress(20, 40), 20.0)
    tracker.feed(Stage("save", "Saving"), 21.0)
    middle = tracker.snapshot(21.0)
    assert (middle.stage, middle.text) == ("draw", "Saving") and middle.percent < 70
    tracker.feed(Stage("load", "Preparing part 2 of 2", preparing=True), 21.5)
    assert tracker.snapshot(21.5).preparing and tracker.snapshot(21.5).stage == "draw"
    tracker.feed(Stage("draw", "Generating, part 2 of 2", chunk=2, chunks=2), 22.0)
    second = tracker.snapshot(22.0)
    assert (second.chunk, second.chunks, second.preparing) == (2, 2, False)
    tracker.requeue(22.0)
    assert tracker.snapshot(22.0).chunks == 0
    tracker.feed(Stage("draw", "Generating, part 2 of 2", chunk=2, chunks=2), 22.0)
    tracker.feed(Started(graph=1), 22.0)
    tracker.feed(Progress(40, 40), 45.0)
    tracker.feed(Stage("finish", "Finishing"), 45.0)
    assert tracker.snapshot(45.0).stage == "finish"


def test_time_left_is_unknown_until_something_is_measured() -> None:
    tracker = Tracker()
    tracker.feed(Started(), 0.0)
    tracker.feed(Stage("load", "x"), 0.0)
    assert tracker.snapshot(3.0).remaining is None
    tracker.feed(Stage("draw", "Generating"), 10.0)
    assert tracker.snapshot(12.0).remaining is None
    tracker.feed(Progress(1, 4), 20.0)
    assert tracker.snapshot(20.0).remaining is None, "the first step contains the loading of the model"
    tracker.feed(Progress(2, 4), 30.0)
    first = tracker.snapshot(30.0).remaining
    assert first is not None and first > 20.0  # two more steps of ten seconds
    tracker.feed(Progress(3, 4), 40.0)
    later = tracker.snapshot(40.0).remaining
    assert later is not None and 9.0 <= later < first


def test_time_left_does_not_jump_up_when_the_drawing_ends() -> None:
    tracker, left = Tracker(), []
    for at, event in RUN:
        tracker.feed(event, at)
        if tracker.step:
            left.append(tracker.snapshot(at).remaining)
    known = [seconds for seconds in left if seconds is not None]
    assert len(known) > 1 and known == sorted(known, reverse=True)


def test_time_left_follows_what_earlier_jobs_took() -> None:
    tracker = expecting(load=10.0, read=2.0, draw=40.0, finish=5.0, save=1.0)
    tracker.feed(Started(), 0.0)
    tracker.feed(Stage("load", "x"), 0.0)
    remaining = tracker.snapshot(0.0).remaining
    assert remaining is not None and 45 <= remaining <= 58


def test_shares_follow_the_time_stages_take() -> None:
    slow_drawing = expecting(load=1.0, read=1.0, draw=96.0, finish=1.0, save=1.0)
    weights = {stage: weight for stage, weight, _ in slow_drawing.snapshot(0.0).segments}
    assert weights["draw"] > 0.9
    assert set(weights) == {"wait", *ACTIVE_STAGES}


def test_a_job_that_waits_again_keeps_its_percent() -> None:
    tracker = Tracker()
    for at, event in RUN[:7]:
        tracker.feed(event, at)
    before = tracker.snapshot(40.0).percent
    tracker.requeue(41.0)
    again = tracker.snapshot(41.0)
    assert (again.status, again.stage, again.step) == ("queued", "wait", 0)
    assert again.elapsed == pytest.approx(41.0), "what was lost was work too"
    assert again.percent == before


def test_steps_already_seen_do_not_count_twice() -> None:
    tracker = Tracker()
    for at, event in RUN[:7]:
        tracker.feed(event, at)
    tracker.feed(Progress(1, 4), 45.0)  # after a reconnect the server repeats an old step
    assert tracker.snapshot(45.0).step == 2


def test_previews_and_versions_are_counted() -> None:
    tracker = Tracker()
    version = tracker.snapshot(0.0).version
    tracker.feed(Preview(b"x"), 1.0)
    snapshot = tracker.snapshot(1.0)
    assert snapshot.preview_version == 1 and snapshot.version > version


def test_a_lost_connection_is_not_said_of_the_next_try() -> None:
    tracker = Tracker()
    for event in (Started(), Stage("draw", "Generating"), Connection(False)):
        tracker.feed(event, 1.0)
    assert not tracker.snapshot(1.0).connected
    tracker.requeue(2.0)
    assert tracker.snapshot(2.0).connected


def test_steps_that_were_drawn_before_we_looked_are_no_pace() -> None:
    tracker = expecting(load=1.0, read=1.0, draw=400.0, finish=1.0, save=1.0)
    for at, event in ((0.0, Started()), (0.1, Stage("draw", "Generating")), (0.2, Progress(10, 20))):
        tracker.feed(event, at)
    assert (tracker.remaining(0.2) or 0.0) > 100.0
    tracker.feed(Progress(11, 20), 30.2)
    assert (tracker.remaining(30.2) or 0.0) > 200.0
