"""Submits jobs: checks whether the owner may queue more, stores the job with its inputs, queues it."""

from __future__ import annotations

import logging
import secrets
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from backend import requester
from backend.errors import BadInput
from backend.jobs import folders, input_files, kept_children, repeats, variations
from backend.jobs.admission import Admission, DiskSpace
from backend.jobs.family import assembly_bytes, family
from backend.jobs.job import DONE, LAST_FRAME, Job, ResultOf
from backend.jobs.job_storage import JOB_BYTES, JobStorage, Submission
from backend.jobs.layout import SOURCES
from backend.jobs.scheduler import Scheduler
from backend.jobs.store import Store
from backend.security import tokens
from backend.settings.model import Settings
from workflows.modes.registry import MODES
from workflows.notice import notice

log = logging.getLogger("wan.jobs")


class Submitter:
    """Methods may be called from any thread."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        store: Store,
        scheduler: Scheduler,
        disk: DiskSpace,
        storage: JobStorage,
        admission: Admission,
    ) -> None:
        """`settings`: called each time, because the way the page is reached may change."""
        self._settings, self._store, self._scheduler, self._disk = settings, store, scheduler, disk
        self._storage, self._admission = storage, admission
        self._repeats = repeats.OneAtATime()

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
            job_id = repeats.job_id(owner_id, submission, *_asked(new))
            with self._repeats.holding(job_id):
                return self._store.get(job_id) or self._submit(owner_id, new, job_id)

    def repeated(self, new: Submission) -> Job | None:
        """The job that an earlier try of the current request made; None for a new one. Raises StoreError."""
        return repeats.known(new.owner, *_asked(new), self._store.get)

    def _submit(self, owner_id: str, new: Submission, job_id: str) -> Job:
        self._admission.check(owner_id)
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
        if left := kept_children.left(new.earlier, new.mode, new.values, self._store):
            each = [dict(child.params) for child in left]
            vary = {name: [child.params.get(name) for child in left] for name in vary}
        most, of_owner = places = self.places(new.unlimited)
        if len(each) > 1:
            self.check_places(owner_id, new.unlimited, len(each))  # before the files are stored
        self._storage.remove_left(job_id)
        with self._storage.folder_of(job_id):
            given = self._storage.given(owner_id, new.mode, wanted, job_id)
            if len(each) == 1:
                job = self._storage.stored(owner_id, new, job_id, each[0], given)
                folders.remove_below(self._storage.folder_path(job_id), SOURCES)
        if len(each) == 1:
            self.queue([job], lambda: self._scheduler.submit(job, most, of_owner))
            return job
        kept = kept_children.of(new.earlier, self._store, self._settings().jobs_dir)

        def child(number: int, made: Sequence[Job]) -> Job:
            like = made[0] if made else None
            stored = self._storage.stored(owner_id, new, uuid.uuid4().hex, each[number], given, like)
            try:
                return kept_children.taken(stored, kept, self._settings().jobs_dir, time.time())
            except OSError:
                return stored  # made again

        return self.with_children(
            owner_id, job_id, len(each), child, lambda made: family(job_id, made, vary), places
        )

    def admit(self, owner_id: str, unlimited: bool, count: int) -> tuple[int, int]:
        """How many jobs may wait, of all owners and of this one. Raises StoreGone, TooMany,
        EngineUnreachable, QueueFull when `count` more may not wait."""
        self._admission.check(owner_id)
        return self.check_places(owner_id, unlimited, count)

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
        folder = self._storage.folder_path(job_id)
        try:
            with self._storage.folder_of(job_id):
                for number in range(count):
                    made.append(child(number, made))
                parent, made = whole(made)
                if kept := sum(one.status == DONE for one in made):
                    said = notice("variations_kept", kept=kept, count=count)
                    parent = replace(parent, warnings=(said,))
                self._disk.reserve(job_id, owner_id, JOB_BYTES + assembly_bytes(parent, made))
                folders.remove_below(folder, SOURCES)
                input_files.link_all(self._storage.folder_path(made[0].id), folder)
        except BaseException:
            self._storage.drop(made)
            raise
        self.queue_family(parent, made, places)
        return parent

    def queue_family(self, parent: Job, made: Sequence[Job], places: tuple[int, int]) -> None:
        """Queues a stored parent with its children; removes their files when that is refused. Raises what
        `submit` raises."""
        self.queue([parent, *made], lambda: self._scheduler.submit_children(parent, made, *places))

    def places(self, unlimited: bool) -> tuple[int, int]:
        """How many jobs may wait, of all owners and of this one."""
        most = self._settings().max_queued
        return most, most if unlimited else self._settings().max_queued_per_owner

    def queue(self, jobs: Sequence[Job], submit: Callable[[], None]) -> None:
        """Queues stored jobs by `submit`; removes their files when that is refused."""
        try:
            submit()
        except BaseException:
            self._storage.drop(jobs)
            raise
        for job in jobs:
            self._disk.submitted(job.id)
            said = f": {job.params['prompt']!r}" if self._settings().log_prompts else ""
            log.info("job %s: queued, %s%s", job.id, job.mode, said)


def _asked(new: Submission) -> tuple[str, Mapping[str, Any]]:
    """What distinguishes two submissions of one request."""
    if new.request:
        return "", {"request": new.request}
    more = {"variations": new.variations, "vary": new.vary} if new.several else {}
    return new.mode, repeats.asked(new.values, new.files, more)
