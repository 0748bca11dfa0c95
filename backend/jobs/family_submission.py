"""Submits families: a parent with children of any modes, which may start from each other's results."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from backend import requester
from backend.errors import BadInput
from backend.jobs import folders, repeats, result_inputs, variations
from backend.jobs.family import PARTS_MOST, Family, family
from backend.jobs.job import ASSEMBLIES, Job
from backend.jobs.job_storage import JobStorage, Submission
from backend.jobs.layout import SOURCES
from backend.jobs.store import Store
from backend.jobs.submission import Submitter
from backend.security import tokens


class FamilySubmitter:
    """Methods may be called from any thread."""

    def __init__(self, submitter: Submitter, storage: JobStorage, store: Store) -> None:
        self._submitter, self._storage, self._store = submitter, storage, store
        self._repeats = repeats.OneAtATime()

    def submit(self, new: Family) -> Job:
        """Checks and queues a parent with all of its children, or none of them; the parent is returned.

        Within `requester.attempt` a repetition returns the parent of the first arrival. Raises what
        Submitter.submit raises, BadInput for too many children, ValueError for an unknown assembly."""
        if not tokens.is_token(new.owner):
            raise BadInput.of("bad_owner_token", field="owner")
        if new.assembly not in ASSEMBLIES:
            raise ValueError(f"not an assembly: {new.assembly!r}")
        owner_id, count = tokens.owner_id(new.owner), len(new.parts)
        if not 1 <= count <= PARTS_MOST:
            raise BadInput.of("family_size", most=PARTS_MOST, count=count)
        job_id = uuid.uuid4().hex
        if submission := requester.next_submission():
            job_id = repeats.job_id(owner_id, submission, *_asked(new))
        with requester.visitor(owner_id), self._repeats.holding(job_id):
            return self._store.get(job_id) or self._submit(owner_id, new, job_id)

    def repeated(self, new: Family) -> Job | None:
        """The parent that an earlier try of the current request made; None for a new one. Raises
        StoreError."""
        return repeats.known(new.owner, *_asked(new), self._store.get)

    def _submit(self, owner_id: str, new: Family, job_id: str) -> Job:
        places = self._submitter.admit(owner_id, new.unlimited, len(new.parts))
        self._storage.remove_left(job_id)
        return self._submitter.with_children(
            owner_id, job_id, len(new.parts),
            lambda number, made: self._part(owner_id, new, number, made),
            lambda made: family(job_id, made, {}, new.assembly, new.params, new.source),
            places,
        )  # fmt: skip

    def _part(self, owner_id: str, new: Family, number: int, made: Sequence[Job]) -> Job:
        """The stored child of this index, which may start from those before it."""
        part, child_id = new.parts[number], uuid.uuid4().hex
        files = {
            name: result_inputs.of_part(file, made, name)
            for name, file in part.files.items()
            if file is not None
        }
        one = Submission(new.owner, part.mode, part.values, files, titles=part.titles)
        rest = {name: value for name, value in part.values.items() if name not in files}
        (values,) = variations.each(part.mode, rest, 1, {}, secrets.randbelow)
        folder = self._storage.folder_path(child_id)
        with self._storage.folder_of(child_id):
            given = self._storage.given(owner_id, part.mode, files, child_id, made)
            stored = self._storage.stored(owner_id, one, child_id, values, given)
            folders.remove_below(folder, SOURCES)
        return stored


def _asked(new: Family) -> tuple[str, Mapping[str, Any]]:
    """What distinguishes two submissions of one request. Uploads are left out, as in repeats.asked."""
    parts = [(part.mode, repeats.asked(part.values, part.files, {})) for part in new.parts]
    return new.assembly, {"parts": parts, "params": new.params}
