"""A scripted studio, and a launched page with its endpoints as a raw client uses them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from backend.errors import BadInput, NotFound
from backend.jobs.named_results import read
from backend.jobs.params import make_params
from backend.jobs.snapshot import Snapshot
from backend.jobs.views import JobView
from backend.models.state import LoraList, LoraState
from backend.security.tokens import is_token, new_token
from backend.storage.presets import Presets
from backend.threads import Threads
from ui.api.endpoints import Endpoints
from workflows.modes.registry import MODES
from workflows.params.media import Media

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8"
    "cfc00000030101c9e3c1be0000000049454e44ae426082"
)


class ScriptedStudio:
    """The part of the studio that the endpoints call; a job ends when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[str, JobView] = {}
        self.submits: list[tuple[str, str, dict[str, Any], dict[str, Path]]] = []
        self.several: list[tuple[int, Any]] = []
        self.named: list[Any] = []
        self.finals: list[tuple[str, str, str, str]] = []
        self.joined: list[tuple[str, str, dict[str, Any]]] = []
        self.states: dict[str, Snapshot] = {}
        self.finish_at_once = True
        self.error: Exception | None = None
        self.reads, self.writes = Threads(), Threads()
        self.presets = Presets(folder, lambda owner, need: None)

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
        variations: int = 1,
        vary: str | Mapping[str, Any] = "",
        results: Any = "",
    ) -> JobView:
        self.several.append((variations, vary))
        self.named.append(results)
        if self.error is not None:
            raise self.error
        if not is_token(owner):
            raise BadInput(
                "The owner token is not one.", "Use 16 to 200 letters, digits, - or _.", field="owner"
            )
        media = {
            name: Media("a", 640, 480, 192, 16.0, 0.0 if MODES[mode].media[name].kind == "picture" else 12.0)
            for name, path in {**files, **read(mode, results)}.items()
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

    def finish(
        self,
        owner: str,
        id: str,
        key: str,
        *,
        resolution: str = "480p",
        speed: str = "quality",
        user: str = "",
    ) -> JobView:
        if self.error is not None:
            raise self.error
        if not is_token(owner):
            raise BadInput("The owner token is not one.", field="owner")
        draft = self.job(id, key)
        self.finals.append((owner, id, resolution, speed))
        view = replace(draft, id=uuid.uuid4().hex, key=new_token(), status="queued", source=id)
        self.jobs[view.id] = view
        self.states[view.id] = Snapshot(version=1, ahead=1)
        if self.finish_at_once:
            self.end(view.id, "done")
        return view

    def extend(
        self, owner: str, id: str, key: str, *, prompt: str = "", seconds: float = 5.0, frame: int = -1,
        end_image: Path | None = None, method: str = "auto", speed: str = "fast", seed: int = -1,
        user: str = "",
    ) -> JobView:  # fmt: skip
        given = {
            "prompt": prompt, "seconds": seconds, "frame": frame, "end_image": end_image, "method": method,
            "speed": speed, "seed": seed, "user": user,
        }  # fmt: skip
        return self._joined(owner, id, key, given)

    def reroll(
        self, owner: str, id: str, key: str, part: int, *, prompt: str | None = None, seed: int = -1,
        user: str = "",
    ) -> JobView:  # fmt: skip
        return self._joined(owner, id, key, {"part": part, "prompt": prompt, "seed": seed, "user": user})

    def _joined(self, owner: str, id: str, key: str, given: dict[str, Any]) -> JobView:
        if self.error is not None:
            raise self.error
        self.joined.append((owner, id, given))
        view = replace(self.job(id, key), id=uuid.uuid4().hex, key=new_token(), status="queued", source=id)
        self.jobs[view.id] = view
        self.states[view.id] = Snapshot(version=1, ahead=1)
        if self.finish_at_once:
            self.end(view.id, "done")
        return view

    def job(self, id: str, key: str, owner: str = "") -> JobView:
        job = self.jobs.get(id)
        if job is None or job.key != key:
            raise NotFound("There is no such video, or the link is incomplete.")
        return job

    def live_progress(self, id: str, key: str, owner: str = "") -> Snapshot | None:
        return self.states.get(id)

    def progress(self, id: str, key: str, owner: str = "") -> Snapshot:
        self.job(id, key)
        return self.states[id]

    def cancel(self, id: str, key: str, owner: str = "") -> JobView:
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
    "/finish": {"id": None, "key": None, "resolution": "480p", "speed": "quality", "wait": True},
    "/extend": {
        "id": None, "key": None, "prompt": "", "seconds": 5.0, "frame": -1, "end_image": None,
        "method": "auto", "speed": "quality", "seed": -1, "wait": True,
    },
    "/reroll": {"id": None, "key": None, "part": -1, "prompt": "", "seed": -1, "wait": True},
    "/job": {"id": None, "key": None},
    "/result": {"id": None, "key": None},
    "/cancel": {"id": None, "key": None},
    "/loras": {"search": "", "mode": "image_to_video"},
    "/recipe": {"file": None, "id": "", "key": ""},
    "/presets": {},
    "/models": {},
    "/use_model": {"role": None, "file": "", "sampling": "named"},
}  # fmt: skip

OF_A_CALL = {"variations": 1, "vary": ""}
"""Parameters of every mode that are not its own."""
LATEST = {f"/{name}": {"loop": False} for name in ("image_to_video", "fast_video", "text_to_video")}
"""Parameters that follow them."""
OF_FILES = {f"/{name}": {"results": ""} for name, spec in MODES.items() if spec.media}
"""The last parameter of the modes with files."""
NAMES = {
    name: given | OF_A_CALL | LATEST.get(name, {}) | OF_FILES.get(name, {})
    if name.removeprefix("/") in MODES
    else given
    for name, given in NAMES.items()
}
REQUIRED = {
    "/image_to_video": {"image"}, "/fast_video": {"image"}, "/sound_to_video": {"audio"},
    "/animate": {"image", "video"}, "/text_to_video": {"prompt"}, "/text_to_image": {"prompt"},
    "/recipe": set(), "/presets": set(), "/models": set(), "/use_model": {"role"},
}  # fmt: skip
