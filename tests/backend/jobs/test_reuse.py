"""What an engine did not run again, counted; and what the children of one parent differ in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from backend.errors import BadInput, NotFound
from backend.jobs.awaited import circular
from backend.jobs.family import family
from backend.jobs.job import Job, ResultOf, StoredInput
from backend.jobs.queue import FairQueue, Waiting
from backend.jobs.result_inputs import expected
from backend.jobs.reuse import counted, together
from backend.jobs.views import view
from tests.support.compile_cases import compiled
from tests.support.job_views import stored_job
from tests.support.least_params import least
from workflows.modes.registry import MODES
from workflows.notice import notice
from workflows.params.media import Media


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Where two graphs differ: paths with the node ids as class names."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert list(one) == list(other), "the same nodes and inputs in the same order"
        for name in one:
            yield from differences(one[name], other[name], f"{path}/{name}")
    elif one != other:
        yield path.rsplit("/", 1)[-1]


@pytest.mark.parametrize("mode", list(MODES))
def test_siblings_differ_only_in_seed_and_file_name(mode: str) -> None:
    one, other = (compiled(least(mode, seed=seed), f"{seed}" * 32) for seed in (1, 2))
    found = {name for pair in zip(one.graphs, other.graphs, strict=True) for name in differences(*pair)}
    named = {"filename_prefix"} if len(one.graphs) == 1 else {"filename_prefix", "file", "image", "video"}
    assert found <= {"noise_seed", "seed", *named} and found & {"noise_seed", "seed"}
    assert len(one.graphs) > 1 or one.inputs == other.inputs, "no input is named by the job"


def test_nodes_that_were_not_run_again_are_counted() -> None:
    made = compiled(least("image_to_video"))
    (graph,), (labels,) = made.graphs, made.labels
    read = [node for node in graph if node in labels and labels[node].stage == "read"]
    found = counted(made, {0: [*read, "no node of it"]})
    assert found == {"nodes": len(graph), "cached": len(read), "read": len(read), "read_cached": len(read)}
    assert counted(made, {0: []})["cached"] == 0
    assert counted(made, {}) == counted(made, {7: read}) == {}, "the start was not seen"


def test_a_parent_has_the_counts_of_its_children() -> None:
    first = {"nodes": 20.0, "cached": 0.0, "read": 5.0, "read_cached": 0.0}
    later = {"nodes": 20.0, "cached": 14.0, "read": 5.0, "read_cached": 5.0}
    jobs = [stored_job(number, reused=each) for number, each in enumerate((later, first, later))]
    found = together(jobs)
    assert found == {"nodes": 60.0, "cached": 28.0, "read": 15.0, "read_cached": 10.0, "read_once": 1.0}
    assert view(replace(jobs[0], reused=found), "key").read_once
    assert view(replace(jobs[0], reused=found), "key").record()["reused"]["cached"] == 28
    partly = {**later, "read_cached": 4.0}
    assert "read_once" not in together([jobs[1], stored_job(1, reused=partly)])
    assert "read_once" not in together([jobs[1], jobs[0], stored_job(9)]), "of one it is not known"
    assert together([stored_job(1)]) == {} and "read_once" not in together(jobs[:1])


def waiting_for(job: Job, *ids: str) -> Job:
    inputs = {f"image{number}": StoredInput(Media("x"), "", job=one) for number, one in enumerate(ids)}
    return replace(job, inputs=inputs)


def stored_file(field: str) -> dict[str, StoredInput]:
    return {field: StoredInput(Media(f"wan-studio/{field}"), f"inputs/{field}")}


def source(**changes: Any) -> Job:
    return stored_job(1, **{"width": 64, "height": 48, "frames": 9, "fps": 16.0, **changes})


@pytest.mark.parametrize(
    ("job", "mode", "field", "frame"),
    [
        (source(), "image_to_video", "image", -1),
        (source(mode="text_to_image"), "image_to_video", "image", None),
        (source(), "animate", "video", None),
        (
            source(inputs={"video": StoredInput(Media("v"), "v")}, mode="animate"),
            "sound_to_video",
            "audio",
            None,
        ),
        (
            source(inputs={"audio": StoredInput(Media("a"), "a")}, mode="sound_to_video"),
            "animate",
            "mask",
            None,
        ),
    ],
)
def test_what_is_known_of_a_result_before_it_is_there(
    job: Job, mode: str, field: str, frame: int | None
) -> None:
    found, item = expected(ResultOf("job1"), mode, field, "me", {"job1": job}.get)
    assert found is job and item.waits and item.frame == frame
    kind = MODES[mode].media[field].kind
    assert kind == "sound" or (item.media.width, item.media.height) == (64, 48)
    assert kind == "picture" or item.media.seconds == 9 / 16


@pytest.mark.parametrize(
    ("job", "field", "frame"),
    [
        (source(status="failed"), "image", -1),
        (source(status="cancelled"), "image", -1),
        (source(delete_after=5.0), "image", -1),
        (source(owner="you"), "image", -1),
        (None, "image", -1),
        (source(), "image", 9),
        (source(), "image", -2),
        (source(), "image", True),
        (source(mode="text_to_image"), "video", -1),
    ],
)
def test_a_result_that_cannot_be_the_input_is_refused(job: Job | None, field: str, frame: int) -> None:
    with pytest.raises((BadInput, NotFound)) as refused:
        expected(ResultOf("job1", frame), "animate", field, "me", {"job1": job}.get)
    assert refused.value.field == field and "{" not in refused.value.message


def test_a_video_without_sound_gives_none() -> None:
    silent = source(inputs={"video": StoredInput(Media("v", sound=False), "v")}, mode="animate")
    for job in (silent, source()):
        with pytest.raises(BadInput, match="no sound"):
            expected(ResultOf("job1"), "sound_to_video", "audio", "me", {"job1": job}.get)


def test_circles_are_found() -> None:
    one, two, three, four = (stored_job(number) for number in range(1, 5))
    assert circular([waiting_for(one, "job2"), waiting_for(two, "job3")]) == set()
    found = circular([waiting_for(one, "job2"), waiting_for(two, "job1"), waiting_for(three, "job1")])
    assert found == {"job1", "job2"}
    assert circular([waiting_for(one, "job1")]) == {"job1"}
    child = replace(waiting_for(four, "job9"), parent="job9")
    assert circular([child], [child]) == {"job4"}, "a child that waits for its own parent"


def test_a_job_that_waits_for_a_result_holds_no_other_up() -> None:
    line, why = FairQueue(), notice("waiting_for_untitled")
    line.add(Waiting(stored_job(1, owner="a"), awaits=why))
    line.add(Waiting(stored_job(2, owner="a")))
    line.add(Waiting(stored_job(3, owner="b")))
    assert [job.id for job in line.order({})] == ["job2", "job3", "job1"]
    assert line.owners() == ["a", "a", "b"], "it counts for its owner"
    assert [job.id for job in line.movable("a")] == ["job2"]
    assert [entry.job.id for _ in range(2) if (entry := line.take({}, lane="x"))] == ["job2", "job3"]
    assert line.take({}, lane="x") is None and line.awaits("job1") == why
    assert line.let_take(replace(stored_job(1, owner="a"), frames=9), frozenset({"m"}))
    taken = line.take({}, lane="x")
    assert taken is not None and (taken.job.frames, taken.models) == (9, {"m"})
    assert not line.let_take(stored_job(1), frozenset())


def test_children_run_one_after_another_on_one_lane() -> None:
    """Between them only an owner whose turn it is, or a job that was interrupted."""
    line = FairQueue()
    line.add(Waiting(stored_job(9, owner="a")))
    for number in range(1, 5):
        line.add(Waiting(stored_job(number, owner="a", parent="p", role=str(number))))
    line.add(Waiting(stored_job(8, owner="a")))
    taken = [entry.job.id for _ in range(6) if (entry := line.take({}, lane="x"))]
    assert taken == ["job9", "job1", "job2", "job3", "job4", "job8"]


def test_an_input_that_is_a_result_is_stored_and_read() -> None:
    waits = StoredInput(Media("x", 64, 64), "", job="job1", frame=3)
    assert StoredInput.from_json(waits.to_json()) == waits and waits.waits
    stored = replace(waits, file="inputs/image")
    assert StoredInput.from_json(stored.to_json()) == stored and not stored.waits
    plain = StoredInput(Media("x"), "inputs/image")
    assert "job" not in plain.to_json() and StoredInput.from_json(plain.to_json()) == plain
    for frame in (True, "1", 1.5, []):
        with pytest.raises(ValueError):
            StoredInput.from_json({**waits.to_json(), "frame": frame})


def test_a_parent_of_other_kinds_lasts_as_long_as_its_parts() -> None:
    parts = [stored_job(number, width=64, height=48, frames=9, status="done", size=5) for number in (1, 2)]
    parent, placed = family("p", parts, {}, "film", {"title": "x"}, "s")
    assert (parent.frames, parent.width, parent.height) == (18, 64, 48) and parent.params["title"] == "x"
    assert (parent.status, parent.size, parent.source, parent.assembly) == ("queued", 0, "s", "film")
    assert [(one.parent, one.role) for one in placed] == [("p", "1"), ("p", "2")]
