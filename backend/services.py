"""The services behind the facade: built in the order of their dependencies, started and closed together."""

from __future__ import annotations

import logging
import secrets
import threading
import time

from backend.jobs import preflight
from backend.jobs.admission import Admission
from backend.jobs.cards import CardOf, Cards
from backend.jobs.completion import Completion
from backend.jobs.deletions import Deletions
from backend.jobs.endpoint_loras import EndpointLoras
from backend.jobs.extensions import Extender
from backend.jobs.family_submission import FamilySubmitter
from backend.jobs.finals import Finals
from backend.jobs.given_files import FileChecker
from backend.jobs.job import Job
from backend.jobs.job_planner import JobPlanner
from backend.jobs.job_storage import JobStorage
from backend.jobs.library import Library
from backend.jobs.limits import Limits
from backend.jobs.lora_library import LoraLibrary
from backend.jobs.offers import Offers
from backend.jobs.part_submission import PartSubmitter
from backend.jobs.recipe_library import RecipeLibrary
from backend.jobs.requests import JobRequests
from backend.jobs.scheduler import Scheduler
from backend.jobs.server_facts import found_by
from backend.jobs.sheets import Sheets
from backend.jobs.store import Store
from backend.jobs.submission import Submitter
from backend.jobs.used_files import UsedFiles
from backend.jobs.waiting_list import WaitingList
from backend.jobs.watch import Watch
from backend.media.decoder import Decoder
from backend.models.choices import NAME, Choices
from backend.models.fetcher import Fetcher
from backend.models.file_hashes import hashes_of
from backend.models.finder import Finder, roots_of
from backend.models.hasher import Hasher
from backend.security import secret_file, tokens
from backend.security.admin import Admins
from backend.servers.fleet import Servers
from backend.settings.model import Settings
from backend.storage import data_folder, retention_setup
from backend.storage.data_lock import DataLock
from backend.storage.presets import Presets
from backend.system import diagnostics
from backend.system.machine import Machine
from backend.system.model_fetch import ModelFetch
from backend.threads import Threads

log = logging.getLogger("wan.services")

UPLOADS = "uploads"
"""The purpose of the secret that marks this studio's upload folder."""


class Services:
    """Those of one data folder."""

    def __init__(self, settings: Settings, exclusive: bool, limits: Limits) -> None:
        """exclusive: hold the data folder against every other studio. Raises BadSettings when another one
        has it, or when a setting cannot be used; StoreError, DiskFull."""
        self.settings = settings  # replaced once it is known how the page is reached
        self.limits = limits
        self.closing = threading.Event()
        self.reads, self.writes = Threads("read"), Threads("write")
        self._taken = False  # by another machine
        self._started = False
        self._open_data_folder(exclusive)
        self.decoder = Decoder(max_file_mb=settings.max_upload_mb)
        self.servers = Servers(settings)
        choice = self.servers.choice
        if adopted := diagnostics.tell_adopted(settings, choice.kind, choice.start, choice.urls):
            log.info("%s", adopted)
        self.choices = Choices(settings.data_dir / NAME)
        facts_of = found_by(Finder(settings, self.choices))
        offers = Offers(self.servers.engines, facts_of)
        self.loras = LoraLibrary(offers, self.decoder, EndpointLoras(settings, self.store.done_on))
        cards = Cards(settings.data_dir).of
        self.hasher = Hasher(hashes_of(settings))
        used = UsedFiles(self.hasher, lambda: roots_of(settings))
        self.scheduler = Scheduler(
            self.store, settings.jobs_dir, self.servers.engines,
            lambda job, engine: preflight.compiled(job, engine, facts_of), self.decoder,
            models_of=offers.models_of, recover=self.servers.recover, limits=self.limits,
            cards=cards, complete=self._complete, recipes=settings.recipes, used=used,
        )  # fmt: skip
        self.machine = Machine(
            settings, self.servers.engines, self.scheduler, self.store.check,
            lambda: [process.ended for process in self.servers.processes],
        )  # fmt: skip
        self.fetcher = Fetcher(settings, verified=self.hasher.hashes.note)
        self.model_fetch = ModelFetch(self.fetcher, settings.models_dir, self.machine.engines)
        self._keep_results()
        self.watch = Watch(self.scheduler, self.library)
        self.waiting = WaitingList(self.scheduler, self.library, self.store, self.machine.engines, cards)
        self._accept_jobs(offers, cards)
        if self._taken:
            self.scheduler.evict()

    def _open_data_folder(self, exclusive: bool) -> None:
        """The folder's lock, its secret and its database."""
        settings = self.settings
        data_folder.prepare(settings.data_dir, settings.jobs_dir)
        self._data_lock = DataLock(
            settings.data_dir, settings.machine, lost=self._evicted, each=self._look_at_store
        )
        if exclusive:
            self._data_lock.acquire()
        self._secret = secret_file.load(settings.data_dir / "secret", secrets.token_bytes(32))
        self.store = Store(settings.database, busy=self.limits.busy)
        first_user = settings.auth[0][0] if settings.auth else ""
        self.admins = Admins(settings.data_dir, first_user, self.store.setting, self.store.set_setting)

    def _keep_results(self) -> None:
        """What stores, removes and lists finished jobs and presets; needs the scheduler."""
        settings = self.settings
        self.retention = retention_setup.create(
            settings, self.store, self.machine.engines, self._removed, self.secret(UPLOADS),
            self._before_removal, self._in_work,
        )  # fmt: skip
        self.sheets = Sheets(
            self.store, self.decoder, settings.jobs_dir, self.limits, recipes=settings.recipes,
            able=lambda: not self.scheduler.trouble, remeasure=self.retention.quota.remeasure,
        )  # fmt: skip
        self.presets = Presets(settings.data_dir, self.retention.quota.admit)
        self.deletions = Deletions(self.store, self.retention.remove, self.limits.undo, time.time)
        self.library = Library(
            self.store, self.scheduler, settings.jobs_dir, self._secret, self.retention.remove,
            self.deletions, self.sheets,
        )  # fmt: skip
        self._housekeeping = threading.Thread(
            target=self.retention.run,
            args=(self.closing, self.deletions.run_due),
            name="housekeeping",
            daemon=True,
        )

    def _accept_jobs(self, offers: Offers, cards: CardOf) -> None:
        """What makes jobs of requests, files and results; needs the library."""
        settings = self.settings
        self.recipes = RecipeLibrary(
            self.store, self.library, self.decoder, offers, settings.jobs_dir, self.hasher,
            lambda: roots_of(settings), hashes=settings.recipes,
        )  # fmt: skip

        def now() -> Settings:
            return self.settings

        disk = self.retention
        self.files = FileChecker(self.decoder, self.store.with_input, settings.jobs_dir)
        self.completion = Completion(now, self.store, self.decoder, offers, self.files)
        admission = Admission(now, self.store, offers, self.servers.choice.start, self.limits)
        storage = JobStorage(now, self.store, self.decoder, self.scheduler, offers, disk, self.files)
        self.planner = JobPlanner(now, self.store, self.scheduler, offers, disk, admission, cards)
        self.submitter = Submitter(now, self.store, self.scheduler, disk, storage, admission)
        self.families = FamilySubmitter(self.submitter, storage, self.store)
        self.finals = Finals(self.store, self.library, self.submitter, self.planner)
        below = PartSubmitter(self.submitter, storage, self.store, disk)
        self.extender = Extender(below, self.library, offers, self.decoder, settings.jobs_dir)
        self.requests = JobRequests(self.library, self.submitter, self.families, self.extender)

    def _evicted(self) -> None:
        """Called by the data folder's lock, which is held before there is a scheduler."""
        self._taken = True
        if (scheduler := getattr(self, "scheduler", None)) is not None:
            scheduler.evict()

    def _look_at_store(self) -> None:
        if (scheduler := getattr(self, "scheduler", None)) is not None:
            scheduler.look_at_store()

    def _before_removal(self, job: Job) -> None:
        """Saves what others need of a job that is about to be removed. The set of a hidden one is noted
        already."""
        self.scheduler.link_before_removal(job)
        if job.delete_after is None:
            self.sheets.leaves(job)

    def _in_work(self, job_id: str) -> bool:
        """Whether files of an ended job are being made again; called once all services are there."""
        return self.sheets.waits(job_id)

    def _removed(self, job_id: str) -> None:
        self.scheduler.forget(job_id)
        self.sheets.left(job_id)

    def _complete(self, job: Job) -> Job:
        """Makes the inputs of a job that waited for results; called once all services are there."""
        return self.completion.complete(job)

    def secret(self, purpose: str) -> str:
        """A text for one purpose that stays the same across restarts."""
        return tokens.sign(self._secret, "purpose", purpose)

    def served(self, address: str) -> None:
        """Notes the address at which programs of this machine reach the page."""
        self._data_lock.served(address)

    def start(self) -> None:
        """Recovers unfinished jobs and starts the lanes; returns at once."""
        self.extender.remove_left()
        self.scheduler.start()
        self.sheets.start()
        self.decoder.prewarm()
        self._started = True
        self._housekeeping.start()

    def close(self) -> None:
        """Stops lanes, decoders, housekeeping and the servers that we started; then closes the database.

        What does not stop in time may still write: then the database stays open and the data folder stays
        locked until the process ends.
        """
        self.closing.set()
        self.deletions.close()
        self.fetcher.cancel()
        self.hasher.close()
        self.scheduler.stop()
        self.sheets.stop()
        self.decoder.stop_waiting()
        self.reads.close()
        self.writes.close()
        self.fetcher.close()
        self.scheduler.close()
        self.servers.close()
        self.decoder.close()
        if self._started:
            self._housekeeping.join(self.limits.close)
        ended = self.sheets.join(self.limits.close)
        if not self.scheduler.join() or not ended or self._housekeeping.is_alive():
            log.warning("a job or housekeeping has not stopped: the database stays open until the end")
            return
        self.store.close()
        self._data_lock.release()
