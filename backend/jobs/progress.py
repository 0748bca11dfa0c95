"""Derives a job's progress from its events: stage, percent that never decreases, time left. Pure.

Each event comes with its time (monotonic seconds). What is left to do is counted in the units of the job's
outline; how long they take is measured in this job, or known from earlier jobs on the same engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from backend.events import STAGES, Connection, Event, Preview, Progress, Queued, Stage, Started
from backend.jobs.costs import Costs
from backend.jobs.job import Status
from backend.jobs.outline import Outline, Unit
from backend.jobs.snapshot import Snapshot
from backend.jobs.stopwatch import OWN, QUEUE, UNTIL, Activity, Stopwatch
from backend.notices import words
from workflows.graph.label import StageName
from workflows.notice import Notice

ACTIVE_STAGES = STAGES[1:]
ACTIVITIES: Mapping[StageName, Activity] = {
    "load": "load", "read": "read", "draw": "draw", "finish": "finish", "save": "save",
}  # fmt: skip
WAIT_SHARE = 0.04  # share of the bar for waiting, which has no percent of its own
LEAST_WEIGHT = 0.001  # of a stage's share of the bar
LEAST_LEFT = 0.5  # s; less is not worth saying
OVERDUE = 1.0  # s; no time left is said once this work is late by that much, and by more than what follows


@dataclass
class Tracker:
    """Folds events into a Snapshot. Not thread-safe: the owner of the job's lane feeds it."""

    status: Status = "queued"
    stage: StageName = "wait"
    text: str = ""
    waits: Notice | None = None  # what a queued job waits for besides its turn
    step: int = 0
    steps: int = 0
    ahead: int = 0
    others: int = 0
    version: int = 0
    preview_version: int = 0
    connected: bool = True
    error: dict[str, Any] | None = None
    chunk: int = 0
    chunks: int = 0
    preparing: bool = False
    activity: StageName | Literal[""] = ""
    best: float = 0.0
    watch: Stopwatch = field(default_factory=Stopwatch)
    costs: Costs = field(default_factory=Costs)
    _graph: int = 0
    _unit: Unit | None = None  # what runs now
    _since: float = 0.0  # when it began
    _seen: bool = False  # its beginning was seen
    _done: dict[Unit, float | None] = field(default_factory=dict)  # unit -> seconds that it took, if seen
    _stepped: float = 0.0  # when the last step ended
    _first: bool = True  # no step of this sampler has ended
    _left_at: float | None = None  # when the job was queued again while its engine worked
    _gap: float = 0.0  # seconds that the engine may have worked meanwhile
    _joined: bool = False  # the engine had begun before this tracker did
    _full: dict[str, float] = field(default_factory=dict)  # stage -> the share of it that was shown

    @property
    def outline(self) -> Outline:
        return self.costs.outline

    def expect(self, outline: Outline, expected: Mapping[str, float], graph: int = 0) -> None:
        """The work of the job, and the seconds per stage that earlier jobs alike took. `graph`: the first one
        that is still to run."""
        self.costs = Costs(outline, expected)
        self._done = {unit: None for unit in outline.units if unit.graph < graph}
        self._graph, self._unit = graph, None
        self.steps = self.steps or outline.steps
        self.step = max(self.step, outline.steps_before(graph))
        self.version += 1

    def restore(self, timings: Mapping[str, float], unix: float, now: float, *, adopted: bool) -> None:
        """Continues from the times measured before the job was requeued, by an earlier run of the studio
        (`timings`, up to now in unix seconds) or by this one. `adopted`: the engine may still have the
        prompt, so that it worked meanwhile."""
        self._joined, self._gap = adopted, 0.0
        if self.watch.begun:
            if adopted and self._left_at is not None:
                self._gap = now - self._left_at
        else:
            self.watch.restore(timings)
            self._gap = max(0.0, unix - timings[UNTIL]) if adopted and UNTIL in timings else 0.0
        if adopted:
            self.watch.add_away(self._gap)

    def enter_own_work(self, now: float) -> None:
        """The studio itself works on the job."""
        self._leave(now)
        self.watch.enter(OWN, now)

    def attempt_lost(self, now: float) -> None:
        """The engine has nothing of the prompt any more: it did not work on it meanwhile."""
        self.watch.add_away(-self._gap)
        self.watch.lose(now)
        self.watch.enter(OWN, now)

    def ended_before(self, seconds: float) -> None:
        """The prompt had ended that long before its end was seen: so much less was work meanwhile."""
        if self._gap:
            self.watch.add_away(-min(self._gap, seconds))

    def feed(self, event: Event, now: float) -> None:
        """Applies an event that happened at `now`."""
        self.watch.account(now)
        if isinstance(event, Queued):
            self.ahead, self.others = event.ahead, event.others
            if self.watch.activity == OWN:
                self.watch.enter(QUEUE, now)
                self.activity, self.text, self.preparing = "wait", "", False
        elif isinstance(event, Started):
            self._start(event, now)
        elif isinstance(event, Stage):
            self._stage(event, now)
        elif isinstance(event, Progress):
            self._progress(event, now)
        elif isinstance(event, Preview):
            self.preview_version += 1
        elif isinstance(event, Connection):
            self.connected = event.connected
        self.version += 1

    def _start(self, event: Started, now: float) -> None:
        self.status, self.waits = "running", None
        if self.stage == "wait":
            self.text = ""
        if self.watch.activity in (None, OWN, QUEUE):
            self.watch.enter("load", now)
            self.activity = ""
        self._graph = event.graph
        cached = set(event.cached or ())
        for unit in self.outline.units:
            if unit.graph < event.graph:
                self._done.setdefault(unit, None)
            elif unit.graph == event.graph and unit.node in cached:
                self._done.setdefault(unit, 0.0)

    def _stage(self, event: Stage, now: float) -> None:
        self._leave(now)
        self.text, self.waits, self.preparing = event.text, None, event.preparing
        if event.chunks:
            self.chunk, self.chunks = event.chunk, event.chunks
        self._enter(event.stage)
        if self.status != "running":
            return
        if event.preparing:
            self.watch.enter(OWN, now)
        elif event.stage in ACTIVE_STAGES:
            self.activity = event.stage
            self.watch.enter(ACTIVITIES[event.stage], now)
            self._begin(self.outline.find(self._graph, event.node, event.stage), now)

    def _begin(self, unit: Unit | None, now: float) -> None:
        """A unit runs: those before it have run, whether or not that was seen."""
        self._unit, self._since, self._stepped, self._first = unit, now, now, True
        self._seen = unit is not None and unit not in self._done and not self._joined
        self._joined = False
        if unit is None:
            return
        for other in self.outline.units:
            if other.graph < unit.graph or (other.graph == unit.graph and other.node in unit.before):
                self._done.setdefault(other, None)

    def _leave(self, now: float) -> None:
        """The present unit is over."""
        unit, self._unit = self._unit, None
        if unit is None or not self._seen:
            return
        if unit.node == unit.stage:  # of an outline by stages, which a job of several chunks enters again
            return
        self._done[unit] = now - self._since
        self.costs.measured(unit, now - self._since)

    def _progress(self, event: Progress, now: float) -> None:
        if not self.outline.steps:
            self.costs.outline = Outline.by_stage(event.steps, self.outline.chunks)
            if self._unit is not None:
                self._unit = self.outline.find(0, "", self._unit.stage)
        if event.step > self.step:
            seen = not self._first or event.step == self.step + 1  # else drawing began before the tracker did
            if seen and self._unit is not None and self._unit.stage == "draw":
                took = (now - self._stepped) / (event.step - self.step)
                self.costs.step_took(took, first=self._first, model=self._unit.model)
            self._first = False
            self.step, self._stepped = event.step, now
        self.steps = event.steps

    def end(self, status: Status, now: float, error: dict[str, Any] | None = None) -> None:
        """The job ended as `status`."""
        self._leave(now)
        self.watch.enter(None, now)
        self.status, self.error = status, error
        if status == "done":
            self.stage, self.text, self.best = "done", "", 100.0
        self.version += 1

    def requeue(self, now: float, why: Notice | None = None) -> None:
        """The job is queued again; the bar keeps the percent that was reached. `why`: shown meanwhile."""
        self._left_at = now if self.watch.activity in STAGES[1:] else None
        self.watch.lose(now)
        self.status, self.stage, self.activity, self.text, self.step = "queued", "wait", "", "", 0
        self.waits = why
        self.chunk, self.chunks, self.preparing = 0, 0, False
        self.connected = True  # the next engine reports only a lost connection
        self._unit, self._graph = None, 0
        self._done.clear()
        self._full.clear()
        self.costs.forget_paces()
        self.version += 1

    def wait_because(self, why: Notice | None) -> None:
        """What a waiting job waits for, besides its turn; None when only for that."""
        if self.status == "queued" and (self.waits != why or self.text):
            self.waits, self.text = why, ""
            self.version += 1

    def _enter(self, stage: StageName) -> None:
        # ComfyUI loads the second expert between two samplings, and a job of several segments saves one
        # before it draws the next. The text follows; the stage neither goes back nor runs ahead.
        if self.step and self.step < self.steps and stage in ("finish", "save"):
            stage = "draw"
        if stage in STAGES and (self.stage not in STAGES or STAGES.index(stage) > STAGES.index(self.stage)):
            self.stage = stage

    def timings(self, now: float) -> dict[str, float]:
        """Seconds that the work took so far, by activity."""
        found = self.watch.timings(now)
        loading = min(found.get("draw", 0.0), self.costs.loading)
        if loading:  # a sampler's first step loads the model
            found["draw"] = round(found["draw"] - loading, 3)
            found["load"] = round(found.get("load", 0.0) + loading, 3)
        return found

    # -- what is left ---------------------------------------------------------------------

    def _share(self, unit: Unit, now: float) -> float:
        """The finished share of a unit, 0 to 1."""
        if unit in self._done:
            return 1.0
        if unit.stage == "draw":
            steps = unit.steps or self.steps
            return max(0.0, min(1.0, (self.step - unit.first_step) / steps)) if steps else 0.0
        if unit is not self._unit:
            return 1.0 if self._is_past(unit) else 0.0
        if unit.node == unit.stage and unit.stage in ("finish", "save") and self.step < self.steps:
            return 0.0  # of one chunk only, which an outline by stages does not count
        share = max(0.0, now - self._since) / self.costs.unit(unit)
        return share if share < 0.8 else min(0.97, 1.0 - 0.16 / share)

    def _is_past(self, unit: Unit) -> bool:
        """Whether an outline by stages has come past this stage."""
        if unit.node != unit.stage or self.stage not in STAGES:
            return False
        return STAGES.index(unit.stage) < STAGES.index(self.stage)

    def _seconds(self, unit: Unit) -> float:
        """What a unit counts for in the bar: what it took, or is expected to take."""
        took = self._done.get(unit)
        return max(took, 1e-6) if took is not None and not unit.steps else self.costs.unit(unit)

    def remaining(self, now: float) -> float | None:
        """Seconds left; None while unknown, and when the last of the work takes longer than expected."""
        if self.status != "running" or not self.costs.known or self.watch.activity == QUEUE:
            return None
        left, over = self._own_left(now), 0.0
        for unit in self.outline.units:
            cost, share = self.costs.unit(unit), self._share(unit, now)
            if share >= 1.0:
                continue
            if unit is not self._unit:
                left += cost * (1.0 - share)
            elif unit.stage == "draw":
                to_go = (unit.first_step + (unit.steps or self.steps)) - self.step
                since = max(0.0, now - self._stepped)
                loads = self.costs.loading_of(unit) if self._first else 0.0
                # The current step counts down to 0 and stays there.
                left += max(self.costs.pace * (to_go - 1), self.costs.pace * to_go + loads - since, 0.0)
            else:
                went = max(0.0, now - self._since)
                over = max(0.0, went - cost)
                left += max(0.0, cost - went)
        if over and left <= max(over, OVERDUE):
            return None
        return left + over if left >= LEAST_LEFT else None

    def _own_left(self, now: float) -> float:
        """Seconds of the studio's own work that are left: about the same for each graph."""
        graphs = self.outline.graphs
        left = self.costs.expected.get("own", 0.0) * max(0, graphs - self._graph) / graphs
        return max(0.0, left - self.watch.since(now)) if self.watch.activity == OWN else left

    def _stages(self, now: float) -> dict[str, tuple[float, float]]:
        """Stage -> (expected seconds, finished share)."""
        sums = {stage: [0.0, 0.0] for stage in ACTIVE_STAGES}
        for unit in self.outline.units:
            seconds = self._seconds(unit)
            sums[unit.stage][0] += seconds
            sums[unit.stage][1] += seconds * self._share(unit, now)
        found: dict[str, tuple[float, float]] = {}
        for stage, (total, done) in sums.items():
            share = done / total if total else 1.0
            if self.stage == "done":
                share = 1.0
            self._full[stage] = max(self._full.get(stage, 0.0), min(1.0, share))
            found[stage] = (total, self._full[stage])
        return found

    def snapshot(self, now: float) -> Snapshot:
        """The state at `now`."""
        stages = self._stages(now)
        total = sum(seconds for seconds, _ in stages.values()) or 1.0
        if self.status != "done":
            share = sum(seconds * done for seconds, done in stages.values()) / total
            begun = self.status == "running" or self._done
            waited = WAIT_SHARE if begun else 0.0
            self.best = max(self.best, min(99.0, 100.0 * (waited + (1.0 - WAIT_SHARE) * share)))
        weights = {s: max(LEAST_WEIGHT, seconds / total) for s, (seconds, _) in stages.items()}
        whole = sum(weights.values())
        segments = (
            ("wait", WAIT_SHARE, 0.0 if self.status == "queued" else 1.0),
            *((s, (1.0 - WAIT_SHARE) * weights[s] / whole, stages[s][1]) for s in ACTIVE_STAGES),
        )
        waits = self.waits if self.status == "queued" else None
        unit = self._unit
        chunk, chunks = self.chunk, self.chunks
        if not chunks and self.status == "running" and self.outline.chunks > 1:
            chunk, chunks = self.outline.chunk_at(self.step), self.outline.chunks
        return Snapshot(
            version=self.version,
            status=self.status,
            stage=self.stage,
            text=words(waits) or self.text,
            percent=self.best,
            segments=segments,
            step=self.step,
            steps=self.steps,
            elapsed=self.watch.elapsed(now),
            remaining=self.remaining(now),
            ahead=self.ahead,
            others=self.others,
            preview_version=self.preview_version,
            error=self.error,
            connected=self.connected,
            chunk=chunk,
            chunks=chunks,
            preparing=self.preparing,
            waits=waits,
            activity=self.activity,
            chunk_range=(unit.first, unit.last) if unit is not None and self.outline.chunks > 1 else (0, 0),
        )
