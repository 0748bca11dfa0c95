"""Extending a finished video: submit, join, re-roll, failure, cancel, delete, restart, bad values."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from backend import requester
from backend.errors import BadInput, DiskFull, EngineError, InputsGone, NotAllowed, NotFound, QueueFull
from backend.jobs.job import CANCELLED, DONE, FAILED, QUEUED
from backend.jobs.limits import Limits
from backend.jobs.views import JobView
from backend.notices import words
from backend.studio import Studio
from tests.support.extensions import CLIP, QUICK, extended, made, moving, with_svi
from tests.support.fake_engine import FakeEngine
from tests.support.media_files import tone, write_video
from tests.support.scripted import OWNER, Make, ended, until
from tests.support.tiers import deep

BAD: dict[str, tuple[Any, ...]] = {
    "frame": (9, -2, 1.5, "end"), "seconds": (0.1, 16, "5"), "method": ("magic", 3), "speed": ("slow", None),
    "seed": (-5, 2**60), "prompt": ("x" * 4001,),
}  # fmt: skip


def videos(studio: Studio) -> list[str]:
    return sorted(path.parent.name for path in studio.settings.jobs_dir.rglob("*.mp4"))


def frames(studio: Studio, job: JobView) -> int:
    with av.open(str(studio.result_path(job.id, job.key))) as container:
        return sum(1 for _ in container.decode(video=0))


def inputs(engine: FakeEngine, class_type: str) -> dict[str, Any]:
    return next(n["inputs"] for n in engine.prompts[-1].graph.values() if n["class_type"] == class_type)


def test_a_clip_is_joined_with_a_new_part(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture, negative_prompt="Blur", motion="subtle")
    job = extended(studio, clip)
    assert job.status == DONE and job.mode == "image_to_video" and job.source == clip.id
    assert (job.width, job.height, job.frames, job.fps) == (64, 64, 17, 16.0) and frames(studio, job) == 17
    first, new = job.parts
    assert (first.id, first.route, first.start, first.frames, first.seam) == (clip.id, "clip", 0, 9, None)
    assert (new.route, new.start, new.frames, new.status) == ("last_frame", 9, 8, DONE)
    assert new.prompt == "A boat drifts" and new.seed != clip.seed and new.seam is not None
    assert job.children == () and studio.job(new.id, new.key).params["negative_prompt"] == "Blur"
    assert inputs(engine, "WanImageToVideo")["width"] == 64
    assert videos(studio) == sorted([clip.id, job.id, new.id]), "one for each job"
    record = job.record()
    assert "extend_by_last_frame" in record["warning_codes"]
    assert record["parts"][1]["seam"].keys() == {"doubled", "brightness", "colour", "motion"}
    assert record["source"] == clip.id and json.dumps(record)
    assert [each.id for each in studio.jobs(OWNER)] == [job.id, clip.id], "a card of its own"
    graphs = json.loads((studio.settings.jobs_dir / job.id / "workflow.json").read_text())
    assert len(graphs) == 2


@pytest.mark.deep
def test_from_an_earlier_frame_and_on_from_a_joined_one(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    clip = made(studio, picture)
    second = extended(studio, clip, frame=4)
    assert [part.frames for part in second.parts] == [5, 8] and frames(studio, second) == 13
    third = extended(studio, second, prompt="It turns")
    assert [(part.number, part.start) for part in third.parts] == [(1, 0), (2, 5), (3, 13)]
    assert third.parts[2].prompt == "It turns" and third.source == second.id
    cut = extended(studio, third, frame=6)
    assert [part.frames for part in cut.parts] == [5, 2, 8]
    assert len({part.seed for part in third.parts}) == 3, "another seed for each part"


@pytest.mark.deep
def test_deleting_what_it_was_made_from_leaves_it_whole(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    clip = made(studio, picture)
    second = extended(studio, clip)
    studio.delete(OWNER, clip.id, clip.key)
    third = extended(studio, second)
    studio.delete(OWNER, second.id, second.key)
    assert third.status == DONE and frames(studio, third) == 25
    again = ended(studio, studio.reroll(OWNER, third.id, third.key, 2, seed=77, **{}))
    assert again.status == DONE and [part.seed for part in again.parts][1] == 77
    assert videos(studio) == sorted([third.id, third.parts[2].id, again.id, again.parts[1].id])


@pytest.mark.deep
def test_a_source_deleted_while_the_part_is_drawn(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture)
    engine.hold.clear()
    job = studio.extend(OWNER, clip.id, clip.key, **QUICK)
    assert engine.drawing.wait(60)
    studio.delete(OWNER, clip.id, clip.key)
    engine.hold.set()
    assert ended(studio, job).status == DONE and frames(studio, job) == 17


@pytest.mark.deep
def test_to_an_end_picture_and_again(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    job = extended(studio, made(studio, picture), end_image=picture, method="auto", speed="quality")
    assert inputs(engine, "WanFirstLastFrameToVideo")["length"] == 9
    assert studio.job(job.parts[1].id, job.parts[1].key).params["speed"] == "quality"
    ended(studio, studio.reroll(OWNER, job.id, job.key, 2))
    assert inputs(engine, "WanFirstLastFrameToVideo")["length"] == 9, "the end picture is kept"


def test_a_part_is_drawn_again_and_the_later_ones_are_stale(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    third = extended(studio, extended(studio, made(studio, picture)))
    before = len(engine.prompts)
    again = ended(studio, studio.reroll(OWNER, third.id, third.key, 2, prompt="It sinks"))
    assert len(engine.prompts) == before + 1, "only one part is drawn"
    assert [part.stale for part in again.parts] == [False, False, True]
    assert again.parts[1].prompt == "It sinks" and again.parts[1].seed != third.parts[1].seed
    assert again.parts[2].id == third.parts[2].id and again.parts[2].seam is not None
    graphs = json.loads((studio.settings.jobs_dir / again.id / "workflow.json").read_text())
    assert len(graphs) == 3 and again.parts[1].id in str(graphs[1]), "those of the parts that it has"
    assert again.status == DONE and again.frames == 25 and "part_stale" in again.record()["warning_codes"]


@pytest.mark.deep
def test_a_video_with_a_stale_part_goes_on(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    job = extended(studio, made(studio, picture))
    stale = ended(studio, studio.reroll(OWNER, job.id, job.key, 1))
    longer = extended(studio, stale)
    assert longer.status == DONE and [part.stale for part in longer.parts] == [False, True, False]


@pytest.mark.deep
def test_the_first_clip_is_drawn_again_by_its_own_mode(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    job = extended(studio, made(studio, picture))
    again = ended(studio, studio.reroll(OWNER, job.id, job.key, 1, prompt="A ship", seed=9))
    assert again.status == DONE and [part.stale for part in again.parts] == [False, True]
    assert (again.seed, again.title, again.parts[0].seed) == (9, "A ship", 9)
    assert again.mode == "image_to_video" and frames(studio, again) == 17


@pytest.mark.deep
def test_try_again_and_another_seed_draw_the_new_part(make: Make, engine: FakeEngine, picture: Path) -> None:
    """As the page's buttons do it: the job's own parameters, with the seed changed or not."""
    studio = make()
    job = extended(studio, made(studio, picture), seed=11)
    files = {name: source.path for name, source in studio.sources(OWNER, job.id, job.key).items()}
    same = ended(studio, studio.submit(OWNER, job.mode, job.params, files, job))
    other = ended(studio, studio.submit(OWNER, job.mode, {**job.params, "seed": -1}, files, job))
    assert same.parts[1].seed == 11 and other.parts[1].seed != 11
    assert len(same.parts) == len(other.parts) == 2 and other.frames == 17
    with pytest.raises(BadInput):
        studio.submit(OWNER, job.mode, {**job.params, "speed": "quality"}, files, job)


def test_frames_are_handed_on_as_latents_where_the_engine_can(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make(with_svi(engine))
    clip = made(studio, picture)
    assert studio.extend_plan(OWNER, clip.id, clip.key).route == "svi"
    job = extended(studio, clip)
    assert job.status == DONE and [part.route for part in job.parts] == ["clip", "svi"]
    assert job.frames == frames(studio, job) == 17
    node = inputs(engine, "WanImageToVideoSVIPro")
    assert node["length"] == 13 and node["motion_latent_count"] == 1
    (tail,) = [path for name, path in engine.prompts[-1].files.items() if name.endswith("-clip.mkv")]
    assert tail.name.startswith("clip-")
    assert "extend_by_last_frame" not in job.record()["warning_codes"]


def test_the_plan_says_which_way_and_why(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture)
    plan = studio.extend_plan(OWNER, clip.id, clip.key, seconds=2.0)
    assert (plan.route, plan.seconds_before, plan.seconds_after) == ("last_frame", 9 / 16, 9 / 16 + 2)
    assert plan.problems == () and "WanImageToVideoSVIPro" in words(plan.reason)
    refused = studio.extend_plan(OWNER, clip.id, clip.key, method="svi")
    assert "SVI_v2_PRO" in words(refused.problems[0])
    with pytest.raises(BadInput) as caught:
        studio.extend(OWNER, clip.id, clip.key, method="svi")
    assert caught.value.field == refused.problems[0].arg("field") == "method"
    assert words(caught.value.notice) == words(refused.problems[0])
    assert studio.extend_plan(OWNER, clip.id, clip.key, method="last_frame").reason is None


def test_bad_values_are_refused_with_their_field(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture)
    before = set(studio.settings.jobs_dir.iterdir()), set(studio.settings.data_dir.iterdir())
    for field, values in BAD.items():
        for value in values:
            with pytest.raises(BadInput) as caught:
                studio.extend(OWNER, clip.id, clip.key, **{field: value})
            assert caught.value.field == field, (field, value)
    after = set(studio.settings.jobs_dir.iterdir()), set(studio.settings.data_dir.iterdir())
    assert after == before, "nothing is left of it"


@pytest.mark.deep
def test_two_minutes_are_the_most(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture)
    row = studio.store.get(clip.id)
    assert row is not None
    studio.store.save(replace(row, frames=16 * 118))
    with pytest.raises(BadInput) as caught:
        studio.extend(OWNER, clip.id, clip.key, seconds=5)
    assert caught.value.field == "seconds" and "2 min" in caught.value.message and "2 s" in caught.value.hint
    plan = studio.extend_plan(OWNER, clip.id, clip.key, seconds=5)
    assert plan.problems[0].arg("field") == "seconds" and plan.seconds_before == 118
    studio.store.save(replace(row, frames=16 * 120))
    with pytest.raises(BadInput):
        studio.extend(OWNER, clip.id, clip.key, seconds=0.25)


@pytest.mark.deep
def test_what_cannot_be_extended_is_refused(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.hold.clear()
    running = studio.submit(OWNER, "image_to_video", CLIP, {"image": picture})
    sheet = studio.submit(OWNER, "image_to_video", CLIP, {"image": picture}, variations=2)
    longer = studio.extend(OWNER, running.id, running.key, **QUICK)
    with pytest.raises(BadInput) as caught:
        studio.extend(OWNER, longer.id, longer.key, **QUICK)
    assert caught.value.why.code == "extend_unfinished"
    studio.cancel(longer.id, longer.key)
    engine.hold.set()
    clip = ended(studio, running)
    sheet = ended(studio, sheet)
    with pytest.raises(BadInput):
        studio.extend(OWNER, sheet.id, sheet.key, **QUICK)
    assert extended(studio, studio.job(sheet.children[1].id, sheet.children[1].key)).status == DONE
    with pytest.raises(NotFound):
        studio.extend(OWNER, clip.id, "wrong", **QUICK)
    for call in (studio.extend, studio.extend_plan):
        with pytest.raises(NotAllowed):
            call("owner-token-of-another-02", clip.id, clip.key, **QUICK)
    with pytest.raises(BadInput):
        studio.reroll(OWNER, clip.id, clip.key, 1)
    (studio.settings.jobs_dir / clip.id / "result.mp4").unlink()
    with pytest.raises(InputsGone):
        studio.extend(OWNER, clip.id, clip.key, **QUICK)


def test_a_part_that_fails_leaves_the_clip_and_can_be_tried_again(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    clip = made(studio, picture)
    engine.error = EngineError("Out of tricks.", "Rest.")
    job = extended(studio, clip)
    assert job.status == FAILED and job.error is not None
    assert "Part 2" in job.error["message"] and "Out of tricks." in job.error["message"]
    assert "Rest." in job.error["hint"] and "unchanged" in job.error["hint"]
    assert [part.status for part in job.parts] == [DONE, FAILED]
    assert studio.result_path(clip.id, clip.key).is_file()
    engine.error = None
    again = ended(studio, studio.submit(OWNER, job.mode, job.params, {}, job))
    assert again.status == DONE and again.parts[1].seed == job.parts[1].seed


@pytest.mark.deep
def test_a_cancel_ends_both(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture)
    engine.hold.clear()
    job = studio.extend(OWNER, clip.id, clip.key, **QUICK)
    assert engine.drawing.wait(60)
    assert job.status == QUEUED and studio.progress(job.id, job.key).text == "Generating"
    studio.cancel(job.id, job.key)
    until(lambda: not studio.store.unfinished())
    job = ended(studio, job)
    assert {job.status, *(part.status for part in job.parts[1:])} == {CANCELLED}
    with pytest.raises(InputsGone):
        studio.reroll(OWNER, job.id, job.key, 2)
    assert videos(studio) == [clip.id]


@pytest.mark.deep
def test_a_full_queue_refuses_an_extension_and_keeps_no_file(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make(WAN_MAX_QUEUED_PER_OWNER="1")
    clip = made(studio, picture)
    engine.hold.clear()
    studio.extend(OWNER, clip.id, clip.key, **QUICK)
    assert engine.drawing.wait(60)
    studio.extend(OWNER, clip.id, clip.key, **QUICK)
    before = set(studio.settings.jobs_dir.iterdir())
    with pytest.raises(QueueFull):
        studio.extend(OWNER, clip.id, clip.key, **QUICK)
    assert set(studio.settings.jobs_dir.iterdir()) == before
    engine.hold.set()


@pytest.mark.deep
def test_a_repeated_request_makes_one(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    clip = made(studio, picture)
    found = []
    for _ in range(2):
        with requester.attempt("the-same-request"):
            found.append(studio.extend(OWNER, clip.id, clip.key, **QUICK).id)
    assert found[0] == found[1] and len(studio.store.summaries()) == 3


@pytest.mark.deep
def test_a_full_disk_delays_the_joining(
    make: Make, engine: FakeEngine, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = make(limits=Limits(room=0.05))
    real, calls = studio.decoder.extension, []

    def full_once(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise DiskFull.of("no_room_video")
        return real(*args, **kwargs)

    monkeypatch.setattr(studio.decoder, "extension", full_once)
    assert extended(studio, made(studio, picture)).status == DONE and len(calls) == 2


@pytest.mark.deep
def test_a_damaged_part_is_said(
    make: Make, engine: FakeEngine, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = make()
    second = extended(studio, made(studio, picture))
    engine.hold.clear()
    job = studio.extend(OWNER, second.id, second.key, **QUICK)
    assert engine.drawing.wait(60)
    part = studio.settings.jobs_dir / job.id / "parts" / "1"
    part.unlink()
    part.write_bytes(b"not a video")
    engine.hold.set()
    job = ended(studio, job)
    assert job.status == FAILED and job.error is not None and job.error["code"] == "no_output"


@pytest.mark.parametrize("moment", [deep("before the part"), deep("while it is drawn"), "before the joining"])
def test_a_restart_at_every_step(make: Make, engine: FakeEngine, picture: Path, moment: str) -> None:
    first = make()
    clip = made(first, picture)
    if moment == "before the part":
        engine.state = "lost"
    if moment == "while it is drawn":
        engine.hold.clear()
    job = first.extend(OWNER, clip.id, clip.key, **QUICK)
    if moment == "while it is drawn":
        assert engine.drawing.wait(60)
    if moment == "before the joining":
        row = ended(first, job) and first.store.get(job.id)
        assert row is not None
        parts = json.dumps([row.parts[0].to_json(), replace(row.parts[1], file="", seam=None).to_json()])
    first.close()
    engine.state, engine.closed = "ok", False
    engine.hold.set()
    if moment == "before the joining":
        (first.settings.jobs_dir / job.id / "result.mp4").unlink()
        with sqlite3.connect(first.settings.database) as database:
            sql = "UPDATE job SET status = 'running', finished = NULL, parts = ? WHERE id = ?"
            database.execute(sql, (parts, job.id))
    second = make()
    again = ended(second, job)
    assert again.status == DONE and [part.frames for part in again.parts] == [9, 8]
    assert videos(second) == sorted([clip.id, job.id, again.parts[1].id])
    drawn = sum(again.parts[1].id in str(prompt.graph) for prompt in engine.prompts)
    assert drawn <= 2, "begun again at most once"


@pytest.mark.deep
def test_a_clip_of_another_rate_with_a_sound(make: Make, engine: FakeEngine, picture: Path) -> None:
    """Its part gets its rate and size, its sound stays as it is."""
    studio = make()
    clip = made(studio, picture)
    path = studio.result_path(clip.id, clip.key)
    write_video(path, moving(12, (96, 64)), 24, sound=tone(0.5))
    row = studio.store.get(clip.id)
    assert row is not None
    studio.store.save(replace(row, width=96, frames=12, fps=24.0))
    job = extended(studio, clip, frame=5)
    assert (job.width, job.height, job.fps, job.frames) == (96, 64, 24.0, 6 + 12)
    assert frames(studio, job) == 18 and "extend_retimed" in job.record()["warning_codes"]
    with av.open(str(studio.result_path(job.id, job.key))) as container:
        heard = sum(frame.samples for frame in container.decode(audio=0)) / 44_100
    assert 0.2 < heard < 0.35, "as far as the clip is shown"
