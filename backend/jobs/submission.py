"""Plans jobs, and submits them: checks settings and files, copies the inputs, queues the job."""

from __future__ import annotations

import logging
import secrets
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from backend import requester
from backend.engines.kinds import kind_of, silent, takes_whole
from backend.errors import BadInput, EngineUnreachable, StudioError, TooMany, from_os_error
from backend.jobs import bundle, input_files, originals, planning, repeats, variations
from backend.jobs import folders as files_of_jobs
from backend.jobs.cards import CardOf, no_card
from backend.jobs.estimate import expected_bytes
from backend.jobs.family import family, sheet_bytes
from backend.jobs.input_files import Facts
from backend.jobs.job import FAILED, Job
from backend.jobs.limits import Limits
from backend.jobs.offers import Offers
from backend.jobs.originals import OriginalLimits, Upload
from backend.jobs.params import job_params, make_params
from backend.jobs.scheduler import Scheduler
from backend.jobs.segments import inherit_segments
from backend.jobs.store import Store
from backend.jobs.views import SEVERAL, Plan
from backend.media import check
from backend.media.decoder import Decoder
from backend.notices import words
from backend.security import tokens
from backend.security.rate_limit import Bucket
from backend.settings.model import Settings
from workflows.modes.registry import MODES, media_fields
from workflows.notice import Notice
from workflows.params.media import Media
from workflows.repetition import for_repetition
from workflows.resolved import Resolved
from workflows.stages.lora_fit import OBSTACLES

log = logging.getLogger("wan.jobs")

CLEANED = ("negative_prompt",)  # texts that are stored without control characters, as the params hold them
JOB_BYTES = 100_000  # of a job's folder, besides inputs and result
NEWCOMERS, NEWCOMERS_SECONDS = 60, 3.0
"""On an open page: how many visitors can start their first video at once, and how fast that refills."""


class DiskSpace(Protocol):
    """The disk quota of each owner."""

    def reserve(self, job_id: str, owner: str, need: int, field: str = "") -> None:
        """Reserves `need` bytes for a job. Raises OverQuota, DiskFull, with the field of the largest file."""

    def check(self, owner: str, need: int) -> None:
        """Raises OverQuota or DiskFull if no room can be made for `need` more bytes; changes nothing."""

    def release(self, job_id: str) -> None:
        """Releases the reservation of a job that was not submitted."""

    def submitted(self, job_id: str) -> None:
        """The job is queued: removes the owner's videos that make room for it."""


@dataclass(frozen=True)
class Submission:
    """What a caller submits. `files`: media parameter -> uploaded file. `earlier`: a job that this one
    repeats: what that was resolved to is kept, and finished segments of a failed one are reused if they fit.
    `unlimited`: without the limit per visitor. `titles`: media parameter -> the file's name in messages, else
    that of its path. `variations`, `vary`: as in variations.each."""

    owner: str
    mode: str
    values: Mapping[str, Any]
    files: Mapping[str, Path | None]
    earlier: Job | None = None
    unlimited: bool = False
    titles: Mapping[str, str] = field(default_factory=dict)
    variations: int = 1
    vary: str | Mapping[str, Sequence[Any]] = ""

    @property
    def several(self) -> bool:
        """Whether this makes a parent with children."""
        return self.variations != 1 or bool(self.vary)


class Submitter:
    """Plans jobs and submits them."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        store: Store,
        decoder: Decoder,
        scheduler: Scheduler,
        offers: Offers,
        disk: DiskSpace,
        starts: bool,
        limits: Limits | None = None,
        original_limits: OriginalLimits | None = None,
        cards: CardOf = no_card,
    ) -> None:
        """`settings`: called each time, because the way the page is reached may change. `starts`: the studio
        starts its servers itself, so one that is not up yet will be. `cards`: the measurements of a server's
        GPU."""
        self._cards = cards
        self._disk = disk
        self.limits = limits or Limits()
        self.original_limits = original_limits or OriginalLimits()
        self._settings_now, self._store, self._decoder = settings, store, decoder
        self._scheduler, self._offers, self._starts = scheduler, offers, starts
        self._repeats = repeats.OneAtATime()
        self._newcomers = Bucket(NEWCOMERS, NEWCOMERS_SECONDS)
        self._born = time.monotonic()

    @property
    def _settings(self) -> Settings:
        return self._settings_now()

    def plan(
        self,
        mode: str,
        values: Mapping[str, Any],
        media: Mapping[str, Facts],
        owner: str = "",
        unlimited: bool = False,
    ) -> Plan:
        """The plan for these settings and files, with what would refuse one more job of the owner. Never
        raises. An unknown owner counts as a new one. `unlimited`: without the limit per visitor."""
        sizes = {name: input_files.as_media(facts, name) for name, facts in media.items()}
        plan = planning.plan(
            mode,
            values,
            sizes,
            self._offers.infos(),
            self._store.done_on,
            offers=self._offers.all(),
            absent=self._no_server(),
            longest=self._settings.max_seconds,
            cards=self._cards,
        )
        if plan.problems or plan.obstacle is not None:
            return plan
        return replace(plan, obstacle=self._no_room(owner, JOB_BYTES + plan.bytes, unlimited))

    def _no_room(self, owner: str, need: int, unlimited: bool) -> Notice | None:
        """What `submit` would refuse a job of `need` bytes with: the queue, the disk, the data folder."""
        owner_id = tokens.owner_id(owner) if tokens.is_token(owner) else ""
        settings = self._settings
        try:
            self._store.require()
            each = settings.max_queued if unlimited else settings.max_queued_per_owner
            self._scheduler.check_room(owner_id, settings.max_queued, each)
            self._disk.check(owner_id, need)
        except StudioError as error:
            return error.notice
        return None

    def submit(self, new: Submission) -> Job:
        """Checks everything, copies the inputs and queues the job; it is on disk when this returns.

        Within `requester.attempt` a repetition returns the job of the first arrival.
        Raises BadInput (with the field), BadMedia, OverQuota, QueueFull, DiskFull, StoreGone.
        """
        if not tokens.is_token(new.owner):
            raise BadInput.of("bad_owner_token", field="owner")
        owner_id = tokens.owner_id(new.owner)
        submission = requester.next_submission()
        with requester.visitor(owner_id):
            if not submission:
                return self._submit(owner_id, new, uuid.uuid4().hex)
            asked = (
                {**new.values, "variations": new.variations, "vary": new.vary} if new.several else new.values
            )
            job_id = repeats.job_id(owner_id, submission, new.mode, asked)
            with self._repeats.holding(job_id):
                return self._store.get(job_id) or self._submit(owner_id, new, job_id)

    def _submit(self, owner_id: str, new: Submission, job_id: str) -> Job:
        self._store.require()  # else the copies of the inputs would make a new folder where it was
        self._check_newcomer(owner_id)
        self._check_server()
        given = {name: path for name, path in new.files.items() if path is not None}
        values = {name: value for name, value in new.values.items() if name not in given}
        count, vary, values = variations.wanted(values, new.variations, new.vary)
        each = variations.each(new.mode, values, count, vary, secrets.randbelow)
        most = self._settings.max_queued
        of_owner = most if new.unlimited else self._settings.max_queued_per_owner
        if len(each) == 1:
            job = self._stored(owner_id, new, job_id, each[0], given)
            self._queue([job], lambda: self._scheduler.submit(job, most, of_owner))
            return job
        self._scheduler.check_room(owner_id, most, of_owner, len(each))  # before the files are stored
        made: list[Job] = []
        try:
            for one in each:
                child = self._stored(owner_id, new, uuid.uuid4().hex, one, given, made[0] if made else None)
                made.append(child)
            parent, made = family(job_id, made, vary)
            self._disk.reserve(job_id, owner_id, JOB_BYTES + sheet_bytes(made))
            jobs_dir = self._settings.jobs_dir
            input_files.link_all(jobs_dir / made[0].id, jobs_dir / job_id)
        except BaseException as error:
            self._drop(made)
            files_of_jobs.remove(self._settings.jobs_dir / job_id)
            self._disk.release(job_id)
            if isinstance(error, OSError):
                raise from_os_error(error, "picture_not_stored") from error
            raise
        self._queue([parent, *made], lambda: self._scheduler.submit_children(parent, made, most, of_owner))
        return parent

    def _queue(self, jobs: Sequence[Job], submit: Callable[[], None]) -> None:
        """Queues stored jobs by `submit`; removes their files when that is refused."""
        try:
            submit()
        except BaseException:
            self._drop(jobs)
            raise
        for job in jobs:
            self._disk.submitted(job.id)
            said = f": {job.params['prompt']!r}" if self._settings.log_prompts else ""
            log.info("job %s: queued, %s%s", job.id, job.mode, said)

    def _drop(self, jobs: Sequence[Job]) -> None:
        """Removes the files of jobs that are not queued, and what was reserved for them."""
        for job in jobs:
            files_of_jobs.remove(self._settings.jobs_dir / job.id)
            self._disk.release(job.id)

    def _stored(
        self, owner_id: str, new: Submission, job_id: str, values: Mapping[str, Any],
        given: Mapping[str, Path], like: Job | None = None,
    ) -> Job:  # fmt: skip
        """The checked job with its inputs on disk, and what it needs there reserved. `like`: a job made from
        the same files, whose stored inputs are linked where they are what this one reads."""
        mode = new.mode
        titles = {name: new.titles.get(name) or path.name for name, path in given.items()}
        seen = {
            name: input_files.look(
                self._decoder, MODES[mode].media[name].kind, given[name], name, titles[name]
            )
            for name in media_fields(mode)
            if name in given
        }
        sizes = {name: input_files.as_media(facts, name) for name, facts in seen.items()}
        notes = {name: input_files.note(facts, name) for name, facts in seen.items()}
        params = make_params(mode, values, sizes)
        folder = self._settings.jobs_dir / job_id
        uploads = {
            name: self._upload(owner_id, name, given[name], media, new.titles.get(name, ""))
            for name, media in sizes.items()
        }
        pictures = {name: uploads[name] for name in uploads if MODES[mode].media[name].kind == "picture"}
        whole = originals.kept(pictures, self.original_limits)
        room = input_files.kept_bytes(params, uploads, whole, seen)
        need, largest = JOB_BYTES + sum(room.values()), max(room, key=lambda name: room[name], default="")
        try:
            self._disk.reserve(job_id, owner_id, need, largest)
            inputs = input_files.linked(like, params, self._settings.jobs_dir, folder) if like else None
            if inputs is None:
                inputs = input_files.keep(self._decoder, params, uploads, whole, sizes, folder, notes, titles)
            cleaned = {name: getattr(params, name) for name in CLEANED if name in values}
            stored = {**values, "prompt": params.prompt, **cleaned}
            if loras := getattr(params, "loras", ()):
                stored["loras"] = [one.to_json() for one in loras]
            kept = self._kept(new.earlier, mode, stored)
            job = Job(
                job_id, owner_id, mode, stored, inputs, created=time.time(), seed=params.seed, resolved=kept
            )
            if any(takes_whole(info) for info in self._offers.infos()):
                sent = {name: folder / item.unpadded for name, item in inputs.items()}
                bundle.check(params, {name: path.stat().st_size for name, path in sent.items()})
            keep = Resolved.from_json(job.resolved)
            found = planning.outlook(mode, job_params(job), self._offers.all(), job_id, keep)
            if found.obstacle is not None and found.obstacle.code in OBSTACLES:
                raise BadInput.because(found.obstacle, field="loras")
            compiled = found.compiled
            planning.check_length(mode, compiled, self._settings.max_seconds)
            need += expected_bytes(compiled)
            self._disk.reserve(job_id, owner_id, need, largest)
            return replace(
                job.measured_by(compiled),
                warnings=(*found.warnings, *filter(None, notes.values())),
                segments_done=self._segments_of(new.earlier, folder) if like is None else 0,
            )
        except BaseException as error:
            files_of_jobs.remove(folder)
            self._disk.release(job_id)
            if isinstance(error, OSError):
                raise from_os_error(error, "picture_not_stored") from error
            raise

    def _upload(self, owner_id: str, name: str, path: Path, media: Media, title: str) -> Upload:
        """title: the owner's name for the file, "" for the file's own. Raises BadMedia when it is gone."""
        try:
            jobs_dir = self._settings.jobs_dir
            return originals.look(path, owner_id, self._store.with_input, jobs_dir, media, title)
        except OSError as error:
            raise check.missing(title or path.name, name) from error

    def _check_newcomer(self, owner_id: str) -> None:
        """On an open page, made-up tokens would get around the limit per owner. Raises TooMany."""
        if not self._settings.open_to_all or self._store.of_owner(owner_id, 1):
            return
        wait = self._newcomers.take()
        if wait:
            raise TooMany.of("new_visitors")

    def _kept(self, earlier: Job | None, mode: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """What an earlier job was resolved to, as far as it holds for these values; {} for nothing."""
        if earlier is None or earlier.mode != mode:
            return {}
        params = {name: value for name, value in earlier.params.items() if name not in SEVERAL}
        found = for_repetition(mode, params, earlier.resolved, values)
        return found.to_json() if found is not None else {}

    def _segments_of(self, earlier: Job | None, folder: Path) -> int:
        """Number of finished segments that a failed job leaves to this one; its run checks that they fit."""
        if earlier is None or earlier.status != FAILED or not earlier.segments_done:
            return 0
        return earlier.segments_done if inherit_segments(self._settings.jobs_dir / earlier.id, folder) else 0

    def _check_server(self) -> None:
        """Raises EngineUnreachable while no server has ever answered."""
        if self._no_server():
            info = self._offers.infos()[0]
            kind = kind_of(info)
            if kind.error_is_reason or info.fault is not None:
                raise EngineUnreachable.of("service_silent", why=silent(info), engine=kind.server)
            raise EngineUnreachable.of(
                "server_silent", engine=kind.server, address=info.address, detail=words(info.error)
            )

    def _no_server(self) -> bool:
        """Whether no server has ever answered and none is being started here."""
        waited = time.monotonic() - self._born > self.limits.silent
        never = all(info.state == "starting" and info.error for info in self._offers.infos())
        return waited and never and not self._starts
