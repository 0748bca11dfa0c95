"""The time left and the words of jobs of several parts, over recorded and simulated runs."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import pytest

from backend.events import Progress, Stage, Started
from backend.jobs.estimate import stage_seconds, workload
from backend.jobs.job import Job
from backend.jobs.outline import Outline
from backend.jobs.progress import Tracker
from tests.support.timelines import Said, Stretch, Timeline, follow, recorded, simulated
from tests.support.transcripts import named
from ui.views import progress
from workflows.catalog import load_catalog
from workflows.compile import Compiled, compile
from workflows.graph.label import Label
from workflows.graph.node_contract import ServerFacts
from workflows.modes.image_to_video import ImageToVideo
from workflows.modes.sound_to_video import SoundToVideo
from workflows.params.media import Media

TEXTS = {"7": "CLIPTextEncode", "8": "CLIPTextEncode", "2": "UNETLoader"}
ANIMATED = {
    "2": "UNETLoader",
    "19": "WanAnimateToVideo",
    "24": "WanAnimateToVideo",
    "22": "VAEDecode",
    "27": "VAEDecode",
}
EXTENDED = {
    "12": "WanSoundImageToVideo",
    "14": "WanSoundImageToVideoExtend",
    "17": "WanSoundImageToVideoExtend",
}
RUNS = {
    "success_s2v_3chunk": {**TEXTS, **EXTENDED, "22": "VAEDecode"},
    "success_animate_2chunk": ANIMATED,
    "transcripts-0.33/success_s2v_2chunk_20step": {**TEXTS, "18": "VAEDecode"},
    "transcripts-0.33/success_animate_mix_2chunk": ANIMATED,
    "transcripts-0.33/success_i2v_two_expert_4step": {
        "1": "UNETLoader", "2": "UNETLoader", "3": "CLIPLoader", "4": "VAELoader", "6": "CLIPTextEncode",
        "15": "VAEDecode",
    },
}  # fmt: skip
"""Recorded run -> classes of its nodes that take time."""
STRETCHES: dict[str, Stretch] = {
    "as recorded": {},
    "decode slow": {"load": 10, "read": 5, "draw": 20, "finish": 200, "save": 5},
    "load slow": {"load": 1000, "read": 5, "draw": 100, "finish": 50, "save": 5},
    "like a CPU": {"load": 5, "read": 20, "draw": 400, "finish": 100, "save": 2},
    "like a GPU": {"load": 50, "read": 5, "draw": 30, "finish": 4, "save": 10},
}


def earlier(timeline: Timeline, compiled: Compiled) -> dict[str, float]:
    """What a finished job of this run leaves for the estimate of one like `compiled`, twice as long."""
    _, tracker = follow(timeline, compiled, {})
    tracker.end("done", timeline[-1][0])
    job = Job(
        "a", "o", "sound_to_video", {}, {}, created=0, status="done", evaluations=compiled.evaluations,
        width=compiled.width, height=compiled.height, frames=77 * max(workload(compiled).chunks, 1),
        timings=tracker.timings(timeline[-1][0]),
    )  # fmt: skip
    one = workload(compiled)
    work = replace(one, evaluations=2 * one.evaluations, frames=2 * one.frames, chunks=2 * one.chunks)
    return stage_seconds(work, [job])


def error_at(said: list[Said], share: float) -> float:
    """How far off the time left was after a share of the job, as a share of the true time left."""
    end = said[-1].at
    one = min(said, key=lambda item: abs(item.at - share * end))
    left = one.snapshot.remaining
    return abs(left - (end - one.at)) / (end - one.at) if left is not None else float("inf")


def shown(said: list[Said]) -> list[str]:
    """The headlines in order."""
    return [words for words, _ in groupby(progress.status(one.snapshot) for one in said)]


@pytest.mark.full
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("stretch", STRETCHES)
def test_time_left_of_a_recorded_job_of_several_parts(name: str, stretch: str) -> None:
    by = STRETCHES[stretch]
    one = recorded(named(name), RUNS[name], by)
    timeline, compiled = recorded(named(name), RUNS[name], by, graphs=2)
    said, tracker = follow(timeline, compiled, earlier(*one))
    assert error_at(said, 0.1) < 0.3
    first, _ = follow(timeline, compiled, {})  # nothing is known of earlier jobs
    for run in (said, first):
        percents = [one.snapshot.percent for one in run]
        assert percents == sorted(percents) and percents[-1] > 90
        for number in range(6):
            bar = [one.snapshot.segments[number][2] for one in run]
            assert bar == sorted(bar), "no bar goes back"
    left = [one.snapshot.remaining for one in first]
    assert left[0] is None, "nothing is said while nothing is known"
    times = tracker.timings(timeline[-1][0])
    assert sum(times.values()) == pytest.approx(timeline[-1][0], abs=0.1)


@pytest.mark.parametrize(("step", "decode"), [(2.0, 7.0), (10.0, 2.0), (1.0, 60.0)])
def test_time_left_of_forty_five_seconds_of_sound(step: float, decode: float) -> None:
    """Two graphs of five chunks each; the seconds of the first decoding are not known before."""
    params = SoundToVideo(
        audio=Media("a.wav", seconds=45.0), image=Media("a.png", 832, 480), prompt="x", speed="fast", seed=1
    )
    compiled = compile(params, load_catalog(), ServerFacts(frozenset()), "job")
    assert [graph for graph in Outline.of(compiled).units if graph.graph == 1 and graph.stage == "load"] == []
    chunks = {0: 5, 1: 5}

    def seconds(kind: str, label: Label, graph: int) -> float:
        known = {"KSampler": step, "VAEDecode": decode * chunks[graph], "UNETLoader": 20.0, "CLIPLoader": 8.0}
        return known.get(kind, 0.5 if label.stage == "read" else 0.05)

    timeline = simulated(compiled, seconds)
    work = workload(compiled)
    share = {"load": 28.0, "read": 5.0, "draw": 40 * step, "finish": 10 * decode, "save": 0.5}
    done = Job(
        "a", "o", "sound_to_video", {}, {}, created=0, status="done", evaluations=work.evaluations,
        width=832, height=480, frames=720, timings=share,
    )  # fmt: skip
    said, _ = follow(timeline, compiled, stage_seconds(work, [done]))
    assert error_at(said, 0.1) < 0.15 and error_at(said, 0.5) < 0.15 and error_at(said, 0.9) < 0.3
    first, _ = follow(timeline, compiled, {})
    after = next(n for n, one in enumerate(first) if one.snapshot.chunk_range == (6, 6))
    left = first[after].snapshot.remaining
    assert left is not None and left == pytest.approx(timeline[-1][0] - first[after].at, rel=0.15)
    words = shown(said)
    assert [word for word in words if "Finishing" in word] == [
        "Finishing, parts 1 to 5 of 10",
        "Finishing, parts 6 to 10 of 10",
    ]
    assert words.index("Finishing, parts 1 to 5 of 10") < words.index("Generating, part 6 of 10, step 1 of 4")


def test_words_follow_what_is_done() -> None:
    timeline, compiled = recorded(named("success_animate_2chunk"), ANIMATED, {}, graphs=2)
    said, _ = follow(timeline, compiled, {})
    words = shown(said)
    assert words[words.index("Finishing, part 1 of 4") + 1 :][:3] == [
        "Preparing inputs", "Generating, part 2 of 4, step 1 of 2", "Generating, part 2 of 4, step 2 of 2",
    ]  # fmt: skip
    assert "Saving, parts 3 to 4 of 4" in words


def test_a_prompt_that_is_joined_halfway_counts_what_must_have_run() -> None:
    """After a restart of the studio the engine reports only which node it executes."""
    _, compiled = recorded(named("success_s2v_3chunk"), RUNS["success_s2v_3chunk"], {})
    tracker = Tracker()
    tracker.expect(Outline.of(compiled), {})
    tracker.restore({"own": 1.0, "draw": 30.0, "until": 1000.0}, 1020.0, 0.0, adopted=True)
    tracker.feed(Started(), 0.0)
    tracker.feed(Stage("finish", "Finishing", "22"), 0.0)
    snapshot = tracker.snapshot(0.5)
    assert snapshot.percent > 50 and snapshot.elapsed == pytest.approx(51.5)
    assert progress.status(snapshot) == "Finishing, parts 1 to 3 of 3"


@pytest.mark.parametrize("speed", ["fast", "quality"])
@pytest.mark.parametrize(("step", "load", "decode"), [(6.0, 20.0, 6.0), (12.0, 5.0, 7.0), (2.0, 60.0, 3.0)])
def test_time_left_of_the_first_job_on_an_engine(speed: str, step: float, load: float, decode: float) -> None:
    """Two models, each loaded in the first step with it; nothing is known of earlier jobs."""
    params = ImageToVideo(image=Media("a.png", 832, 480), prompt="x", speed=speed, seed=1)
    compiled = compile(params, load_catalog(), ServerFacts(frozenset()), "job")
    kinds = {
        "UNETLoader": 1.0,
        "CLIPLoader": 4.0,
        "CLIPTextEncode": 1.0,
        "VAEDecode": decode,
        "SaveVideo": 1.5,
    }

    def seconds(kind: str, label: Label, graph: int) -> float:
        return step if label.steps else kinds.get(kind, 0.05)

    # A sampler's first step takes longer by the loading of its model.
    timeline: Timeline = []
    late, samplers = (
        0.0,
        {label.first_step + 1 for labels in compiled.labels for label in labels.values() if label.steps},
    )
    for at, event in simulated(compiled, seconds):
        late += load if isinstance(event, Progress) and event.step in samplers else 0.0
        timeline.append((at + late, event))
    said, _ = follow(timeline, compiled, {})
    end = said[-1].at
    known = [one for one in said if one.snapshot.remaining is not None and one.at < 0.8 * end]
    assert known and known[0].at < 0.6 * end
    off = [abs((one.snapshot.remaining or 0.0) - (end - one.at)) / (end - one.at) for one in known]
    assert max(off) < 0.3, max(off)
