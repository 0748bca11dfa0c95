"""What the page and the API poll: progress, preview, an owner's active job and the queue.

Everything is read from memory, except the progress of a job of an earlier run of the app.
"""

from __future__ import annotations

from dataclasses import replace

from backend.errors import NotFound
from backend.jobs.library import Library
from backend.jobs.progress import Tracker
from backend.jobs.result_inputs import UNTITLED, names_source
from backend.jobs.scheduler import Scheduler
from backend.jobs.snapshot import Snapshot
from backend.jobs.views import JobView, Place
from backend.notices import words
from backend.security import tokens


class Watch:
    """Methods may be called from any thread."""

    def __init__(self, scheduler: Scheduler, library: Library) -> None:
        self._scheduler, self._library = scheduler, library

    def live_progress(self, job_id: str, key: str, owner: str = "") -> Snapshot | None:
        """The progress of a job; None if it is not in memory. owner: the token of who asks; a job that waits
        for another one names that to its owner only. Raises NotFound for a wrong key."""
        if not self._library.has_key(job_id, key):
            raise NotFound.of("wrong_link")
        live = self._scheduler.live(job_id)
        found = live.snapshot() if live is not None else None
        if found is None or not names_source(found.waits) or self._is_waiting(job_id, owner):
            return found
        return replace(found, waits=UNTITLED, text=words(UNTITLED))

    def _is_waiting(self, job_id: str, owner: str) -> bool:
        """Whether this job, or a part of it, is in the queue as one of this owner's."""
        if not tokens.is_token(owner):
            return False
        mine, (_, waiting) = tokens.owner_id(owner), self._scheduler.line()
        return any(job.owner == mine and job_id in (job.id, job.parent) for job in waiting)

    def progress(self, job_id: str, key: str, owner: str = "") -> Snapshot:
        """As live_progress; a job that is not in memory costs one database read. Raises NotFound."""
        live = self.live_progress(job_id, key, owner)
        if live is not None:
            return live
        job = self._library.open(job_id, key)
        tracker = Tracker()
        tracker.end(job.status, 0.0, job.error)
        return replace(tracker.snapshot(0.0), elapsed=job.elapsed or 0.0)

    def preview(self, job_id: str, key: str) -> tuple[bytes, str] | None:
        """The last preview: bytes and MIME type; None without one and for a wrong key."""
        live = self._scheduler.live(job_id) if self._library.has_key(job_id, key) else None
        return live.preview if live is not None else None

    def active(self, owner: str) -> JobView | None:
        """The owner's running job, else the first of theirs in the queue; of a part its parent."""
        if not tokens.is_token(owner):
            return None
        job = self._scheduler.current(tokens.owner_id(owner))
        if job is not None and job.parent:
            job = self._scheduler.parent(job.parent) or job
        return self._library.view(job) if job is not None else None

    def line(self, owner: str) -> tuple[Place, ...]:
        """All running and waiting jobs in the order in which they run; only the owner's own with details."""
        mine = tokens.owner_id(owner) if tokens.is_token(owner) else ""
        running, waiting = self._scheduler.line()
        numbered = [*((0, job) for job in running), *enumerate(waiting, 1)]
        return tuple(
            Place(
                position, job.mode, job.owner == mine, self._library.view(job) if job.owner == mine else None
            )
            for position, job in numbered
        )
