"""A studio without engines for tests of the page: the facade's interface, one job at a time, simulated time.

Images are generated, videos are encoded from them with PyAV, and nothing is stored.
"""

from __future__ import annotations

import io
import itertools
import math
import re
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
from PIL import Image, ImageFilter
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from backend.engines.base import EngineInfo
from backend.errors import BadInput, BadMedia, InputsGone, NotAllowed, NotFound, OutOfMemory
from backend.jobs import input_files
from backend.jobs import variations as jobs_variations
from backend.jobs.family import Family
from backend.jobs.group_progress import combined
from backend.jobs.job import Job, Status
from backend.jobs.recipe import Lacking, Recipe
from backend.jobs.recipe_texts import recipe_in
from backend.jobs.snapshot import Snapshot
from backend.jobs.variation_plans import plan_several
from backend.jobs.views import (
    ChildView,
    Crop,
    Estimate,
    JobView,
    Place,
    Plan,
    QueueRow,
    QueueState,
    SourceFile,
)
from backend.media import metadata
from backend.media.facts import PictureFacts, SoundFacts, VideoFacts
from backend.models.state import (
    FetchProgress,
    LoraList,
    LoraState,
    ModelScan,
    ModelState,
    SetEntry,
    SetOffer,
    SetRequest,
)
from backend.storage.input_folder import InputFile
from backend.storage.presets import Presets
from backend.threads import Threads
from tests.support.fake_extensions import FakeExtensions
from tests.support.fake_finals import FakeFinals
from workflows.catalog import load_catalog
from workflows.modes.registry import MODES
from workflows.notice import Notice

STAGE_SECONDS = (
    ("wait", 0.09),
    ("load", 0.17),
    ("read", 0.13),
    ("draw", 0.42),
    ("finish", 0.1),
    ("save", 0.09),
)
LOAD_TEXT = "Loading the high-noise expert"


@dataclass
class _Run:
    view: JobView
    image: Path | None
    start: float | None = None
    frozen: float | None = None
    files: dict[str, Path] = field(default_factory=dict)
    members: list[str] = field(default_factory=list)  # ids of a parent's children


class FakeStudio(FakeFinals, FakeExtensions):
    """seconds: duration of a job; engine: comfyui or demo; hold: progress at which the clock stops, 0 to
    1."""

    def __init__(self, seconds: float = 8.0, engine: str = "comfyui", hold: float | None = None) -> None:
        self.length, self.engine, self.hold = seconds, engine, hold
        self.state, self.fail = "ok", ""
        self.obstacle: Notice | None = None
        self.warnings: tuple[Notice, ...] = ()
        self.warning, self.is_paused = "", False
        self.route = ""
        self.problems: dict[str, str] = {}
        self.recipe_files: dict[str, SourceFile] = {}  # parameter -> a file that recipes find here
        self.as_here: Callable[[Recipe], Recipe] = lambda recipe: recipe  # how recipes are read here
        self.lacks: tuple[Lacking, ...] = ()  # of every recipe
        self.lora_rows: list[LoraState] = []
        self.lora_pictures: dict[str, bytes] = {}
        self.lists_loras = True
        self.expired: set[str] = set()  # ids of jobs whose input files are deleted
        self.foreign: set[str] = set()  # ids of jobs of another visitor
        self.reduced: set[str] = set()  # ids of jobs of whose picture only a smaller copy is kept
        self.missing = {
            "wan2.2_i2v_lightx2v_4steps_lora_v1_high_noise.safetensors",
            "wan2.2_i2v_A14b_high_noise_lora_rank64_lightx2v_4step_1022.safetensors",  # would stand in for it
        }
        self.fetching, self.arrived = FetchProgress(), 0
        self.all_are_admin = False
        self.other_files: dict[str, tuple[str, ...]] = {}  # model file -> others that can take its role
        self._temporary = tempfile.TemporaryDirectory(prefix="wan-fake-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.settings = SimpleNamespace(
            max_upload_mb=100, keep_days=30, data_dir=self.folder, models_dir=Path("/workspace/models")
        )
        self.runs: dict[str, _Run] = {}
        self.deleted: dict[str, _Run] = {}
        self.draft_files: dict[tuple[str, str, str], Path] = {}
        self.numbers = itertools.count(1)
        self.lock = threading.RLock()
        self.reads, self.writes = Threads(), Threads()
        self.presets = Presets(self.folder, lambda owner, need: None)

    def start(self) -> None:
        pass

    def reached(self, public: str) -> None:
        pass

    def served(self, address: str) -> None:
        pass

    def close(self) -> None:
        pass

    def secret(self, purpose: str) -> str:
        return f"secret-{purpose}"

    def new_owner(self) -> str:
        return "owner-token-of-a-fake-studio-0001"

    @staticmethod
    def is_owner(text: object) -> bool:
        return isinstance(text, str) and len(text) >= 16

    def inspect(self, mode: str, field: str, path: Path) -> PictureFacts | SoundFacts | VideoFacts:
        """Sounds and videos are not decoded: their names contain their duration, song-190.wav lasts 190 s."""
        kind = MODES[mode].media[field].kind
        if kind == "picture":
            return self._picture(path, field)
        seconds = re.search(r"-([\d.]+)\.\w+$", path.name)
        if not seconds:
            raise BadMedia(f"This file is not a {kind}.", "Use another file.", field=field)
        if kind == "sound":
            return SoundFacts(float(seconds[1]), 48_000, 2, "mp3", 0.8)
        return VideoFacts(
            1920, 1080, round(30 * float(seconds[1])), 29.97, float(seconds[1]), "h264", "yuv420p", True
        )

    def file_kind(self, path: Path) -> str:
        return input_files.kind(path)

    def preview_file(self, upload: Path, target: Path) -> None:
        with Image.open(upload) as opened:
            opened.convert("RGB").save(target, format="JPEG")

    def first_frame(self, video: Path, target: Path) -> None:
        Image.new("RGB", (64, 48)).save(target, format="JPEG")

    def waveform(self, path: Path, points: int = 600) -> list[float]:
        return [abs(math.sin(n / 7)) for n in range(points)]

    def _picture(self, path: Path, field: str = "image") -> PictureFacts:
        try:
            with Image.open(path) as picture:
                return PictureFacts(picture.width, picture.height, str(picture.format))
        except Exception:
            raise BadInput(
                "This file is not a picture.", "Use a JPEG, PNG, WebP or HEIC.", field=field
            ) from None

    def plan(
        self, mode: str, values: dict[str, Any], media: dict[str, Any], owner: str = "", user: str = "",
        variations: int = 1, vary: str | Mapping[str, Any] = "",
    ) -> Plan:  # fmt: skip
        if variations == 1 and not vary:
            return self._plan_one(mode, values, media)
        return plan_several(
            lambda given: self._plan_one(mode, dict(given), media), mode, values, variations, vary
        )

    def _plan_one(self, mode: str, values: dict[str, Any], media: dict[str, Any]) -> Plan:
        facts = media.get("image")
        ratio = facts.width / facts.height if facts else 16 / 9
        area = {"draft": 640 * 368, "480p": 832 * 480, "720p": 1280 * 720}.get(
            str(values.get("resolution")), 832 * 480
        )
        if facts:
            width = round(math.sqrt(area * ratio) / 16) * 16
            height = round(math.sqrt(area / ratio) / 16) * 16
        else:
            width, height = 832, 480
        problems = dict(self.problems)
        for name in ("width", "height"):
            if int(values.get(name) or 0) % 16:
                problems[name] = "Use a multiple of 16 from 64 to 1920, or 0 to leave it to the picture."
        width, height = int(values.get("width") or width), int(values.get("height") or height)
        seconds = float(values.get("seconds") or values.get("duration") or 5)
        frames, chunks = int(seconds * 4) * 4 + 1, 1
        whole = media.get("audio") or media.get("video")
        if whole is not None:
            part = values.get("duration") or values.get("seconds")
            seconds = float(part or whole.seconds - values.get("start", 0))
            frames = round(16 * seconds)
            chunks = math.ceil(frames / 77)
        if mode in ("text_to_video", "text_to_image") and not values.get("prompt", "").strip():
            problems["prompt"] = "The prompt is empty. Describe what is to be seen."
        obstacle = self.obstacle
        for text in problems.values():
            message, _, hint = text.partition(". ")
            obstacle = BadInput(f"{message}.", hint).notice
        trim = MODES[mode].trim
        follows = MODES[mode].media[trim.media].kind if trim is not None and whole is None else ""
        if follows:
            seconds, frames = 0.0, 0
        still = mode == "text_to_image"
        fast = mode == "fast_video" or values.get("speed") == "fast"
        return Plan(
            width, height, 1 if still else frames, 0.0 if still else 16.0, seconds, 4 if fast else 20,
            chunks=chunks,
            crop=Crop(0.0, 0.0 if abs(ratio - 16 / 9) < 0.05 else 0.11),
            estimate=None if follows else Estimate(mode, 65.0, "gpu"), obstacle=obstacle, problems=problems,
            warnings=self.warnings, route=self.route, follows=follows,
        )  # fmt: skip

    def submit(
        self,
        owner: str,
        mode: str,
        values: dict[str, Any],
        files: dict[str, Path],
        earlier: JobView | None = None,
        user: str = "",
        titles: Mapping[str, str] = {},
        variations: int = 1,
        vary: str | Mapping[str, Any] = "",
        results: Any = "",
    ) -> JobView:
        facts = {"image": self._picture(files["image"])} if files.get("image") else {}
        if not facts:
            raise BadInput("Choose a picture first.", field="image")
        count, several, rest = jobs_variations.wanted(values, variations, vary)
        plan = self.plan(mode, rest, facts)
        for name, problem in plan.problems.items():
            raise BadInput(problem, field=name)
        each = jobs_variations.each(mode, rest, count, several, lambda below: 271828)
        if len(each) > 1:
            return self.add_set(mode, each, files["image"], several)
        return self.add(mode, each[0], files["image"], plan)

    def add_set(
        self, mode: str, each: Sequence[dict[str, Any]], image: Path, vary: Mapping[str, Any] = {}
    ) -> JobView:
        """A parent with one child for each of these values."""
        params = {**each[0], "variations": len(each), **({"vary": dict(vary)} if vary else {})}
        with self.lock:
            whole = self.add(mode, params, image, assembly="variations", status="done")
            for values in each:
                child = self.add(mode, values, image, parent=whole.id)
                self.runs[whole.id].members.append(child.id)
            self._advance()
        return self.runs[whole.id].view

    def submit_family(self, new: Family, user: str = "") -> JobView:
        """Submits only the first part, as the parent."""
        first = new.parts[0]
        files = {name: file for name, file in first.files.items() if isinstance(file, Path)}
        return self.submit(new.owner, first.mode, dict(first.values), files, user=user)

    def add(
        self, mode: str, values: dict[str, Any], image: Path, plan: Plan | None = None, **more: Any
    ) -> JobView:
        plan = plan or self.plan(mode, values, {"image": self._picture(image)})
        number = next(self.numbers)
        prompt = str(values.get("prompt", ""))
        view = JobView(
            id=f"00000000-0000-4000-8000-{number:012d}", key=f"key{number}", mode=mode, status="queued",
            params=dict(values), title=prompt[:80], seed=int(values.get("seed", 1)), width=plan.width,
            height=plan.height, frames=plan.frames, fps=16.0, seconds=plan.seconds, steps=plan.steps,
            engine="ComfyUI", demo=self.engine == "demo", elapsed=None, created=time.time(), finished=None,
            warnings=(), error=None, bytes=0,
        )  # fmt: skip
        kept = self.folder / f"{number}{image.suffix}"
        kept.write_bytes(image.read_bytes())
        run = _Run(replace(view, **more), kept)
        with self.lock:
            self.runs[view.id] = run
            self._advance()
        return self.runs[view.id].view

    def _advance(self) -> None:
        with self.lock:
            for run in self.runs.values():
                if run.members:
                    continue
                if run.view.status == "queued":
                    run.start, run.view = time.monotonic(), replace(run.view, status="running")
                if run.view.status != "running" or run.start is None:
                    continue
                if run.frozen is None and self.fail and self._share(run) > 0.5:
                    error = OutOfMemory(
                        "The GPU ran out of memory",
                        "720p for 8 s needs about 31 GB, and this GPU has 24 GB. It stopped while drawing"
                        " step 2 of 20.",
                    ).to_dict()
                    run.frozen = self._share(run)
                    run.view = replace(
                        run.view, status="failed", error=error, elapsed=12.0, finished=time.time()
                    )
                elif self._share(run) >= 1.0:
                    run.view = replace(
                        run.view, status="done", finished=time.time(), elapsed=65.0, bytes=self._make(run)
                    )
                else:
                    break
            for run in self.runs.values():
                if run.members:
                    self._combine(run)

    def _combine(self, run: _Run) -> None:
        """The state of a parent, which follows from those of its children."""
        parts = [self.runs[id].view for id in run.members if id in self.runs]
        children = tuple(
            ChildView(one.id, one.key, one.seed, one.status, one.width, one.height) for one in parts
        )
        run.view = replace(run.view, children=children)
        states = {one.status for one in parts}
        if "running" in states or states == {"queued"}:
            status: Status = "running" if "running" in states else "queued"
        elif "queued" in states:
            status = "running"
        else:
            status = "done" if "done" in states else "failed" if "failed" in states else "cancelled"
        if status == "done" and run.view.elapsed is None:
            run.view = replace(run.view, finished=time.time(), elapsed=65.0, bytes=self._make(run))
        error = next((one.error for one in parts if one.error), None) if status == "failed" else None
        run.view = replace(run.view, status=status, error=error)

    def _share(self, run: _Run) -> float:
        if run.frozen is not None:
            return run.frozen
        share = (time.monotonic() - (run.start or 0)) / self.length
        return min(share, self.hold) if self.hold is not None else share

    def _make(self, run: _Run) -> int:
        path = self.folder / f"{run.view.id}.mp4"
        assert run.image is not None
        picture = Image.open(run.image).convert("RGB").resize((run.view.width, run.view.height))
        with av.open(str(path), "w", options={"movflags": "faststart"}) as out:
            stream: Any = out.add_stream("libx264", rate=16)
            stream.width, stream.height, stream.pix_fmt = run.view.width, run.view.height, "yuv420p"
            for index in range(run.view.frames or 8):  # 0 while no file says the length
                moved = np.roll(np.asarray(picture), index, axis=1)
                for packet in stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")):
                    out.mux(packet)
            for packet in stream.encode():
                out.mux(packet)
        picture.save(self.folder / f"{run.view.id}.jpg", quality=85)
        return path.stat().st_size

    def complete(self, view: JobView) -> None:
        """Ends this job as done immediately."""
        run = self.runs[view.id]
        if run.members:
            for id in run.members:
                self.complete(self.runs[id].view)
            return self._advance()
        run.view = replace(run.view, status="done", finished=time.time(), elapsed=65.0, bytes=self._make(run))
        self._advance()

    def break_down(self, view: JobView) -> None:
        """Ends this job as failed immediately."""
        run = self.runs[view.id]
        error = OutOfMemory("The GPU ran out of memory", "Try a smaller size.").to_dict()
        run.view = replace(run.view, status="failed", error=error, elapsed=12.0, finished=time.time())
        self._advance()

    def _run(self, id: str, key: str) -> _Run:
        run = self.runs.get(id)
        if run is None or run.view.key != key:
            raise NotFound("This clip no longer exists.")
        return run

    def job(self, id: str, key: str, owner: str = "") -> JobView:
        self._advance()
        return self._run(id, key).view

    def whole(self, owner: str, id: str, key: str) -> JobView | None:
        run = self.runs.get(self.job(id, key).parent)
        return None if run is None else run.view

    def jobs(
        self,
        owner: str,
        limit: int = 60,
        mode: str = "",
        search: str = "",
        statuses: Collection[str] = (),
    ) -> list[JobView]:
        self._advance()
        own = [view for view in self._own() if view.parent not in self.runs]
        found = [view for view in own if not mode or view.mode == mode]
        found = [v for v in found if not statuses or v.status in statuses]
        found = [
            v
            for v in found
            if not search or search.lower() in f"{v.params.get('prompt', '')} {v.seed}".lower()
        ]
        return sorted(found, key=lambda v: (v.created, v.id), reverse=True)[:limit]

    def totals(self, owner: str) -> tuple[int, int]:
        done = [view for view in self._own() if view.status == "done"]
        return len(done), sum(view.bytes for view in done)

    def active(self, owner: str) -> JobView | None:
        self._advance()
        own = [view for view in self._own() if not view.parent]
        running = [view for view in own if view.status == "running"]
        queued = [view for view in own if view.status == "queued"]
        return next(iter(running or queued), None)

    def cancel(self, id: str, key: str, owner: str = "") -> JobView:
        run = self._run(id, key)
        for child in run.members:
            self.cancel(child, self.runs[child].view.key)
        if run.members:
            self._advance()
        elif run.view.status in ("queued", "running"):
            run.frozen = self._share(run) if run.start else 0.0
            run.view = replace(run.view, status="cancelled", finished=time.time(), elapsed=12.0)
        return run.view

    def owns(self, owner: str, job: JobView) -> bool:
        return job.id not in self.foreign

    def _own(self) -> list[JobView]:
        """The visitor's own jobs."""
        return [run.view for run in self.runs.values() if run.view.id not in self.foreign]

    def delete(self, owner: str, id: str, key: str, undo: bool = False) -> JobView:
        if id not in self.deleted:
            if id in self.foreign:
                raise NotAllowed("Only the owner can do this.")
            self.deleted[id] = self._run(id, key)
            del self.runs[id]
        return self.deleted[id].view

    def undo_delete(self, owner: str, id: str, key: str) -> JobView:
        if id in self.deleted:
            self.runs[id] = self.deleted.pop(id)
        return self._run(id, key).view

    def live_progress(self, id: str, key: str, owner: str = "") -> Snapshot | None:
        return self.progress(id, key, owner)

    def progress(self, id: str, key: str, owner: str = "") -> Snapshot:
        self._advance()
        run = self._run(id, key)
        if run.members:
            parts = [self.progress(one, self.runs[one].view.key) for one in run.members if one in self.runs]
            found = combined(Snapshot(status=run.view.status), parts)
            part = next((one for one in run.members if self.runs[one].view.status == "running"), "")
            return replace(found, status=run.view.status, part=part, preview_version=bool(part) * 1)
        share = 0.0 if run.start is None else min(self._share(run), 1.0)
        if run.view.status == "done":
            share = 1.0
        segments, before, stage = [], 0.0, "wait"
        for name, weight in STAGE_SECONDS:
            done = max(0.0, min(1.0, (share - before) / weight))
            if share > before and run.start is not None:
                stage = name
            segments.append((name, weight, done))
            before += weight
        drawn = segments[3][2]
        return Snapshot(
            version=int(share * 1000), status=run.view.status, stage="done" if share >= 1 else stage,
            text=LOAD_TEXT if stage == "load" else "", percent=100 * share, segments=tuple(segments),
            step=int(drawn * run.view.steps), steps=run.view.steps if stage == "draw" else 0,
            elapsed=share * 65, remaining=(1 - share) * 65 if run.start else None,
            ahead=0 if run.start else self._ahead(id),
            preview_version=int(drawn * 20) if stage in ("draw", "finish") else 0,
            error=run.view.error,
        )  # fmt: skip

    def _ahead(self, id: str) -> int:
        """Jobs that are made before this one."""
        live = [name for name, run in self.runs.items() if run.view.status in ("running", "queued")]
        return live.index(id) if id in live else 0

    def preview(self, id: str, key: str) -> tuple[bytes, str] | None:
        run = self._run(id, key)
        for child in run.members:
            if child in self.runs and self.runs[child].view.status == "running":
                return self.preview(child, self.runs[child].view.key)
        if run.image is None or run.start is None or self._share(run) < 0.3:
            return None
        picture = Image.open(run.image).convert("RGB").resize((run.view.width // 4, run.view.height // 4))
        noise = np.random.default_rng(1).normal(0, 24, (picture.height, picture.width, 3))
        rough = np.clip(np.asarray(picture.filter(ImageFilter.GaussianBlur(1.5))) + noise, 0, 255)
        buffer = io.BytesIO()
        Image.fromarray(rough.astype("uint8")).save(buffer, "JPEG", quality=85)
        return buffer.getvalue(), "image/jpeg"

    def sources(self, owner: str, id: str, key: str) -> dict[str, SourceFile]:
        image = self._run(id, key).image
        if id in self.expired:
            raise InputsGone("The files are no longer kept.")
        return {} if image is None else {"image": SourceFile(image, image.name, id in self.reduced)}

    def input_path(self, id: str, key: str, name: str) -> Path | None:
        run = self._run(id, key)
        if id in self.expired:
            raise InputsGone("The files are no longer kept.")
        return run.image if name == "image" else None

    def keep_draft_file(self, owner: str, draft: str, path: Path) -> str:
        id = f"{next(self.numbers):032x}"
        self.draft_files[owner, draft, id] = path
        return id

    def retain_draft_files(self, owner: str, draft: str, ids: Collection[str]) -> None:
        for key in [key for key in self.draft_files if key[:2] == (owner, draft) and key[2] not in ids]:
            del self.draft_files[key]

    def draft_file(self, owner: str, draft: str, id: str) -> tuple[Path, str]:
        if (owner, draft, id) not in self.draft_files:
            raise NotFound("This file is no longer kept.")
        path = self.draft_files[owner, draft, id]
        return path, path.name

    def result_path(self, id: str, key: str) -> Path:
        return self.folder / f"{self._run(id, key).view.id}.mp4"

    def sheet_waits(self, id: str) -> bool:
        return False

    def media_file(self, job_id: str, name: str, expires: str, signature: str) -> tuple[Path, Job] | None:
        return None  # `routes` serves them

    def media_url(self, job: JobView, name: str, download: bool = False) -> str:
        return f"/media/{job.id}/{name}?exp=9999999999&sig=fake" + ("&download=1" if download else "")

    def recipe(self, path: Path) -> Recipe:
        return recipe_in(metadata.read(str(path), path.name))

    def recipe_of(self, owner: str, id: str, key: str) -> Recipe:
        job = self.job(id, key)
        if not self.owns(owner, job):
            raise NotAllowed.of("owner_only")
        return Recipe(job.mode, {**job.params, "seed": job.seed})

    def recipe_sources(self, owner: str, recipe: Recipe) -> dict[str, SourceFile]:
        return {name: self.recipe_files[name] for name in recipe.media if name in self.recipe_files}

    def recipe_here(self, recipe: Recipe) -> Recipe:
        return self.as_here(recipe)

    def recipe_lacks(self, owner: str, recipe: Recipe) -> tuple[Lacking, ...]:
        absent = [Lacking("file", name, name) for name in recipe.media if name not in self.recipe_files]
        return (*self.lacks, *absent, *(Lacking("setting", name, name) for name in recipe.left_out))

    def engines(self) -> list[EngineInfo]:
        return [
            EngineInfo(
                kind=self.engine, address="127.0.0.1:8188", state=self.state, version="0.3.76",
                gpu="" if self.engine == "demo" else "NVIDIA GeForce RTX 4090", vram_total=24 << 30,
                models={"all": tuple(f.name for f in load_catalog().files if f.name not in self.missing)},
                vram_free=int(6.8 * (1 << 30)), ram_total=64 << 30, ram_free=23 << 30, python="3.12.3",
                pytorch="2.8.0",
            )
        ]  # fmt: skip

    def line(self, owner: str) -> tuple[Place, ...]:
        views = [run.view for run in self.runs.values() if not run.members]
        running = [Place(0, v.mode, True, v) for v in views if v.status == "running"]
        waits = [v for v in views if v.status == "queued"]
        return (*running, *(Place(n, v.mode, True, v) for n, v in enumerate(waits, 1)))

    def queue_rows(self, owner: str, user: str = "") -> tuple[QueueRow, ...]:
        line = self.line(owner)
        return tuple(
            QueueRow(
                p.position, n, p.mode, p.mine, p.job, 65.0 * (n - 1), 65.0 * n,
                p.position > 1, 0 < p.position < len(line) - 1,
            )
            for n, p in enumerate(line, 1)
        )  # fmt: skip

    def move(self, owner: str, id: str, key: str, by: int) -> JobView:
        run = self._run(id, key)
        order = [name for name, one in self.runs.items() if one.view.status == "queued"]
        at = order.index(id)
        order.insert(max(0, at + by), order.pop(at))
        ended = {name: one for name, one in self.runs.items() if name not in order}
        self.runs = {**ended, **{name: self.runs[name] for name in order}}
        return run.view

    def cancel_all(self, owner: str) -> int:
        live = [run.view for run in self.runs.values() if run.view.status in ("queued", "running")]
        for view in live:
            self.cancel(view.id, view.key)
        return len(live)

    def paused(self) -> bool:
        return self.is_paused

    def pause(self, owner: str, user: str = "") -> None:
        if not self.is_admin(owner, user):
            raise NotAllowed("Only the admin can do this.")
        self.is_paused = True

    def resume(self, owner: str, user: str = "") -> None:
        if not self.is_admin(owner, user):
            raise NotAllowed("Only the admin can do this.")
        self.is_paused = False

    def is_admin(self, owner: str, user: str = "") -> bool:
        return self.all_are_admin or user == "root"

    def public_warning(self) -> str:
        return self.warning

    def input_files(self, owner: str, user: str = "") -> tuple[InputFile, ...]:
        return ()

    def input_file(self, owner: str, name: str, user: str = "") -> Path:
        raise NotFound("There is no such file.")

    def claim_admin(self, owner: str, token: str) -> bool:
        return False

    def pin(self, owner: str, id: str, key: str, pinned: bool) -> JobView:
        run = self._run(id, key)
        run.view = replace(run.view, pinned=pinned)
        return run.view

    def queue(self) -> QueueState:
        states = [run.view.status for run in self.runs.values()]
        return QueueState(running=states.count("running"), waiting=states.count("queued"))

    def status(self) -> str:
        return "ok" if self.state == "ok" else "degraded"

    def trouble(self) -> str:
        return ""

    def health(self, scan: ModelScan | None = None) -> dict[str, Any]:
        disk = {"total": 40_000_000_000, "free": 38_800_000_000, "data_bytes": 1_200_000_000}
        return {"status": "ok", "engine": self.engine, "disk": disk, "database": "ok"}

    def choose_model(
        self, owner: str, role: str, file: str, distilled: bool | None = None, user: str = ""
    ) -> None:
        self._require_admin(owner, user)
        self.chosen_models = {**getattr(self, "chosen_models", {}), role: (file, distilled)}

    def model_choices(self, owner: str, user: str = "") -> tuple[ModelState, ...]:
        self._require_admin(owner, user)
        return tuple(self.models())

    def plan_models(self, owner: str, request: SetRequest, user: str = "") -> SetOffer:
        self._require_admin(owner, user)
        files = tuple(
            SetEntry(
                file.title,
                file.name,
                file.folder,
                file.bytes,
                used="" if file.name in self.missing else file.name,
            )
            for file in load_catalog().needed(request.mode)
        )
        left = sum(each.size for each in files if not each.used)
        return SetOffer(
            request, request.gigabytes or 24, "", False, files, left, self.arrived, 0, 38_800_000_000, True
        )

    def fetch_models(self, owner: str, request: SetRequest, user: str = "") -> None:
        self._require_admin(owner, user)
        self.fetching = FetchProgress("running", request)

    def cancel_fetch(self, owner: str, user: str = "") -> None:
        self._require_admin(owner, user)
        self.fetching = replace(self.fetching, stage="cancelled")

    def fetch_progress(self, owner: str, user: str = "") -> FetchProgress:
        self._require_admin(owner, user)
        return self.fetching

    def fetch_available(self) -> bool:
        return True

    def _require_admin(self, owner: str, user: str) -> None:
        if not self.is_admin(owner, user):
            raise NotAllowed("Only the admin can do this.")

    def model_scan(self) -> ModelScan:
        return ModelScan(tuple(self.models()), {})

    def models(self) -> list[ModelState]:
        return [
            ModelState(
                file.title, file.name, file.folder, file.bytes, file.modes, file.optional,
                "missing" if file.name in self.missing else "ready",
                others=self.other_files.get(file.name, ()),
            )
            for file in load_catalog().files
        ]  # fmt: skip

    def loras(self, mode: str, search: str = "", names: Collection[str] = ()) -> LoraList:
        wanted = search.casefold().split()
        rows = [
            row
            for row in self.lora_rows
            if all(word in f"{row.name} {row.title}".casefold() for word in wanted)
            and (not names or row.name in names)
        ]
        return LoraList(tuple(rows), self.lists_loras, len(rows))

    def lora_picture(self, name: str) -> bytes:
        return self.lora_pictures.get(name, b"")

    def routes(self) -> list[Route]:
        """`/media/<id>/<name>`, as the app's own route serves it."""

        async def media(request: Request) -> Response:
            run = self.runs.get(request.path_params["id"])
            name = request.path_params["name"]
            if run is None or run.image is None or (name == "input" and run.view.id in self.expired):
                return Response(status_code=404)
            if name == "workflow.json":
                return Response("{}", media_type="application/json")
            files = {"result.mp4": f"{run.view.id}.mp4", "poster.jpg": f"{run.view.id}.jpg"}
            path = self.folder / files[name] if name in files else run.image
            return FileResponse(path) if path.is_file() else Response(status_code=404)

        return [Route("/media/{id}/{name}", media)]
