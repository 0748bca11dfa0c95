"""The facade that the page and the API call: submit, watch, cancel, library, health.

The one place, besides app, where the rooms are put together. All methods may be called from any thread;
those marked "memory" never touch disk, database or network.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend import access, forecast, health, inputs, secret_file, sending, surroundings, upkeep, uploads
from backend.admin import Admins
from backend.dispatch import compile_for, job_params, make_params, preflight
from backend.engines.base import Engine, EngineInfo, silent_words, takes_whole
from backend.errors import (
    BadInput,
    BadSettings,
    EngineUnreachable,
    NotAllowed,
    NotFound,
    StudioError,
    TooMany,
    from_os_error,
)
from backend.execute import POSTER, RESULT, STILL, WORKFLOW
from backend.inputs import InputFile
from backend.jobs import DONE, TERMINAL, Job
from backend.lock import DataLock
from backend.media.probe import Decoder, PictureFacts
from backend.parts import adopt
from backend.progress import Snapshot, Tracker
from backend.runner import Runner
from backend.servers import Servers
from backend.settings import Settings
from backend.store import Store
from backend.throttle import Bucket
from backend.uploads import Facts
from backend.views import STILLS, JobView, ModelState, Place, Plan, QueueState, result_name, view
from workflows.compile import Compiled
from workflows.node_contract import facts, recorded
from workflows.params import MEDIA, RANDOM_SEEDS

log = logging.getLogger("wan.studio")

ADDRESS_SECONDS = 24 * 3600  # how long a signed media address is good
INPUT = "input"
CLEANED = ("negative_prompt",)  # texts that are stored as the params have them, without control characters
SILENT_SECONDS = 10.0  # a server that we did not start and that has not answered for so long is not there
NEWCOMERS, NEWCOMERS_SECONDS = 60, 3.0
"""On an open page: how many visitors can start their first video at once, and how fast that refills."""
MEDIA_NAMES = (RESULT, STILL, POSTER, WORKFLOW, INPUT)


class Studio:
    """One data folder, its queue and its engines."""

    def __init__(self, settings: Settings, exclusive: bool = False) -> None:
        """exclusive: hold the data folder against every other studio, as the app does. Raises BadSettings
        when another one has it, or when a setting cannot be used; StoreError, DiskFull."""
        self.settings = settings
        self._born = time.monotonic()
        self._closing = threading.Event()
        try:
            settings.jobs_dir.mkdir(parents=True, exist_ok=True)
            if not os.access(settings.data_dir, os.W_OK):  # the attempt has the reason
                tempfile.TemporaryFile(dir=settings.data_dir).close()
        except OSError as error:
            raise BadSettings(
                f"The data folder {settings.data_dir} cannot be written: {error.strerror or error}.",
                "Set WAN_DATA_DIR to a folder that can be.",
            ) from error
        self._data_lock = DataLock(settings.data_dir, settings.machine, lost=self._evicted)
        if exclusive:
            self._data_lock.acquire()
        self._secret = secret_file.load(settings.data_dir / "secret", secrets.token_bytes(32))
        self.store = Store(settings.database)
        first_user = settings.auth[0][0] if settings.auth else ""
        self.admins = Admins(settings.data_dir, first_user, self.store.setting, self.store.set_setting)
        self._newcomers = Bucket(NEWCOMERS, NEWCOMERS_SECONDS)
        self.decoder = Decoder(max_file_mb=settings.max_upload_mb)
        self.servers = Servers(settings)
        plan = self.servers.plan
        told = surroundings.tell_adopted(settings, plan.kind, plan.start, plan.urls)
        if told:
            log.info("%s", told)
        self.runner = Runner(
            self.store, settings.jobs_dir, self.servers.engines, self._compile, self.decoder,
            models_of=self._models_of, recover=self.servers.recover,
        )  # fmt: skip
        self.house = upkeep.keeper(settings, self.store, self.engines, self.runner.forget)

    def _evicted(self) -> None:
        self.runner.evict()

    def start(self) -> None:
        """Takes up unfinished jobs and starts the lanes; returns at once."""
        self.runner.start()
        self.decoder.prewarm()
        threading.Thread(
            target=self.house.run, args=(self._closing,), name="housekeeping", daemon=True
        ).start()

    def close(self) -> None:
        """Stops lanes, decoders and the servers that we started."""
        self._closing.set()
        self.runner.close()
        self.servers.close()
        self.decoder.close()
        self.store.close()
        self._data_lock.release()

    # -- owners and secrets ---------------------------------------------------------------

    def new_owner(self) -> str:
        """A new visitor's token (192 bit)."""
        return access.new_token()

    @staticmethod
    def is_owner(text: object) -> bool:
        """Whether this can be an owner's token."""
        return access.is_token(text)

    def secret(self, purpose: str) -> str:
        """A text for one purpose that stays the same across restarts."""
        return access.sign(self._secret, "purpose", purpose)

    # -- the machine's owner --------------------------------------------------------------

    def is_admin(self, owner: str, user: str = "") -> bool:
        """Whether this is the machine's owner (memory). user: whom the login let in, "" without a login."""
        return self.admins.includes(owner, user)

    def claim_admin(self, owner: str, token: str) -> bool:
        """The admin link was opened: this browser is the machine's owner from now on, unless it is wrong."""
        done = self.admins.claim(owner, token)
        log.info("admin link: %s", "opened" if done else "opened with a wrong token")
        return done

    def public_warning(self) -> str:
        """What to know of a page that strangers can use; "" when they cannot."""
        if not self.settings.open_to_all:
            return ""
        return (
            f"Anybody with the address can use this page ({self.settings.public}). "
            "Set WAN_AUTH=name:password and start again to ask for a login."
        )

    def input_files(self, owner: str, user: str = "") -> tuple[InputFile, ...]:
        """The files of WAN_INPUT_DIR. Raises NotAllowed for anybody but the machine's owner."""
        self._only_the_owner(owner, user)
        return inputs.listing(self.settings.input_dir)

    def input_file(self, owner: str, name: str, user: str = "") -> Path:
        """One of them by its name, to be given to `submit`. Raises NotAllowed, NotFound."""
        self._only_the_owner(owner, user)
        return inputs.chosen(self.settings.input_dir, name)

    # -- before Generate ------------------------------------------------------------------

    def inspect(self, mode: str, field: str, path: Path) -> Facts:
        """What an uploaded file is: PictureFacts, SoundFacts or VideoFacts. Raises BadMedia."""
        return uploads.look(self.decoder, MEDIA[mode][field][0], path, field)

    def inspect_picture(self, path: Path, field: str = "image") -> PictureFacts:
        """Size and kind of an uploaded picture. Raises BadMedia."""
        return self.decoder.picture(path, field=field)

    def waveform(self, path: Path, points: int = 600) -> list[float]:
        """Peaks of a sound file, 0 to 1, for drawing. Raises BadMedia."""
        return self.decoder.waveform(path, points=points)

    def plan(self, mode: str, values: Mapping[str, Any], media: Mapping[str, Facts]) -> Plan:
        """What Generate would make of this, and what stands in its way. Never raises."""
        sizes = {name: uploads.as_media(facts, name) for name, facts in media.items()}
        return forecast.plan(
            mode,
            values,
            sizes,
            self.engines(),
            self.store.done_on,
            offers=self._offers(),
            absent=self._nobody_there(),
        )

    # -- jobs -----------------------------------------------------------------------------

    def submit(
        self,
        owner: str,
        mode: str,
        values: Mapping[str, Any],
        files: Mapping[str, Path | None],
        earlier: JobView | None = None,
    ) -> JobView:
        """Checks everything, copies the inputs and queues the job; it is on disk when this returns.

        files: media parameter -> uploaded file. earlier: a failed job that this is another try at; the parts
        that it had finished are not made again, if they fit. Raises BadInput (with the field), BadMedia,
        QueueFull, DiskFull.
        """
        if not access.is_token(owner):
            raise BadInput(
                "The owner token is not one.", "Use 16 to 200 letters, digits, - or _.", field="owner"
            )
        owner_id = access.owner_id(owner)
        self._check_newcomer(owner_id)
        self._check_server()
        given = {name: path for name, path in files.items() if path is not None}
        values = {name: value for name, value in values.items() if name not in given}
        if values.get("seed", -1) in (-1, None):
            values["seed"] = secrets.randbelow(RANDOM_SEEDS)
        seen = {name: self.inspect(mode, name, given[name]) for name in MEDIA.get(mode, {}) if name in given}
        sizes = {name: uploads.as_media(facts, name) for name, facts in seen.items()}
        notes = {name: uploads.note(facts) for name, facts in seen.items()}
        params = make_params(mode, values, sizes)
        job_id = uuid.uuid4().hex
        folder = self.settings.jobs_dir / job_id
        try:
            inputs = uploads.keep(
                self.decoder, params, {name: given[name] for name in sizes}, sizes, folder, notes
            )
            cleaned = {name: getattr(params, name) for name in CLEANED if name in values}
            stored = {**values, "prompt": params.prompt, **cleaned}
            job = Job(job_id, owner_id, mode, stored, inputs, created=time.time(), seed=params.seed)
            if any(takes_whole(info) for info in self.engines()):
                kept = {name: folder / str(item["original"]) for name, item in inputs.items()}
                sending.check(params, {name: path.stat().st_size for name, path in kept.items()})
            found = forecast.outlook(mode, job_params(job), self._offers(), job_id)
            compiled = found.compiled
            job = replace(
                job,
                width=compiled.width,
                height=compiled.height,
                frames=compiled.frames,
                fps=compiled.fps,
                steps=compiled.steps,
                evaluations=compiled.evaluations,
                warnings=(*found.warnings, *(text for text in notes.values() if text)),
                part=self._parts_of(earlier, folder),
            )
            self.runner.submit(job, self.settings.max_queued, self.settings.max_queued_per_owner)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise from_os_error(error, "The picture could not be stored.") from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        said = f": {params.prompt!r}" if self.settings.log_prompts else ""
        log.info("job %s: queued, %s%s", job_id, mode, said)
        return self._view(job)

    def _check_newcomer(self, owner_id: str) -> None:
        """On an open page, made-up tokens would get around the limit per owner. Raises TooMany."""
        if not self.settings.open_to_all or self.store.of_owner(owner_id, 1):
            return
        wait = self._newcomers.take()
        if wait:
            raise TooMany("Very many new visitors are making videos right now.")

    def _parts_of(self, earlier: JobView | None, folder: Path) -> int:
        """How many finished parts a failed job leaves to this one; whether they fit is seen when it runs."""
        failed = self._open(earlier.id, earlier.key) if earlier is not None else None
        if failed is None or not failed.part or not adopt(self.settings.jobs_dir / failed.id, folder):
            return 0
        return failed.part

    def _check_server(self) -> None:
        """Refuses what no server would take up. Raises EngineUnreachable."""
        if self._nobody_there():
            info = self.engines()[0]
            if info.kind == "runpod":
                raise EngineUnreachable(silent_words(info), "Generate works as soon as RunPod answers.")
            raise EngineUnreachable(f"ComfyUI does not answer at {info.address}.", detail=info.error)

    def _nobody_there(self) -> bool:
        """No server has ever answered, and none is being started by us."""
        waited = time.monotonic() - self._born > SILENT_SECONDS
        never = all(info.state == "starting" and info.error for info in self.engines())
        return waited and never and not self.servers.plan.start

    def _offers(self) -> list[forecast.Offer]:
        """What the servers offer that have answered; while none has, what is recorded of ComfyUI."""
        known = [(engine.info(), engine.known_contract()) for engine in self.runner.engines]
        offers = [forecast.Offer(info, facts(contract)) for info, contract in known if contract is not None]
        return offers or [forecast.Offer(known[0][0], facts(recorded()))]

    def _compile(self, job: Job, engine: Engine) -> Compiled:
        """The runner's compiler: for this server, checked against it."""
        contract = engine.contract()
        compiled = compile_for(job_params(job), facts(contract), job.id)
        preflight(job.mode, compiled, contract, engine.info())
        return sending.as_one(compiled) if takes_whole(engine.info()) else compiled

    def _models_of(self, job: Job) -> frozenset[str]:
        """The model files that a job loads; nothing for one that cannot be compiled here and now."""
        try:
            return frozenset(compile_for(job_params(job), self._offers()[0].facts, job.id).models)
        except StudioError:
            return frozenset()

    def _open(self, job_id: str, key: str) -> Job:
        if not access.same(key, access.job_key(self._secret, str(job_id))):
            raise NotFound("There is no such video, or the link is not complete.")
        job = self.runner.unsaved(str(job_id)) or self.store.get(str(job_id))
        if job is None:
            raise NotFound("This video is not here any more.")
        return job

    def _view(self, job: Job) -> JobView:
        return view(job, access.job_key(self._secret, job.id))

    def job(self, id: str, key: str) -> JobView:
        """One job. Raises NotFound for a wrong id or key."""
        return self._view(self._open(id, key))

    def jobs(self, owner: str, limit: int = 60, mode: str = "", search: str = "") -> list[JobView]:
        """An owner's jobs, newest first."""
        if not access.is_token(owner):
            return []
        found = self.store.of_owner(
            access.owner_id(owner), limit, mode, search.strip().encode("utf-8", "replace").decode()
        )
        return [self._view(self.runner.unsaved(job.id) or job) for job in found]

    def totals(self, owner: str) -> tuple[int, int]:
        """(clips, bytes) of an owner's finished jobs."""
        return self.store.totals(access.owner_id(owner)) if access.is_token(owner) else (0, 0)

    def active(self, owner: str) -> JobView | None:
        """The owner's running job, else the first of theirs in line (memory)."""
        if not access.is_token(owner):
            return None
        job = self.runner.current(access.owner_id(owner))
        return self._view(job) if job is not None else None

    def cancel(self, id: str, key: str) -> JobView:
        """Stops a job; one that has ended stays as it is."""
        job = self._open(id, key)
        if job.status not in TERMINAL:
            self.runner.cancel(job.id)
        return self.job(id, key)

    def delete(self, id: str, key: str) -> None:
        """Removes an ended job with its files; a running one is cancelled first and stays until it ended."""
        job = self._open(id, key)
        if job.status not in TERMINAL:
            self.runner.cancel(job.id)
            raise BadInput(
                "This video is still being made; it is cancelled now.", "Delete it when it has stopped."
            )
        self.house.remove(job)

    def progress(self, id: str, key: str) -> Snapshot:
        """How far a job is (memory; a job of an earlier run of the app costs one database read)."""
        if not access.same(key, access.job_key(self._secret, str(id))):
            raise NotFound("There is no such video, or the link is not complete.")
        live = self.runner.live(id)
        if live is not None:
            return live.snapshot()
        job = self._open(id, key)
        tracker = Tracker()
        tracker.end(job.status, 0.0, job.error)
        return replace(tracker.snapshot(0.0), elapsed=job.elapsed or 0.0)

    def preview(self, id: str, key: str) -> tuple[bytes, str] | None:
        """The last preview: bytes and MIME type (memory)."""
        if not access.same(key, access.job_key(self._secret, str(id))):
            return None
        live = self.runner.live(id)
        return live.preview if live is not None else None

    def result_path(self, id: str, key: str) -> Path:
        """The finished video or picture. Raises NotFound."""
        job = self._open(id, key)
        path = self.settings.jobs_dir / job.id / result_name(job.mode)
        if job.status != DONE or not path.is_file():
            raise NotFound("This video is not finished, or its file is gone.")
        return path

    def input_path(self, id: str, key: str, name: str) -> Path | None:
        """The picture that a job was made from, not padded; None without one. Raises NotFound."""
        job = self._open(id, key)
        if name not in job.inputs:
            return None
        path = (
            self.settings.jobs_dir / job.id / str(job.inputs[name].get("original", job.inputs[name]["file"]))
        )
        return path if path.is_file() else None

    # -- files by signed address ----------------------------------------------------------

    def media_url(self, job: JobView, name: str, download: bool = False) -> str:
        """A signed path to a file of a job, good for a day or a little more."""
        # Rounded, so that a page that is drawn again keeps the address and the browser its cache.
        expires = (int(time.time()) // 3600 + 1) * 3600 + ADDRESS_SECONDS
        return access.media_address(self._secret, job.id, name, expires, download)

    def media_file(self, job_id: str, name: str, expires: str, signature: str) -> tuple[Path, Job] | None:
        """The file behind a signed address, or None: forged, over its time, or gone."""
        if name not in MEDIA_NAMES:
            return None
        if not access.may_open(self._secret, job_id, name, expires, signature, time.time()):
            return None
        job = self.store.get(job_id)
        if job is None:
            return None
        folder = self.settings.jobs_dir / job.id
        path = folder / name
        if name == INPUT:
            if "image" not in job.inputs:
                return None
            path = folder / str(job.inputs["image"]["file"])
        if name == POSTER and job.mode in STILLS:
            path = folder / STILL  # a picture is its own poster
        return (path, job) if path.is_file() else None

    # -- the queue ------------------------------------------------------------------------

    def line(self, owner: str) -> tuple[Place, ...]:
        """All that runs and waits, in the order in which it is served; the owner's own as jobs (memory)."""
        mine = access.owner_id(owner) if access.is_token(owner) else ""
        running, waiting = self.runner.line()
        numbered = [*((0, job) for job in running), *enumerate(waiting, 1)]
        return tuple(
            Place(position, job.mode, job.owner == mine, self._view(job) if job.owner == mine else None)
            for position, job in numbered
        )

    def paused(self) -> bool:
        """Whether the machine's owner has paused the queue (memory)."""
        return self.runner.paused

    def pause(self, owner: str, user: str = "") -> None:
        """No job is begun until `resume`; those that run go on. Raises NotAllowed, DiskFull."""
        self._only_the_owner(owner, user)
        self.runner.pause(True)

    def resume(self, owner: str, user: str = "") -> None:
        """Jobs are begun again. Raises NotAllowed, DiskFull."""
        self._only_the_owner(owner, user)
        self.runner.pause(False)

    def _only_the_owner(self, owner: str, user: str) -> None:
        if not self.is_admin(owner, user):
            raise NotAllowed("Only the machine's owner can do this.")

    def pin(self, id: str, key: str, pinned: bool) -> JobView:
        """Keeps an ended job from being removed by age or disk share, or lets it go. Raises NotFound."""
        job = self._open(id, key)
        if job.status not in TERMINAL:
            raise BadInput("This video is still being made.", "Keep it when it is done.")
        self.store.save(replace(job, pinned=bool(pinned)))
        return self.job(id, key)

    # -- the machine ----------------------------------------------------------------------

    def engines(self) -> list[EngineInfo]:
        """One per lane (memory)."""
        return [engine.info() for engine in self.runner.engines]

    def queue(self) -> QueueState:
        """How much runs and waits, of everybody (memory)."""
        return QueueState(*self.runner.counts())

    def models(self) -> list[ModelState]:
        """The catalogue as this machine and its server have it; looks at names, sizes and headers."""
        return health.models(self.settings, self.engines())

    def status(self) -> str:
        """starting, ok or degraded (memory)."""
        return health.status(self.engines())

    def _ended(self) -> list[str]:
        """Why servers that we started ended, while one of them is not back."""
        return [p.ended for p in self.servers.processes] if self.status() != "ok" else []

    def health(self) -> dict[str, Any]:
        """For System: each server, the queue, the database, the disk."""
        queue = self.queue()
        return {
            "status": self.status(),
            "engine": self.engines()[0].kind,
            "queue": {"waiting": queue.waiting, "running": queue.running},
            "servers": health.servers(self.engines()),
            "database": self.store.check(),
            "disk": health.disk(self.settings.data_dir),
            "models_disk": health.models_disk(self.settings, self.engines()),
            "notes": surroundings.in_system(self.settings, self.engines(), self.models(), self._ended()),
        }
