"""Plans jobs: what a submission would make, and what would refuse it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from backend.errors import StudioError
from backend.jobs import input_files, planning
from backend.jobs.admission import Admission, DiskSpace
from backend.jobs.cards import CardOf, no_card
from backend.jobs.input_files import Facts
from backend.jobs.job_storage import JOB_BYTES
from backend.jobs.offers import Offers
from backend.jobs.scheduler import Scheduler
from backend.jobs.store import Store
from backend.jobs.variation_plans import plan_several
from backend.jobs.views import Plan
from backend.security import tokens
from backend.settings.model import Settings
from workflows.notice import Notice
from workflows.params.media import Media


class JobPlanner:
    """Methods may be called from any thread, and never raise."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        store: Store,
        scheduler: Scheduler,
        offers: Offers,
        disk: DiskSpace,
        admission: Admission,
        cards: CardOf = no_card,
    ) -> None:
        """`settings`: called each time, because the way the page is reached may change. `cards`: the
        measurements of a server's GPU."""
        self._settings, self._store, self._scheduler = settings, store, scheduler
        self._offers, self._disk, self._admission, self._cards = offers, disk, admission, cards

    def plan(
        self,
        mode: str,
        values: Mapping[str, Any],
        media: Mapping[str, Facts | Media],
        owner: str = "",
        unlimited: bool = False,
        variations: int = 1,
        vary: str | Mapping[str, Sequence[Any]] = "",
    ) -> Plan:
        """The plan for these settings and files, with what would refuse one more job of the owner. An unknown
        owner counts as a new one. `media`: what the files are, by parameter; `unlimited`: without the limit
        per visitor; `variations`, `vary`: as in a Submission, the plan is that of all."""
        sizes = {
            name: one if isinstance(one, Media) else input_files.as_media(one, name)
            for name, one in media.items()
        }

        def single(given: Mapping[str, Any]) -> Plan:
            return planning.plan(
                mode,
                given,
                sizes,
                self._offers.infos(),
                self._store.done_on,
                offers=self._offers.all(),
                absent=self._admission.no_server(),
                longest=self._settings().max_seconds,
                cards=self._cards,
            )

        if variations == 1 and not vary:
            plan = single(values)
        else:
            plan = plan_several(single, mode, values, variations, vary)
        if plan.problems or plan.obstacle is not None:
            return plan
        need = JOB_BYTES * plan.count + plan.bytes
        return replace(plan, obstacle=self._no_room(owner, need, unlimited, plan.count))

    def _no_room(self, owner: str, need: int, unlimited: bool, count: int = 1) -> Notice | None:
        """Why jobs of `need` bytes together would be refused: the queue, the disk, the data folder."""
        owner_id = tokens.owner_id(owner) if tokens.is_token(owner) else ""
        settings = self._settings()
        try:
            self._store.require()
            each = settings.max_queued if unlimited else settings.max_queued_per_owner
            self._scheduler.check_room(owner_id, settings.max_queued, each, count)
            self._disk.check(owner_id, need)
        except StudioError as error:
            return error.notice
        return None
