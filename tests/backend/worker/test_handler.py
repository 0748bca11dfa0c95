"""The handler of the RunPod worker, on the demo engine."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend import requester
from backend.engines.base import Engine
from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.timing import Timing
from backend.events import Output
from backend.jobs.used_files import UsedFiles
from backend.media.decoder import Decoder, PictureFacts, StoredMedia
from backend.models.file_hashes import FileHashes, file_key
from backend.models.hasher import Hasher
from backend.models.roots import Roots
from backend.worker.claims import HEARTBEAT_SECONDS, STALE_SECONDS, Claims
from backend.worker.handler import Worker
from backend.worker.job_input import Limits
from backend.worker.results import DeliveryOptions
from tests.support import media_files
from tests.support.boxes import mdta_texts
from tests.support.demo_server import DemoServer, start_demo
from tests.support.fake_engine import FakeEngine
from tests.support.odd_results import quicktime
from tests.support.stores import own_names, put
from tests.support.waiting import SECONDS, until
from tests.support.worker_inputs import SMALL, error, graph_of, png, video
from workflows.graph.node_contract import facts, recorded
from workflows.notice import notice

pytestmark = pytest.mark.full

PNG = base64.b64encode(png()).decode()
PROMPT = "6a1f8c1e-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoServer]:
    with start_demo(step_seconds=0.0) as server:
        yield server


LONG = {**SMALL, "steps": 100}
"""Twenty seconds and more on `slow`, which is interrupted within a step."""


@pytest.fixture(scope="module")
def slow_server() -> Iterator[DemoServer]:
    with start_demo(step_seconds=0.2, preview_method="auto", faults=True) as server:
        yield server


@pytest.fixture
def slow(slow_server: DemoServer) -> DemoServer:
    """The same, with nothing left of the test before."""
    slow_server.faults()
    until(lambda: idle(slow_server))
    return slow_server


def idle(demo: DemoServer) -> bool:
    return bool(demo.call("GET", "/queue").json() == {"queue_running": [], "queue_pending": []})


class WorkerHarness:
    """A worker and what it reported."""

    def __init__(self, engine: Engine, decoder: Decoder, here: Path, **more: Any) -> None:
        self.reports: list[Mapping[str, Any]] = []
        self.volume = here / "volume"
        self.volume.mkdir(exist_ok=True)
        self.claims = more.pop("claims", None) or Claims(here / "claims")
        self.folder = here / "work"
        delivery = more.pop("delivery", DeliveryOptions(10_000_000, None, None))
        self.worker = Worker(
            [engine, *more.pop("engines", ())], decoder, self.claims, self.folder,
            Limits(2_000_000, self.volume), delivery,
            minutes=more.pop("minutes", 5.0), report=lambda job, shown: self.reports.append(shown), **more,
        )  # fmt: skip

    def handle(self, given: Any, job_id: str = "job-u1") -> dict[str, Any]:
        return asyncio.run(self.worker.handle({"id": job_id, "input": given}))


@pytest.fixture
def harness(demo: DemoServer, decoder: Decoder, tmp_path: Path) -> WorkerHarness:
    return WorkerHarness(ComfyEngine(demo.url), decoder, tmp_path)


def test_a_job_by_its_settings(harness: WorkerHarness, decoder: Decoder, tmp_path: Path) -> None:
    picture = base64.b64encode(png()).decode()
    answer = harness.handle({"mode": "image_to_video", "params": SMALL, "media": {"image": picture}})
    found = decoder.video_facts(video(answer, tmp_path))
    assert (found.width, found.height, found.frames) == (64, 64, 9)
    assert (answer["width"], answer["frames"], answer["seed"]) == (64, 9, 3)
    assert list(harness.folder.iterdir()) == [], "nothing of a job stays"


def test_files_are_looked_at_for_the_job(demo: DemoServer, tmp_path: Path) -> None:
    """A paid job never fails because other processes decode files at the same time."""
    seen: list[requester.Requester] = []

    class Noting(Decoder):
        def picture(self, *args: Any, **more: Any) -> PictureFacts:
            seen.append(requester.current())
            return super().picture(*args, **more)

        def normalise(self, *args: Any, **more: Any) -> StoredMedia:
            seen.append(requester.current())
            return super().normalise(*args, **more)

    with Noting() as decoder:
        harness = WorkerHarness(ComfyEngine(demo.url), decoder, tmp_path)
        media = {"image": base64.b64encode(png()).decode()}
        assert "images" in harness.handle({"mode": "image_to_video", "params": SMALL, "media": media})
    assert [(who.owner, who.is_job) for who in seen] == [("job-u1", True)] * 2


def test_a_long_job_is_made_in_segments_and_joined(
    demo: DemoServer, decoder: Decoder, tmp_path: Path
) -> None:
    store, hasher = tmp_path / "volume-of-ann", Hasher(FileHashes())
    vae = put(store, own_names("vae")["vae"])
    key = file_key(vae)
    assert key is not None
    hasher.ask([key])
    assert hasher.wait([key], SECONDS)
    engine = ComfyEngine(demo.url)
    harness = WorkerHarness(
        engine, decoder, tmp_path, used=UsedFiles(hasher, lambda: Roots(store), lambda info: True)
    )
    sound = tmp_path / "a.wav"
    media_files.write_sound(sound, media_files.tone(41.0, rate=8_000), rate=8_000)
    given = base64.b64encode(sound.read_bytes()).decode()
    params = {
        "width": 64, "height": 64, "speed": "fast", "seed": 3, "negative_prompt": "rain", "nag": "off",
    }  # fmt: skip
    answer = harness.handle({"mode": "sound_to_video", "params": params, "media": {"audio": {"data": given}}})
    made = video(answer, tmp_path)
    found = decoder.video_facts(made)
    assert (found.frames, found.has_audio) == (656, True)
    texts = mdta_texts(made)
    recipe = json.loads(texts["wan_studio"])
    assert len(recipe["graphs"]) == 2 and json.loads(texts["prompt"]) == recipe["graphs"][0]
    assert recipe["settings"]["values"].items() >= params.items() and recipe["media"]["audio"]["sha256"]
    models = {model["role"]: model for model in recipe["models"]}
    size = vae.stat().st_size
    assert models["vae"] == {"name": vae.name, "role": "vae", "sha256": hasher.known(key), "bytes": size}
    assert answer["resolved"]["digests"] == {"vae": [hasher.known(key), size]}, "for the studio's recipe"
    assert b"of-ann" not in made.read_bytes()
    assert answer["notices"] == [notice("negative_prompt_off").to_json()]
    assert answer["warnings"] == ["The negative prompt is turned off for runs at guidance (cfg) 1."]
    assert (answer["resolved"]["values"]["steps"], answer["resolved"]["values"]["cfg"]) == (4, 1.0)
    shown = [report["percent"] for report in harness.reports]
    assert shown == sorted(shown)


def test_a_graph_with_its_pictures(harness: WorkerHarness, decoder: Decoder, tmp_path: Path) -> None:
    """The input of runpod-workers/worker-comfyui."""
    for data in (
        base64.b64encode(png()).decode(),
        "data:image/png;base64," + base64.b64encode(png()).decode(),
    ):
        images = [{"name": "input_image.png", "image": data}]
        answer = harness.handle({"workflow": graph_of(), "images": images})
        assert decoder.video_facts(video(answer, tmp_path)).frames == 9


class Talkative(FakeEngine):
    """Writes files that say how they were made: the graph, with the paths of the sender."""

    written: Path

    def fetch(self, output: Output, destination: Path) -> None:
        shutil.copyfile(self.written, destination)


@pytest.mark.parametrize("recipes", [True, False])
def test_what_the_files_of_a_graph_say(decoder: Decoder, tmp_path: Path, recipes: bool) -> None:
    engine = Talkative()
    engine.written = quicktime(tmp_path / "a.mov")
    harness = WorkerHarness(engine, decoder, tmp_path, recipes=recipes)
    given = {"workflow": graph_of(), "images": [{"name": "input_image.png", "image": PNG}]}
    made = video(harness.handle(given), tmp_path)
    assert (made.read_bytes() == engine.written.read_bytes()) is recipes, "unchanged, or without what it says"
    assert (b"of-ann" in made.read_bytes()) is recipes
    engine.written.write_bytes(struct.pack("<Q", 40) + b'{"__metadata__": {"prompt": "of-ann"}}  ')
    answer = harness.handle(given, "job-u2")
    assert recipes == ("images" in answer)
    assert recipes or error(answer)["code"] == "no_output"


def test_reports_of_progress(slow: DemoServer, decoder: Decoder, tmp_path: Path) -> None:
    harness = WorkerHarness(ComfyEngine(slow.url), decoder, tmp_path)
    slow.faults(hang_at_step=3)

    async def made() -> None:
        given = {"mode": "text_to_video", "params": SMALL}
        task = asyncio.create_task(harness.worker.handle({"id": "a-u1", "input": given}))
        while not any("preview" in report for report in harness.reports):
            await asyncio.sleep(0.05)
        slow.faults()
        assert "images" in await task

    asyncio.run(asyncio.wait_for(made(), 60))
    last = harness.reports[-1]
    assert {"percent", "stage", "text", "step", "steps"} <= last.keys()
    assert last["steps"] == 4 and any(report["stage"] == "draw" for report in harness.reports)
    assert any("preview" in report for report in harness.reports)


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (None, "bad_input", "not a JSON object"),
        ({}, "bad_input", "needs a mode"),
        ({"mode": "dance"}, "bad_input", "needs a mode"),
        ({"mode": "text_to_video", "params": {**SMALL, "width": 17}}, "bad_input", "16"),
        ({"mode": "text_to_video", "params": {**SMALL, "speeed": 1}}, "bad_input", "speeed"),
        ({"mode": "text_to_video", "params": [1]}, "bad_input", "JSON objects"),
        ({"mode": "text_to_video", "media": {"image": "aGk="}}, "bad_input", "does not take"),
        ({"mode": "image_to_video", "params": SMALL}, "bad_input", "Choose a picture"),
        ({"mode": "image_to_video", "media": {"image": "&&"}}, "bad_input", "not base64"),
        ({"mode": "image_to_video", "media": {"image": "aGk="}}, "bad_media", "picture"),
        ({"mode": "image_to_video", "media": {"image": 5}}, "bad_input", "not a file"),
        (
            {"mode": "image_to_video", "media": {"image": {"data": "aGk=", "name": "beach.png"}}},
            "bad_media",
            "beach.png is not a picture",
        ),
        ({"mode": "image_to_video", "media": {"image": "A" * 3_000_000}}, "bad_input", "larger than 2 MB"),
        ({"workflow": {"nodes": [], "links": []}}, "bad_input", "API format"),
        ({"workflow": {"1": {"inputs": {}}}}, "bad_input", "API format"),
        ({"workflow": {"1": {"class_type": "NoSuchNode", "inputs": {}}}}, "missing_node", "lacks a node"),
    ],
)
def test_what_cannot_be_done_says_why(harness: WorkerHarness, given: Any, code: str, words: str) -> None:
    said = error(harness.handle(given))
    assert said["code"] == code
    assert words in f"{said['message']} {said['hint']}"


def test_a_prompt_is_worked_on_once(harness: WorkerHarness) -> None:
    given = {"mode": "text_to_video", "params": SMALL, "prompt_id": PROMPT}

    async def both() -> list[dict[str, Any]]:
        first = asyncio.create_task(harness.worker.handle({"id": "first-u1", "input": given}))
        while not harness.reports and not first.done():
            await asyncio.sleep(0.01)
        second = await harness.worker.handle({"id": "second-u1", "input": given})
        return [await first, second]

    first, second = asyncio.run(both())
    assert "images" in first
    assert error(second) == {**error(second), "code": "duplicate", "job": "first-u1"}
    assert error(harness.handle(given, "third-u1"))["job"] == "first-u1", "also after its end"


def test_a_failed_prompt_may_be_tried_again(harness: WorkerHarness) -> None:
    bad = {"mode": "text_to_video", "params": {**SMALL, "width": 17}, "prompt_id": PROMPT}
    assert error(harness.handle(bad, "first-u1"))["code"] == "bad_input"
    assert "images" in harness.handle({**bad, "params": SMALL}, "second-u1")


def test_runpods_stop_interrupts_comfyui_and_is_passed_on(
    slow: DemoServer, decoder: Decoder, tmp_path: Path
) -> None:
    harness = WorkerHarness(ComfyEngine(slow.url), decoder, tmp_path)
    given = {"mode": "text_to_video", "params": LONG, "prompt_id": PROMPT}

    async def stopped() -> None:
        task = asyncio.create_task(harness.worker.handle({"id": "a-u1", "input": given}))
        while not any(report["stage"] == "draw" for report in harness.reports):
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(stopped(), 60))
    until(lambda: idle(slow))
    assert interrupted(slow)
    assert harness.claims.take(PROMPT, "another-u1") == "", "the prompt is free again"


def interrupted(demo: DemoServer) -> bool:
    """Whether the last prompt was interrupted and did not end by itself."""
    last = list(demo.call("GET", "/history?max_items=1").json().values())[-1]
    return bool(last["status"]["messages"][-1][0] == "execution_interrupted")


def test_a_job_that_lost_its_prompt_is_stopped(slow: DemoServer, decoder: Decoder, tmp_path: Path) -> None:
    now = [0.0]
    claims = Claims(tmp_path / "claims", clock=lambda: now[0])
    record = tmp_path / "claims" / f"{PROMPT}.json"
    taken_over = '{"job": "b-u1", "state": "running"}'
    harness = WorkerHarness(ComfyEngine(slow.url), decoder, tmp_path, claims=claims)
    given = {"mode": "text_to_video", "params": LONG, "prompt_id": PROMPT}

    async def overtaken() -> dict[str, Any]:
        task = asyncio.create_task(harness.worker.handle({"id": "a-u1", "input": given}))
        while not any(report["stage"] == "draw" for report in harness.reports):
            await asyncio.sleep(0.05)
        record.write_text(taken_over)
        now[0] += HEARTBEAT_SECONDS
        return await task

    said = error(asyncio.run(asyncio.wait_for(overtaken(), 60)))
    assert said == {**said, "code": "duplicate", "job": "b-u1"}, "the client follows the other job"
    until(lambda: idle(slow))
    assert interrupted(slow)
    assert record.read_text() == taken_over


def test_two_prompts_at_once_keep_their_claims(slow: DemoServer, decoder: Decoder, tmp_path: Path) -> None:
    now = [0.0]
    worker, other = (Claims(tmp_path / "claims", clock=lambda: now[0]) for _ in range(2))
    prompts = {"a-u1": PROMPT, "b-u1": PROMPT[:-1] + "2"}

    def beats() -> list[int]:
        return [
            int(json.loads((tmp_path / "claims" / f"{p}.json").read_text())["beat"]) for p in prompts.values()
        ]

    with start_demo(faults=True) as other_server:
        for server in (slow, other_server):
            server.faults(hang_at_step=2)
        harness = WorkerHarness(
            ComfyEngine(slow.url), decoder, tmp_path, claims=worker, engines=[ComfyEngine(other_server.url)]
        )

        async def both() -> None:
            given = {"mode": "text_to_video", "params": SMALL}
            tasks = [
                asyncio.create_task(
                    harness.worker.handle({"id": job, "input": {**given, "prompt_id": prompt}})
                )
                for job, prompt in prompts.items()
            ]
            while len(list((tmp_path / "claims").glob("*.json"))) < 2:
                await asyncio.sleep(0.05)
            for _ in range(3):
                before = beats()
                now[0] += STALE_SECONDS / 2
                while not all(new > old for new, old in zip(beats(), before, strict=True)):
                    await asyncio.sleep(0.05)
                assert [other.take(prompt, "x") for prompt in prompts.values()] == list(prompts)
            for task in tasks:
                task.cancel()
            for server in (slow, other_server):
                server.faults()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(asyncio.wait_for(both(), 120))


def test_a_job_that_takes_too_long_is_stopped(slow: DemoServer, decoder: Decoder, tmp_path: Path) -> None:
    harness = WorkerHarness(ComfyEngine(slow.url), decoder, tmp_path, minutes=0.01)
    said = error(harness.handle({"mode": "text_to_video", "params": LONG}))
    assert said["code"] == "too_late" and "WAN_WORKER_MINUTES" in said["hint"]
    until(lambda: idle(slow))


def test_a_lost_comfyui_requests_a_new_worker(decoder: Decoder, tmp_path: Path) -> None:
    with start_demo(step_seconds=60.0) as slow:
        timing = Timing(refused_limit=0.5, error_limit=1.0, offline_poll=0.1)
        harness = WorkerHarness(ComfyEngine(slow.url, timing=timing), decoder, tmp_path)

        async def killed() -> dict[str, Any]:
            task = asyncio.create_task(
                harness.worker.handle({"id": "a-u1", "input": {"mode": "text_to_video", "params": SMALL}})
            )
            while not any(report["stage"] == "draw" for report in harness.reports):
                await asyncio.sleep(0.05)
            slow.process.kill()
            return await task

        answer = asyncio.run(asyncio.wait_for(killed(), 60))
    assert answer["refresh_worker"] is True
    assert error(answer)["code"] in ("engine_lost", "engine_unreachable", "prompt_gone")


# -- results ------------------------------------------------------------------------------------


def test_a_bucket_takes_the_result(demo: DemoServer, decoder: Decoder, tmp_path: Path) -> None:
    uploads: list[tuple[str, bytes, str]] = []

    def upload(name: str, path: Path, job_id: str) -> str:
        uploads.append((name, path.read_bytes()[4:8], job_id))
        return "https://bucket/result.mp4?signature"

    harness = WorkerHarness(
        ComfyEngine(demo.url), decoder, tmp_path, delivery=DeliveryOptions(10_000_000, None, upload)
    )
    (item,) = harness.handle({"mode": "text_to_video", "params": SMALL})["images"]
    wanted = {"filename": "result.mp4", "type": "s3_url", "data": "https://bucket/result.mp4?signature"}
    assert item == wanted
    assert uploads == [("result.mp4", b"ftyp", "job-u1")]


def test_a_failed_upload_falls_back_to_the_response(
    demo: DemoServer, decoder: Decoder, tmp_path: Path
) -> None:
    def upload(name: str, path: Path, job_id: str) -> str:
        raise RuntimeError("AccessDenied")

    harness = WorkerHarness(
        ComfyEngine(demo.url), decoder, tmp_path, delivery=DeliveryOptions(10_000_000, None, upload)
    )
    video(harness.handle({"mode": "text_to_video", "params": SMALL}), tmp_path)


def test_what_is_too_large_for_the_answer_goes_onto_the_volume(
    demo: DemoServer, decoder: Decoder, tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    harness = WorkerHarness(
        ComfyEngine(demo.url), decoder, tmp_path, delivery=DeliveryOptions(21_000, volume, None)
    )
    (item,) = harness.handle({"mode": "text_to_video", "params": SMALL})["images"]
    assert item["type"] == "volume_path"
    assert Path(item["data"]).is_relative_to(volume)
    assert decoder.video_facts(item["data"]).frames == 9
    whole, data = Path(item["data"]).read_bytes(), b""
    while len(data) < len(whole):
        asked = {"path": item["data"], "offset": len(data), "bytes": 1_000_000}
        answer = harness.handle({"read": asked})
        assert answer["size"] == len(whole)
        data += base64.b64decode(answer["data"])
    assert data == whole
    for path in ("/etc/passwd", str(volume / "models.safetensors"), f"{item['data']}/../../../../x", ""):
        (volume / "models.safetensors").write_bytes(b"not a result")
        said = error(harness.handle({"read": {"path": path, "offset": 0, "bytes": 10}}))
        assert said["code"] == "no_output"
    assert error(harness.handle({"read": {"offset": -1}}))["code"] == "bad_input"


@pytest.mark.parametrize("kind", ["mode", "workflow"])
def test_a_result_that_cannot_be_delivered_is_refused_before_the_job(
    demo: DemoServer, decoder: Decoder, tmp_path: Path, kind: str
) -> None:
    harness = WorkerHarness(
        ComfyEngine(demo.url), decoder, tmp_path, delivery=DeliveryOptions(20_500, None, None)
    )
    before = len(demo.call("GET", "/history").json())
    images = [{"name": "input_image.png", "image": base64.b64encode(png()).decode()}]
    given = {"mode": "text_to_video", "params": SMALL} if kind == "mode" else {
        "workflow": graph_of(), "images": images
    }  # fmt: skip
    said = error(harness.handle(given))
    assert said["code"] == "result_too_large" and "BUCKET_ENDPOINT_URL" in said["hint"]
    assert len(demo.call("GET", "/history").json()) == before


def test_the_estimate_errs_on_the_large_side() -> None:
    from backend.jobs.estimate import expected_bytes
    from backend.jobs.params import make_params
    from backend.jobs.preflight import compile_for

    params = make_params("text_to_video", {"prompt": "a", "seed": 1, "width": 832, "height": 480}, {})
    compiled = compile_for(params, facts(recorded()), "job")
    assert 500_000 < expected_bytes(compiled) < 3_000_000
    assert expected_bytes(replace(compiled, still=True)) == 832 * 480 * 3
