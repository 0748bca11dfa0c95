"""The clips of the library: listed, opened by their key, pinned, deleted, and their files.

A job is opened by its id and key (a private link), which allow to watch, download and cancel. What
changes or reveals more asks for the token of the owner as well. Methods raise NotFound for a wrong key and
for a job that no longer exists or is being deleted, NotAllowed for another owner.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from backend.errors import BadInput, NotAllowed, NotFound
from backend.jobs import named_results
from backend.jobs.deletions import Deletions
from backend.jobs.downloads import Files
from backend.jobs.job import DONE, EXTENSION, TERMINAL, VARIATIONS, Job, ResultOf
from backend.jobs.parts import starts
from backend.jobs.scheduler import Scheduler
from backend.jobs.sheets import Sheets
from backend.jobs.store import Store
from backend.jobs.views import ChildView, JobView, PartView, SeamView, SourceFile, view
from backend.security import tokens


class Library:
    """All jobs of one data folder. Methods may be called from any thread."""

    def __init__(
        self,
        store: Store,
        scheduler: Scheduler,
        jobs_dir: Path,
        secret: bytes,
        remove: Callable[[Job], None],
        deletions: Deletions,
        sheets: Sheets,
    ) -> None:
        """`secret`: the keys and the signed addresses are made with it. `remove`: removes an ended job with
        its files at once; `deletions`: after a while. `sheets`: made again when clips of a set change."""
        self._sheets = sheets
        self._store, self._scheduler, self._secret = store, scheduler, secret
        self._remove, self._deletions = remove, deletions
        self.files = Files(jobs_dir, secret, store)

    def has_key(self, job_id: str, key: str) -> bool:
        """Whether this is the job's key (memory)."""
        return tokens.same(key, tokens.job_key(self._secret, str(job_id)))

    def open(self, job_id: str, key: str) -> Job:
        """The job that a key opens. Raises NotFound."""
        if not self.has_key(job_id, key):
            raise NotFound.of("wrong_link")
        job = self._scheduler.unsaved(str(job_id)) or self._store.get(str(job_id))
        if job is None or job.delete_after is not None:
            raise NotFound.of("video_gone")
        return job

    def owned(self, owner: str, job_id: str, key: str) -> Job:
        """The job that a key opens, for its owner (token) alone. Raises NotFound, NotAllowed."""
        job = self.open(job_id, key)
        if not self.is_owner(owner, job.owner):
            raise NotAllowed.of("owner_only")
        return job

    @staticmethod
    def with_results(
        mode: str, files: Mapping[str, Path | ResultOf | None], named: object
    ) -> dict[str, Path | ResultOf | None]:
        """The files of a new job, with the results that its caller names in JSON (see named_results), for
        `check_results`. Raises BadInput with the field."""
        found = named_results.read(mode, named)
        for name in found:
            if files.get(name) is not None:
                raise BadInput.of("result_twice", parameter=name, field=name)
        return {**files, **found}

    def check_results(self, owner: str, files: Iterable[tuple[str, object]]) -> None:
        """Raises NotFound, NotAllowed for a result among the files of a new job, by parameter, that is not
        this owner's; BadInput for a set of variations, which has no result to start from."""
        for name, of in files:
            if not isinstance(of, ResultOf):
                continue
            try:
                job = self.owned(owner, of.job, of.key)
            except (NotFound, NotAllowed) as error:
                raise type(error).of(
                    "result_refused", parameter=name, reason=error.why, field=name
                ) from error
            if job.assembly == VARIATIONS:
                clips = tuple(child.id for child in self._children(job) if child.delete_after is None)
                raise BadInput.of("result_is_set", parameter=name, names=clips, field=name)

    @staticmethod
    def is_owner(owner: object, owner_id: str) -> bool:
        """Whether this is the token of the owner with this stored id (memory)."""
        return isinstance(owner, str) and tokens.is_token(owner) and tokens.owner_id(owner) == owner_id

    def view(self, job: Job, children: Sequence[Job] | None = None, *, by_link: bool = False) -> JobView:
        """What is shown of a job, with its key. `children`: of a parent, if the caller has them; otherwise an
        ended parent costs one more database read. A joined video has parts instead: `by_link`, without the
        keys of their jobs, which show more than what is joined, such as frames that were left out."""
        if not job.assembly:
            return view(job, self._key(job))
        if children is None:
            children = self._children(job)
        if job.assembly == EXTENSION:
            return view(job, self._key(job), parts=self._parts(job, children, by_link))
        parts = tuple(
            ChildView(part.id, self._key(part), part.seed, part.status, part.width, part.height)
            for part in children
        )
        known = view(job, self._key(job), parts)
        return replace(known, bytes=0) if self._sheets.waits(job.id) else known

    def _children(self, job: Job) -> Sequence[Job]:
        """The children of a parent; of one that has ended, from the database."""
        found = self._scheduler.children(job.id)
        return self._store.children(job.id)[job.id] if found is None else found

    def _parts(self, job: Job, children: Sequence[Job], by_link: bool) -> tuple[PartView, ...]:
        """The parts of a joined video; a part without a file has the state of its job."""
        known = {child.id: child.status for child in children}
        begins = starts(job.parts)
        return tuple(
            PartView(
                number, part.job, "" if by_link else tokens.job_key(self._secret, part.job), part.seed,
                part.prompt, part.route,
                DONE if part.file else known.get(part.job, job.status), part.stale, begins[number - 1],
                part.frames, SeamView(**asdict(part.seam)) if part.seam is not None else None,
            )
            for number, part in enumerate(job.parts, 1)
        )  # fmt: skip

    def _key(self, job: Job) -> str:
        return tokens.job_key(self._secret, job.id)

    def job(self, job_id: str, key: str, owner: str = "") -> JobView:
        """What is shown of one job to those who have its link, or to this owner (token)."""
        job = self.open(job_id, key)
        return self.view(job, by_link=not self.is_owner(owner, job.owner))

    def whole(self, owner: str, job_id: str, key: str) -> JobView | None:
        """The parent of a job, for its owner only; None when it has none or that was deleted."""
        job = self.owned(owner, job_id, key)
        parent = self._store.get(job.parent) if job.parent else None
        if parent is None or parent.delete_after is not None:
            return None
        return self.view(self._scheduler.unsaved(parent.id) or parent)

    def jobs(
        self, owner: str, limit: int, mode: str, search: str, statuses: Collection[str] = ()
    ) -> list[JobView]:
        """An owner's jobs, newest first; none for a text that is no owner's token."""
        if not tokens.is_token(owner):
            return []
        words = search.strip().encode("utf-8", "replace").decode()
        found = self._store.of_owner(tokens.owner_id(owner), limit, mode, words, statuses)
        children = self._store.children(*(job.id for job in found if job.assembly))
        return [self.view(self._scheduler.unsaved(job.id) or job, children.get(job.id)) for job in found]

    def totals(self, owner: str) -> tuple[int, int]:
        """(clips, bytes) of an owner's finished jobs."""
        return self._store.totals(tokens.owner_id(owner)) if tokens.is_token(owner) else (0, 0)

    def cancel(self, job_id: str, key: str, owner: str = "") -> JobView:
        """Stops a job; an ended one stays as it is. `owner`: as in `job`. Raises DiskFull or StoreError when
        the request cannot be written: then nothing has changed."""
        job = self.open(job_id, key)
        if job.status not in TERMINAL:
            self._scheduler.cancel(job.id)
        return self.job(job_id, key, owner)

    def delete(self, owner: str, job_id: str, key: str, undo: bool) -> JobView:
        """Deletes an ended job with its files, and its children; with `undo` it is hidden first and removed a
        while later.

        Cancels a job that has not ended, and raises BadInput. A second call for a hidden job postpones its
        removal, so that Undo can be offered again.
        """
        job = (self._pending(owner, job_id, key) if undo else None) or self.owned(owner, job_id, key)
        if job.status not in TERMINAL:
            self._scheduler.cancel(job.id)
            raise BadInput.of("delete_running")
        if undo:
            with self._sheets.changing(job):
                self._deletions.request(job)
            return self.view(job)
        children = self._store.children(job.id)[job.id] if job.assembly else []
        for each in (*children, job):
            self._remove(each)
        return self.view(job, children)

    def undo_delete(self, owner: str, job_id: str, key: str) -> JobView:
        """Brings back a job whose deletion is pending."""
        if (pending := self._pending(owner, job_id, key)) is not None:
            with self._sheets.changing(pending):
                self._deletions.undo(job_id)
        return self.view(self.owned(owner, job_id, key))

    def _pending(self, owner: str, job_id: str, key: str) -> Job | None:
        """This owner's job while its deletion is pending or in progress."""
        job = self._store.get(str(job_id)) if self.has_key(job_id, key) else None
        if job is None or job.delete_after is None or not self.is_owner(owner, job.owner):
            return None
        return job

    def pin(self, owner: str, job_id: str, key: str, pinned: bool) -> JobView:
        """Exempts an ended job from removal by age or disk share, or ends that. Raises BadInput."""
        job = self.owned(owner, job_id, key)
        if job.status not in TERMINAL:
            raise BadInput.of("keep_running")
        self._store.pin(job.id, bool(pinned))
        return self.view(replace(job, pinned=bool(pinned)))

    def sources(self, owner: str, job_id: str, key: str) -> dict[str, SourceFile]:
        """The files that a job was made from by parameter name, as its owner sent them where they are kept.
        Raises InputsGone."""
        job = self.owned(owner, job_id, key)
        return {name: source for name in job.inputs if (source := self.files.source(job, name)) is not None}
