"""Plans jobs, and submits them: checks settings and files, copies the inputs, queues the job."""

from __future__ import annotations

import logging
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend import requester
from backend.engines.kinds import takes_whole
from backend.errors import BadInput, StudioError, from_os_error
from backend.jobs import (
    bundle,
    input_files,
    kept_children,
    originals,
    planning,
    repeats,
    result_inputs,
    variations,
)
from backend.jobs import folders as files_of_jobs
from backend.jobs.admission import Admission, DiskSpace
from backend.jobs.cards import CardOf, no_card
from backend.jobs.completion import Completion
from backend.jobs.estimate import expected_bytes
from backend.jobs.family import assembly_bytes, family
from backend.jobs.input_files import Facts
from backend.jobs.job import DONE, FAILED, FINAL, LAST_FRAME, Job, ResultOf
from backend.jobs.layout import SOURCES
from backend.jobs.limits import Limits
from backend.jobs.offers import Offers
from backend.jobs.originals import OriginalLimits, Upload
from backend.jobs.params import job_params, make_params
from backend.jobs.result_inputs import Given
from backend.jobs.scheduler import Scheduler
from backend.jobs.segments import inherit_segments
from backend.jobs.store import Store
from backend.jobs.variation_plans import plan_several
from backend.jobs.views import SEVERAL, Plan
from backend.media import check
from backend.media.decoder import Decoder
from backend.security import tokens
from backend.settings.model import Settings
from workflows.modes.registry import MODES, media_fields
from workflows.notice import Notice, notice
from workflows.params.media import Media
from workflows.repetition import for_repetition
from workflows.resolved import Resolved
from workflows.stages.lora_fit import OBSTACLES

log = logging.getLogger("wan.jobs")

CLEANED = ("negative_prompt",)  # texts that are stored without control characters, as the params hold them
JOB_BYTES = 100_000  # of a job's folder, besides inputs and result


@dataclass(frozen=True)
class Submission:
    """What a caller submits. `files`: media parameter -> uploaded file, or the result of another job of the
    owner. `earlier`: a job that this one repeats: what that was resolved to is kept, and finished segments of
    a failed one and finished variations of a parent that lacks others are reused if they fit. `unlimited`:
    without the limit per visitor. `titles`: media parameter -> the file's name in messages, else that of its
    path. `variations`, `vary`: as in variations.each. `source`, `role`: as Job has them; `kept`: what it is
    resolved to, in place of that of `earlier`; `said`: warnings about it."""

    owner: str
    mode: str
    values: Mapping[str, Any]
    files: Mapping[str, Path | ResultOf | None]
    earlier: Job | None = None
    unlimited: bool = False
    titles: Mapping[str, str] = field(default_factory=dict)
    variations: int = 1
    vary: str | Mapping[str, Sequence[Any]] = ""
    source: str = ""
    role: str = ""
    kept: Mapping[str, Any] | None = None
    said: tuple[Notice, ...] = ()

    @property
    def origin(self) -> tuple[str, str]:
        """(source, role) of the job; a final that did not end well and is tried again stays one."""
        again = self.earlier
        if self.source or again is None or again.role != FINAL or again.status == DONE:
            return self.source, self.role
        same = self.values.get("seed") == again.seed
        return (again.source, again.role) if same else ("", "")

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
        self._scheduler, self._offers = scheduler, offers
        self.admission = Admission(settings, store, offers, starts, self.limits)
        self.completion = Completion(settings, store, decoder, offers, lambda: self.original_limits)
        self._repeats = repeats.OneAtATime()

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
        variations: int = 1,
        vary: str | Mapping[str, Sequence[Any]] = "",
    ) -> Plan:
        """The plan for these settings and files, with what would refuse one more job of the owner. Never
        raises. An unknown owner counts as a new one. `unlimited`: without the limit per visitor;
        `variations`, `vary`: as in a Submission, the plan is that of all."""
        sizes = {name: input_files.as_media(facts, name) for name, facts in media.items()}
        return self.plan_of(mode, values, sizes, owner, unlimited, variations, vary)

    def plan_of(
        self,
        mode: str,
        values: Mapping[str, Any],
        sizes: Mapping[str, Media],
        owner: str = "",
        unlimited: bool = False,
        variations: int = 1,
        vary: str | Mapping[str, Sequence[Any]] = "",
    ) -> Plan:
        """As `plan`, for files whose measures are known."""

        def single(given: Mapping[str, Any]) -> Plan:
            return planning.plan(
                mode,
                given,
                sizes,
                self._offers.infos(),
                self._store.done_on,
                offers=self._offers.all(),
                absent=self.admission.no_server(),
                longest=self._settings.max_seconds,
                cards=self._cards,
            )

        if variations == 1 and not vary:
            plan = single(values)
        else:
            plan = plan_several(single, mode, values, variations, vary)
        if plan.problems or plan.obstacle is not None:
            return plan
        need = JOB_BYTES * plan.count + plan.bytes
        return replace(plan, obstacle=self._no_room(owner, need, unlimited, plan.count))

    def _no_room(self, owner: str, need: int, unlimited: bool, count: int = 1) -> Notice | None:
        """What `submit` would refuse jobs of `need` bytes together with: the queue, the disk, the data
        folder."""
        owner_id = tokens.owner_id(owner) if tokens.is_token(owner) else ""
        settings = self._settings
        try:
            self._store.require()
            each = settings.max_queued if unlimited else settings.max_queued_per_owner
            self._scheduler.check_room(owner_id, settings.max_queued, each, count)
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
        self.admission.check(owner_id)
        if not new.several:
            whole = kept_children.whole_of(new.earlier, new.mode, new.values, self._store)
            if whole is not None:
                new = replace(new, values=whole.params, earlier=whole)
        wanted = {name: file for name, file in new.files.items() if file is not None}
        for name, item in new.earlier.inputs.items() if new.earlier is not None else ():
            if item.waits and name in MODES[new.mode].media:  # what the earlier one waited for
                wanted.setdefault(name, ResultOf(item.job, LAST_FRAME if item.frame is None else item.frame))
        values = {name: value for name, value in new.values.items() if name not in wanted}
        count, vary, values = variations.wanted(values, new.variations, new.vary)
        each = variations.each(new.mode, values, count, vary, secrets.randbelow)
        most, of_owner = places = self.places(new.unlimited)
        if len(each) > 1:
            self.check_places(owner_id, new.unlimited, len(each))  # before the files are stored
        with self.folder_of(job_id):
            given = self.given(owner_id, new.mode, wanted, job_id)
            if len(each) == 1:
                job = self.stored(owner_id, new, job_id, each[0], given)
                files_of_jobs.remove_below(self._settings.jobs_dir / job_id, SOURCES)
        if len(each) == 1:
            self.queue([job], lambda: self._scheduler.submit(job, most, of_owner))
            return job
        kept = kept_children.of(new.earlier, self._store, self._settings.jobs_dir)

        def child(number: int, made: Sequence[Job]) -> Job:
            like = made[0] if made else None
            stored = self.stored(owner_id, new, uuid.uuid4().hex, each[number], given, like)
            try:
                return kept_children.taken(stored, kept, self._settings.jobs_dir, time.time())
            except OSError:
                return stored  # made again

        return self.with_children(
            owner_id, job_id, len(each), child, lambda made: family(job_id, made, vary), places
        )

    def check_places(self, owner_id: str, unlimited: bool, count: int) -> tuple[int, int]:
        """How many jobs may wait, of all owners and of this one. Raises QueueFull when `count` more may
        not."""
        most, of_owner = self.places(unlimited)
        self._scheduler.check_room(owner_id, most, of_owner, count)
        return most, of_owner

    def with_children(
        self,
        owner_id: str,
        job_id: str,
        count: int,
        child: Callable[[int, Sequence[Job]], Job],
        whole: Callable[[Sequence[Job]], tuple[Job, list[Job]]],
        places: tuple[int, int],
    ) -> Job:
        """Queues a parent with `count` children. `child`: makes one from its index and those before it;
        `whole`: the parent with its children."""
        made: list[Job] = []
        jobs_dir = self._settings.jobs_dir
        try:
            for number in range(count):
                made.append(child(number, made))
            parent, made = whole(made)
            if kept := sum(one.status == DONE for one in made):
                said = notice("variations_kept", kept=kept, count=count)
                parent = replace(parent, warnings=(said,))
            self._disk.reserve(job_id, owner_id, JOB_BYTES + assembly_bytes(parent, made))
            files_of_jobs.remove_below(jobs_dir / job_id, SOURCES)
            input_files.link_all(jobs_dir / made[0].id, jobs_dir / job_id)
        except BaseException as error:
            self.drop(made)
            files_of_jobs.remove(jobs_dir / job_id)
            self._disk.release(job_id)
            if isinstance(error, OSError):
                raise from_os_error(error, "picture_not_stored") from error
            raise
        self.queue_family(parent, made, places)
        return parent

    def queue_family(self, parent: Job, made: Sequence[Job], places: tuple[int, int]) -> None:
        """Queues a stored parent with its children; removes their files when that is refused. Raises what
        `submit` raises."""
        self.queue([parent, *made], lambda: self._scheduler.submit_children(parent, made, *places))

    def places(self, unlimited: bool) -> tuple[int, int]:
        """How many jobs may wait, of all owners and of this one."""
        most = self._settings.max_queued
        return most, most if unlimited else self._settings.max_queued_per_owner

    def given(
        self,
        owner_id: str,
        mode: str,
        files: Mapping[str, Path | ResultOf | None],
        job_id: str,
        siblings: Sequence[Job] = (),
    ) -> Given:
        """What a new job is made from. `siblings`: jobs that are submitted together with it."""
        known = {job.id: job for job in siblings}
        folder = self._settings.jobs_dir / job_id

        def find(wanted: str) -> Job | None:
            return known.get(wanted) or self._scheduler.unsaved(wanted) or self._store.get(wanted)

        return result_inputs.look(files, mode, owner_id, folder, self._decoder, find)

    def folder_path(self, job_id: str) -> Path:
        """The folder of a job."""
        return self._settings.jobs_dir / job_id

    @contextmanager
    def folder_of(self, job_id: str) -> Iterator[None]:
        """Removes a job's folder when the job cannot be stored."""
        try:
            yield
        except BaseException as error:
            files_of_jobs.remove(self._settings.jobs_dir / job_id)
            if isinstance(error, OSError):
                raise from_os_error(error, "picture_not_stored") from error
            raise

    def queue(self, jobs: Sequence[Job], submit: Callable[[], None]) -> None:
        """Queues stored jobs by `submit`; removes their files when that is refused."""
        try:
            submit()
        except BaseException:
            self.drop(jobs)
            raise
        for job in jobs:
            self._disk.submitted(job.id)
            said = f": {job.params['prompt']!r}" if self._settings.log_prompts else ""
            log.info("job %s: queued, %s%s", job.id, job.mode, said)

    def drop(self, jobs: Sequence[Job]) -> None:
        """Removes the files of jobs that are not queued, and what was reserved for them."""
        for job in jobs:
            files_of_jobs.remove(self._settings.jobs_dir / job.id)
            self._disk.release(job.id)

    def stored(
        self, owner_id: str, new: Submission, job_id: str, values: Mapping[str, Any],
        given: Given, like: Job | None = None,
    ) -> Job:  # fmt: skip
        """The checked job with its inputs on disk, and what it needs there reserved. `like`: a job made from
        the same files, whose stored inputs are linked where they are what this one reads. Raises what
        `submit` raises, BadInput for LoRAs that cannot be used."""
        mode = new.mode
        files = given.files
        titles = {name: new.titles.get(name) or path.name for name, path in files.items()} | {**given.titles}
        seen = {
            name: input_files.look(
                self._decoder, MODES[mode].files[name].kind, files[name], name, titles[name]
            )
            for name in media_fields(mode)
            if name in files
        }
        sizes = {name: input_files.as_media(facts, name) for name, facts in seen.items()}
        notes = {name: input_files.note(facts, name) for name, facts in seen.items()}
        planned = {name: item.media for name, item in given.waiting.items()}
        params = make_params(mode, values, {**sizes, **planned})
        folder = self._settings.jobs_dir / job_id
        uploads = {
            name: self._upload(owner_id, name, files[name], media, new.titles.get(name, ""))
            for name, media in sizes.items()
        }
        pictures = {name: uploads[name] for name in uploads if MODES[mode].files[name].kind == "picture"}
        whole = originals.kept(pictures, self.original_limits)
        room = input_files.kept_bytes(params, uploads, whole, seen)
        need, largest = JOB_BYTES + sum(room.values()), max(room, key=lambda name: room[name], default="")
        try:
            self._disk.reserve(job_id, owner_id, need, largest)
            inputs = input_files.linked(like, params, self._settings.jobs_dir, folder) if like else None
            if inputs is None:
                inputs = input_files.keep(self._decoder, params, uploads, whole, sizes, folder, notes, titles)
            inputs = given.named(inputs)
            cleaned = {name: getattr(params, name) for name in CLEANED if name in values}
            stored = {**values, "prompt": params.prompt, **cleaned}
            if loras := getattr(params, "loras", ()):
                stored["loras"] = [one.to_json() for one in loras]
            kept = self._kept(new, stored)
            source, role = new.origin
            job = Job(
                job_id, owner_id, mode, stored, inputs, created=time.time(), seed=params.seed, resolved=kept,
                source=source, role=role,
            )  # fmt: skip
            if any(takes_whole(info) for info in self._offers.infos()):
                sent = {name: folder / item.unpadded for name, item in inputs.items() if item.file}
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
                warnings=(*found.warnings, *filter(None, notes.values()), *new.said),
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

    def _kept(self, new: Submission, values: Mapping[str, Any]) -> dict[str, Any]:
        """What an earlier job was resolved to, as far as it holds for these values; {} for nothing."""
        if new.kept is not None:
            return dict(new.kept)
        earlier, mode = new.earlier, new.mode
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
