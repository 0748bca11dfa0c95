"""The facade over a scripted engine: submit, watch, cancel, library, and what goes wrong."""

from __future__ import annotations

import contextlib
import errno
import json
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from backend.errors import (
    BadInput,
    BadMedia,
    DiskFull,
    EngineLost,
    EngineUnreachable,
    MediaBusy,
    NoOutput,
    NotFound,
    OutOfMemory,
    QueueFull,
)
from backend.events import Output, Queued
from backend.formatting import crop_text, duration_text
from backend.jobs.execution import AGAIN
from backend.jobs.job import RUNNING
from backend.jobs.limits import Limits
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, Make, ended, until
from ui.views.progress import status as words

pytestmark = pytest.mark.full

VALUES = {"prompt": "A boat drifts", "seconds": 0.5, "resolution": "draft", "seed": 5}
SMALL = {**VALUES, "width": 64, "height": 64}


def test_a_picture_becomes_a_video(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert studio.store.get(job.id) is not None, "in the database before the click returns"
    picture.unlink()  # the upload folder is not ours: the job has its own copy
    done = ended(studio, job)
    assert (done.status, done.width, done.height, done.frames, done.fps) == ("done", 64, 64, 9, 16.0)
    assert (
        done.seed == 5 and done.bytes > 0 and done.elapsed is not None and done.engine.startswith("Fake GPU")
    )
    snapshot = studio.progress(job.id, job.key)
    assert (snapshot.status, snapshot.percent) == ("done", 100.0)
    folder = studio.settings.jobs_dir / job.id
    assert {p.name for p in folder.iterdir()} == {
        "inputs",
        "originals",
        "result.mp4",
        "poster.jpg",
        "workflow.json",
    }
    assert [p.suffix for p in (folder / "inputs").iterdir()] == [""]
    assert [p.name for p in studio.settings.data_dir.rglob("*.mp4")] == ["result.mp4"]
    graph = json.loads((folder / "workflow.json").read_text())
    assert any(node["class_type"] == "WanImageToVideo" for node in graph.values())
    assert studio.result_path(job.id, job.key) == folder / "result.mp4"


def test_the_prompt_id_is_stored_before_the_engine_has_it(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio, seen = make(), []
    run = engine.run
    engine.run = lambda prompt, on_event: (  # type: ignore[method-assign]
        seen.append([(j.status, j.prompt_id) for j in studio.store.unfinished()]), run(prompt, on_event)
    )[1]  # fmt: skip
    ended(studio, studio.submit(OWNER, "fast_video", {"seconds": 0.5}, {"image": picture}))
    assert seen == [[(RUNNING, engine.prompts[0].id)]]


def test_a_random_seed_is_resolved_and_kept(make: Make, picture: Path) -> None:
    studio = make()
    jobs = [
        studio.submit(OWNER, "image_to_video", {**SMALL, "seed": -1}, {"image": picture}) for _ in range(2)
    ]
    assert jobs[0].seed != jobs[1].seed
    assert jobs[0].params["seed"] == jobs[0].seed >= 0
    for job in jobs:
        ended(studio, job)


def test_cancel_while_waiting_and_while_running(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.hold.clear()
    studio = make()
    first = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    second = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert studio.progress(second.id, second.key).ahead == 1
    assert studio.cancel(second.id, second.key).status == "cancelled"
    assert studio.active(OWNER).id == first.id  # type: ignore[union-attr]
    assert studio.preview(first.id, first.key) == (b"\xff\xd8preview", "image/jpeg")
    studio.cancel(first.id, first.key)
    studio.cancel(first.id, first.key)  # another tab
    assert ended(studio, first).status == "cancelled"
    until(lambda: studio.queue().running == 0)
    assert len(engine.prompts) == 1 and studio.active(OWNER) is None
    assert studio.cancel(first.id, first.key).status == "cancelled"


def test_a_failure_has_its_reason_and_the_next_job_goes_on(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    engine.error = OutOfMemory("The GPU ran out of memory.", detail="secret trace")
    failed = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    assert failed.status == "failed" and failed.error is not None
    assert failed.error["code"] == "out_of_memory" and "secret" not in json.dumps(failed.record())
    assert studio.progress(failed.id, failed.key).error == failed.error
    engine.error = None
    assert ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})).status == "done"


def test_our_own_mistake_fails_the_job_without_a_traceback(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.error = ZeroDivisionError("division by zero at 0xdeadbeef")
    studio = make()
    failed = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    assert failed.error is not None and failed.error["code"] == "internal_error"
    assert "division" not in json.dumps(failed.record())


@pytest.mark.parametrize("error", [NoOutput("gone"), EngineLost("away")])
def test_a_result_that_cannot_be_fetched_is_no_success(
    make: Make, engine: FakeEngine, picture: Path, error: Exception
) -> None:
    engine.fetch_error = error
    studio = make()
    failed = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    assert failed.error is not None and failed.error["code"] == error.code  # type: ignore[attr-defined]
    until(lambda: not (studio.settings.jobs_dir / failed.id / "work").exists())
    with pytest.raises(NotFound):
        studio.result_path(failed.id, failed.key)


def test_no_video_among_the_outputs(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.outputs = (Output("a.png"),)
    studio = make()
    failed = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    assert failed.error is not None and failed.error["code"] == "no_output"


def test_the_record_describes_the_file_not_the_request(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.size = (80, 64, 5)
    studio = make()
    done = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    assert (done.width, done.height, done.frames) == (80, 64, 5)


def test_bad_input_is_refused_before_it_is_queued(make: Make, picture: Path) -> None:
    studio = make()
    for values, field in [
        ({"width": 17, "height": 64}, "width"), ({"seconds": float("nan")}, "seconds"),
        ({"steps": 10_000}, "steps"), ({"seed": -2}, "seed"), ({"seed": 2**53}, "seed"),
        ({"motion": "wild"}, "motion"), ({"nonsense": 1}, "nonsense"), ({"seconds": 1e9}, "seconds"),
        ({"prompt": "x" * 4001}, "prompt"), ({"steps": "4"}, "steps"), ({"seed": None, "cfg": 99}, "cfg"),
    ]:  # fmt: skip
        with pytest.raises(BadInput) as caught:
            studio.submit(OWNER, "image_to_video", values, {"image": picture})
        assert caught.value.field == field, values
    with pytest.raises(BadInput) as caught:
        studio.submit(OWNER, "image_to_video", VALUES, {})
    assert caught.value.field == "image"
    with pytest.raises(BadInput):
        studio.submit("short", "image_to_video", VALUES, {"image": picture})
    with pytest.raises(BadInput):
        studio.submit(OWNER, "hologram", VALUES, {"image": picture})
    assert studio.jobs(OWNER) == [] and list(studio.settings.jobs_dir.iterdir()) == []


def test_a_bad_picture_names_its_field(make: Make, picture: Path, tmp_path: Path) -> None:
    studio = make()
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    with pytest.raises(BadMedia) as caught:
        studio.submit(OWNER, "image_to_video", VALUES, {"image": picture, "end_image": text})
    assert caught.value.field == "end_image" and "text.png" in caught.value.message
    assert list(studio.settings.jobs_dir.iterdir()) == []


def test_the_queue_has_limits(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.state = "starting"
    studio = make(WAN_MAX_QUEUED_PER_OWNER="2", WAN_MAX_QUEUED="3")
    for _ in range(2):
        studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    with pytest.raises(QueueFull, match="already have 2 videos waiting"):
        studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    studio.submit("another-owner-0002", "image_to_video", SMALL, {"image": picture})
    with pytest.raises(QueueFull, match="queue is full"):
        studio.submit("a-third-owner-0003", "image_to_video", SMALL, {"image": picture})


def test_owners_do_not_see_jobs_of_others(make: Make, picture: Path) -> None:
    studio = make()
    mine = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    ended(studio, mine)
    assert studio.jobs("another-owner-0002") == [] and studio.active("another-owner-0002") is None
    other = studio.submit("another-owner-0002", "image_to_video", SMALL, {"image": picture})
    for call in (
        studio.job,
        studio.cancel,
        studio.result_path,
        studio.progress,
        partial(studio.delete, OWNER),
    ):
        with pytest.raises(NotFound):
            call(mine.id, other.key)
        with pytest.raises(NotFound):
            call("../secret", mine.key)
    assert studio.preview(mine.id, other.key) is None
    ended(studio, other)


def test_media_by_signed_address_only(make: Make, picture: Path) -> None:
    studio = make()
    job = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    for name in ("result.mp4", "poster.jpg", "workflow.json", "input"):
        query = parse_qs(urlsplit(studio.media_url(job, name)).query)
        found = studio.media_file(job.id, name, query["exp"][0], query["sig"][0])
        assert found is not None and found[0].is_file()
        assert studio.media_file(job.id, name, query["exp"][0], query["sig"][0][::-1]) is None
    assert studio.media_file(job.id, "../../secret", "9999999999", "x") is None


def test_delete_really_deletes(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    job = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    studio.delete(OWNER, job.id, job.key)
    assert studio.jobs(OWNER) == [] and not (studio.settings.jobs_dir / job.id).exists()
    with pytest.raises(NotFound):
        studio.job(job.id, job.key)
    engine.hold.clear()
    running = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    with pytest.raises(BadInput, match="still being made"):
        studio.delete(OWNER, running.id, running.key)
    ended(studio, running)


def test_results_and_waiting_jobs_survive_a_restart(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    done = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    engine.hold.clear()
    running = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    waiting = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    left = studio.store.get(running.id)
    assert left is not None and left.status == RUNNING
    # The process dies here: nothing of it is closed; its engine goes on and is never asked again.
    again = make(other := FakeEngine())
    assert again.job(done.id, done.key).status == "done"
    assert again.progress(done.id, done.key).percent == 100
    assert again.result_path(done.id, done.key).is_file()
    first, second = ended(again, running), ended(again, waiting)
    assert (first.status, second.status) == ("done", "done")
    assert AGAIN in first.warnings and not second.warnings
    assert len(other.prompts) == 2


def test_what_the_engine_still_has_is_followed_not_run_again(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.hold.clear()
    studio = make()
    running = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    prompt_id = engine.prompts[0].id
    other = FakeEngine()
    other.known.add(prompt_id)
    again = make(other)
    done = ended(again, running)
    assert (done.status, done.warnings) == ("done", ())
    assert other.resumed == [prompt_id] and [prompt.id for prompt in other.prompts] == [prompt_id]


def test_a_job_whose_engine_is_lost_runs_again_once(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.error = EngineLost("away")
    failed = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    assert failed.status == "failed" and len(engine.prompts) == 2
    assert failed.error is not None and failed.error["code"] == "engine_lost"
    engine.prompts.clear()
    engine.hold.clear()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    until(lambda: engine.prompts)
    engine.hold.set()
    until(lambda: len(engine.prompts) == 2)
    engine.error = None
    done = ended(studio, job)
    assert done.status in {"done", "failed"}
    assert AGAIN in done.warnings


def test_a_full_disk_at_the_end_loses_nothing(
    make: Make, engine: FakeEngine, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.hold.clear()
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    save = studio.store.save

    def full(_: object) -> None:
        raise DiskFull("The disk is full.")

    monkeypatch.setattr(studio.store, "save", full)
    engine.hold.set()
    done = ended(studio, job)
    assert done.status == "done" and studio.jobs(OWNER)[0].status == "done"
    stored = studio.store.get(job.id)
    assert stored is not None and stored.status == RUNNING, "it could not be written"
    assert studio.cancel(job.id, job.key).status == "done"
    monkeypatch.setattr(studio.store, "save", save)
    until(lambda: (now := studio.store.get(job.id)) is not None and now.status == "done")


def test_a_lane_survives_an_unexpected_exception(make: Make, engine: FakeEngine, picture: Path) -> None:
    refresh, calls = engine.refresh, []

    def broken() -> object:
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError
        return refresh()

    engine.refresh = broken  # type: ignore[method-assign, assignment]
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert ended(studio, job).status == "done"


def test_waiting_behind_other_clients_is_seen_and_costs_no_time(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    go = threading.Event()
    run = engine.run

    def queued_first(prompt: Any, on_event: Any) -> Any:
        on_event(Queued(others=2))
        go.wait(60)
        return run(prompt, on_event)

    engine.run = queued_first  # type: ignore[method-assign]
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    until(lambda: studio.progress(job.id, job.key).others == 2)
    snapshot = studio.progress(job.id, job.key)
    assert "2 jobs ahead of you" in words(snapshot)
    assert snapshot.percent == 0.0
    assert snapshot.elapsed == studio.progress(job.id, job.key).elapsed, "waiting is not work"
    go.set()
    ended(studio, job)


def test_limits_hold_against_a_rush(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.state = "starting"
    studio = make(WAN_MAX_QUEUED_PER_OWNER="2")
    accepted: list[str] = []

    def push() -> None:
        with contextlib.suppress(
            QueueFull, MediaBusy
        ):  # ten files of one visitor at once may be too many, too
            accepted.append(studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}).id)

    threads = [threading.Thread(target=push) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(accepted) == 2
    assert len(list(studio.settings.jobs_dir.iterdir())) == 2


def test_half_a_surrogate_pair_is_no_traceback(make: Make, picture: Path) -> None:
    studio = make()
    values = {**SMALL, "prompt": "a\ud800b", "negative_prompt": "c\ud800d"}
    job = ended(studio, studio.submit(OWNER, "image_to_video", values, {"image": picture}))
    assert job.status == "done" and job.params["negative_prompt"] == "cd"
    with pytest.raises(NotFound):
        studio.job("\ud800", "\ud800")
    assert studio.jobs(OWNER, search="\ud800") == []


def test_a_server_that_never_answers_is_said_before(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.state, engine.fault = "starting", "Connection refused"
    assert make().plan("image_to_video", VALUES, {}).obstacle is None, "it may be starting"
    studio = make(limits=Limits(silent=-1.0))
    obstacle = studio.plan("image_to_video", VALUES, {}).obstacle
    assert obstacle is not None and obstacle.code == "comfyui_silent"
    with pytest.raises(EngineUnreachable):
        studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert studio.status() == "starting"


def test_the_plan_is_what_the_job_becomes(make: Make, engine: FakeEngine, tmp_path: Path) -> None:
    engine.state = "starting"
    path = tmp_path / "odd.png"
    Image.new("RGB", (2155, 572)).save(path)
    studio = make()
    values = {"resolution": "draft", "seconds": 0.5}
    plan = studio.plan("image_to_video", values, {"image": studio.inspect("image_to_video", "image", path)})
    job = studio.submit(OWNER, "image_to_video", values, {"image": path})
    assert (job.width, job.height) == (plan.width, plan.height)


def test_a_job_is_not_started_again_for_ever(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.state = "starting"
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    stored = studio.store.get(job.id)
    assert stored is not None
    studio.store.save(replace(stored.moved(RUNNING, started=1.0), attempts=3))
    again = make(FakeEngine())
    failed = ended(again, job)
    assert failed.status == "failed" and failed.error is not None and failed.error["code"] == "lost_too_often"


def test_jobs_wait_for_an_engine_that_starts(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.state = "starting"
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert studio.status() == "starting" and studio.job(job.id, job.key).status == "queued"
    engine.state = "ok"
    assert ended(studio, job).status == "done"
    assert studio.status() == "ok"
    engine.state = "lost"
    assert studio.status() == "degraded"
    obstacle = studio.plan("image_to_video", VALUES, {}).obstacle
    assert obstacle is not None and obstacle.code == "comfyui_silent"


def test_two_lanes_work_side_by_side(make: Make, picture: Path) -> None:
    one, two = FakeEngine("http://one"), FakeEngine("http://two")
    for each in (one, two):
        each.hold.clear()
    studio = make(one, two)
    jobs = [studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}) for _ in range(2)]
    assert one.drawing.wait(60) and two.drawing.wait(60)
    assert studio.queue().running == 2
    for each in (one, two):
        each.hold.set()
    assert {ended(studio, job).status for job in jobs} == {"done"}
    assert len(one.prompts) == len(two.prompts) == 1


def test_a_full_disk_while_storing_the_picture(
    make: Make, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = make()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(studio.decoder, "normalise", full)
    with pytest.raises(DiskFull):
        studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert studio.jobs(OWNER) == [] and list(studio.settings.jobs_dir.iterdir()) == []


def test_the_plan_shows_problems_before_generate(make: Make, picture: Path) -> None:
    studio = make()
    facts = {"image": studio.inspect("image_to_video", "image", picture)}
    plan = studio.plan("image_to_video", {**VALUES, "resolution": "480p"}, facts)
    assert (plan.width, plan.height, plan.frames, plan.problems, plan.obstacle) == (832, 480, 9, {}, None)
    assert plan.crop is not None and plan.crop.text == "Left and right are cropped by 3 %"
    until(lambda: studio.status() == "ok")
    first = studio.plan("image_to_video", VALUES, facts).estimate
    assert first is not None and first.is_first and first.short == ""
    assert first.text == "No measurement for this card. We'll know once a video has been made here."
    ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    second = studio.plan("image_to_video", VALUES, facts).estimate
    assert second is not None and not second.is_first and second.text == f"{second.short} on this GPU"
    assert studio.plan("image_to_video", {"width": 17, "height": 64}, facts).problems.keys() == {"width"}
    padded = studio.plan("image_to_video", {**VALUES, "fit": "pad", "width": 64, "height": 64}, facts).crop
    assert padded is not None and padded.padded and padded.text == "Padded to the frame, nothing is cropped"
    assert replace(padded, horizontal=0.001, vertical=0).text == "Fits, nothing is cropped"
    assert studio.plan("image_to_video", VALUES, {}).crop is None
    assert studio.plan("hologram", {}, {}).obstacle


def test_padding_keeps_the_whole_picture_and_the_unpadded_one(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    values = {**SMALL, "width": 128, "height": 128, "fit": "pad"}
    job = ended(studio, studio.submit(OWNER, "image_to_video", values, {"image": picture}))
    (sent,) = engine.prompts[0].files.values()
    with Image.open(sent) as padded:
        assert padded.width == padded.height
    path = studio.input_path(job.id, job.key, "image")
    assert path is not None
    with Image.open(path) as kept:
        assert kept.width > kept.height


def test_old_clips_go_after_their_days(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    old, new = (
        ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})) for _ in range(2)
    )
    stored = studio.store.get(old.id)
    assert stored is not None and stored.finished is not None
    studio.store.save(replace(stored, finished=stored.finished - 31 * 86_400))
    again = make(FakeEngine())
    until(lambda: [job.id for job in again.jobs(OWNER)] == [new.id])
    until(lambda: not (again.settings.jobs_dir / old.id).exists())
    assert (again.settings.jobs_dir / new.id / "result.mp4").is_file()


def test_secrets_stay_across_restarts_and_are_ours_alone(make: Make) -> None:
    first = make()
    text = first.secret("browser")
    file = first.settings.data_dir / "secret"
    assert file.stat().st_mode & 0o077 == 0
    second = make()
    assert second.secret("browser") == text != second.secret("other")


def test_cancelling_from_many_tabs_at_once(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.hold.clear()
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    threads = [threading.Thread(target=studio.cancel, args=(job.id, job.key)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended(studio, job).status == "cancelled"


def test_words() -> None:
    assert crop_text(0, 0) == crop_text(0.001, 0) == "Fits, nothing is cropped"
    assert crop_text(0, 0.113) == "Top and bottom are cropped by 11 %"
    assert [duration_text(s) for s in (0.2, 24.4, 65, 120, 3600, 7380)] == [
        "1 s", "24 s", "1 min 5 s", "2 min", "1 h", "2 h 3 min"
    ]  # fmt: skip
