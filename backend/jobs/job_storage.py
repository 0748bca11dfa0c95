"""Stores new jobs: checks settings and files, copies the inputs into the job folder, reserves disk space."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.errors import from_os_error
from backend.jobs import bundle, folders, input_files, planning, result_inputs
from backend.jobs.admission import DiskSpace
from backend.jobs.estimate import expected_bytes
from backend.jobs.given_files import FileChecker
from backend.jobs.job import DONE, FAILED, FINAL, Job, ResultOf
from backend.jobs.offers import Offers
from backend.jobs.params import make_params
from backend.jobs.result_inputs import Given
from backend.jobs.scheduler import Scheduler
from backend.jobs.segments import inherit_segments
from backend.jobs.store import Store
from backend.jobs.views import SEVERAL
from backend.media.decoder import Decoder
from backend.settings.model import Settings
from workflows.notice import Notice
from workflows.repetition import for_repetition

CLEANED = ("negative_prompt",)  # texts that are stored without control characters, as the params hold them
JOB_BYTES = 100_000  # of a job's folder, besides inputs and result


@dataclass(frozen=True)
class Submission:
    """What a caller submits. `files`: media parameter -> uploaded file, or the result of another job of the
    owner. `earlier`: a job that this one repeats: what that was resolved to is kept, and finished segments of
    a failed one and finished variations of a parent that lacks others are reused if they fit. `unlimited`:
    without the limit per visitor. `titles`: media parameter -> the file's name in messages, else that of its
    path. `variations`, `vary`: as in variations.each. `source`, `role`: as Job has them; `kept`: what it is
    resolved to, in place of that of `earlier`; `said`: warnings about it. `request`: what the caller asked
    for, where mode, values and files follow from that."""

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
    request: tuple[Any, ...] = ()

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


class JobStorage:
    """Methods may be called from any thread."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        store: Store,
        decoder: Decoder,
        scheduler: Scheduler,
        offers: Offers,
        disk: DiskSpace,
        files: FileChecker,
    ) -> None:
        """`settings`: called each time, because the way the page is reached may change."""
        self._settings, self._store, self._decoder = settings, store, decoder
        self._scheduler, self._offers, self._disk, self._files = scheduler, offers, disk, files

    @property
    def _jobs_dir(self) -> Path:
        return self._settings().jobs_dir

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
        folder = self._jobs_dir / job_id

        def find(wanted: str) -> Job | None:
            return known.get(wanted) or self._scheduler.unsaved(wanted) or self._store.get(wanted)

        return result_inputs.look(files, mode, owner_id, folder, self._decoder, find)

    def folder_path(self, job_id: str) -> Path:
        """The folder of a job."""
        return self._jobs_dir / job_id

    @contextmanager
    def folder_of(self, job_id: str) -> Iterator[None]:
        """Removes a job's folder, and what was reserved for it, when the job cannot be stored."""
        try:
            yield
        except BaseException as error:
            folders.remove(self._jobs_dir / job_id)
            self._disk.release(job_id)
            if isinstance(error, OSError):
                raise from_os_error(error, "picture_not_stored") from error
            raise

    def remove_left(self, job_id: str) -> None:
        """Removes the folder of a request that is sent again: a process that was killed may have left it."""
        folders.remove(self._jobs_dir / job_id)

    def drop(self, jobs: Sequence[Job]) -> None:
        """Removes the files of jobs that are not queued, and what was reserved for them."""
        for job in jobs:
            folders.remove(self._jobs_dir / job.id)
            self._disk.release(job.id)

    def stored(
        self, owner_id: str, new: Submission, job_id: str, values: Mapping[str, Any],
        given: Given, like: Job | None = None,
    ) -> Job:  # fmt: skip
        """The checked job with its inputs on disk, and what it needs there reserved. `like`: a job made from
        the same files, whose stored inputs are linked where they are what this one reads. Raises BadInput
        (with the field), BadMedia, OverQuota, DiskFull."""
        mode, folder = new.mode, self._jobs_dir / job_id
        titles = {**new.titles, **given.titles}
        files = self._files.look(owner_id, mode, given.files, titles, new.titles)
        planned = {name: item.media for name, item in given.waiting.items()}
        params = make_params(mode, values, {**files.sizes, **planned})
        room = files.kept_bytes(params)
        need, largest = JOB_BYTES + sum(room.values()), max(room, key=lambda name: room[name], default="")
        with self.folder_of(job_id):
            self._disk.reserve(job_id, owner_id, need, largest)
            inputs = input_files.linked(like, params, self._jobs_dir, folder) if like else None
            if inputs is None:
                inputs = files.keep(self._decoder, params, folder)
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
            bundle.check_stored(params, inputs, folder, self._offers.infos())
            compiled, warnings = planning.accepted(job, self._offers.all(), self._settings().max_seconds)
            need += expected_bytes(compiled)
            self._disk.reserve(job_id, owner_id, need, largest)
            return replace(
                job.measured_by(compiled),
                warnings=(*warnings, *filter(None, files.notes.values()), *new.said),
                segments_done=self._segments_of(new.earlier, folder) if like is None else 0,
            )

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
        return earlier.segments_done if inherit_segments(self._jobs_dir / earlier.id, folder) else 0
