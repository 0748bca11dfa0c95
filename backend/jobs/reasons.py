"""Why a queued job is not started, and whether any server can ever start it. The scheduler's lock guards the
queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from backend.engines.base import EngineInfo
from backend.errors import StudioError
from backend.jobs.obstacles import Obstacles, no_engine
from backend.jobs.queue import FairQueue
from backend.jobs.refusals import Refusals
from workflows.notice import Notice, notice


class Reasons:
    """For all queued jobs. `infos`: one per lane."""

    def __init__(
        self,
        queue: FairQueue,
        refusals: Refusals,
        obstacles: Obstacles,
        infos: Callable[[], Sequence[EngineInfo]],
    ) -> None:
        self._queue, self._refusals, self._obstacles, self._infos = queue, refusals, obstacles, infos

    def states(self) -> dict[str, str]:
        """The state of each server by its address; lanes of one server share it."""
        return {info.address: info.state for info in self._infos()}

    def of_all(self) -> Notice | None:
        """Why no queued job is started; None when jobs are."""
        infos = self._infos()
        why = self._obstacles.why()
        up = [info for info in infos if info.state == "ok"]
        if not why and not up:
            why = no_engine(infos)
        return why or self._obstacles.servers.why_none([info.address for info in up], time.monotonic())

    def of(self, job_id: str) -> tuple[Notice | None, StudioError | None]:
        """What this job waits for, or the error that ends it. Called with the lock held."""
        if (awaits := self._queue.awaits(job_id)) is not None:
            return awaits, None
        now, states = time.monotonic(), self.states()
        bound = self._queue.bound(job_id, now)
        if bound and states.get(bound) != "ok":
            return notice("waiting_for_prompt", address=bound), None
        outlook = self._refusals.outlook(job_id, states, now)
        return outlook.waits, outlook.error
