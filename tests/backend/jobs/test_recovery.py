"""Jobs that are interrupted go on where they were: parts, prompts, losses, a full disk, pauses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backend.engines.base import Prompt
from backend.errors import (
    BadInput,
    DiskFull,
    EngineHung,
    EngineLost,
    InternalError,
    MissingModel,
    NotAllowed,
    OutOfMemory,
    PromptGone,
)
from backend.events import Accepted, Event
from backend.jobs.execution import AGAIN
from backend.jobs.job import QUEUED, RUNNING, Job
from backend.jobs.limits import Limits
from backend.jobs.obstacles import FULL
from backend.jobs.segments import Segments
from backend.jobs.views import JobView
from backend.media.facts import SoundFacts
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, SOUND, Make, ended, speak, stop_at
from tests.support.waiting import let_pass, until
from ui.views.library import grid

pytestmark = pytest.mark.full


def whole(studio: Studio, job: JobView) -> None:
    facts = studio.decoder.video_facts(studio.result_path(job.id, job.key))
    assert (facts.frames, facts.width, facts.height) == (720, 64, 64)
    assert isinstance(studio.decoder.sound(studio.result_path(job.id, job.key)), SoundFacts)
    until(lambda: not (studio.settings.jobs_dir / job.id / "work").exists())
    assert len(list((studio.settings.jobs_dir / job.id).rglob("*.mp4"))) == 1


def test_a_lost_engine_costs_one_part_not_all(make: Make, engine: FakeEngine, tone: Path) -> None:
    engine.script = stop_at(1, EngineLost("away"))
    studio = make()
    done = ended(studio, speak(studio, tone), 60)
    assert done.status == "done" and AGAIN in done.warnings
    assert [prompt.index for prompt in engine.prompts] == [0, 1, 1], "the first part is not drawn again"
    assert len({prompt.id for prompt in engine.prompts}) == 3
    whole(studio, done)


def test_finished_segments_survive_a_restart_of_the_app(make: Make, engine: FakeEngine, tone: Path) -> None:
    held = threading.Event()

    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        if prompt.index == 1:
            held.set()
            engine.hold.clear()

    engine.script = script
    studio = make()
    job = speak(studio, tone)
    assert held.wait(60)
    left = studio.store.get(job.id)
    assert left is not None and (left.segments_done, left.status, left.server) == (1, RUNNING, "http://fake")
    assert left.prompt_id == engine.prompts[1].id
    again = make(other := FakeEngine())
    done = ended(again, job, 60)
    assert done.status == "done" and [prompt.index for prompt in other.prompts] == [1]
    assert other.resumed == [left.prompt_id]
    whole(again, done)


@pytest.mark.deep
def test_a_segment_of_another_compilation_is_not_used(make: Make, engine: FakeEngine, tone: Path) -> None:
    engine.script = stop_at(1, EngineLost("away"))
    studio = make()
    seen: list[int] = []
    jobs = studio.settings.jobs_dir

    def spoil(prompt: Prompt, _: Callable[[Event], None]) -> None:
        seen.append(prompt.index)
        if len(seen) == 2:
            next(jobs.glob("*/work/plan")).write_text("another")
            raise EngineLost("away")

    engine.script = spoil
    done = ended(studio, speak(studio, tone), 60)
    assert done.status == "done" and seen == [0, 1, 0, 1]
    whole(studio, done)


def test_trying_a_failed_job_again_goes_on_after_its_last_part(
    make: Make, engine: FakeEngine, tone: Path
) -> None:
    engine.script = stop_at(1, OutOfMemory("The GPU ran out of memory."))
    studio = make()
    failed = ended(studio, speak(studio, tone), 60)
    assert failed.status == "failed" and failed.error is not None
    assert failed.error["code"] == "out_of_memory"
    done = ended(studio, speak(studio, tone, failed), 60)
    assert done.status == "done" and [prompt.index for prompt in engine.prompts] == [0, 1, 1]
    whole(studio, done)
    other = studio.submit(OWNER, "sound_to_video", {**SOUND, "seed": 8}, {"audio": tone}, failed)
    assert ended(studio, other, 60).status == "done"
    assert [prompt.index for prompt in engine.prompts] == [0, 1, 1, 0, 1], "another seed fits no part"


def test_the_second_loss_in_a_row_ends_it_with_the_reason(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    told: list[str] = []

    def recover(_: object, error: Exception) -> OutOfMemory:
        told.append(str(error))
        return OutOfMemory("ComfyUI was ended: the machine ran out of memory.")

    studio.scheduler._recover = recover  # type: ignore[assignment]
    engine.error = EngineLost("away")
    failed = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    assert failed.error is not None and failed.error["code"] == "out_of_memory"
    assert told == ["away", "away"]
    engine.error = None
    assert ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})).status == "done"


def test_a_cancelled_job_that_hangs_ends_and_its_server_is_freed(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    told: list[str] = []

    def recover(_: object, error: EngineLost) -> EngineLost:
        told.append(error.code)
        return error

    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        until(lambda: prompt.id in engine.cancelled)
        raise EngineHung("It stands still.")

    studio.scheduler._recover = recover  # type: ignore[assignment]
    engine.script = script
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    until(lambda: engine.prompts)
    studio.cancel(job.id, job.key)
    assert ended(studio, job).status == "cancelled" and told == ["engine_hung"]


def test_losses_are_counted_in_a_row_and_a_finished_segment_resets_them(
    make: Make, engine: FakeEngine, tone: Path
) -> None:
    seen: list[int] = []

    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        seen.append(prompt.index)
        if seen.count(prompt.index) == 1:
            raise EngineLost("away")

    engine.script = script
    studio = make()
    done = ended(studio, speak(studio, tone), 60)
    assert done.status == "done" and seen == [0, 0, 1, 1]


def test_a_full_disk_ends_no_job(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.fetch_error = DiskFull("The disk is full.")
    engine.script = lambda prompt, _: engine.known.add(prompt.id)
    studio = make(limits=Limits(room=0.2))
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    until(lambda: studio.progress(job.id, job.key).waits == FULL)
    until(lambda: len(engine.resumed) > 5)
    engine.fetch_error = None
    assert ended(studio, job).status == "done"
    assert set(engine.resumed) == {engine.prompts[0].id}, "it is fetched, not drawn again"


def test_the_engines_own_id_is_kept_and_given_back(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.hold.clear()
    engine.script = lambda prompt, tell: tell(Accepted("remote-7"))
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    stored = studio.store.get(job.id)
    assert stored is not None and stored.remote == "remote-7"
    other = FakeEngine()
    other.known.add(stored.prompt_id)
    again = make(other)
    assert ended(again, job).status == "done"
    assert [prompt.remote for prompt in other.prompts] == ["remote-7"]


def test_a_job_goes_to_the_server_that_has_its_prompt(make: Make, picture: Path) -> None:
    first, second = FakeEngine("http://one"), FakeEngine("http://two")
    first.hold.clear()
    second.hold.clear()
    studio = make(first, second)
    jobs = [studio.submit(f"{OWNER}{n}", "image_to_video", SMALL, {"image": picture}) for n in range(2)]
    until(lambda: first.drawing.is_set() and second.drawing.is_set())
    left = {job.id: studio.store.get(job.id) for job in jobs}
    one, two = FakeEngine("http://one"), FakeEngine("http://two")
    for engine in (one, two):
        engine.known.update(job.prompt_id for job in left.values() if job and job.server == engine.address)
    again = make(two, one)  # the other way round
    assert all(ended(again, job).status == "done" and not again.job(job.id, job.key).warnings for job in jobs)
    assert len(one.resumed) == len(two.resumed) == 1


def test_what_another_server_still_draws_is_stopped_there(make: Make, picture: Path) -> None:
    one, two = FakeEngine("http://one"), FakeEngine("http://two")
    two.state = "lost"

    def lose(prompt: Prompt, _: Callable[[Event], None]) -> None:
        one.state, two.state = "lost", "ok"
        raise EngineLost("no answer")

    one.script = lose
    studio = make(one, two, limits=Limits(bound=0.0))
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert ended(studio, job).status == "done"
    assert len(one.prompts) == len(two.prompts) == 1 and not two.resumed and not one.cancelled
    one.state = "ok"
    until(lambda: one.cancelled == {one.prompts[0].id})


def test_begun_three_times_is_enough(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.state = "starting"
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    stored = studio.store.get(job.id)
    assert stored is not None
    studio.store.save(replace(stored.moved(RUNNING, started=1.0), attempts=3, prompt_id="gone-1"))
    other = FakeEngine()
    failed = ended(make(other), job)
    assert failed.error is not None and failed.error["code"] == "lost_too_often"
    assert other.resumed == ["gone-1"] and not other.prompts


def test_restarts_of_the_join_alone_do_not_count(
    make: Make, engine: FakeEngine, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joining, closing = threading.Event(), threading.Event()

    def interrupted(*_: object) -> None:
        joining.set()
        assert closing.wait(60)
        raise InternalError.of("unexpected")

    with monkeypatch.context() as patched:
        patched.setattr(Segments, "join", interrupted)
        studio = make()
        job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
        assert joining.wait(60)
        studio.scheduler.stop()
        closing.set()
        studio.close()
    other = FakeEngine()
    again = make(other, start=False)
    stored = again.store.get(job.id)
    assert stored is not None and (stored.status, stored.segments_done) == (QUEUED, 1)
    again.store.save(replace(stored, attempts=3))
    again.start()
    assert ended(again, job).status == "done" and not other.prompts


def test_a_pause_holds_the_queue_across_a_restart(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    with pytest.raises(NotAllowed):
        studio.pause(OWNER)
    assert studio.claim_admin(OWNER, studio.admins.token)
    studio.pause(OWNER)
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    again = make(other := FakeEngine())
    assert again.paused()
    let_pass(0.3)
    assert not engine.prompts and not other.prompts
    assert [(place.position, place.mine) for place in again.line(OWNER)] == [(1, True)]
    again.resume(OWNER)
    assert ended(again, job).status == "done"


def test_the_queue_shows_a_visitors_own_jobs_only(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.hold.clear()
    studio = make()
    mine = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    studio.submit("somebody-else-0001", "image_to_video", SMALL, {"image": picture})
    places = studio.line(OWNER)
    assert [place.position for place in places] == [0, 1, 2]
    assert [place.mine for place in places] == [True, False, True], "who has nothing running comes first"
    assert places[0].job is not None and places[0].job.id == mine.id and places[1].job is None
    assert studio.progress(mine.id, mine.key).ahead == 0
    engine.hold.set()


def test_a_pin_is_kept(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    engine.hold.clear()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    with pytest.raises(BadInput, match="still being made"):
        studio.pin(OWNER, job.id, job.key, True)
    engine.hold.set()
    ended(studio, job)
    assert studio.pin(OWNER, job.id, job.key, True).pinned and studio.jobs(OWNER)[0].pinned
    (tile,) = make(FakeEngine()).jobs(OWNER)
    assert tile.pinned and ">Pinned<" in grid([tile], studio.media_url, 0.0), "after a restart, too"
    assert not studio.pin(OWNER, job.id, job.key, False).pinned


def test_closing_requeues_the_running_job(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.hold.clear()
    engine.error = EngineLost("closed")
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert engine.drawing.wait(60)
    studio.scheduler.close()
    left: Job | None = studio.store.get(job.id)
    assert left is not None and left.status == "queued" and left.prompt_id == engine.prompts[0].id
    other = FakeEngine()
    other.known.add(left.prompt_id)
    done = ended(make(other), job)
    assert done.status == "done" and not done.warnings and other.resumed == [left.prompt_id]


def test_prompt_gone_while_followed_counts_as_a_loss(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.script = stop_at(0, PromptGone("ComfyUI was restarted and no longer knows of this job."))
    studio = make()
    done = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    assert done.status == "done" and len(engine.prompts) == 2 and not engine.resumed


def test_no_job_starts_after_another_machine_has_taken_the_folder(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.state = "starting"
    studio = make()
    studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    studio.scheduler.evict()
    engine.state = "ok"
    let_pass(0.3)
    assert not engine.prompts and studio.queue().waiting == 1


def test_a_job_that_waits_for_its_server_says_so(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.state = "starting"
    studio = make()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    until(lambda: studio.progress(job.id, job.key).text == "Waiting for ComfyUI to start")
    engine.state = "lost"
    until(lambda: studio.progress(job.id, job.key).text == "Waiting for ComfyUI, which does not answer")
    engine.hold.clear()
    engine.state = "ok"
    assert engine.drawing.wait(60)
    second = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    assert studio.progress(second.id, second.key).text == ""
    engine.hold.set()
    assert ended(studio, job).status == ended(studio, second).status == "done"


def test_what_one_server_lacks_another_makes(make: Make, picture: Path) -> None:
    one, two = FakeEngine("http://one"), FakeEngine("http://two")
    one.error = MissingModel("Image-to-Video needs a file.")
    two.hold.clear()
    studio = make(one, two)
    busy = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    jobs = [studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}) for _ in range(2)]
    until(lambda: two.drawing.is_set() and len(one.prompts) >= 2)
    two.hold.set()
    assert {ended(studio, job).status for job in (busy, *jobs)} == {"done"}
    assert len({prompt.id for prompt in one.prompts}) == len(one.prompts) <= 3, "each is refused once"
    two.error = MissingModel("Image-to-Video needs a file.")
    failed = ended(studio, studio.submit(OWNER, "image_to_video", SMALL, {"image": picture}))
    assert failed.error is not None and failed.error["code"] == "missing_model"


def test_the_owner_of_the_machine_limits_the_length(make: Make, picture: Path, tone: Path) -> None:
    studio = make(WAN_MAX_SECONDS="2")
    with pytest.raises(BadInput, match=r"would last 3 s; the longest possible here is 2 s") as refused:
        studio.submit(OWNER, "image_to_video", {**SMALL, "seconds": 3.0}, {"image": picture})
    assert refused.value.field == "seconds"
    with pytest.raises(BadInput, match="45 s") as refused:
        studio.submit(OWNER, "sound_to_video", SOUND, {"audio": tone})
    assert refused.value.field == "duration" and not list(studio.settings.jobs_dir.iterdir())
    facts = {"audio": studio.inspect("sound_to_video", "audio", tone)}
    plan = studio.plan("sound_to_video", SOUND, facts)
    assert "the longest possible here is 2 s" in plan.problems["duration"] and plan.obstacle
    assert not studio.plan("sound_to_video", {**SOUND, "duration": 2.0}, facts).obstacle
    done = studio.submit(OWNER, "image_to_video", {**SMALL, "seconds": 2.0}, {"image": picture})
    assert ended(studio, done).status == "done"
