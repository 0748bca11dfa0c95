"""The facade that the page, the API and the command line call: submit, watch, cancel, library, machine.

Each method delegates to one of the services, which document the details. All methods may be called from any
thread; those marked "memory" never touch disk, database or network. A coroutine may call only these
directly; it runs the others on `reads`, or on `writes` if they change something.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.engines.base import EngineInfo
from backend.errors import NotAllowed
from backend.jobs import input_files as uploads
from backend.jobs.extension_base import Request
from backend.jobs.family import Family
from backend.jobs.final_views import FinalPlan, Relations
from backend.jobs.input_files import Facts
from backend.jobs.job import Job, ResultOf
from backend.jobs.job_storage import Submission
from backend.jobs.limits import Limits
from backend.jobs.recipe import Lacking, Recipe
from backend.jobs.snapshot import Snapshot
from backend.jobs.views import ExtendPlan, JobView, Place, Plan, QueueRow, QueueState, SourceFile
from backend.media.facts import MAX_STORED_SIDE
from backend.models.state import FetchProgress, LoraList, ModelScan, ModelState, SetOffer, SetRequest
from backend.notices import words
from backend.security import tokens
from backend.services import Services
from backend.settings.model import Settings
from backend.storage import input_folder
from backend.storage.input_folder import InputFile
from workflows.modes.registry import MODES
from workflows.notice import notice

SHEET_SECONDS = 60.0
"""How long a download waits for a contact sheet that is being made again."""


class Studio:
    """One data folder, its queue and its engines."""

    def __init__(self, settings: Settings, exclusive: bool = False, *, limits: Limits | None = None) -> None:
        """exclusive: hold the data folder against every other studio, as the app does. Raises BadSettings
        when another one has it, or when a setting cannot be used; StoreError, DiskFull."""
        self._services = services = Services(settings, exclusive, limits or Limits())
        self.limits, self.reads, self.writes = services.limits, services.reads, services.writes
        self.store, self.decoder, self.scheduler = services.store, services.decoder, services.scheduler
        self.servers, self.admins, self.retention = services.servers, services.admins, services.retention
        self.presets = services.presets
        self._library, self._watch, self._machine = services.library, services.watch, services.machine

    @property
    def settings(self) -> Settings:
        """The settings, with how the page is reached once that is known (memory)."""
        return self._services.settings

    def start(self) -> None:
        """Recovers unfinished jobs and starts the lanes; returns at once."""
        self._services.start()

    def close(self) -> None:
        """Stops everything that `start` started, and releases the data folder."""
        self._services.close()

    # -- owners and the admin -------------------------------------------------------------

    def new_owner(self) -> str:
        """A new visitor's token (192 bit)."""
        return tokens.new_token()

    @staticmethod
    def is_owner(text: object) -> bool:
        """Whether this can be an owner's token."""
        return tokens.is_token(text)

    def secret(self, purpose: str) -> str:
        """A text for one purpose that stays the same across restarts."""
        return self._services.secret(purpose)

    def is_admin(self, owner: str, user: str = "") -> bool:
        """Whether this is the admin (memory). user: whom the login let in, "" without a login."""
        return self.admins.includes(owner, user)

    def _require_admin(self, owner: str, user: str) -> None:
        if not self.is_admin(owner, user):
            raise NotAllowed.of("admin_only")

    def claim_admin(self, owner: str, token: str) -> bool:
        """Makes the owner of a browser that opened the admin link the admin; False for a wrong token."""
        return self.admins.claim(owner, token)

    def reached(self, public: str) -> None:
        """Called when the page is served. public: how unknown visitors reach it, "" if they cannot."""
        self._services.settings = self.settings.model_copy(update={"public": public})

    def served(self, address: str) -> None:
        """Called when the page is served, with its address for programs of this machine. Raises DiskFull."""
        self._services.served(address)

    def public_warning(self) -> str:
        """A warning for a page that is open to unknown visitors, else ""."""
        return words(notice("open_to_all", public=self.settings.public)) if self.settings.open_to_all else ""

    def input_files(self, owner: str, user: str = "") -> tuple[InputFile, ...]:
        """The files of WAN_INPUT_DIR. Raises NotAllowed for everyone but the admin."""
        self._require_admin(owner, user)
        return input_folder.listing(self.settings.input_dir)

    def input_file(self, owner: str, name: str, user: str = "") -> Path:
        """One of them by its name, to be given to `submit`. Raises NotAllowed, NotFound."""
        self._require_admin(owner, user)
        return input_folder.chosen(self.settings.input_dir, name)

    # -- making a job ---------------------------------------------------------------------

    def inspect(self, mode: str, field: str, path: Path) -> Facts:
        """What an uploaded file is: PictureFacts, SoundFacts or VideoFacts. Raises BadMedia."""
        return uploads.look(self.decoder, MODES[mode].media[field].kind, path, field)

    def file_kind(self, path: Path) -> str:
        """What a file begins like: picture, sound, video, or "" for everything else."""
        return uploads.kind(path)

    def preview_file(self, upload: Path, target: Path) -> None:
        """Writes a small JPEG of an uploaded picture, or of a video's first frame, to `target`. Raises
        BadMedia, DiskFull."""
        uploads.preview(self.decoder, upload, target)

    def first_frame(self, video: Path, target: Path) -> None:
        """Writes the first frame of an uploaded video to `target` as JPEG. Raises BadMedia, DiskFull."""
        self.decoder.poster(video, target, MAX_STORED_SIDE)

    def waveform(self, path: Path, points: int = 600) -> list[float]:
        """Peaks of a sound file, 0 to 1, for drawing. Raises BadMedia."""
        return self.decoder.waveform(path, points=points)

    def plan(
        self, mode: str, values: Mapping[str, Any], media: Mapping[str, Facts], owner: str = "",
        user: str = "", variations: int = 1, vary: str | Mapping[str, Sequence[Any]] = "",
    ) -> Plan:  # fmt: skip
        """What Generate would do with this, and what prevents it for this owner. Never raises. user,
        variations, vary: as in `submit`."""
        admin = self.is_admin(owner, user)
        return self._services.planner.plan(mode, values, media, owner, admin, variations, vary)

    def submit(
        self, owner: str, mode: str, values: Mapping[str, Any], files: Mapping[str, Path | ResultOf | None],
        earlier: JobView | None = None, user: str = "", titles: Mapping[str, str] = {},
        variations: int = 1, vary: str | Mapping[str, Sequence[Any]] = "", results: Any = "",
    ) -> JobView:  # fmt: skip
        """Queues a new job, or variations of it below one parent (see Submission and JobRequests.submit).
        files: also results of other jobs of this owner, which may be unfinished; `results` names some in JSON
        (see named_results). user: whom the login let in; the limit per visitor does not bind the admin."""
        unlimited = self.is_admin(owner, user)
        new = Submission(owner, mode, values, files, None, unlimited, titles, variations, vary)
        return self._library.view(self._services.requests.submit(new, results, earlier))

    def submit_family(self, new: Family, user: str = "") -> JobView:
        """Queues a parent with all of its children, or none of them (see FamilySubmitter.submit)."""
        new = replace(new, unlimited=self.is_admin(new.owner, user))
        return self._library.view(self._services.requests.submit_family(new))

    # -- finals ---------------------------------------------------------------------------

    def finish(
        self, owner: str, id: str, key: str, *, resolution: str = "480p", speed: str = "quality",
        user: str = "",
    ) -> JobView:  # fmt: skip
        """Queues the final of a clip (see Finals.finish). resolution: 480p, 720p or same. Raises NotFound,
        NotAllowed for everyone but the owner, BadInput, InputsGone, and what a submission raises."""
        unlimited = self.is_admin(owner, user)
        return self._library.view(self._services.finals.finish(owner, id, key, resolution, speed, unlimited))

    def final_plan(self, id: str, key: str, resolution: str, speed: str) -> FinalPlan:
        """What the final of a clip would be. Raises NotFound."""
        return self._services.finals.plan(id, key, resolution, speed)

    def relations(self, owner: str, job: JobView) -> Relations:
        """The source and the finals of a clip; none for everyone but its owner."""
        return self._services.finals.relations(job) if self.owns(owner, job) else Relations()

    # -- extending a video ----------------------------------------------------------------

    def extend(
        self, owner: str, id: str, key: str, *, prompt: str = "", seconds: float = 5.0, frame: int = -1,
        end_image: Path | None = None, method: str = "auto", speed: str = "fast", seed: int = -1,
        user: str = "",
    ) -> JobView:  # fmt: skip
        """Queues a finished video, up to `frame` (-1: its last), joined with a new part (see Request). Raises
        NotFound, NotAllowed for everyone but the owner, and what `submit` raises."""
        new, call = Request(prompt, seconds, frame, end_image, method, speed, seed), self._services.extender
        return self._library.view(call.extend(owner, id, key, new, self.is_admin(owner, user)))

    def reroll(
        self, owner: str, id: str, key: str, part: int, *, prompt: str | None = None, seed: int = -1,
        user: str = "",
    ) -> JobView:  # fmt: skip
        """Queues a joined video with one part, from 1 (-1: the last), drawn again; prompt None: as it was.
        Later parts stay and are marked as stale. Raises what `extend` raises."""
        call = self._services.extender.reroll
        return self._library.view(call(owner, id, key, part, prompt, seed, self.is_admin(owner, user)))

    def extend_plan(
        self, owner: str, id: str, key: str, *, frame: int = -1, method: str = "auto", seconds: float = 5.0,
        speed: str = "fast",
    ) -> ExtendPlan:  # fmt: skip
        """What `extend` would do, and what refuses it. Raises NotFound, NotAllowed."""
        return self._services.extender.plan(owner, id, key, frame, method, seconds, speed)

    def reroll_plan(self, owner: str, id: str, key: str, part: int) -> ExtendPlan:
        """What `reroll` would do, and what refuses it. Raises NotFound, NotAllowed."""
        return self._services.extender.plan_again(owner, id, key, part)

    # -- unsent forms ---------------------------------------------------------------------

    def keep_draft_file(self, owner: str, draft: str, path: Path) -> str:
        """Keeps an uploaded file of an unsent form (see Drafts.keep); returns its id."""
        with self.decoder.unchanged(path):
            return self.retention.drafts.keep(owner, draft, path)

    def retain_draft_files(self, owner: str, draft: str, ids: Collection[str]) -> None:
        """Marks a draft as used, and removes its other files. Raises NotAllowed, BadInput."""
        self.retention.drafts.retain(owner, draft, ids)

    def draft_file(self, owner: str, draft: str, id: str) -> tuple[Path, str]:
        """(path, name) of a kept file. Raises NotFound, also for one of another owner."""
        found = self.retention.drafts.file(owner, draft, id)
        return found.path, found.name

    # -- jobs and their files -------------------------------------------------------------

    def job(self, id: str, key: str, owner: str = "") -> JobView:
        """One job. owner: who asks; its owner sees the keys of its parts too. Raises NotFound."""
        return self._library.job(id, key, owner)

    def whole(self, owner: str, id: str, key: str) -> JobView | None:
        """The job that this one is a part of, for its owner alone; None when there is none or it is gone.
        Raises NotFound, NotAllowed."""
        return self._library.whole(owner, id, key)

    def jobs(
        self, owner: str, limit: int = 60, mode: str = "", search: str = "", statuses: Collection[str] = ()
    ) -> list[JobView]:
        """An owner's jobs, newest first. statuses: all when empty."""
        return self._library.jobs(owner, limit, mode, search, statuses)

    def owns(self, owner: str, job: JobView) -> bool:
        """Whether the job is this owner's, and not just opened by a private link (memory)."""
        return self._library.is_owner(owner, job.owner)

    def totals(self, owner: str) -> tuple[int, int]:
        """(clips, bytes) of an owner's finished jobs."""
        return self._library.totals(owner)

    def cancel(self, id: str, key: str, owner: str = "") -> JobView:
        """Stops a job; it cannot become a video once this has returned. owner: as in `job`. Raises DiskFull,
        StoreError."""
        return self._library.cancel(id, key, owner)

    def delete(self, owner: str, id: str, key: str, undo: bool = False) -> JobView:
        """Removes an ended job with its files; with `undo` it is hidden now and removed after `limits.undo`
        seconds (see Library.delete). Raises NotFound, NotAllowed, BadInput for a job that has not ended."""
        return self._library.delete(owner, id, key, undo)

    def undo_delete(self, owner: str, id: str, key: str) -> JobView:
        """Brings back a job that is hidden and not removed yet. Raises NotFound, NotAllowed."""
        return self._library.undo_delete(owner, id, key)

    def pin(self, owner: str, id: str, key: str, pinned: bool) -> JobView:
        """Exempts an ended job from removal by age or disk share, or ends that. Raises NotAllowed."""
        return self._library.pin(owner, id, key, pinned)

    def result_path(self, id: str, key: str) -> Path:
        """The finished video or picture, after a contact sheet that is made again. Raises NotFound."""
        job = self._library.open(id, key)
        self._services.sheets.wait(job.id, SHEET_SECONDS)
        return self._library.files.result(job)

    def sheet_waits(self, id: str) -> bool:
        """Whether the contact sheet of a set is being made again, since its clips have changed (memory)."""
        return self._services.sheets.waits(id)

    def sources(self, owner: str, id: str, key: str) -> dict[str, SourceFile]:
        """The files that a job was made from, for its owner. Raises NotFound, InputsGone, NotAllowed."""
        return self._library.sources(owner, id, key)

    def input_path(self, id: str, key: str, name: str) -> Path | None:
        """A file that a job was made from; None without one. Raises NotFound, InputsGone."""
        return self._library.files.input(self._library.open(id, key), name)

    def media_url(self, job: JobView, name: str, download: bool = False) -> str:
        """A signed path to a file of a job, good for a day or a little more (memory)."""
        return self._library.files.address(job.id, name, download)

    def media_file(self, job_id: str, name: str, expires: str, signature: str) -> tuple[Path, Job] | None:
        """The file behind a signed path; None for a forged or expired one, or a file that is gone."""
        return self._library.files.behind(job_id, name, expires, signature)

    # -- recipes --------------------------------------------------------------------------

    def recipe(self, path: Path) -> Recipe:
        """How the file of a video or picture, or a JSON file, was made. Raises BadInput, BadMedia."""
        return self._services.recipes.read(path)

    def recipe_of(self, owner: str, id: str, key: str) -> Recipe:
        """What a job was made with, for its owner. Raises NotFound, NotAllowed."""
        return self._services.recipes.of_job(owner, id, key)

    def recipe_sources(self, owner: str, recipe: Recipe) -> dict[str, SourceFile]:
        """The files of a recipe that are here among the owner's own, by parameter."""
        return self._services.recipes.sources(owner, recipe)

    def recipe_here(self, recipe: Recipe) -> Recipe:
        """The recipe with the names that its LoRAs have here, after `recipe_lacks` has compared them."""
        return self._services.recipes.here(recipe)

    def recipe_lacks(self, owner: str, recipe: Recipe) -> tuple[Lacking, ...]:
        """What of a recipe is not here, or has another name here. Reads files."""
        return self._services.recipes.lacking(owner, recipe)

    # -- progress and the queue -----------------------------------------------------------

    def live_progress(self, id: str, key: str, owner: str = "") -> Snapshot | None:
        """The progress of a job (memory); None for one of an earlier run of the app. owner: as in `job`."""
        return self._watch.live_progress(id, key, owner)

    def progress(self, id: str, key: str, owner: str = "") -> Snapshot:
        """The progress of any job. owner: as in `job`. Raises NotFound."""
        return self._watch.progress(id, key, owner)

    def preview(self, id: str, key: str) -> tuple[bytes, str] | None:
        """The last preview: bytes and MIME type (memory)."""
        return self._watch.preview(id, key)

    def active(self, owner: str) -> JobView | None:
        """The owner's running job, else the first of theirs in the queue (memory)."""
        return self._watch.active(owner)

    def line(self, owner: str) -> tuple[Place, ...]:
        """All running and waiting jobs in order, the owner's own with details (memory)."""
        return self._watch.line(owner)

    def queue_rows(self, owner: str, user: str = "") -> tuple[QueueRow, ...]:
        """All running and waiting jobs in order with their expected times; details only of the owner's own,
        for the admin of all."""
        return self._services.waiting.rows(owner, self.is_admin(owner, user))

    def move(self, owner: str, id: str, key: str, by: int) -> JobView:
        """Moves a waiting job by this many places among its owner's. Raises NotFound, NotAllowed."""
        return self._services.waiting.move(owner, id, key, by)

    def cancel_all(self, owner: str) -> int:
        """Cancels the owner's waiting and running jobs; returns how many. Raises DiskFull, StoreError."""
        return self._services.waiting.cancel_all(owner)

    def queue(self) -> QueueState:
        """The number of running and waiting jobs of all owners (memory)."""
        return QueueState(*self.scheduler.counts())

    def paused(self) -> bool:
        """Whether the admin has paused the queue (memory)."""
        return self.scheduler.paused

    def pause(self, owner: str, user: str = "") -> None:
        """Starts no job until `resume`; running ones go on. Raises NotAllowed, DiskFull."""
        self._require_admin(owner, user)
        self.scheduler.pause(True)

    def resume(self, owner: str, user: str = "") -> None:
        """Starts jobs again. Raises NotAllowed, DiskFull."""
        self._require_admin(owner, user)
        self.scheduler.pause(False)

    # -- the machine ----------------------------------------------------------------------

    def engines(self) -> list[EngineInfo]:
        """One per lane (memory)."""
        return self._machine.engines()

    def model_scan(self) -> ModelScan:
        """The catalogue as this machine and its server have it; reads names, sizes and headers of files."""
        return self._machine.model_scan()

    def models(self) -> list[ModelState]:
        """The files of a model_scan."""
        return list(self.model_scan().files)

    def model_choices(self, owner: str, user: str = "") -> tuple[ModelState, ...]:
        """The files of a model_scan with what each role uses, for the admin. Raises NotAllowed."""
        self._require_admin(owner, user)
        return self.model_scan().files

    def choose_model(
        self, owner: str, role: str, file: str, distilled: bool | None = None, user: str = ""
    ) -> None:
        """Chooses the file for a role of the catalogue, "" for the best one. distilled: whether a 4-step
        distillation is in its weights; None: as its name says. Raises NotAllowed, BadInput."""
        self._require_admin(owner, user)
        self._machine.choose_model(role, file, distilled)

    def loras(self, mode: str, search: str = "", names: Collection[str] = ()) -> LoraList:
        """The LoRAs of the engines for a mode, by search words, or those of these names. Raises BadInput for
        an unknown mode."""
        return self._services.loras.find(mode, search, names)

    def lora_picture(self, name: str) -> bytes:
        """The small picture of a LoRA as JPEG; empty for none."""
        return self._services.loras.picture(name)

    def plan_models(self, owner: str, request: SetRequest, user: str = "") -> SetOffer:
        """The files that make a mode work on a GPU, with their sizes from the hub. Raises NotAllowed,
        BadInput."""
        self._require_admin(owner, user)
        return self._services.model_fetch.plan(request)

    def fetch_models(self, owner: str, request: SetRequest, user: str = "") -> None:
        """Starts to download them; what an earlier download left is resumed. Raises NotAllowed, BadInput."""
        self._require_admin(owner, user)
        self._services.model_fetch.start(request)

    def cancel_fetch(self, owner: str, user: str = "") -> None:
        """Ends the download; what has arrived is kept. Raises NotAllowed."""
        self._require_admin(owner, user)
        self._services.model_fetch.cancel()

    def fetch_progress(self, owner: str, user: str = "") -> FetchProgress:
        """The last download of models (memory). Raises NotAllowed."""
        self._require_admin(owner, user)
        return self._services.model_fetch.progress()

    def fetch_available(self) -> bool:
        """Whether a download into this machine's store reaches the engine (memory)."""
        return self._services.model_fetch.available()

    def status(self) -> str:
        """starting, ok or degraded (memory)."""
        return self._machine.status()

    def trouble(self) -> str:
        """Why no job can be started although engines work, in a sentence; "" while one can (memory)."""
        return self.scheduler.trouble

    def health(self, scan: ModelScan | None = None) -> dict[str, Any]:
        """The facts of the System tab; a scan at hand saves another one."""
        return self._machine.health(scan)
