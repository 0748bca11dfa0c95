"""What keeps all waiting jobs from being begun, and how that is told."""

from __future__ import annotations

import time
from collections.abc import Sequence

from backend.engines.base import EngineInfo
from backend.engines.kinds import kind_of
from backend.errors import DiskFull, StoreBusy, StoreDiskError, StoreGone, StoreReadOnly, StudioError
from backend.jobs.limits import Limits
from backend.jobs.store import Store
from workflows.notice import Notice, notice

FULL, HELD, TAKEN = notice("disk_full"), notice("database_held"), notice("data_folder_taken")


class Obstacles:
    """Methods may be called from any thread."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store, self._limits = store, limits
        self.evicted = False  # another machine has the data folder
        self.lost = ""  # why the database is not where it was, in a sentence
        self._until = 0.0  # monotonic; no job is taken before
        self._why: Notice | None = None
        self._failing: dict[str, float] = {}  # job -> since when its disk fails

    def look(self) -> None:
        """Whether the database is still where it was."""
        self.lost = self._store.lost()

    def why(self) -> Notice | None:
        """What keeps jobs from being begun; None while nothing does."""
        if self.evicted:
            return TAKEN
        if self.lost:
            return notice("database_lost", reason=self.lost)
        return self._why if time.monotonic() < self._until else None

    def delays(self, job_id: str, error: StudioError) -> bool:
        """Whether a job with this error waits and is tried again, instead of failing.

        It waits for as long as it takes for room, for another program, and for a data folder that is gone;
        for a disk that fails, or has become read-only, only so long.
        """
        self.look()
        if self.lost or isinstance(error, StoreGone):
            return True
        now = time.monotonic()
        if isinstance(error, DiskFull | StoreBusy):
            self._why = FULL if isinstance(error, DiskFull) else HELD
        elif isinstance(error, StoreDiskError | StoreReadOnly):
            if now - self._failing.setdefault(job_id, now) >= self._limits.broken:
                return False
            self._why = notice("disk_failing", reason=error.message)
        else:
            return False
        self._until = now + self._limits.room
        return True

    def forget(self, job_id: str) -> None:
        """The job has ended."""
        self._failing.pop(job_id, None)


def silence(infos: Sequence[EngineInfo]) -> Notice:
    """What a job waits for while no engine works; with the reason, where one is known."""
    name = kind_of(infos[0]).server
    told = (
        info.error
        for info in infos
        if kind_of(info).error_is_reason or (info.ours and info.state == "starting")
    )
    if why := next(filter(None, told), ""):
        return notice("waiting_for_engine", engine=name, reason=why)
    starts = any(info.state == "starting" for info in infos)
    return notice("waiting_for_start" if starts else "waiting_for_answer", engine=name)
