"""The list of running and waiting jobs with expected times, and what a visitor does with it: move, cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backend.engines.base import EngineInfo
from backend.errors import NotAllowed, StudioError
from backend.jobs.cards import CardOf, no_card
from backend.jobs.estimate import Workload, expected
from backend.jobs.forecast import forecasts
from backend.jobs.job import QUEUED, TERMINAL, Job
from backend.jobs.library import Library
from backend.jobs.scheduler import Scheduler
from backend.jobs.store import Store
from backend.jobs.views import JobView, QueueRow
from backend.security import tokens


class WaitingList:
    """Methods may be called from any thread."""

    def __init__(
        self,
        scheduler: Scheduler,
        library: Library,
        store: Store,
        engines: Callable[[], Sequence[EngineInfo]],
        cards: CardOf = no_card,
    ) -> None:
        self._cards = cards
        self._scheduler, self._library, self._store, self._engines = scheduler, library, store, engines

    def rows(self, owner: str, whole: bool) -> tuple[QueueRow, ...]:
        """Running jobs first, then the waiting ones in the order in which they start. Reads the history of
        finished jobs. whole: with the details of other owners' jobs too."""
        mine = tokens.owner_id(owner) if tokens.is_token(owner) else ""
        running, waiting = self._scheduler.line()
        movable = [job.id for job in self._scheduler.movable(mine)] if mine else []
        there = [info for info in self._engines() if info.state == "ok"]
        took: dict[tuple[str, str], list[Job]] = {}

        def history(name: str, mode: str) -> list[Job]:
            if (name, mode) not in took:
                took[name, mode] = list(self._store.done_on(name, mode))
            return took[name, mode]

        def seconds(job: Job) -> float | None:
            work = Workload(job.evaluations, job.width, job.height, job.frames)
            each = (expected(work, job.mode, info, history, self._cards(info)).stages for info in there)
            return max((sum(stages.values()) for stages in each if stages), default=None)

        lanes = max(len(running), len(there))
        now, later = forecasts(
            [self._left(job) for job in running],
            [seconds(job) for job in waiting],
            lanes,
            self._scheduler.paused,
        )
        listed = [*zip(running, now, strict=True), *zip(waiting, later, strict=True)]
        return tuple(
            QueueRow(
                position=max(0, number - len(running) + 1),
                place=number + 1,
                mode=job.mode,
                mine=job.owner == mine,
                job=self._library.view(job) if whole or job.owner == mine else None,
                start=expected.start,
                end=expected.end,
                earlier=job.id in movable[1:],
                later=job.id in movable[:-1],
            )
            for number, (job, expected) in enumerate(listed)
        )

    def _left(self, job: Job) -> float | None:
        live = self._scheduler.live(job.id)
        return live.snapshot().remaining if live is not None else None

    def move(self, owner: str, job_id: str, key: str, by: int) -> JobView:
        """Moves a waiting job of this owner among the owner's own; one that has started stays as it is.
        Raises NotFound, NotAllowed for another owner's job, DiskFull, StoreError."""
        job = self._library.open(job_id, key)
        if not tokens.is_token(owner) or job.owner != tokens.owner_id(owner):
            raise NotAllowed.of("owner_moves")
        if job.status == QUEUED:
            self._scheduler.move(job.id, job.owner, by)
        return self._library.job(job_id, key)

    def cancel_all(self, owner: str) -> int:
        """Cancels the owner's waiting jobs, the last one first, then the running ones; returns how many.
        Raises DiskFull or StoreError when a request cannot be written: the others of them are cancelled."""
        if not tokens.is_token(owner):
            return 0
        mine = tokens.owner_id(owner)
        running, waiting = self._scheduler.line()
        count, problem = 0, None
        for job in (*reversed(waiting), *running):
            if job.owner != mine or job.status in TERMINAL:
                continue
            try:
                self._scheduler.cancel(job.id)
                count += 1
            except StudioError as error:
                problem = error
        if problem is not None:
            raise problem
        return count
