"""Jobs at the edges: cancelled while they change hands, left by a closing studio, with odd words."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backend.engines.base import EngineInfo, Prompt
from backend.errors import (
    BadSettings,
    EngineError,
    EngineLost,
    EngineUnreachable,
    InternalError,
    JobCancelled,
    PromptGone,
    StoreBusy,
)
from backend.events import Event, Output, Stage
from backend.jobs.estimate import Workload, stage_seconds
from backend.jobs.job import DONE, RUNNING, Job, StoredInput
from backend.jobs.limits import Limits
from backend.jobs.live import LiveJob
from backend.jobs.obstacles import no_engine
from backend.jobs.recovery import AGAIN
from backend.jobs.views import JobView
from backend.notices import words
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, Make, ended, speak, stop_at
from tests.support.waiting import let_pass, until
from workflows.notice import Notice, notice
from workflows.params.media import Media

pytestmark = pytest.mark.full

Script = Callable[[Prompt, Callable[[Event], None]], None]


class Away(FakeEngine):
    """Fails requests to stop a prompt while it does not answer."""

    def cancel(self, prompt_id: str, remote: str = "") -> None:
        if self.state == "ok":
            super().cancel(prompt_id, remote)


def once(*errors: Exception, before: Callable[[Prompt], object] = lambda prompt: None) -> Script:
    """Raises these, one for each prompt; later ones go well."""
    left = list(errors)

    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        if left:
            before(prompt)
            raise left.pop(0)

    return script


def small(studio: Studio, picture: Path) -> JobView:
    return studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})


def test_a_job_cancelled_while_it_is_requeued_stays_cancelled(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()
    engine.script = once(EngineLost("away"))

    submitted = threading.Event()

    def recover(_: object, error: EngineLost) -> EngineLost:
        engine.state = "lost"
        assert submitted.wait(60)
        studio.cancel(job.id, job.key)
        return error

    studio.scheduler._recover = recover  # type: ignore[assignment]
    engine.hold.clear()
    job = small(studio, picture)
    submitted.set()
    assert ended(studio, job).status == "cancelled"
    assert studio.queue().waiting == studio.queue().running == 0


def test_a_cancelled_prompt_is_stopped_when_its_server_is_back(make: Make, picture: Path) -> None:
    engine = Away()
    engine.script = once(EngineLost("away"), before=lambda _: setattr(engine, "state", "lost"))
    studio = make(engine)
    job = small(studio, picture)
    until(lambda: engine.prompts and studio.queue().waiting == 1)
    assert studio.cancel(job.id, job.key).status == "cancelled"
    engine.state = "ok"
    until(lambda: engine.cancelled == {engine.prompts[0].id})


def test_a_job_cancelled_while_its_server_is_away_is_stopped_there(make: Make, picture: Path) -> None:
    engine = Away()

    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        engine.state = "lost"
        studio.cancel(job.id, job.key)
        raise JobCancelled("Cancelled.")

    ready = threading.Event()
    engine.script = lambda prompt, tell: ready.wait(60) and script(prompt, tell)
    studio = make(engine)
    job = small(studio, picture)
    ready.set()
    assert ended(studio, job).status == "cancelled"
    until(lambda: studio.queue().running == 0)
    assert not engine.cancelled
    engine.state = "ok"
    until(lambda: engine.cancelled == {engine.prompts[0].id})


def test_a_job_that_failed_for_its_lost_server_is_stopped_there(make: Make, picture: Path) -> None:
    engine = Away()
    engine.script = once(EngineLost("away"), EngineLost("away again"))
    studio = make(engine)
    job = small(studio, picture)
    assert ended(studio, job).status == "failed"
    until(lambda: engine.prompts[1].id in engine.cancelled)


def test_a_closing_studio_fails_no_job(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()

    def close(_: Prompt) -> None:
        studio.scheduler._active.closing = True

    engine.script = once(InternalError("Wan Studio is shutting down."), before=close)
    job = small(studio, picture)
    until(lambda: (left := studio.store.get(job.id)) and left.status != RUNNING and left.prompt_id)
    left = studio.store.get(job.id)
    assert left is not None and left.status == "queued" and left.prompt_id == engine.prompts[0].id


def test_a_mistake_while_a_server_is_brought_back_loses_no_job(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    studio = make()

    def recover(_: object, error: EngineLost) -> EngineLost:
        raise ValueError("a mistake of ours")

    studio.scheduler._recover = recover  # type: ignore[assignment]
    engine.script = once(EngineLost("away"))
    assert ended(studio, small(studio, picture)).status == "done"


def test_words_that_no_database_takes_end_a_job_with_their_reason(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.error = EngineError("Half a pair: \ud800.")
    studio = make()
    failed = ended(studio, small(studio, picture))
    assert failed.error is not None and failed.error["message"] == "Half a pair: ?."


def test_a_database_that_is_held_is_not_called_a_full_disk(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.fetch_error = StoreBusy("The job database is in use by another program.")
    studio = make(limits=Limits(room=1.0))
    job = small(studio, picture)
    other = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    texts: list[str] = []

    def told() -> bool:
        texts.extend(studio.progress(each.id, each.key).text for each in (job, other))
        return bool(texts[-1]) and any("database" in text for text in texts)

    until(told)
    assert all("disk" not in text for text in texts)
    engine.fetch_error = None
    engine.known.update(prompt.id for prompt in engine.prompts)
    assert ended(studio, job).status == ended(studio, other).status == "done"


def test_a_pin_outlives_an_end_that_is_written_late(make: Make, engine: FakeEngine, picture: Path) -> None:
    studio = make()
    done = ended(studio, small(studio, picture))
    stored = studio.store.get(done.id)
    assert stored is not None
    studio.store.save(replace(stored, status=RUNNING, finished=None))  # as after a disk that was full
    studio.scheduler._active.ends._unsaved[done.id] = stored
    assert studio.pin(OWNER, done.id, done.key, True).pinned
    studio.scheduler._active.ends.write_late()
    late = studio.store.get(done.id)
    assert late is not None and late.pinned and late.status == DONE


def test_a_job_that_cannot_be_read_any_more_fails_and_the_others_are_made(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.state = "starting"
    studio = make()
    jobs = [small(studio, picture) for _ in range(3)]
    stored = [studio.store.get(job.id) for job in jobs]
    assert stored[0] is not None and stored[1] is not None
    studio.store.save(replace(stored[0], mode="of_a_later_version"))
    studio.store.save(replace(stored[1], inputs={"image": StoredInput(Media("x"), "x")}))
    again = make(FakeEngine())
    assert [ended(again, job).status for job in jobs] == ["failed", "failed", "done"]
    assert all(again.job(job.id, job.key).error for job in jobs[:2])


def test_a_later_part_is_begun_three_times_as_well(make: Make, tone: Path) -> None:
    engines = [FakeEngine() for _ in range(4)]

    def hold(engine: FakeEngine) -> Script:
        def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
            if prompt.index == 1:
                engine.hold.clear()

        return script

    studio, job = None, None
    for engine in engines[:3]:
        engine.script = hold(engine)
        studio = make(engine)
        job = job or speak(studio, tone)
        until(lambda engine=engine: [prompt.index for prompt in engine.prompts][-1:] == [1])
        assert engine.drawing.wait(60)
    assert job is not None
    failed = ended(make(engines[3]), job)
    assert failed.error is not None and failed.error["code"] == "lost_too_often"
    assert not engines[3].prompts


def test_a_studio_that_lost_its_folder_takes_no_job_that_would_not_start(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.state = "starting"
    studio = make()
    waiting = small(studio, picture)
    studio.scheduler.evict()
    with pytest.raises(BadSettings, match="taken over"):
        small(studio, picture)
    assert len(list(studio.settings.jobs_dir.iterdir())) == 1
    until(lambda: "taken over" in studio.progress(waiting.id, waiting.key).text)


def test_what_was_not_wholly_made_here_teaches_no_estimate(
    make: Make, engine: FakeEngine, picture: Path, tone: Path
) -> None:
    studio = make()
    plain = ended(studio, small(studio, picture))
    engine.script = stop_at(1, EngineLost("away"))
    resumed = ended(studio, speak(studio, tone), 60)
    one, two = studio.store.get(plain.id), studio.store.get(resumed.id)
    assert one is not None and two is not None
    assert stage_seconds(Workload(4, 64, 64, 17), [one]) and not stage_seconds(Workload(4, 64, 64, 17), [two])
    assert two.timings["lost"] > 0 and "until" not in two.timings


def test_a_pause_does_not_stop_what_its_engine_works_on(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.hold.clear()
    studio = make()
    job = small(studio, picture)
    assert engine.drawing.wait(60)
    studio.scheduler.pause(True)
    behind = small(studio, picture)
    other = FakeEngine()
    other.known.add(engine.prompts[0].id)
    again = make(other)
    assert ended(again, job).status == "done" and again.queue().waiting == 1
    again.scheduler.pause(False)
    assert ended(again, behind).status == "done"


def test_started_again_is_said_of_what_is_started_again_alone(
    make: Make, engine: FakeEngine, picture: Path
) -> None:
    engine.script = once(EngineLost("away"), before=lambda prompt: engine.known.add(prompt.id))
    studio = make()
    assert not ended(studio, small(studio, picture)).warnings, "its prompt was found again"
    one, two = FakeEngine("http://one"), FakeEngine("http://two")
    two.state = "lost"

    def lose(_: Prompt) -> None:
        one.state, two.state = "lost", "ok"

    one.script = once(EngineLost("away"), before=lose)
    pair = make(one, two, limits=Limits(bound=0.0))
    assert AGAIN in ended(pair, small(pair, picture)).warnings


def test_a_job_stopped_by_another_program_says_so(make: Make, engine: FakeEngine, picture: Path) -> None:
    engine.script = once(JobCancelled("The job was stopped at ComfyUI."))
    studio = make()
    stopped = ended(studio, small(studio, picture))
    assert stopped.status == "cancelled" and stopped.error is not None
    assert stopped.error["message"] == "The job was stopped at ComfyUI."


def test_the_bar_starts_at_the_parts_that_are_there(make: Make, engine: FakeEngine, tone: Path) -> None:
    def script(prompt: Prompt, _: Callable[[Event], None]) -> None:
        if prompt.index == 1:
            engine.hold.clear()

    engine.script = script
    studio = make()
    job = speak(studio, tone)
    until(lambda: len(engine.prompts) == 2)
    seen: list[float] = []
    other = FakeEngine()

    def look(prompt: Prompt, tell: Callable[[Event], None]) -> None:
        tell(Stage("draw", "Generating"))
        seen.append(again.progress(job.id, job.key).percent)

    ready = threading.Event()
    other.script = lambda prompt, tell: ready.wait(60) and look(prompt, tell)
    again = make(other)
    ready.set()
    assert ended(again, job, 60).status == "done"
    assert seen[0] > 50


def test_a_result_that_cannot_be_fetched_for_a_moment_is_no_lost_engine(
    make: Make, engine: FakeEngine, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = engine.fetch, [EngineUnreachable("The bucket does not answer.") for _ in range(3)]

    def fetch(output: Output, destination: Path) -> None:
        if left:
            raise left.pop()
        real(output, destination)

    monkeypatch.setattr(engine, "fetch", fetch)
    studio = make(limits=Limits(fetch=(0.05, 0.05, 0.05)))
    done = ended(studio, small(studio, picture))
    assert done.status == "done" and not done.warnings and len(engine.prompts) == 1


def text(words: str) -> Notice:
    return notice("text", text=words)


def test_a_job_says_why_its_server_does_not_come() -> None:
    refused = EngineInfo("runpod", "r", state="starting", error=text("RunPod does not accept the API key."))
    assert words(no_engine([refused])) == "Waiting for RunPod. RunPod does not accept the API key."
    broken = EngineInfo("comfyui", "c", state="starting", error=text("torch is missing."), ours=True)
    assert words(no_engine([broken])) == "Waiting for ComfyUI. torch is missing."
    assert words(no_engine([replace(broken, error=None)])) == "Waiting for ComfyUI to start"
    away = EngineInfo("comfyui", "c", state="lost", error=text("GET /queue: refused"))
    assert words(no_engine([away])) == "Waiting for ComfyUI, which does not answer"


def test_another_lane_may_take_a_lost_job_at_once(
    make: Make, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = FakeEngine("http://one"), FakeEngine("http://two")
    two.state = "lost"
    studio = make(one, two)
    requeue = studio.scheduler._active.requeue

    def slowly(job: Job, live: LiveJob) -> bool:
        """The lane that lost the job is not done with it when the other one has it."""
        requeued = requeue(job, live)
        two.state = "ok"
        until(lambda: two.drawing.is_set())
        return requeued

    monkeypatch.setattr(studio.scheduler._active, "requeue", slowly)

    def lose(prompt: Prompt, _: object) -> None:
        one.state = "lost"
        raise PromptGone("ComfyUI was restarted and no longer knows of this job.")

    one.script = lose
    two.hold.clear()
    job = studio.submit(OWNER, "image_to_video", SMALL, {"image": picture})
    until(lambda: two.drawing.is_set())
    let_pass(0.2)
    assert studio.queue().running == 1
    two.error = EngineError("It goes wrong there, too.")
    two.hold.set()
    assert ended(studio, job).status == "failed"
