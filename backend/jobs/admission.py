"""Whether anything can be submitted at all now, and by this visitor."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from backend.engines.kinds import kind_of, silent
from backend.errors import EngineUnreachable, TooMany
from backend.jobs.limits import Limits
from backend.jobs.offers import Offers
from backend.jobs.store import Store
from backend.notices import words
from backend.security.rate_limit import Bucket
from backend.settings.model import Settings

NEWCOMERS, NEWCOMERS_SECONDS = 60, 3.0
"""On an open page: how many visitors can start their first video at once, and how fast that refills."""


class DiskSpace(Protocol):
    """The disk quota of each owner."""

    def reserve(self, job_id: str, owner: str, need: int, field: str = "") -> None:
        """Reserves `need` bytes for a job. Raises OverQuota, DiskFull, with the field of the largest file."""

    def check(self, owner: str, need: int) -> None:
        """Raises OverQuota or DiskFull if no room can be made for `need` more bytes; changes nothing."""

    def release(self, job_id: str) -> None:
        """Releases the reservation of a job that was not submitted."""

    def submitted(self, job_id: str) -> None:
        """The job is queued: removes the owner's videos that make room for it."""


class Admission:
    """`settings`: called each time, because the way the page is reached may change. `starts`: the studio
    starts its servers itself, so one that is not up yet will be."""

    def __init__(
        self, settings: Callable[[], Settings], store: Store, offers: Offers, starts: bool, limits: Limits
    ) -> None:
        self._settings, self._store, self._offers = settings, store, offers
        self._starts, self._limits = starts, limits
        self._newcomers = Bucket(NEWCOMERS, NEWCOMERS_SECONDS)
        self._born = time.monotonic()

    def check(self, owner_id: str) -> None:
        """Raises StoreGone, TooMany, EngineUnreachable."""
        self._store.require()  # else the copies of the inputs would make a new folder where it was
        self._check_newcomer(owner_id)
        self._check_server()

    def _check_newcomer(self, owner_id: str) -> None:
        """On an open page, invented tokens would evade the limit per owner. Raises TooMany."""
        if not self._settings().open_to_all or self._store.of_owner(owner_id, 1):
            return
        wait = self._newcomers.take()
        if wait:
            raise TooMany.of("new_visitors")

    def _check_server(self) -> None:
        """Raises EngineUnreachable while no server has ever answered."""
        if self.no_server():
            info = self._offers.infos()[0]
            kind = kind_of(info)
            if kind.error_is_reason or info.fault is not None:
                raise EngineUnreachable.of("service_silent", why=silent(info), engine=kind.server)
            raise EngineUnreachable.of(
                "server_silent", engine=kind.server, address=info.address, detail=words(info.error)
            )

    def no_server(self) -> bool:
        """Whether no server has ever answered and none is being started here."""
        waited = time.monotonic() - self._born > self._limits.silent
        never = all(info.state == "starting" and info.error for info in self._offers.infos())
        return waited and never and not self._starts
