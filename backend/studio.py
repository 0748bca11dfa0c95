"""The facade that the page and the API call: submit, watch, cancel, library, health.

The one place, besides app, where the rooms are put together. All methods may be called from any thread;
those marked "memory" never touch disk, database or network. A coroutine calls only these by itself, and all
others by `reads` or, when they change something, by `writes`.
"""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.engines.base import EngineInfo
from backend.errors import (
    BadInput,
    BadSettings,
    NotAllowed,
    NotFound,
)
from backend.jobs import input_files as uploads
from backend.jobs import preflight
from backend.jobs.downloads import Files
from backend.jobs.input_files import Facts
from backend.jobs.job import TERMINAL, Job
from backend.jobs.limits import Limits
from backend.jobs.offers import Offers
from backend.jobs.progress import Snapshot, Tracker
from backend.jobs.scheduler import Runner
from backend.jobs.store import Store
from backend.jobs.submission import Intake
from backend.jobs.views import JobView, Place, Plan, QueueState, view
from backend.media.decoder import Decoder
from backend.models.state import ModelScan, ModelState
from backend.security import secret_file, tokens
from backend.security.admin import Admins
from backend.servers.fleet import Servers
from backend.settings.model import Settings
from backend.storage import input_folder, retention_setup
from backend.storage.data_lock import DataLock
from backend.storage.input_folder import InputFile
from backend.system import diagnostics, health
from backend.threads import Threads
from workflows.modes.registry import MODES

log = logging.getLogger("wan.studio")

UPLOADS = "uploads"
"""The purpose of the secret that marks this studio's upload folder."""


class Studio:
    """One data folder, its queue and its engines."""

    def __init__(self, settings: Settings, exclusive: bool = False, *, limits: Limits | None = None) -> None:
        """exclusive: hold the data folder against every other studio, as the app does. Raises BadSettings
        when another one has it, or when a setting cannot be used; StoreError, DiskFull."""
        self.settings = settings  # asked anew by all that depends on how the page is reached
        self.limits = limits or Limits()
        self._closing = threading.Event()
        self.reads, self.writes = Threads("read"), Threads("write")
        self._taken = False  # by another machine
        try:
            settings.jobs_dir.mkdir(parents=True, exist_ok=True)
            if not os.access(settings.data_dir, os.W_OK):  # the attempt has the reason
                tempfile.TemporaryFile(dir=settings.data_dir).close()
        except OSError as error:
            raise BadSettings(
                f"The data folder {settings.data_dir} cannot be written: {error.strerror or error}.",
                "Set WAN_DATA_DIR to a folder that can be.",
            ) from error
        self._data_lock = DataLock(
            settings.data_dir, settings.machine, lost=self._evicted, each=self._look_at_store
        )
        if exclusive:
            self._data_lock.acquire()
        self._secret = secret_file.load(settings.data_dir / "secret", secrets.token_bytes(32))
        self.store = Store(settings.database, busy=self.limits.busy)
        first_user = settings.auth[0][0] if settings.auth else ""
        self.admins = Admins(settings.data_dir, first_user, self.store.setting, self.store.set_setting)
        self.decoder = Decoder(max_file_mb=settings.max_upload_mb)
        self.servers = Servers(settings)
        plan = self.servers.plan
        told = diagnostics.tell_adopted(settings, plan.kind, plan.start, plan.urls)
        if told:
            log.info("%s", told)
        offers = Offers(self.servers.engines)
        self.runner = Runner(
            self.store, settings.jobs_dir, self.servers.engines, preflight.compiled, self.decoder,
            models_of=offers.models_of, recover=self.servers.recover, limits=self.limits,
        )  # fmt: skip
        self.files = Files(settings.jobs_dir, self._secret, self.store)
        self.retention = retention_setup.create(
            settings, self.store, self.engines, self.runner.forget, self.secret(UPLOADS)
        )
        self.intake = Intake(
            lambda: self.settings, self.store, self.decoder, self.runner, offers, self.retention,
            self.servers.plan.start, self.limits,
        )  # fmt: skip
        self._housekeeping = threading.Thread(
            target=self.retention.run, args=(self._closing,), name="housekeeping", daemon=True
        )
        self._started = False

        if self._taken:
            self.runner.evict()

    def _evicted(self) -> None:
        """Called by the data folder's lock, which is held before there is a runner."""
        self._taken = True
        if (runner := getattr(self, "runner", None)) is not None:
            runner.evict()

    def _look_at_store(self) -> None:
        if (runner := getattr(self, "runner", None)) is not None:
            runner.look_at_store()

    def start(self) -> None:
        """Takes up unfinished jobs and starts the lanes; returns at once."""
        self.runner.start()
        self.decoder.prewarm()
        self._started = True
        self._housekeeping.start()

    def close(self) -> None:
        """Stops lanes, decoders, housekeeping and the servers that we started; then closes the database.

        What does not stop in time may still write: then the database stays open and the data folder stays
        locked until the process ends.
        """
        self._closing.set()
        self.runner.stop()
        self.decoder.stop_waiting()
        self.reads.close()
        self.writes.close()
        self.runner.close()
        self.servers.close()
        self.decoder.close()
        if self._started:
            self._housekeeping.join(self.limits.close)
        if not self.runner.join() or self._housekeeping.is_alive():
            log.warning("a job or housekeeping has not stopped: the database stays open until the end")
            return
        self.store.close()
        self._data_lock.release()

    # -- owners and secrets ---------------------------------------------------------------

    def new_owner(self) -> str:
        """A new visitor's token (192 bit)."""
        return tokens.new_token()

    @staticmethod
    def is_owner(text: object) -> bool:
        """Whether this can be an owner's token."""
        return tokens.is_token(text)

    def secret(self, purpose: str) -> str:
        """A text for one purpose that stays the same across restarts."""
        return tokens.sign(self._secret, "purpose", purpose)

    # -- the admin --------------------------------------------------------------

    def is_admin(self, owner: str, user: str = "") -> bool:
        """Whether this is the admin (memory). user: whom the login let in, "" without a login."""
        return self.admins.includes(owner, user)

    def claim_admin(self, owner: str, token: str) -> bool:
        """The admin link was opened: this browser is the admin from now on, unless it is wrong."""
        done = self.admins.claim(owner, token)
        log.info("admin link: %s", "opened" if done else "opened with a wrong token")
        return done

    def reached(self, public: str) -> None:
        """The page is served, and strangers reach it in this way ("" for not at all)."""
        self.settings = self.settings.model_copy(update={"public": public})

    def public_warning(self) -> str:
        """What to know of a page that strangers can use; "" when they cannot."""
        if not self.settings.open_to_all:
            return ""
        return (
            f"Anybody with the address can use this page ({self.settings.public}). "
            "Set WAN_AUTH=name:password and start again to ask for a login."
        )

    def input_files(self, owner: str, user: str = "") -> tuple[InputFile, ...]:
        """The files of WAN_INPUT_DIR. Raises NotAllowed for anybody but the admin."""
        self._only_admin(owner, user)
        return input_folder.listing(self.settings.input_dir)

    def input_file(self, owner: str, name: str, user: str = "") -> Path:
        """One of them by its name, to be given to `submit`. Raises NotAllowed, NotFound."""
        self._only_admin(owner, user)
        return input_folder.chosen(self.settings.input_dir, name)

    def _only_admin(self, owner: str, user: str) -> None:
        if not self.is_admin(owner, user):
            raise NotAllowed("Only the admin can do this.")

    # -- before Generate ------------------------------------------------------------------

    def inspect(self, mode: str, field: str, path: Path) -> Facts:
        """What an uploaded file is: PictureFacts, SoundFacts or VideoFacts. Raises BadMedia."""
        return uploads.look(self.decoder, MODES[mode].media[field].kind, path, field)

    def waveform(self, path: Path, points: int = 600) -> list[float]:
        """Peaks of a sound file, 0 to 1, for drawing. Raises BadMedia."""
        return self.decoder.waveform(path, points=points)

    def plan(self, mode: str, values: Mapping[str, Any], media: Mapping[str, Facts]) -> Plan:
        """What Generate would make of this, and what stands in its way. Never raises."""
        return self.intake.plan(mode, values, media)

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
        OverQuota, QueueFull, DiskFull.
        """
        failed = self._open(earlier.id, earlier.key) if earlier is not None else None
        return self._view(self.intake.submit(owner, mode, values, files, failed))

    def _open(self, job_id: str, key: str) -> Job:
        if not tokens.same(key, tokens.job_key(self._secret, str(job_id))):
            raise NotFound("There is no such video, or the link is incomplete.")
        job = self.runner.unsaved(str(job_id)) or self.store.get(str(job_id))
        if job is None:
            raise NotFound("This video no longer exists.")
        return job

    def _view(self, job: Job) -> JobView:
        return view(job, tokens.job_key(self._secret, job.id))

    def job(self, id: str, key: str) -> JobView:
        """One job. Raises NotFound for a wrong id or key."""
        return self._view(self._open(id, key))

    def jobs(self, owner: str, limit: int = 60, mode: str = "", search: str = "") -> list[JobView]:
        """An owner's jobs, newest first."""
        if not tokens.is_token(owner):
            return []
        found = self.store.of_owner(
            tokens.owner_id(owner), limit, mode, search.strip().encode("utf-8", "replace").decode()
        )
        return [self._view(self.runner.unsaved(job.id) or job) for job in found]

    def totals(self, owner: str) -> tuple[int, int]:
        """(clips, bytes) of an owner's finished jobs."""
        return self.store.totals(tokens.owner_id(owner)) if tokens.is_token(owner) else (0, 0)

    def active(self, owner: str) -> JobView | None:
        """The owner's running job, else the first of theirs in line (memory)."""
        if not tokens.is_token(owner):
            return None
        job = self.runner.current(tokens.owner_id(owner))
        return self._view(job) if job is not None else None

    def cancel(self, id: str, key: str) -> JobView:
        """Stops a job; one that has ended stays as it is. It cannot become a video once this has returned.

        Raises DiskFull or StoreError when that cannot be written: then nothing has happened.
        """
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
        self.retention.remove(job)

    def live_progress(self, id: str, key: str) -> Snapshot | None:
        """How far a job is (memory); None for one of an earlier run of the app, which `progress` looks up.
        Raises NotFound for a wrong key."""
        if not tokens.same(key, tokens.job_key(self._secret, str(id))):
            raise NotFound("There is no such video, or the link is incomplete.")
        live = self.runner.live(id)
        return live.snapshot() if live is not None else None

    def progress(self, id: str, key: str) -> Snapshot:
        """As live_progress; a job that is not in memory costs one database read."""
        live = self.live_progress(id, key)
        if live is not None:
            return live
        job = self._open(id, key)
        tracker = Tracker()
        tracker.end(job.status, 0.0, job.error)
        return replace(tracker.snapshot(0.0), elapsed=job.elapsed or 0.0)

    def preview(self, id: str, key: str) -> tuple[bytes, str] | None:
        """The last preview: bytes and MIME type (memory)."""
        if not tokens.same(key, tokens.job_key(self._secret, str(id))):
            return None
        live = self.runner.live(id)
        return live.preview if live is not None else None

    # -- files ----------------------------------------------------------------------------

    def result_path(self, id: str, key: str) -> Path:
        """The finished video or picture. Raises NotFound."""
        return self.files.result(self._open(id, key))

    def input_path(self, id: str, key: str, name: str) -> Path | None:
        """A file that a job was made from, not padded; None without one. Raises NotFound, InputsGone."""
        return self.files.input(self._open(id, key), name)

    def media_url(self, job: JobView, name: str, download: bool = False) -> str:
        """A signed path to a file of a job, good for a day or a little more."""
        return self.files.address(job.id, name, download)

    def media_file(self, job_id: str, name: str, expires: str, signature: str) -> tuple[Path, Job] | None:
        """The file behind a signed address, or None: forged, over its time, or gone."""
        return self.files.behind(job_id, name, expires, signature)

    # -- the queue ------------------------------------------------------------------------

    def line(self, owner: str) -> tuple[Place, ...]:
        """All that runs and waits, in the order in which it is served; the owner's own as jobs (memory)."""
        mine = tokens.owner_id(owner) if tokens.is_token(owner) else ""
        running, waiting = self.runner.line()
        numbered = [*((0, job) for job in running), *enumerate(waiting, 1)]
        return tuple(
            Place(position, job.mode, job.owner == mine, self._view(job) if job.owner == mine else None)
            for position, job in numbered
        )

    def paused(self) -> bool:
        """Whether the admin has paused the queue (memory)."""
        return self.runner.paused

    def pause(self, owner: str, user: str = "") -> None:
        """No job is begun until `resume`; those that run go on. Raises NotAllowed, DiskFull."""
        self._only_admin(owner, user)
        self.runner.pause(True)

    def resume(self, owner: str, user: str = "") -> None:
        """Jobs are begun again. Raises NotAllowed, DiskFull."""
        self._only_admin(owner, user)
        self.runner.pause(False)

    def pin(self, id: str, key: str, pinned: bool) -> JobView:
        """Keeps an ended job from being removed by age or disk share, or lets it go. Raises NotFound."""
        job = self._open(id, key)
        if job.status not in TERMINAL:
            raise BadInput("This video is still being made.", "Keep it when it is done.")
        self.store.pin(job.id, bool(pinned))
        return self._view(replace(job, pinned=bool(pinned)))

    # -- the machine ----------------------------------------------------------------------

    def engines(self) -> list[EngineInfo]:
        """One per lane (memory)."""
        return [engine.info() for engine in self.runner.engines]

    def queue(self) -> QueueState:
        """How much runs and waits, of everybody (memory)."""
        return QueueState(*self.runner.counts())

    def model_scan(self) -> ModelScan:
        """The catalogue as this machine and its server have it; looks at names, sizes and headers."""
        return health.scan(self.settings, self.engines())

    def models(self) -> list[ModelState]:
        """The files of a model_scan."""
        return list(self.model_scan().files)

    def status(self) -> str:
        """starting, ok or degraded (memory)."""
        return health.status(self.engines(), self.trouble())

    def trouble(self) -> str:
        """Why no video can be begun although engines work, in a sentence; "" while one can (memory)."""
        return self.runner.trouble

    def _ended(self) -> list[str]:
        """Why servers that we started ended, while one of them is not back."""
        up = health.status(self.engines()) == "ok"
        return [] if up else [process.ended for process in self.servers.processes]

    def health(self, scan: ModelScan | None = None) -> dict[str, Any]:
        """For System: each server, the queue, the database, the disk. Without a scan it makes one."""
        queue = self.queue()
        models = list((scan or self.model_scan()).files)
        return {
            "status": self.status(),
            "trouble": self.trouble(),
            "engine": self.engines()[0].kind,
            "queue": {"waiting": queue.waiting, "running": queue.running},
            "servers": health.servers(self.engines()),
            "database": self.store.check(),
            "disk": health.disk(self.settings.data_dir),
            "notes": [
                *filter(None, [self.trouble()]),
                *diagnostics.in_system(self.settings, self.engines(), models, self._ended()),
            ],
        }
