"""The endpoints as programs meet them: gradio_client, raw HTTP and MCP against a launched page."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import re
import threading
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from backend.error_texts.hints import HINTS
from backend.errors import BadInput, NotFound, OutOfMemory, QueueFull
from backend.jobs.params import make_params
from backend.jobs.snapshot import Snapshot
from backend.jobs.views import JobView
from backend.models.state import LoraList, LoraState
from backend.security.tokens import is_token, new_token
from backend.settings.model import Settings
from backend.studio import Studio
from backend.threads import Threads
from tests.support.ports import free_port
from tests.support.signatures import differences
from tests.support.waiting import until
from ui.api.calls import Calls, Pace, SessionOwners
from ui.api.endpoints import Endpoints, register
from ui.i18n.texts import text
from workflows.modes.registry import MODES
from workflows.params.media import Media

pytestmark = pytest.mark.full

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8"
    "cfc00000030101c9e3c1be0000000049454e44ae426082"
)
SECRET_FILE = Path("/etc/passwd")


class ScriptedStudio:
    """The part of the studio that the endpoints call; a job ends when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[str, JobView] = {}
        self.submits: list[tuple[str, str, dict[str, Any], dict[str, Path]]] = []
        self.states: dict[str, Snapshot] = {}
        self.finish_at_once = True
        self.error: Exception | None = None
        self.reads, self.writes = Threads(), Threads()

    def new_owner(self) -> str:
        return new_token()

    def submit(
        self,
        owner: str,
        mode: str,
        values: Mapping[str, Any],
        files: Mapping[str, Path | None],
        earlier: JobView | None = None,
        user: str = "",
        titles: Mapping[str, str] = {},
    ) -> JobView:
        if self.error is not None:
            raise self.error
        if not is_token(owner):
            raise BadInput(
                "The owner token is not one.", "Use 16 to 200 letters, digits, - or _.", field="owner"
            )
        media = {
            name: Media("a", 640, 480, 192, 16.0, 0.0 if MODES[mode].media[name].kind == "picture" else 12.0)
            for name, path in files.items()
            if path is not None
        }
        seed = 7 if values["seed"] == -1 else values["seed"]
        params = make_params(mode, {**values, "seed": seed}, media)
        self.submits.append((owner, mode, dict(values), dict(files)))
        job_id = uuid.uuid4().hex
        width, height = params.size
        job = JobView(
            id=job_id, key=new_token(), mode=mode, status="queued", params=dict(values), title="", seed=seed,
            width=width, height=height, frames=params.frames, fps=16.0, seconds=params.frames / 16,
            steps=4, engine="demo", demo=True, elapsed=None, created=time.time(), finished=None, warnings=(),
            error=None, bytes=0,
        )  # fmt: skip
        self.jobs[job_id] = job
        self.states[job_id] = Snapshot(version=1, ahead=1)
        if self.finish_at_once:
            self.end(job_id, "done")
        return self.jobs[job_id] if not self.finish_at_once else job

    def end(self, job_id: str, status: str, error: dict[str, str] | None = None) -> None:
        (self.folder / job_id).write_bytes(b"video of " + job_id.encode())
        self.jobs[job_id] = replace(self.jobs[job_id], status=status, elapsed=1.5, error=error)
        self.states[job_id] = Snapshot(version=99, status=status, percent=100.0, error=error)

    def loras(self, mode: str, search: str = "", names: Collection[str] = ()) -> LoraList:
        if mode not in MODES:
            raise BadInput("There is no such mode.", "Choose another one.")
        row = LoraState("ink_high.safetensors", "Ink", "ink_low.safetensors", words=("1nk",))
        return LoraList((row,) if search in row.name else ())

    def job(self, id: str, key: str) -> JobView:
        job = self.jobs.get(id)
        if job is None or job.key != key:
            raise NotFound("There is no such video, or the link is incomplete.")
        return job

    def live_progress(self, id: str, key: str) -> Snapshot | None:
        return self.states.get(id)

    def progress(self, id: str, key: str) -> Snapshot:
        self.job(id, key)
        return self.states[id]

    def cancel(self, id: str, key: str) -> JobView:
        self.job(id, key)
        self.end(id, "cancelled")
        return self.jobs[id]

    def result_path(self, id: str, key: str) -> Path:
        return self.folder / self.job(id, key).id


class Page:
    """A launched page and what a raw client does with it."""

    def __init__(self, url: str, studio: ScriptedStudio, folder: Path, endpoints: Endpoints) -> None:
        self.url, self.studio, self.folder, self.uploads = url.rstrip("/"), studio, folder, folder / "uploads"
        self.endpoints = endpoints
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def upload(self, data: bytes = PNG, name: str = "a.png") -> dict[str, Any]:
        answer = self.http.post("/gradio_api/upload", files={"files": (name, data)})
        return {"path": answer.json()[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    def call(self, name: str, data: list[Any], headers: dict[str, str] | None = None) -> tuple[str, Any]:
        """The last event of a plain HTTP call: ("complete", data) or ("error", {...})."""
        body = json.dumps({"data": data})
        answer = self.http.post(
            f"/gradio_api/call/{name}",
            content=body,
            headers={"content-type": "application/json", **(headers or {})},
        )
        assert answer.status_code == 200, answer.text
        return self.follow(name, answer.json()["event_id"])[-1]

    def follow(self, name: str, event: str) -> list[tuple[str, Any]]:
        text = self.http.get(f"/gradio_api/call/{name}/{event}").text
        events = [block.split("\n", 1) for block in text.strip().split("\n\n")]
        return [
            (head.removeprefix("event: "), json.loads(rest.removeprefix("data: "))) for head, rest in events
        ]

    def refused(self, name: str, data: list[Any], headers: dict[str, str] | None = None) -> str:
        kind, answer = self.call(name, data, headers)
        assert kind == "error" and answer and answer["error"], (kind, answer)
        return answer["error"]


def echo(text: str) -> str:
    """An event of the page, which a raw request can call as well."""
    return text


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("api")
    uploads = folder / "uploads"
    (folder / "results").mkdir()
    before = {
        name: os.environ.get(name)
        for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED", "HF_HUB_OFFLINE")
    }
    os.environ.update(GRADIO_TEMP_DIR=str(uploads), GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1")
    studio = ScriptedStudio(folder / "results")
    with gr.Blocks() as demo:
        box = gr.Textbox()
        box.submit(echo, box, box, api_name="echo")
        box.change(Endpoints.cancel, box, box, api_visibility="private")  # Gradio names it /cancel
        register(studio, Pace(shortest=0.01))  # type: ignore[arg-type]
    _, url, _ = demo.launch(
        server_port=free_port(),
        prevent_thread_lock=True,
        quiet=True,
        mcp_server=True,
        run_history=False,
        _frontend=False,
    )
    endpoints = next(fn.fn.__self__ for fn in demo.fns.values() if fn.api_name == "job")
    yield Page(url, studio, folder, endpoints)
    demo.close()
    for name, value in before.items():
        if value is None:
            os.environ.pop(name)
        else:
            os.environ[name] = value


@pytest.fixture
def page(launched: Page) -> Iterator[Page]:
    launched.studio.finish_at_once, launched.studio.error = True, None
    launched.studio.submits.clear()
    yield launched


@pytest.fixture
def client(page: Page, tmp_path: Path) -> Client:
    return Client(page.url, verbose=False, download_files=tmp_path / "down", analytics_enabled=False)


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "boat.png"
    path.write_bytes(PNG)
    return str(path)


RUN = {"steps": 0, "cfg": 0.0, "shift": 0.0, "seed": -1}
SIZE = {"resolution": "480p", "width": 0, "height": 0}
PROMPTS = {"nag": "auto", "prompt_weights": False, "loras": ""}
FAST = {"distillation": "auto"}
NAMES = {
    "/image_to_video": {
        "image": None, "prompt": "", "negative_prompt": None, "end_image": None, "resolution": "480p",
        "width": 0, "height": 0, "seconds": 5.0, "motion": "balanced", "experts": "both",
        "speed": "quality", "steps": 0, "cfg": 0.0, "shift": 0.0, "seed": -1, "wait": True, **FAST,
        **PROMPTS,
    },
    "/fast_video": {
        "image": None, "prompt": "", "variant": "balanced", "resolution": "480p", "width": 0, "height": 0,
        "seconds": 5.0, "seed": -1, "wait": True, **FAST, "negative_prompt": None, **PROMPTS,
    },
    "/sound_to_video": {
        "audio": None, "image": None, "prompt": "", "negative_prompt": None, "start": 0.0, "duration": 0.0,
        **SIZE, "speed": "quality", **RUN, "level": False, "wait": True, **PROMPTS,
    },
    "/animate": {
        "image": None, "video": None, "prompt": "", "negative_prompt": None, "method": "move",
        "relight": 0.8, "pose_video": None, "face_video": None, "mask": None, "fps": 16.0, **SIZE,
        "seconds": 0.0, "speed": "quality", **RUN, "start": 0.0, "wait": True, **PROMPTS, "model": "auto",
        "pose_cache": "auto",
    },
    "/text_to_video": {
        "prompt": None, "negative_prompt": None, "aspect": "16:9", **SIZE, "seconds": 5.0,
        "speed": "quality", **RUN, "wait": True, "motion": "balanced", **FAST, **PROMPTS,
    },
    "/text_to_image": {
        "prompt": None, "model": "wan", "aspect": "16:9", "width": 0, "height": 0, "steps": 0, "seed": -1,
        "wait": True, "prompt_weights": False, "loras": "",
    },
    "/job": {"id": None, "key": None},
    "/result": {"id": None, "key": None},
    "/cancel": {"id": None, "key": None},
    "/loras": {"search": "", "mode": "image_to_video"},
    "/models": {},
    "/use_model": {"role": None, "file": "", "sampling": "named"},
}  # fmt: skip
REQUIRED = {
    "/image_to_video": {"image"}, "/fast_video": {"image"}, "/sound_to_video": {"audio"},
    "/animate": {"image", "video"}, "/text_to_video": {"prompt"}, "/text_to_image": {"prompt"},
    "/models": set(), "/use_model": {"role"},
}  # fmt: skip


def test_names_order_and_defaults(page: Page) -> None:
    info = page.http.get("/gradio_api/info").json()["named_endpoints"]
    for name, expected in NAMES.items():
        parameters = info[name]["parameters"]
        assert [p["parameter_name"] for p in parameters] == list(expected)
        assert {p["parameter_name"]: p["parameter_default"] for p in parameters} == expected
        required = {p["parameter_name"] for p in parameters if not p["parameter_has_default"]}
        assert required == REQUIRED.get(name, {"id", "key"} & set(expected))


def test_client_gets_the_file_and_the_record(page: Page, client: Client, picture: str) -> None:
    file, job = client.predict(image=handle_file(picture), prompt="sails", api_name="/image_to_video")
    assert Path(file).read_bytes() == b"video of " + job["id"].encode()
    assert Path(file).suffix == ".mp4"
    assert set(job) == {
        "id", "key", "mode", "status", "seed", "width", "height", "frames", "fps", "seconds", "steps",
        "engine", "elapsed", "created", "warnings", "warning_codes", "timings", "resolved", "models",
    }  # fmt: skip
    assert (job["status"], job["seed"]) == ("done", 7)
    owner, mode, values, files = page.studio.submits[0]
    assert mode == "image_to_video" and len(owner) >= 16
    assert values == {
        k: v for k, v in NAMES["/image_to_video"].items() if "image" not in k and k != "wait"
    } | {"prompt": "sails"}
    assert list(files) == ["image"] and files["image"].is_relative_to(page.uploads)


def test_fast_video_and_last_picture(page: Page, client: Client, picture: str) -> None:
    client.predict(image=handle_file(picture), variant="480p", seconds=2, api_name="/fast_video")
    client.predict(image=handle_file(picture), end_image=handle_file(picture), api_name="/image_to_video")
    assert page.studio.submits[0][2]["variant"] == "480p"
    assert list(page.studio.submits[1][3]) == ["image", "end_image"]


OWN_NAME = {"image": "a.png", "audio": "a.mp3", "video": "a.mp4"}


@pytest.mark.parametrize("name", REQUIRED)
def test_each_mode_needs_only_what_is_marked(page: Page, name: str) -> None:
    given = {**NAMES[name], "prompt": "sails", "wait": True}
    given |= {field: page.upload(name=OWN_NAME[field]) for field in REQUIRED[name] if field != "prompt"}
    kind, answer = page.call(name[1:], list(given.values()))
    assert kind == "complete", answer
    file, job = answer
    assert (job["mode"], job["status"], job["seed"]) == (name[1:], "done", 7)
    assert page.http.get(file["url"]).content.startswith(b"video of ")
    _, mode, values, files = page.studio.submits[0]
    assert f"/{mode}" == name and set(files) == REQUIRED[name] - {"prompt"}
    names = {field for field in NAMES[name] if field not in MODES[mode].media and field != "wait"}
    assert set(values) == names and values["prompt"] == "sails"


def test_a_picture_comes_as_png(page: Page, client: Client) -> None:
    file, job = client.predict("a boat", api_name="/text_to_image")
    assert Path(file).suffix == ".png" and job["frames"] == 1
    _, (again, _) = page.call("result", [job["id"], job["key"]])
    assert again["orig_name"].startswith("wan-text-to-image-") and again["mime_type"] == "image/png"


def test_sound_and_videos_reach_the_studio(page: Page, client: Client, picture: str) -> None:
    client.predict(
        audio=handle_file(picture), image=handle_file(picture), start=2, duration=5, level=True,
        api_name="/sound_to_video",
    )  # fmt: skip
    client.predict(
        image=handle_file(picture), video=handle_file(picture), mask=handle_file(picture), method="mix",
        start=1.5, api_name="/animate",
    )  # fmt: skip
    sound, moved = page.studio.submits
    assert list(sound[3]) == ["audio", "image"]
    assert (sound[2]["start"], sound[2]["duration"], sound[2]["level"]) == (2, 5, True)
    assert list(moved[3]) == ["image", "video", "mask"]
    assert (moved[2]["method"], moved[2]["start"], moved[2]["relight"]) == ("mix", 1.5, 0.8)


def test_loras_are_listed_and_given_as_a_list_or_its_text(page: Page, client: Client) -> None:
    (found,) = client.predict(search="ink", api_name="/loras")
    assert (found["name"], found["partner"], found["words"]) == (
        "ink_high.safetensors", "ink_low.safetensors", ["1nk"],
    )  # fmt: skip
    assert client.predict(search="oil", api_name="/loras") == []
    assert "no such mode" in page.refused("loras", ["", "postcard"])
    given = [{"name": found["name"], "strength": 0.8}]
    for value in (given, json.dumps(given)):
        client.predict("a boat", loras=value, api_name="/text_to_image")
        assert page.studio.submits[-1][2]["loras"] == value
    assert "is in the list twice" in page.refused(
        "text_to_image",
        list({**NAMES["/text_to_image"], "prompt": "x", "loras": [found["name"]] * 2}.values()),
    )


@pytest.mark.parametrize("name", ["sound_to_video", "animate", "text_to_video", "text_to_image"])
def test_no_mode_needs_to_be_waited_for(page: Page, name: str) -> None:
    page.studio.finish_at_once = False
    given = {**NAMES[f"/{name}"], "prompt": "sails", "wait": False}
    given |= {field: page.upload() for field in REQUIRED[f"/{name}"] if field != "prompt"}
    mine = new_token()
    _, (file, job) = page.call(name, list(given.values()), {"X-Wan-Owner": mine})
    assert file is None and job["status"] == "queued" and page.studio.submits[0][0] == mine
    page.studio.end(job["id"], "cancelled")
    what = "picture" if name == "text_to_image" else "video"
    assert page.refused("result", [job["id"], job["key"]]).endswith(f"if you still want the {what}.")


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("sound_to_video", {"start": 12.0}, "is past the end of the sound"),
        ("sound_to_video", {"duration": -1}, "The duration must be between"),
        ("sound_to_video", {"level": "loud"}, "Level must be on or off"),
        ("sound_to_video", {"audio": None}, "Choose a sound first."),
        ("sound_to_video", {"audio": {"path": "/etc/passwd"}}, "This sound was not uploaded here."),
        ("sound_to_video", {"audio": "https://example.com/a.mp3"}, "Web addresses are not fetched."),
        ("animate", {"video": None}, "Choose a video first."),
        ("animate", {"mask": {"path": "/etc/passwd"}}, "This video was not uploaded here."),
        ("animate", {"method": "swap"}, "Choose one of: move, mix."),
        ("animate", {"fps": 60}, "Frames a second must be between"),
        ("animate", {"relight": float("nan")}, "finite number"),
        ("animate", {"seconds": 99}, "lasts only"),
        ("text_to_video", {"prompt": "  "}, "The prompt is empty."),
        ("text_to_video", {"aspect": "2:1"}, "Choose one of: 16:9"),
        ("text_to_video", {"steps": 1}, "at least 2 steps"),
        ("text_to_image", {"prompt": ""}, "The prompt is empty."),
        ("text_to_image", {"model": "sdxl"}, "Choose one of: wan, flux."),
        ("text_to_image", {"width": 17, "height": 64}, "multiple of 16"),
    ],
)
def test_bad_values_of_every_mode_get_a_sentence(
    page: Page, name: str, values: dict[str, Any], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    given = {**NAMES[f"/{name}"], "prompt": "sails"}
    given |= {field: page.upload() for field in REQUIRED[f"/{name}"] if field != "prompt"}
    assert words in page.refused(name, list({**given, **values}.values()))
    assert not page.studio.submits
    assert "Traceback" not in capfd.readouterr().err


def test_plain_http_needs_only_the_picture(page: Page) -> None:
    kind, (file, job) = page.call("image_to_video", [page.upload()])
    assert kind == "complete" and job["status"] == "done"
    assert page.http.get(file["url"]).content == b"video of " + job["id"].encode()
    ranged = page.http.get(file["url"], headers={"range": "bytes=0-4"})
    assert (ranged.status_code, ranged.content) == (206, b"video")


def test_each_result_has_its_own_random_address(page: Page) -> None:
    _, (first, job) = page.call("image_to_video", [page.upload()])
    _, (other, _) = page.call("image_to_video", [page.upload()])
    _, (again, _) = page.call("result", [job["id"], job["key"]])
    assert Path(first["path"]).parent != Path(other["path"]).parent
    assert again["path"] == first["path"], "one copy, however often it is asked for"
    assert Path(first["path"]).is_relative_to(page.uploads)
    assert len(Path(first["path"]).parent.name) == 40


def test_without_waiting_the_record_comes_at_once(page: Page, client: Client, picture: str) -> None:
    page.studio.finish_at_once = False
    file, job = client.predict(image=handle_file(picture), wait=False, api_name="/image_to_video")
    assert file is None and job["status"] == "queued"
    assert client.predict(id=job["id"], key=job["key"], api_name="/result")[0] is None
    page.studio.end(job["id"], "done")
    assert client.predict(id=job["id"], key=job["key"], api_name="/job")["status"] == "done"
    file, _ = client.predict(id=job["id"], key=job["key"], api_name="/result")
    assert Path(file).read_bytes().startswith(b"video of ")


def test_a_waiting_call_reports_progress_and_status(page: Page, client: Client, picture: str) -> None:
    page.studio.finish_at_once = False
    call = client.submit(image=handle_file(picture), api_name="/image_to_video")
    until(call.outputs)
    job_id = list(page.studio.jobs)[-1]
    page.studio.jobs[job_id] = replace(page.studio.jobs[job_id], status="running")
    page.studio.states[job_id] = Snapshot(
        version=2, status="running", stage="draw", step=2, steps=20, percent=31.0
    )
    until(lambda: [answer for answer in call.outputs() if answer[1]["status"] == "running"])
    page.studio.states[job_id] = replace(page.studio.states[job_id], version=3, step=3, percent=35.0)
    units = until(
        lambda: [u for u in call.status().progress_data or () if u.desc == "Generating, step 4 of 20"]
    )
    assert (units[0].index, units[0].length) == (35, 100)
    page.studio.end(job_id, "done")
    assert call.result(timeout=60)[1]["status"] == "done"
    seen = [answer[1]["status"] for answer in call.outputs()]
    assert list(dict.fromkeys(seen)) == ["queued", "running", "done"] and seen == sorted(seen, key=seen.index)


@pytest.fixture
def lively(page: Page) -> Iterator[None]:
    """Waiting calls get an update every few milliseconds."""
    endpoints, pace = page.endpoints.calls, page.endpoints.calls.pace
    endpoints.pace = replace(pace, heartbeat=0.05)
    yield
    endpoints.pace = pace


def test_a_waiting_call_is_kept_alive(page: Page, client: Client, picture: str, lively: None) -> None:
    page.studio.finish_at_once = False
    call = client.submit(image=handle_file(picture), api_name="/image_to_video")
    until(lambda: len(call.outputs()) > 2)
    assert all(answer[0] is None and answer[1]["status"] == "queued" for answer in call.outputs())
    page.studio.end(list(page.studio.jobs)[-1], "done")
    assert call.result(timeout=60)[0]


def test_a_waiting_call_gets_an_update_at_least_every_ten_seconds() -> None:
    assert Pace().heartbeat + Pace().longest < 10
    waits = [Pace().pause(waited) for waited in (0.0, 20.0, 1e6)]
    assert waits == [Pace().shortest, 0.2, Pace().longest], "short at first, then longer, within limits"


def test_the_job_runs_on_when_the_caller_goes(page: Page, client: Client, picture: str) -> None:
    page.studio.finish_at_once = False
    call = client.submit(image=handle_file(picture), api_name="/image_to_video")
    until(lambda: page.studio.submits)
    job_id = list(page.studio.jobs)[-1]
    until(call.outputs)
    until(lambda: page.endpoints.calls.waiting == 1)  # the calls of earlier tests are over
    call.cancel()
    until(lambda: page.endpoints.calls.waiting == 0)
    assert page.studio.jobs[job_id].status == "queued"
    page.studio.end(job_id, "done")


def test_cancel_reaches_the_waiting_caller(page: Page, client: Client, picture: str) -> None:
    page.studio.finish_at_once = False
    call = client.submit(image=handle_file(picture), api_name="/image_to_video")
    until(call.outputs)
    job = list(page.studio.jobs.values())[-1]
    assert client.predict(id=job.id, key=job.key, api_name="/cancel")["status"] == "cancelled"
    with pytest.raises(AppError, match=r"^The job was cancelled\. "):
        call.result(timeout=60)


def test_a_failed_job_says_what_the_page_says(page: Page, client: Client, picture: str) -> None:
    page.studio.finish_at_once = False
    call = client.submit(image=handle_file(picture), api_name="/image_to_video")
    until(call.outputs)
    job = list(page.studio.jobs.values())[-1]
    error = OutOfMemory("The GPU ran out of memory.")
    page.studio.end(job.id, "failed", error.to_dict())
    with pytest.raises(AppError) as caught:
        call.result(timeout=60)
    assert str(caught.value) == f"The GPU ran out of memory. {error.hint}"
    assert page.refused("result", [job.id, job.key]) == str(caught.value)
    assert page.call("job", [job.id, job.key])[1][0]["error"]["code"] == "out_of_memory"


@pytest.mark.parametrize("name", ["job", "result", "cancel"])
def test_a_job_opens_only_with_its_key(page: Page, name: str) -> None:
    _, (_, job) = page.call("image_to_video", [page.upload()])
    for given in ([job["id"], "x"], [job["id"], None], [job["id"], {"a": 1}], ["", ""], [job["id"]], []):
        assert page.refused(name, given).startswith("There is no such video")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"resolution": "8k"}, "Choose one of: 480p, draft, 720p."),
        ({"motion": ["balanced"]}, "Motion cannot be"),
        ({"speed": {"path": "/etc/passwd"}}, "Speed cannot be"),
        ({"width": 17, "height": 64}, "multiple of 16"),
        ({"width": "640", "height": "480"}, "whole number of pixels, not '640'"),
        ({"seconds": 0}, "The length must be between"),
        ({"seconds": float("nan")}, "finite number"),
        ({"seconds": 1e9}, "The length must be between"),
        ({"seconds": "5"}, "The length must be a number, not '5'"),
        ({"steps": 10_000}, "Steps must be between 0 and 100"),
        ({"steps": 2.5}, "Steps must be a whole number"),
        ({"cfg": 21}, "Guidance (cfg)"),
        ({"seed": -2}, "The seed must be between"),
        ({"seed": 2**53}, "The seed must be between"),
        ({"prompt": "x" * 4001}, "4,001 of 4,000 characters"),
        ({"prompt": 5}, "The prompt must be text"),
        ({"wait": "no"}, "wait must be true or false."),
    ],
)
def test_bad_values_get_a_sentence(
    page: Page, values: dict[str, Any], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = {**NAMES["/image_to_video"], "image": page.upload(), **values}
    assert words in page.refused("image_to_video", list(arguments.values()))
    assert not page.studio.submits
    assert "Traceback" not in capfd.readouterr().err


def test_whole_floats_and_nulls_are_what_they_mean(page: Page) -> None:
    arguments = {
        **NAMES["/image_to_video"],
        "image": page.upload(),
        "steps": 20.0,
        "seed": 3.0,
        "seconds": None,
    }
    page.call("image_to_video", list(arguments.values()))
    values = page.studio.submits[0][2]
    assert (values["steps"], values["seed"], values["seconds"]) == (20, 3, 5.0)
    assert isinstance(values["steps"], int)


META = {"meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    "image",
    [
        {"path": "/etc/passwd"},
        {"path": "/etc/passwd", **META},
        {"path": "/etc/passwd", "meta": "x"},
        {"path": "UPLOADS/../results/secret.png"},
        {"path": "UPLOADS/../results/secret.png", **META},
        {"path": "UPLOADS/link.png", **META},
        {"path": "UPLOADS", **META},
        {"path": "UPLOADS"},
        {"path": "UPLOADS/nothing.png", **META},
        {"path": "a\0b", **META},
        {"path": "x" * 9000},
        {"path": 5, **META},
        {"path": ""},
        {"path": "http://127.0.0.1:1/a.png", **META},
        {"path": "file:///etc/passwd", **META},
        {"path": "TRAP/a.png"},
        {"path": "TRAP/a.png", **META},
        {"url": "TRAP/a.png"},
        {"path": None, "url": "TRAP/a.png", **META},
        {"path": "TRAP/gradio_api/file=/etc/passwd", **META},
        {"url": "data:image/png;base64,AAAA"},
        "/etc/passwd",
        "TRAP/a.png",
        [{"path": "/etc/passwd", **META}],
        {"a": {"path": "/etc/passwd", **META}},
        {"path": "/etc/passwd", "url": "/gradio_api/file=/etc/passwd", "is_stream": True, **META},
        [], {}, 5, True,
    ],
)  # fmt: skip
def test_only_uploaded_files_are_taken(
    page: Page, trap: Trap, image: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    (page.folder / "results" / "secret.png").write_bytes(PNG)
    link = page.uploads / "link.png"
    page.uploads.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(page.folder / "results" / "secret.png")
    image = json.loads(json.dumps(image).replace("UPLOADS", str(page.uploads)).replace("TRAP", trap.url))
    refusal = page.refused("image_to_video", [image])
    assert refusal.endswith(".") and "passwd" not in refusal
    assert not page.studio.submits
    assert "Traceback" not in capfd.readouterr().err
    assert trap.asked == []


def test_no_other_event_can_be_made_to_fetch_or_read(page: Page, trap: Trap) -> None:
    for path in (f"{trap.url}/a.png", str(SECRET_FILE)):
        body = {"data": [{"path": path, **META}]}
        answer = page.http.post("/gradio_api/run/echo", json=body)
        assert answer.status_code == 500 and answer.json()["error"].startswith(("Web addresses", "This file"))
    assert trap.asked == []


def test_what_counts_as_an_upload(page: Page) -> None:
    file = page.upload()
    path = file["path"]
    for image in (file, {"path": path}, path, {"path": f"{page.url}/gradio_api/file={path}", **META}):
        page.call("image_to_video", [image])
    assert {submit[3]["image"] for submit in page.studio.submits} == {Path(path).resolve()}
    assert len(page.studio.submits) == 4


def test_no_picture_and_a_text_file_are_left_to_the_studio(page: Page) -> None:
    assert page.refused("image_to_video", []) == "Choose a picture first."
    page.call("image_to_video", [page.upload(b"just text", "a.png")])
    assert page.studio.submits[0][3]["image"].read_bytes() == b"just text"


def test_owner_of_a_call(page: Page, client: Client, picture: str) -> None:
    mine = new_token()
    page.call("image_to_video", [page.upload()], {"X-Wan-Owner": mine})
    for _ in range(2):
        client.predict(image=handle_file(picture), api_name="/image_to_video")
    page.call("image_to_video", [page.upload()])
    owners = [submit[0] for submit in page.studio.submits]
    assert owners[0] == mine
    assert owners[1] == owners[2]
    assert len(set(owners)) == 3
    for bad in ("short", "x" * 201, "a b c d e f g h i j k l", "ключ-ключ-ключ-ключ".encode()):
        headers: Any = {"X-Wan-Owner": bad}
        assert page.refused("image_to_video", [page.upload()], headers).startswith(
            "The owner token is not one."
        )


def test_session_owners_are_bounded() -> None:
    owners = SessionOwners(new_token, limit=2)
    first = owners.owner(None, "a")
    owners.owner(None, "b")
    assert owners.owner(None, "a") == first
    owners.owner(None, "c")  # pushes b out, the longest unused
    assert owners.owner(None, "a") == first
    assert len(owners._known) == 2
    assert owners.owner(None, None) != owners.owner(None, None)


def test_errors_of_the_studio(
    page: Page, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    page.studio.error = QueueFull("You already have 5 videos waiting, which is the limit.")
    said = page.refused("image_to_video", [page.upload()])
    assert said == f"{page.studio.error} {HINTS[QueueFull.code]}"
    page.studio.error = RuntimeError("secret detail")
    with caplog.at_level(logging.ERROR, logger="wan.ui"):
        assert page.refused("image_to_video", [page.upload()]) == text("errors.unexpected")
    assert "secret detail" in caplog.text  # ours, once; Gradio prints none
    assert "Traceback" not in capfd.readouterr().err


def test_waiting_calls_leave_places_for_the_page(page: Page) -> None:
    made = Calls(page.studio)  # type: ignore[arg-type]
    blocks = type("Blocks", (), {"max_threads": 8})()
    made.waiting = 5
    assert made.may_wait(blocks)
    made.waiting = 6
    assert not made.may_wait(blocks)


def test_tools_have_the_names_and_words_of_the_endpoints(page: Page) -> None:
    schemas = page.http.get("/gradio_api/mcp/schema").json()
    tools = {tool["name"]: tool for tool in schemas}
    assert {f"/{name}" for name in tools} - {"/echo"} == set(NAMES)
    for name, expected in NAMES.items():
        properties = tools[name[1:]]["inputSchema"]["properties"]
        assert list(properties) == list(expected)
        assert all(properties[parameter]["description"] for parameter in expected), name
    image = tools["image_to_video"]["inputSchema"]["properties"]["image"]
    assert image["type"] == "string"  # a file: tools give an address


def test_a_tool_call_makes_a_video(page: Page) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    owner, said = new_token(), []
    picture = "data:image/png;base64," + base64.b64encode(PNG).decode()

    async def use() -> Any:
        address, headers = f"{page.url}/gradio_api/mcp/", {"X-Wan-Owner": owner}
        async with (
            streamablehttp_client(address, headers=headers) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            for wrong in ({"image": "https://example.com/a.png"}, {"image": picture, "seconds": 99}):
                refused = await session.call_tool("image_to_video", wrong)
                assert refused.isError
                said.append(refused.content[0].text)
            return await session.call_tool("image_to_video", {"image": picture, "prompt": "sails"})

    answer = asyncio.run(use())
    assert not answer.isError
    text = " ".join(part.text for part in answer.content)
    address = re.search(r"http://[^\s']+\.mp4", text)
    assert address and page.http.get(address[0]).content.startswith(b"video of ")
    assert "'status': 'done'" in text
    assert [(submit[0], submit[2]["prompt"]) for submit in page.studio.submits] == [(owner, "sails")]
    assert "Web addresses are not fetched." in said[0]
    assert "The length must be between" in said[1]


def test_with_the_studio_itself(launched: Page, tmp_path: Path) -> None:
    settings = Settings.from_env(
        {"WAN_ENGINE": "demo", "WAN_DATA_DIR": str(tmp_path / "data"), "WAN_DEMO_STEP_SECONDS": "0"}
    )
    picture, text = tmp_path / "boat.png", tmp_path / "notes.png"
    Image.new("RGB", (832, 480), "teal").save(picture)
    text.write_text("not a picture")
    studio = Studio(settings)
    try:
        studio.start()
        with gr.Blocks() as demo:
            register(studio)
        _, url, _ = demo.launch(
            server_port=free_port(), prevent_thread_lock=True, quiet=True, run_history=False, _frontend=False
        )
        client = Client(url, verbose=False, download_files=tmp_path / "down", analytics_enabled=False)
        with pytest.raises(AppError, match=r"^notes\.png is not a picture"):
            client.predict(image=handle_file(str(text)), api_name="/fast_video")
        file, job = client.predict(
            image=handle_file(str(picture)), resolution="draft", seconds=0.5, seed=5, api_name="/fast_video"
        )
        assert (job["status"], job["seed"], job["frames"]) == ("done", 5, 9)
        kept = tmp_path / "data" / "jobs" / job["id"] / "result.mp4"
        assert Path(file).read_bytes() == kept.read_bytes()
        assert client.predict(id=job["id"], key=job["key"], api_name="/job") == job
        demo.close()
    finally:
        studio.close()


class Trap:
    """A web server on loopback that must get no request."""

    def __init__(self) -> None:
        from http.server import BaseHTTPRequestHandler, HTTPServer

        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(PNG)

            def log_message(self, *args: Any) -> None:
                pass

        self.asked = asked
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    trap.server.shutdown()
    trap.server.server_close()


def test_the_scripted_studio_is_like_the_real_one() -> None:
    assert differences(Studio, ScriptedStudio, whole=False) == []
