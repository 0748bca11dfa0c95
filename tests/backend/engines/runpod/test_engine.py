"""The client of a RunPod Serverless endpoint against a server that follows the documented API."""

from __future__ import annotations

import base64
import http.server
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.engines.base import Prompt, Request
from backend.engines.runpod.engine import Endpoint, RunPodEngine
from backend.engines.runpod.http import Policy, Retry, RunPodHttp, Timing
from backend.errors import (
    EndpointRefused,
    EngineError,
    EngineUnreachable,
    JobCancelled,
    NoOutput,
    OutOfMemory,
    PromptGone,
    StudioError,
    TooLargeToSend,
    TooLate,
)
from backend.events import Accepted, Connection, Event, Output, Preview, Progress, Queued, Stage, Started
from backend.notices import words
from tests.support.fake_runpod import ENDPOINT, KEY, FakeJob, FakeRunPod, fake_runpod
from workflows.notice import notice

pytestmark = pytest.mark.full

FAST = Timing(first=0.01, longest=0.05, health=0.0, lost=5.0, stop=5.0)
QUICK = Retry(tries=4, first=0.01, longest=0.05)
VIDEO = b"\x00\x00\x00\x18ftypmp42 a video"


@pytest.fixture
def fake() -> Iterator[FakeRunPod]:
    with fake_runpod() as server:
        yield server


def engine_of(
    url: str, endpoint: str = ENDPOINT, key: str = KEY, timing: Timing = FAST, **more: Any
) -> RunPodEngine:
    http = RunPodHttp(url, endpoint, key, retry=QUICK)
    return RunPodEngine(Endpoint(http, Policy(30, 2), timing, **more))


@pytest.fixture
def engine(fake: FakeRunPod) -> Iterator[RunPodEngine]:
    made = engine_of(fake.url)
    yield made
    made.close()


EARLIER = {"values": {"distillation": "v1"}}


def prompt(tmp_path: Path, *, remote: str = "", size: int = 5, prompt_id: str = "") -> Prompt:
    picture = tmp_path / "picture"
    picture.write_bytes(b"p" * size)
    asked = Request(
        "image_to_video", {"prompt": "the boat drifts", "seed": 7}, {"image": picture}, resolved=EARLIER
    )
    return Prompt(prompt_id or str(uuid.uuid4()), {}, {}, 4, {}, remote=remote, request=asked)


def done(data: bytes = VIDEO, kind: str = "base64") -> dict[str, Any]:
    text = base64.b64encode(data).decode() if kind == "base64" else data.decode()
    return {"images": [{"filename": "result.mp4", "type": kind, "data": text}]}


class Running:
    """engine.run in a thread; `result` waits for what came of it."""

    def __init__(self, work: Callable[[Callable[[Event], None]], tuple[Output, ...]]) -> None:
        self.events: list[Event] = []
        self._outcome: Any = None
        self._thread = threading.Thread(target=self._run, args=(work,))
        self._thread.start()

    def _run(self, work: Any) -> None:
        try:
            self._outcome = work(self.events.append)
        except BaseException as error:
            self._outcome = error

    def result(self) -> tuple[Output, ...]:
        self._thread.join(60)
        assert not self._thread.is_alive(), "it did not end"
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def start(engine: RunPodEngine, asked: Prompt) -> Running:
    return Running(lambda on_event: engine.run(asked, on_event))


# -- a job from its beginning to its end ------------------------------------------------------


def test_a_job_with_progress_from_queue_to_file(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path
) -> None:
    engine.refresh()
    asked = prompt(tmp_path)
    running = start(engine, asked)
    job = fake.only()
    fake.wait(lambda: fake.count("status") > 1)
    report = {"percent": 30.0, "stage": "draw", "text": "Generating the motion", "step": 1, "steps": 4}
    fake.begin(job, {**report, "preview": base64.b64encode(b"\xff\xd8\xffjpeg").decode()})
    fake.wait(lambda: running.of(Preview))
    fake.begin(job, {**report, "step": 3})
    fake.wait(lambda: Progress(3, 4) in running.events)
    fake.finish(job, done())
    (output,) = running.result()
    engine.fetch(output, tmp_path / "got.mp4")

    assert (tmp_path / "got.mp4").read_bytes() == VIDEO
    assert not Path(output.subfolder).exists(), "the copy that came with the status is gone"
    assert running.events[0] == Accepted(job.id), "RunPod's id is told before anything else"
    assert [type(event) for event in running.events[1:4]] == [Queued, Stage, Started]
    assert Stage("draw", "Generating the motion") in running.events
    assert running.of(Progress) == [Progress(1, 4), Progress(3, 4)]
    assert running.of(Preview) == [Preview(b"\xff\xd8\xffjpeg", "image/jpeg")]
    assert job.policy == {"executionTimeout": 1_800_000, "ttl": 7_200_000}
    assert job.input["prompt_id"] == asked.id
    assert job.input["resolved"] == EARLIER
    assert job.input["mode"] == "image_to_video" and job.input["params"]["seed"] == 7
    assert base64.b64decode(job.input["media"]["image"]["data"]) == b"ppppp"


def test_reports_that_come_late_do_not_go_back(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path
) -> None:
    running = start(engine, prompt(tmp_path))
    job = fake.only()
    for step in (3, 1, 4):
        fake.begin(job, {"stage": "draw", "text": "Generating", "step": step, "steps": 4})
        seen = fake.count("status")
        fake.wait(lambda seen=seen: fake.count("status") > seen + 1)
    fake.begin(job, "a report of another worker")
    fake.finish(job, done())
    running.result()
    assert running.of(Progress) == [Progress(3, 4), Progress(4, 4)]


def test_a_result_in_a_bucket_is_fetched_without_our_key(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path
) -> None:
    seen: list[str | None] = []

    class Bucket(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            status = 200 if self.path.startswith("/good") else 403
            self.send_response(status)
            self.send_header("Content-Length", str(len(VIDEO)))
            self.end_headers()
            self.wfile.write(VIDEO)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as bucket:
        threading.Thread(target=bucket.serve_forever, kwargs={"poll_interval": 0.05}).start()
        base = f"http://127.0.0.1:{bucket.server_address[1]}"
        fake.on_run = lambda job: fake.finish(job, done(f"{base}/good.mp4?sig=1".encode(), "s3_url"))
        (output,) = start(engine, prompt(tmp_path)).result()
        engine.fetch(output, tmp_path / "got.mp4")
        with pytest.raises(NoOutput, match="refused access"):
            engine.fetch(Output("x.mp4", f"{base}/refused.mp4", "s3_url"), tmp_path / "not.mp4")
        bucket.shutdown()
    assert (tmp_path / "got.mp4").read_bytes() == VIDEO
    assert seen == [None, None]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["got.mp4", "picture"]


def test_close_removes_results_and_fails_no_job(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path
) -> None:
    fake.on_run = lambda job: fake.finish(job, done())
    (output,) = start(engine, prompt(tmp_path)).result()
    kept = Path(output.subfolder)
    assert kept.is_file()
    engine.close()
    assert not kept.parent.exists()
    with pytest.raises(EngineUnreachable, match="stopped"):
        engine.fetch(output, tmp_path / "got.mp4")


def test_a_result_on_the_volume_is_copied_when_the_volume_is_here(fake: FakeRunPod, tmp_path: Path) -> None:
    worker, here = Path("/no-such-runpod-volume"), tmp_path / "workspace"
    (here / "out").mkdir(parents=True)
    (here / "out" / "a.mp4").write_bytes(VIDEO)
    engine = engine_of(fake.url, volumes=(worker, here))
    fake.on_run = lambda job: fake.finish(job, done(f"{worker}/out/a.mp4".encode(), "volume_path"))
    (output,) = start(engine, prompt(tmp_path)).result()
    engine.fetch(output, tmp_path / "got.mp4")
    assert (tmp_path / "got.mp4").read_bytes() == VIDEO
    assert (here / "out" / "a.mp4").exists()
    assert fake.count("run") == 1


@pytest.mark.parametrize("path", ["/no-such-runpod-volume/a.mp4", "/etc/passwd", "/workspace/../etc/passwd"])
def test_a_result_on_a_volume_that_is_not_here_is_read_by_a_worker(
    fake: FakeRunPod, tmp_path: Path, path: str
) -> None:
    engine = engine_of(fake.url, range_bytes=8)
    asked: list[dict[str, Any]] = []

    def work(job: FakeJob) -> None:
        if "read" not in job.input:
            fake.finish(job, done(path.encode(), "volume_path"))
            return
        given = job.input["read"]
        asked.append(given)
        data = VIDEO[given["offset"] : given["offset"] + given["bytes"]]
        fake.finish(job, {"data": base64.b64encode(data).decode(), "size": len(VIDEO)})

    fake.on_run = work
    fake.faults["status"] = ["cut"]
    (output,) = start(engine, prompt(tmp_path)).result()
    engine.fetch(output, tmp_path / "got.mp4")
    assert (tmp_path / "got.mp4").read_bytes() == VIDEO
    assert [item["offset"] for item in asked] == [0, 8, 16]
    assert all(item["path"] == path for item in asked)


@pytest.mark.parametrize("answer", [{"data": "", "size": 5}, {"data": "&", "size": 5}, {"size": 5}, None])
def test_a_result_on_the_volume_that_cannot_be_read(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path, answer: Any
) -> None:
    fake.on_run = lambda job: fake.finish(job, answer)
    with pytest.raises(NoOutput):
        engine.fetch(Output("a.mp4", "/no-such-volume/a.mp4", "volume_remote"), tmp_path / "got.mp4")
    assert not list(tmp_path.iterdir())


# -- faults on the way ------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [429, 500, 502, 503, "cut", "junk"])
def test_what_did_not_get_through_is_sent_again(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path, fault: Any
) -> None:
    fake.faults["run"] = [fault, fault]
    fake.faults["status"] = [fault, fault]
    fake.retry_after = "0.02"
    fake.on_run = lambda job: fake.finish(job, done())
    running = start(engine, prompt(tmp_path))
    running.result()
    # "junk" is an answer whose request was not carried out here; so is each of the others
    assert len(fake.jobs) == 1
    assert running.of(Connection) == [Connection(False), Connection(True)]


def test_a_lost_response_is_not_billed_twice(fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path) -> None:
    """The first POST was carried out, its answer was cut off; the worker refuses the second job."""
    fake.faults["run"] = ["lost"]
    asked = prompt(tmp_path)
    running = start(engine, asked)
    fake.wait(lambda: len(fake.jobs) == 2)
    first, second = fake.jobs.values()
    assert first.input == second.input, "the same prompt id"
    fake.begin(first, {"stage": "draw", "text": "Generating", "step": 1, "steps": 4})
    fake.fail(second, {"code": "duplicate", "message": "Another job has it.", "hint": "", "job": first.id})
    fake.wait(lambda: running.of(Progress))
    fake.finish(first, done())
    (output,) = running.result()
    engine.fetch(output, tmp_path / "got.mp4")
    assert [event.remote for event in running.of(Accepted)] == [second.id, first.id]
    assert fake.billed == 1


def test_a_job_whose_id_was_lost_is_found_by_its_prompt_id(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path
) -> None:
    """The app was stopped between POST run and its answer: resume has no RunPod id."""
    first = fake.new({"input": {"prompt_id": "mine"}})
    fake.finish(first, done())

    def refuse(job: FakeJob) -> None:
        fake.fail(job, {"code": "duplicate", "message": "", "hint": "", "job": first.id})

    fake.on_run = refuse
    asked = prompt(tmp_path, prompt_id="mine")
    running = Running(lambda on_event: engine.resume(asked, on_event))
    running.result()
    assert running.of(Accepted)[-1] == Accepted(first.id)


def test_a_job_is_resumed_by_its_id_without_sending(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path
) -> None:
    job = fake.new({"input": {}})
    fake.begin(job, {"stage": "draw", "text": "Generating", "step": 2, "steps": 4})
    asked = prompt(tmp_path, remote=job.id)
    running = Running(lambda on_event: engine.resume(asked, on_event))
    fake.wait(lambda: running.of(Progress))
    fake.finish(job, done())
    running.result()
    assert fake.count("run") == 0


def test_a_key_that_is_wrong(fake: FakeRunPod, tmp_path: Path) -> None:
    engine = engine_of(fake.url, key="rpa_WRONG")
    info = engine.refresh()
    assert info.state == "starting" and "API key" in words(info.error)
    with pytest.raises(EndpointRefused, match="API key"):
        engine.run(prompt(tmp_path), lambda event: None)
    assert fake.jobs == {}
    engine.close()


def test_an_endpoint_that_is_wrong(fake: FakeRunPod, tmp_path: Path) -> None:
    engine = engine_of(fake.url, endpoint="nosuch")
    assert "nosuch" in words(engine.refresh().error)
    with pytest.raises(EndpointRefused, match="no Serverless endpoint nosuch"):
        engine.run(prompt(tmp_path), lambda event: None)
    engine.close()


def test_runpod_that_cannot_be_reached(tmp_path: Path) -> None:
    engine = engine_of("http://127.0.0.1:9/v2")
    assert engine.refresh().state == "starting"
    with pytest.raises(EngineUnreachable, match="RunPod does not answer"):
        engine.run(prompt(tmp_path), lambda event: None)
    engine.close()


def test_an_endpoint_that_was_there_and_is_lost(fake: FakeRunPod, engine: RunPodEngine) -> None:
    assert engine.refresh().state == "ok"
    fake.faults["health"] = [503]
    assert engine.refresh().state == "lost"
    assert engine.refresh().state == "ok"


@pytest.mark.parametrize(
    ("workers", "code"),
    [
        ({"idle": 0, "running": 0}, "runpod_no_workers"),
        ({"idle": 0, "throttled": 2}, "runpod_throttled"),
        ({"unhealthy": 1}, "runpod_unhealthy"),
        ({"idle": 1, "throttled": 2}, ""),
        ({"initializing": 1}, ""),
    ],
)
def test_the_health_of_the_workers(
    fake: FakeRunPod, engine: RunPodEngine, workers: dict[str, int], code: Any
) -> None:
    fake.workers = workers
    fake.new({"input": {}})
    info = engine.refresh()
    assert (info.kind, info.state, info.pending, dict(info.workers)) == ("runpod", "ok", 1, workers)
    assert info.note == (notice(code) if code else None)


def test_a_body_that_is_too_large_is_not_sent(fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path) -> None:
    with pytest.raises(TooLargeToSend, match="limit is 10 MB"):
        engine.run(prompt(tmp_path, size=7_500_001), lambda event: None)
    assert fake.calls == []


# -- ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        ({"code": "out_of_memory", "message": "The GPU ran out.", "hint": "h"}, OutOfMemory, "ran out"),
        ({"code": "from_tomorrow", "message": "New.", "hint": ""}, EngineError, "New."),
        ({"error_type": "<class 'KeyError'>", "error_traceback": "Traceback"}, EngineError, "failed while"),
        ("worker exited with exit code 137", PromptGone, "worker stopped"),
        ("job timed out after 1 retries", PromptGone, "worker stopped"),
        ("", PromptGone, "worker stopped"),
        ("Missing 'workflow' parameter", EngineError, "worker refused"),
    ],
)
def test_a_failed_job_says_why(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path, error: Any, kind: type[StudioError], words: str
) -> None:
    fake.on_run = lambda job: fake.fail(job, error)
    with pytest.raises(kind, match=words) as caught:
        start(engine, prompt(tmp_path)).result()
    assert type(caught.value) is kind
    assert "Traceback" not in caught.value.message + caught.value.hint


def test_a_worker_that_hangs_is_stopped_by_runpod(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path
) -> None:
    running = start(engine, prompt(tmp_path))
    job = fake.only()
    fake.begin(job, {"stage": "draw", "text": "Generating", "step": 1, "steps": 4})
    fake.wait(lambda: running.of(Progress))
    fake.set(job, "TIMED_OUT")
    with pytest.raises(TooLate, match="not done within 30 minutes"):
        running.result()


def test_a_job_that_no_worker_ever_took(fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path) -> None:
    fake.on_run = lambda job: fake.set(job, "TIMED_OUT")
    with pytest.raises(TooLate, match="No RunPod worker took this video within 2 hours"):
        start(engine, prompt(tmp_path)).result()


def test_a_job_that_has_expired(fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path) -> None:
    running = start(engine, prompt(tmp_path))
    job = fake.only()
    job.expired = True
    with pytest.raises(PromptGone, match="no longer has"):
        running.result()


@pytest.mark.parametrize("output", [None, {}, {"images": []}, {"images": [{"filename": "a.mp4"}]}, [], "ok"])
def test_a_result_that_did_not_come_through(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path, output: Any
) -> None:
    fake.on_run = lambda job: fake.finish(job, output)
    with pytest.raises(NoOutput, match="did not pass it on"):
        start(engine, prompt(tmp_path)).result()


def test_a_result_that_is_damaged(fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path) -> None:
    damaged = {"images": [{"filename": "a.mp4", "type": "base64", "data": "&&&"}]}
    fake.on_run = lambda job: fake.finish(job, damaged)
    with pytest.raises(NoOutput, match="damaged"):
        start(engine, prompt(tmp_path)).result()


# -- cancelling -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["IN_QUEUE", "IN_PROGRESS"])
def test_cancelled_while_it_waits_or_runs(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path, state: str
) -> None:
    asked = prompt(tmp_path)
    running = start(engine, asked)
    job = fake.only()
    if state == "IN_PROGRESS":
        fake.begin(job)
        fake.wait(lambda: running.of(Started))
    else:
        fake.wait(lambda: running.of(Queued))
    engine.cancel(asked.id)
    with pytest.raises(JobCancelled):
        running.result()
    assert job.status == "CANCELLED"


def test_cancelled_although_the_first_cancel_is_lost(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path
) -> None:
    fake.faults["cancel"] = ["cut", 500]
    asked = prompt(tmp_path)
    running = start(engine, asked)
    fake.wait(lambda: running.of(Queued))
    engine.cancel(asked.id)
    with pytest.raises(JobCancelled):
        running.result()
    assert fake.only().status == "CANCELLED"


def test_cancelled_before_it_was_sent(fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path) -> None:
    asked = prompt(tmp_path)
    engine.cancel(asked.id)
    with pytest.raises(JobCancelled):
        engine.run(asked, lambda event: None)
    assert fake.jobs == {}


def test_cancelled_while_it_is_being_sent(fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path) -> None:
    asked = prompt(tmp_path)
    fake.on_run = lambda job: engine.cancel(asked.id)
    with pytest.raises(JobCancelled):
        start(engine, asked).result()
    assert fake.only().status == "CANCELLED"


def test_cancelled_when_it_is_done_already(fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path) -> None:
    asked = prompt(tmp_path)

    def finish(job: FakeJob) -> None:
        fake.finish(job, done())
        engine.cancel(asked.id)

    fake.on_run = finish
    with pytest.raises(JobCancelled):
        start(engine, asked).result()


def test_cancelled_when_runpod_has_forgotten_it(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path
) -> None:
    asked = prompt(tmp_path)

    def forget(job: FakeJob) -> None:
        job.expired = True
        engine.cancel(asked.id)

    fake.on_run = forget
    with pytest.raises(JobCancelled):
        start(engine, asked).result()


def test_cancelled_in_the_console_of_runpod(fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path) -> None:
    fake.on_run = fake.cancel
    with pytest.raises(JobCancelled):
        start(engine, prompt(tmp_path)).result()


def test_a_job_that_is_not_monitored_is_cancelled_by_its_id(fake: FakeRunPod, engine: RunPodEngine) -> None:
    job = fake.new({"input": {}})
    engine.cancel("of-an-earlier-run", job.id)
    assert job.status == "CANCELLED"


def test_the_cancel_of_one_lane_does_not_stop_another(
    fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path
) -> None:
    asked = prompt(tmp_path)
    other = RunPodEngine(engine.endpoint)
    other.cancel(asked.id)
    fake.on_run = lambda job: fake.finish(job, done())
    assert start(engine, asked).result()


def test_closing_leaves_the_job_at_runpod(fake: FakeRunPod, engine: RunPodEngine, tmp_path: Path) -> None:
    running = start(engine, prompt(tmp_path))
    job = fake.only()
    fake.begin(job)
    fake.wait(lambda: running.of(Started))
    engine.close()
    with pytest.raises(EngineUnreachable, match="goes on"):
        running.result()
    assert job.status == "IN_PROGRESS"
    assert fake.count("cancel") == 0
