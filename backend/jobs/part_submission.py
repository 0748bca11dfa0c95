"""Submits one job below a parent that is made with it: the new part of a joined video."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend import requester
from backend.errors import BadInput
from backend.jobs import folders, repeats
from backend.jobs.admission import DiskSpace
from backend.jobs.job import Job
from backend.jobs.job_storage import JOB_BYTES, JobStorage, Submission
from backend.jobs.layout import SOURCES
from backend.jobs.store import Store
from backend.jobs.submission import Submitter
from backend.security import tokens

FamilyOf = Callable[[str, Job, Path], tuple[Job, Job, int]]
"""(id, child, folder) -> (the parent of that id with its files in the folder, the child below it, bytes that
the result needs). Raises OSError."""


class PartSubmitter:
    """Methods may be called from any thread."""

    def __init__(self, submitter: Submitter, storage: JobStorage, store: Store, disk: DiskSpace) -> None:
        self._submitter, self._storage, self._store, self._disk = submitter, storage, store, disk
        self._repeats = repeats.OneAtATime()

    def submit(self, new: Submission, family_of: FamilyOf, asked: Any) -> Job:
        """Checks and stores a job as Submitter.submit does, and queues it below the parent that `family_of`
        makes. Returns the parent. `asked`: what the caller asked for.

        Within `requester.attempt` a repetition returns the parent of the first arrival. Raises BadInput and
        what else Submitter.submit raises."""
        if not tokens.is_token(new.owner):
            raise BadInput.of("bad_owner_token", field="owner")
        owner_id, job_id = tokens.owner_id(new.owner), uuid.uuid4().hex
        if submission := requester.next_submission():
            job_id = repeats.job_id(owner_id, submission, "", {"asked": asked})
        with requester.visitor(owner_id), self._repeats.holding(job_id):
            return self._store.get(job_id) or self._submit(owner_id, new, family_of, job_id)

    def repeated(self, owner: str, asked: Any) -> Job | None:
        """The parent that an earlier try of the current request made; None for a new one. Raises
        StoreError."""
        return repeats.known(owner, "", {"asked": asked}, self._store.get)

    def job(self, job_id: str) -> Job | None:
        """A stored job; None when it is gone."""
        return self._store.get(job_id)

    def _submit(self, owner_id: str, new: Submission, family_of: FamilyOf, job_id: str) -> Job:
        storage = self._storage
        places = self._submitter.admit(owner_id, new.unlimited, 1)
        wanted = {name: file for name, file in new.files.items() if file is not None}
        child_id = uuid.uuid4().hex
        made: list[Job] = []
        try:
            with storage.folder_of(child_id):
                given = storage.given(owner_id, new.mode, wanted, child_id)
                made.append(storage.stored(owner_id, new, child_id, new.values, given))
                folders.remove_below(storage.folder_path(child_id), SOURCES)
            storage.remove_left(job_id)
            with storage.folder_of(job_id):
                parent, made[0], need = family_of(job_id, made[0], storage.folder_path(job_id))
                self._disk.reserve(job_id, owner_id, JOB_BYTES + need)
        except BaseException:
            storage.drop(made)
            raise
        self._submitter.queue_family(parent, made, places)
        return parent
