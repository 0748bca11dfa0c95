"""The worker as a process: under the official SDK's local server, and in its production loop against a server
that follows RunPod's API, with the whole studio on the other side."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from backend.errors import EngineUnreachable, TooLargeToSend
from backend.jobs import bundle
from backend.jobs.limits import Limits
from backend.jobs.views import JobView
from backend.media.decoder import Decoder
from backend.notices import words
from backend.settings.model import Settings
from backend.studio import Studio
from tests.support import media_files
from tests.support.fake_runpod import ENDPOINT, FINAL, KEY, FakeRunPod, fake_runpod
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.processes import alive
from tests.support.scripted import OWNER, ended, until
from tests.support.worker_inputs import SMALL, error, graph_of, png, video

pytestmark = pytest.mark.full

pytest.importorskip("runpod", reason="the RunPod SDK (requirements-worker.txt) is not installed")

STEP = 0.2
START_SECONDS = 180.0


def environment(here: Path, **more: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RUNPOD", "WAN_", "COMFYUI"))
    }
    return {
        **kept,
        "WAN_ENGINE": "demo",
        "WAN_DATA_DIR": str(here / "worker-data"),
        "WAN_DEMO_STEP_SECONDS": str(STEP),
        "WAN_WORKER_VOLUME": str(here / "volume"),
        "RUNPOD_ENDPOINT_ID": ENDPOINT,
        "RUNPOD_API_KEY": KEY,
        **more,
    }  # fmt: skip


@contextlib.contextmanager
def worker(here: Path, *options: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    (here / "volume").mkdir(exist_ok=True)
    log = (here / "worker.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "app.py", "worker", *options], cwd=ROOT, env=environment(here, **more),
        stdout=log, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


# -- the SDK's local server -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    here, number = tmp_path_factory.mktemp("local"), free_port()
    options = ("--rp_serve_api", "--rp_api_host", "127.0.0.1", "--rp_api_port", str(number))
    with worker(here, *options, WAN_DEMO_STEP_SECONDS="0") as process:
        url = f"http://127.0.0.1:{number}"

        def up() -> bool:
            assert process.poll() is None, (here / "worker.log").read_text()
            with contextlib.suppress(requests.RequestException):
                return requests.get(f"{url}/docs", timeout=2).ok
            return False

        until(up, START_SECONDS)
        yield url


def runsync(url: str, given: Any) -> dict[str, Any]:
    return requests.post(f"{url}/runsync", json={"input": given}, timeout=60).json()


def test_runsync_with_settings(local: str, tmp_path: Path) -> None:
    answer = runsync(local, {"mode": "text_to_video", "params": SMALL})
    assert answer["status"] == "COMPLETED"
    with Decoder() as decoder:
        assert decoder.video_facts(video(answer["output"], tmp_path)).frames == 9


def test_runsync_with_a_graph(local: str, tmp_path: Path) -> None:
    images = [{"name": "input_image.png", "image": base64.b64encode(png()).decode()}]
    answer = runsync(local, {"workflow": graph_of(), "images": images})
    assert answer["status"] == "COMPLETED"
    with Decoder() as decoder:
        assert decoder.video_facts(video(answer["output"], tmp_path)).frames == 9


def test_runsync_with_a_fault(local: str) -> None:
    answer = runsync(local, {"mode": "text_to_video", "params": {**SMALL, "width": 17}})
    assert answer["status"] == "FAILED"
    said = error(answer)
    assert (said["code"], said["field"]) == ("bad_input", "width")


def test_a_worker_without_comfyui_ends_with_its_reason(tmp_path: Path) -> None:
    for option, said in (("comfyui", "there is no ComfyUI"), ("auto", "no ComfyUI")):
        done = subprocess.run(
            [sys.executable, "app.py", "worker"], cwd=ROOT, timeout=120, capture_output=True, text=True,
            env=environment(tmp_path, WAN_ENGINE=option, HOME=str(tmp_path)), check=False,
        )  # fmt: skip
        assert done.returncode == 1 and said in done.stderr
        assert "Traceback" not in done.stderr


# -- the production loop, and the studio on the other side -------------------------------------------


def in_production(fake: FakeRunPod) -> dict[str, str]:
    """The variables by which the SDK knows that it is on RunPod."""
    base = f"{fake.url}/{ENDPOINT}"
    return {
        "RUNPOD_POD_ID": "worker1",
        "RUNPOD_AI_API_KEY": KEY,
        "RUNPOD_WEBHOOK_GET_JOB": f"{base}/job-take/$ID?gpu=none",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none",
        "RUNPOD_WEBHOOK_PING": f"{base}/ping/$RUNPOD_POD_ID",
        "RUNPOD_ENDPOINT_BASE_URL": fake.url,
        "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",  # disk and network of this machine are not the matter
        "RUNPOD_SKIP_GPU_CHECK": "true",
    }


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeRunPod]:
    """A fake RunPod with one real worker."""
    here = tmp_path_factory.mktemp("endpoint")
    with fake_runpod() as fake, worker(here, **in_production(fake)):
        fake.log = here / "worker.log"  # type: ignore[attr-defined]
        yield fake


@pytest.fixture
def fake(endpoint: FakeRunPod) -> FakeRunPod:
    """The same, with nothing on it from the test before."""
    endpoint.wait(lambda: all(job.status in FINAL for job in endpoint.jobs.values()))
    endpoint.jobs.clear()
    endpoint.calls.clear()
    endpoint.faults.clear()
    return endpoint


@contextlib.contextmanager
def studio_of(fake: FakeRunPod, here: Path, limits: Limits | None = None, **more: str) -> Iterator[Studio]:
    given = {
        "WAN_ENGINE": "runpod",
        "WAN_DATA_DIR": str(here / "data"),
        "RUNPOD_ENDPOINT_ID": ENDPOINT,
        "RUNPOD_API_KEY": KEY,
        "RUNPOD_ENDPOINT_BASE_URL": fake.url,
        "WAN_RUNPOD_CONCURRENCY": "2",
        **more,
    }
    studio = Studio(Settings.from_env(given, here), limits=limits)
    studio.start()
    try:
        yield studio
    finally:
        studio.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.effect_noise((160, 96), 60).convert("RGB").save(path)
    return path


def submit(studio: Studio, photo: Path, steps: int = 4) -> JobView:
    values = {**SMALL, "seconds": 1.0, "steps": steps}
    return studio.submit(OWNER, "image_to_video", values, {"image": photo})


LONG = 100
"""Steps of a job that is cancelled: 20 s."""


def drawing(studio: Studio, job: JobView, fake: FakeRunPod) -> None:
    """Until the worker draws, as the page sees it."""

    def seen() -> bool:
        now = studio.job(job.id, job.key)
        assert now.status in ("queued", "running"), (now.error, fake.log.read_text()[-3000:])  # type: ignore[attr-defined]
        return studio.progress(job.id, job.key).step >= 1

    until(seen, START_SECONDS)


def test_from_the_page_to_the_worker_and_back(fake: FakeRunPod, tmp_path: Path, photo: Path) -> None:
    with studio_of(fake, tmp_path) as studio:
        job = submit(studio, photo, steps=10)
        assert studio.health()["engine"] == "runpod"
        done = ended(studio, job, 60)
        assert done.status == "done", (done.error, fake.log.read_text()[-3000:])  # type: ignore[attr-defined]
        assert (done.width, done.height, done.frames, done.engine) == (64, 64, 17, "RunPod Serverless")
        found = studio.decoder.video_facts(studio.result_path(job.id, job.key))
        assert (found.width, found.height, found.frames) == (64, 64, 17)
        assert fake.count("run") == 1
        reports = fake.only().history
        assert any(report["stage"] == "draw" and report["steps"] == 10 for report in reports)
        assert not list(ROOT.glob(".runpod*")), "the SDK's record of inputs lies elsewhere, and goes"
        left = sorted(path.name for path in (studio.settings.jobs_dir / job.id).iterdir())
        assert "work" not in left and "sent" not in left


def test_a_sound_comes_back_as_the_creators_own(fake: FakeRunPod, tmp_path: Path, photo: Path) -> None:
    """It goes as AAC because it is too large, and the video has the sound of the file itself."""
    sound = tmp_path / "sound.wav"
    media_files.write_sound(sound, media_files.tone(45.0, channels=2))
    assert sound.stat().st_size > bundle.ROOM
    values = {"prompt": "a singer", "width": 64, "height": 64, "speed": "fast", "seed": 1}
    values |= {"start": 1.0, "duration": 2.0}
    with studio_of(fake, tmp_path) as studio:
        job = studio.submit(OWNER, "sound_to_video", values, {"audio": sound, "image": photo})
        done = ended(studio, job, 60)
        assert done.status == "done", (done.error, fake.log.read_text()[-3000:])  # type: ignore[attr-defined]
        path = studio.result_path(job.id, job.key)
        found = studio.decoder.video_facts(path)
        assert (found.frames, found.has_audio) == (32, True)
        heard = studio.decoder.sound(path)
        assert abs(heard.seconds - 2.0) < 1 / 16 and heard.channels == 2 and heard.peak > 0.4
    sent = base64.b64decode(fake.only().input["media"]["audio"]["data"])
    assert sent[4:8] == b"ftyp" and len(sent) < 500_000


def test_cancelled_on_the_page_is_stopped_on_the_worker(
    fake: FakeRunPod, tmp_path: Path, photo: Path
) -> None:
    with studio_of(fake, tmp_path) as studio:
        job = submit(studio, photo, steps=LONG)
        drawing(studio, job, fake)
        studio.cancel(job.id, job.key)
        assert ended(studio, job).status == "cancelled"
        assert fake.only().status == "CANCELLED"
        # The worker is free for the next one, which would not begin before the first has ended.
        again = submit(studio, photo)
        assert ended(studio, again, 60).status == "done"


@pytest.mark.deep
def test_the_page_is_restarted_in_the_middle(fake: FakeRunPod, tmp_path: Path, photo: Path) -> None:
    with studio_of(fake, tmp_path) as studio:
        job = submit(studio, photo, steps=40)
        drawing(studio, job, fake)
    assert fake.only().status == "IN_PROGRESS", "RunPod goes on"
    with studio_of(fake, tmp_path) as studio:
        done = ended(studio, job, 60)
        assert done.status == "done", done.error
        assert studio.decoder.video_facts(studio.result_path(job.id, job.key)).frames == 17
    assert fake.count("run") == 1 and len(fake.jobs) == 1, "nothing is paid for twice"


def test_a_lost_answer_with_a_real_worker(fake: FakeRunPod, tmp_path: Path, photo: Path) -> None:
    fake.faults["run"] = ["lost"]
    with studio_of(fake, tmp_path) as studio:
        job = submit(studio, photo)
        assert ended(studio, job, 60).status == "done"
    first, second = fake.jobs.values()
    assert first.status == "COMPLETED"
    assert second.status == "FAILED" and first.id in second.error
    assert not any(report["stage"] == "draw" for report in second.history)


def test_a_queued_job_of_an_earlier_run_is_cancelled_at_runpod(
    fake: FakeRunPod, tmp_path: Path, photo: Path
) -> None:
    with studio_of(fake, tmp_path) as studio:
        job = submit(studio, photo, steps=LONG)
        drawing(studio, job, fake)
    with studio_of(fake, tmp_path) as studio:
        studio.cancel(job.id, job.key)
        assert ended(studio, job).status == "cancelled"
        fake.wait(lambda: fake.only().status == "CANCELLED")


@pytest.mark.deep
def test_a_result_that_is_too_large_for_an_answer(tmp_path: Path, photo: Path) -> None:
    """It goes onto the endpoint's volume, and a worker reads it to the page, which does not have that."""
    with contextlib.ExitStack() as stack:
        fake = stack.enter_context(fake_runpod())
        quick = {"WAN_WORKER_RESULT_MB": "0.1", "WAN_DEMO_STEP_SECONDS": "0"}
        stack.enter_context(worker(tmp_path, **in_production(fake), **quick))
        studio = stack.enter_context(studio_of(fake, tmp_path))
        values = {**SMALL, "width": 256, "height": 256, "seconds": 5.0}
        job = studio.submit(OWNER, "image_to_video", values, {"image": photo})
        done = ended(studio, job, 90)
        assert done.status == "done", (done.error, (tmp_path / "worker.log").read_text()[-3000:])
        found = studio.decoder.video_facts(studio.result_path(job.id, job.key))
        assert (found.width, found.frames) == (256, 81)
        (stored,) = (tmp_path / "volume" / "wan-studio" / "results").rglob("result.mp4")
        assert studio.result_path(job.id, job.key).stat().st_size == done.bytes, (
            "with the studio's own recipe"
        )
        assert studio.decoder.video_facts(stored).frames == 81
    reads = [made.input["read"]["offset"] for made in fake.jobs.values() if "read" in made.input]
    assert len(reads) > 1 and reads == sorted(reads)


def test_what_does_not_fit_is_refused_before_it_is_queued(
    fake: FakeRunPod, tmp_path: Path, photo: Path
) -> None:
    """Two and a half minutes at 720p are too much even as a small copy."""
    generator = np.random.default_rng(1)
    video = tmp_path / "dance.mp4"
    frames = [generator.integers(0, 255, (240, 320, 3), np.uint8) for _ in range(150)]
    media_files.write_video(video, frames, rate=1)
    assert video.stat().st_size > bundle.ROOM
    with studio_of(fake, tmp_path) as studio:
        with pytest.raises(TooLargeToSend, match="10 MB") as caught:
            studio.submit(OWNER, "animate", {"resolution": "720p"}, {"image": photo, "video": video})
        assert caught.value.field == "video" and caught.value.hint
        assert studio.jobs(OWNER) == [] and list(studio.settings.jobs_dir.iterdir()) == []


def test_a_wrong_key_is_said_before_anything_is_queued(fake: FakeRunPod, tmp_path: Path, photo: Path) -> None:
    with studio_of(fake, tmp_path, Limits(silent=-1.0), RUNPOD_API_KEY="rpa_WRONG") as studio:
        until(lambda: "API key" in words(studio.plan("text_to_video", {"prompt": "a"}, {}).obstacle))
        with pytest.raises(EngineUnreachable, match="API key"):
            submit(studio, photo)
    assert fake.count("run") == 0


@pytest.mark.parametrize("where", ["local", "production"])
def test_the_worker_stops_with_all_that_is_its_own(tmp_path: Path, where: str) -> None:
    number = free_port()
    options = ("--rp_serve_api", "--rp_api_host", "127.0.0.1", "--rp_api_port", str(number))
    with contextlib.ExitStack() as stack:
        if where == "local":
            process = stack.enter_context(worker(tmp_path, *options))
        else:
            fake = stack.enter_context(fake_runpod())
            fake.poll_seconds = 60.0
            process = stack.enter_context(worker(tmp_path, **in_production(fake)))

        def up() -> bool:
            if where == "production":
                return "job-take" in fake.asked
            with contextlib.suppress(requests.RequestException):
                return requests.get(f"http://127.0.0.1:{number}/docs", timeout=2).ok
            return False

        until(up, START_SECONDS)
        children = _children(process.pid)
        assert children, "the demo engine is one"
        process.terminate()
        process.wait(60)
        until(lambda: not any(alive(pid) for pid in children), says=lambda: children)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()  # each thread has its own
    found = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    return found + [inner for child in found for inner in _children(child)]
