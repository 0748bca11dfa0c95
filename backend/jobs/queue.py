"""The order of the waiting jobs: fair between owners, with a preference for loaded models. Pure: no clock.

The owner with the fewest running jobs comes first; among those, the one who has waited longest since a job
of theirs was taken. So the forty jobs of one owner do not block the others. An interrupted job (a lost
engine, a full disk) comes before all others.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from backend.jobs.job import Job
from workflows.notice import Notice

WINDOW = 8  # jobs at the head of the queue among which a lane looks for one whose models are loaded
PASSES = 3  # times that a job may be passed over for one that needs no loading


@dataclass
class Waiting:
    """A queued job. `first`: before all others. `bound`: address of the server that may still have its
    prompt; only its lane may take the job until `bound_until` (monotonic seconds). `passed`: how often the
    job was passed over. `awaits`: what has to exist before any lane may take it, such as the result of
    another job."""

    job: Job
    models: frozenset[str] = frozenset()
    first: bool = False
    bound: str = ""
    bound_until: float = 0.0
    passed: int = 0
    awaits: Notice | None = None


class FairQueue:
    """The waiting jobs. Not thread-safe: ActiveJobs.changed guards it."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}
        self._since: dict[str, int] = {}  # owner -> turn of the last job taken or the first queued
        self._turn = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._waiting

    def owners(self) -> list[str]:
        """The owner of each waiting job."""
        return [entry.job.owner for entry in self._waiting.values()]

    def add(self, entry: Waiting) -> None:
        """Queues a job, behind its owner's others unless it is `first`."""
        owner = entry.job.owner
        if owner not in self.owners():
            self._turn += 1
            self._since[owner] = self._turn
        self._waiting[entry.job.id] = entry

    def remove(self, job_id: str) -> Job | None:
        """Removes a job without running it; None when it is not queued."""
        entry = self._waiting.pop(job_id, None)
        return entry.job if entry is not None else None

    def movable(self, owner: str) -> list[Job]:
        """The owner's waiting jobs in their order, without those that come before all others and those that
        no lane may take yet."""
        entries = [entry for entry in self._waiting.values() if entry.job.owner == owner]
        return [entry.job for entry in entries if not entry.first and entry.awaits is None]

    def awaits(self, job_id: str) -> Notice | None:
        """What has to exist before a lane may take a job; None when nothing is missing."""
        entry = self._waiting.get(job_id)
        return entry.awaits if entry is not None else None

    def hold(self, job_id: str, awaits: Notice) -> None:
        """Changes what a waiting job waits for."""
        if (entry := self._waiting.get(job_id)) is not None:
            entry.awaits = awaits

    def let_take(self, job: Job, models: frozenset[str]) -> bool:
        """Marks a job as ready in its present form: lanes may take it. False when it is not queued."""
        entry = self._waiting.get(job.id)
        if entry is None:
            return False
        entry.job, entry.models, entry.awaits = replace(job, place=entry.job.place), models, None
        return True

    def reorder(self, places: Mapping[str, float]) -> None:
        """Sorts these waiting jobs of one owner by their places; those that were taken meanwhile are ignored.

        One that comes earlier than before is not passed over any more: its owner wants it first.
        """
        slots = [job_id for job_id in self._waiting if job_id in places]
        order = sorted(slots, key=lambda job_id: places[job_id])
        moved = dict(zip(slots, (self._waiting[job_id] for job_id in order), strict=True))
        for entry in moved.values():
            if order.index(entry.job.id) < slots.index(entry.job.id):
                entry.passed = PASSES
            entry.job = replace(entry.job, place=places[entry.job.id])
        entries = [moved.get(job_id, entry) for job_id, entry in self._waiting.items()]
        self._waiting = {entry.job.id: entry for entry in entries}

    def bound(self, job_id: str, now: float) -> str:
        """The address of the server that a job is reserved for; "" when any may take it."""
        entry = self._waiting.get(job_id)
        return entry.bound if entry is not None and now < entry.bound_until else ""

    def order(self, running: Mapping[str, int]) -> list[Job]:
        """All waiting jobs in the order in which they would run now, at the end those that no lane may take
        yet. running: owner -> number of jobs."""
        later = [entry.job for entry in self._waiting.values() if entry.awaits is not None]
        return [*(entry.job for entry in self._order(running)), *later]

    def _order(self, running: Mapping[str, int]) -> list[Waiting]:
        rows: dict[str, list[Waiting]] = {}
        order: list[Waiting] = []
        for entry in self._waiting.values():
            if entry.awaits is not None:
                continue
            if entry.first:
                order.append(entry)
            else:
                rows.setdefault(entry.job.owner, []).append(entry)
        heap = [(running.get(owner, 0), self._since.get(owner, 0), owner, 0) for owner in rows]
        heapq.heapify(heap)
        turn = self._turn
        while heap:
            count, _, owner, at = heapq.heappop(heap)
            order.append(rows[owner][at])
            turn += 1
            if at + 1 < len(rows[owner]):
                heapq.heappush(heap, (count + 1, turn, owner, at + 1))
        return order

    def take(
        self,
        running: Mapping[str, int],
        *,
        lane: str,
        held: frozenset[str] = frozenset(),
        idle: Sequence[tuple[str, frozenset[str]]] = (),
        now: float = 0.0,
        begun: bool = False,
        refused: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> Waiting | None:
        """Removes and returns the next job for a lane; None when there is none for it.

        lane: address of the lane's server; held: models loaded there; idle: (address, loaded models) of each
        other lane without a job: a job is left to one of them that has its models loaded, unless this lane's
        server may have its prompt. begun: only jobs whose prompt an engine may have. refused: job id ->
        addresses of servers that cannot run it.
        """
        able = [
            e
            for e in self._order(running)
            if (not e.bound or e.bound == lane or now >= e.bound_until)
            and (e.job.prompt_id or not begun)
            and lane not in refused.get(e.job.id, ())
        ]

        def better_elsewhere(entry: Waiting) -> bool:
            no = refused.get(entry.job.id, ())
            return any(self._fits(entry, loaded) and address not in no for address, loaded in idle)

        able = [e for e in able if e.bound == lane or self._fits(e, held) or not better_elsewhere(e)]
        if not able:
            return None
        chosen = able[0]
        if not self._fits(chosen, held) and not chosen.first and chosen.passed < PASSES:
            for number, entry in enumerate(able[:WINDOW]):
                if self._fits(entry, held):
                    chosen = entry
                    for other in able[:number]:
                        other.passed += 1
                    break
                if entry.passed >= PASSES:
                    break
        del self._waiting[chosen.job.id]
        self._turn += 1
        self._since[chosen.job.owner] = self._turn
        return chosen

    def prune(self, active: frozenset[str]) -> None:
        """Drops the turns of owners without a queued or running job (`active`: owners of running jobs)."""
        keep = active | set(self.owners())
        self._since = {owner: turn for owner, turn in self._since.items() if owner in keep}

    @staticmethod
    def _fits(entry: Waiting, held: frozenset[str]) -> bool:
        return bool(entry.models) and entry.models <= held
