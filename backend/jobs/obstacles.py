"""Conditions under which no queued job is started, as notices."""

from __future__ import annotations

import time
from collections.abc import Sequence

from backend.engines.base import EngineInfo
from backend.engines.kinds import kind_of
from backend.errors import (
    DiskFull,
    EngineDiskFull,
    StoreBusy,
    StoreDiskError,
    StoreGone,
    StoreReadOnly,
    StudioError,
)
from backend.jobs.full_servers import FullServers
from backend.jobs.limits import Limits
from backend.jobs.store import Store
from workflows.notice import Notice, notice

FULL, HELD, TAKEN = notice("disk_full"), notice("database_held"), notice("data_folder_taken")
FULL_HERE = notice("disk_full_here")


class Obstacles:
    """Methods may be called from any thread."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store, self._limits = store, limits
        self.evicted = False  # another machine has taken over the data folder
        self.lost: Notice | None = None  # why the database is not where it was opened
        self._until = 0.0  # monotonic seconds; no job is started before
        self._why: Notice | None = None
        self._failing: dict[str, float] = {}  # job id -> monotonic seconds of its first disk error
        self.servers = FullServers(limits)

    def look(self) -> None:
        """Checks whether the database is still where it was opened."""
        self.lost = self._store.lost()

    def why(self) -> Notice | None:
        """Why no job is started; None while jobs are."""
        if self.evicted:
            return TAKEN
        if self.lost is not None:
            return self.lost
        return self._why if time.monotonic() < self._until else None

    def full_disks(self) -> list[Notice]:
        """The disks whose lack of space holds videos up now: of the data folder, and of servers."""
        own = [FULL_HERE] if self.why() == FULL else []
        return [*own, *self.servers.notices(time.monotonic())]

    def delays(self, job_id: str, error: StudioError, engine: EngineInfo) -> bool:
        """Whether a job with this error of this engine's lane goes back to the queue instead of failing.

        There is no time limit for a full disk, a locked database or a missing data folder; a disk that fails
        or is read-only, and the full disk of a paid worker, are retried for Limits.broken seconds.
        """
        self.look()
        if self.lost is not None or isinstance(error, StoreGone):
            return True
        now = time.monotonic()
        if isinstance(error, EngineDiskFull):
            paid = kind_of(engine).has_workers
            if paid and now - self._failing.setdefault(job_id, now) >= self._limits.broken:
                return False
            self.servers.note(engine.address, error, now, paid=paid)
            return True
        if isinstance(error, DiskFull | StoreBusy):
            self._why = FULL if isinstance(error, DiskFull) else HELD
        elif isinstance(error, StoreDiskError | StoreReadOnly):
            if now - self._failing.setdefault(job_id, now) >= self._limits.broken:
                return False
            self._why = notice("disk_failing", reason=error.notice)
        else:
            return False
        self._until = now + self._limits.room
        return True

    def forget(self, job_id: str) -> None:
        """The job has ended."""
        self._failing.pop(job_id, None)


def no_engine(infos: Sequence[EngineInfo]) -> Notice:
    """What queued jobs wait for while no engine is up, with the reason where one is known."""
    name = kind_of(infos[0]).server
    told = (
        info.error
        for info in infos
        if kind_of(info).error_is_reason or info.fault or (info.ours and info.state == "starting")
    )
    if why := next(filter(None, told), None):
        return notice("waiting_for_engine", engine=name, why=why)
    if any(info.exited and info.state == "starting" for info in infos):
        return notice("waiting_for_restart", engine=kind_of(infos[0]).subject)
    starts = any(info.state == "starting" for info in infos)
    return notice("waiting_for_start" if starts else "waiting_for_answer", engine=name)
