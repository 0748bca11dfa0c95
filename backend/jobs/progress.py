"""Derives a job's progress from its events: stage, percent that never decreases, time left. Pure.

Each event comes with its time (monotonic seconds). DEFAULT_WEIGHTS are assumed durations of the stages;
timings of earlier jobs on the same engine replace them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from backend.events import STAGES, Connection, Event, Preview, Progress, Queued, Stage, Started
from backend.jobs.job import Status
from backend.notices import words
from workflows.graph.label import StageName
from workflows.notice import Notice

ACTIVE_STAGES = STAGES[1:]
DEFAULT_WEIGHTS: dict[str, float] = {"load": 20.0, "read": 6.0, "draw": 60.0, "finish": 10.0, "save": 4.0}
WAIT_SHARE = 0.04  # share of the bar for waiting, which has no percent of its own


@dataclass(frozen=True)
class Snapshot:
    """What the page's poll reads. `version` grows with each visible change.

    `percent` 0 to 100, never decreases. `segments`: six of (stage, weight 0..1, done 0..1), weights sum to 1.
    `elapsed`, `remaining`: seconds; remaining is None while nothing is known. `ahead`: our jobs before this
    one; `others`: jobs of other clients on that server. `preview_version` 0: there is no preview yet.
    `chunk` of `chunks`: what is drawn now, from 1; 0 for a job of one chunk. `preparing`: the media of the
    next graph are cut. `waits`: what a queued job waits for besides its turn; `text` has its words.
    """

    version: int = 0
    status: Status = "queued"
    stage: StageName = "wait"
    text: str = ""
    percent: float = 0.0
    segments: tuple[tuple[str, float, float], ...] = ()
    step: int = 0
    steps: int = 0
    elapsed: float = 0.0
    remaining: float | None = None
    ahead: int = 0
    others: int = 0
    preview_version: int = 0
    error: dict[str, str] | None = None
    connected: bool = True
    chunk: int = 0
    chunks: int = 0
    preparing: bool = False
    waits: Notice | None = None


@dataclass
class Tracker:
    """Folds events into a Snapshot. Not thread-safe: the owner of the job's lane feeds it.

    expected: seconds per stage, of earlier jobs alike; empty means unknown.
    """

    expected: Mapping[str, float] = field(default_factory=dict)
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
    error: dict[str, str] | None = None
    chunk: int = 0
    chunks: int = 0
    preparing: bool = False
    started_at: float | None = None
    ended_at: float | None = None
    spent: dict[str, float] = field(default_factory=dict)
    best: float = 0.0
    _last: float = 0.0
    _drawn: float = 0.0  # seconds of drawing when the last step ended
    _paces: list[float] = field(default_factory=list)  # seconds that each step took

    def feed(self, event: Event, now: float) -> None:
        """Applies an event that happened at `now`."""
        self._account(now)
        if isinstance(event, Queued):
            self.ahead, self.others = event.ahead, event.others
        elif isinstance(event, Started):
            self.status = "running"
            self.waits = None
            if self.stage == "wait":
                self.text = ""
            if self.started_at is None:
                self.started_at = now
                self._last = now
        elif isinstance(event, Stage):
            self._enter(event.stage)
            self.text, self.waits = event.text, None
            self.chunk, self.chunks, self.preparing = event.chunk, event.chunks, event.preparing
        elif isinstance(event, Progress):
            if event.step > self.step:
                drawn = self.spent.get("draw", 0.0)
                if self.step or event.step == 1:  # else drawing began before the tracker did
                    self._paces.append((drawn - self._drawn) / (event.step - self.step))
                self.step, self._drawn = event.step, drawn
            self.steps = event.steps
        elif isinstance(event, Preview):
            self.preview_version += 1
        elif isinstance(event, Connection):
            self.connected = event.connected
        self.version += 1

    def end(self, status: Status, now: float, error: dict[str, str] | None = None) -> None:
        """The job ended as `status`."""
        self._account(now)
        self.status, self.error, self.ended_at = status, error, now
        if status == "done":
            self.stage, self.text, self.best = "done", "", 100.0
        self.version += 1

    def requeue(self, now: float, why: Notice | None = None) -> None:
        """The job is queued again; the bar keeps the percent that was reached. `why`: shown meanwhile."""
        self._account(now)
        self.status, self.stage, self.text, self.step = "queued", "wait", "", 0
        self.waits = why
        self.chunk, self.chunks, self.preparing = 0, 0, False
        self.started_at = self.ended_at = None
        self.connected = True  # the next engine reports only a lost connection
        self._drawn = 0.0
        self._paces.clear()
        self.spent.clear()
        self.version += 1

    def reached(self, step: int, steps: int) -> None:
        """Starts the bar after the sampling steps that an earlier run finished."""
        weights = self.weights()
        behind = weights["load"] + weights["read"] + weights["draw"] * min(1.0, step / max(1, steps))
        share = WAIT_SHARE + (1.0 - WAIT_SHARE) * behind / sum(weights.values())
        self.best = max(self.best, min(99.0, 100.0 * share))
        self.version += 1

    def wait_because(self, why: Notice | None) -> None:
        """What a waiting job waits for, besides its turn; None when only for that."""
        if self.status == "queued" and (self.waits != why or self.text):
            self.waits, self.text = why, ""
            self.version += 1

    def _enter(self, stage: StageName) -> None:
        # ComfyUI loads the second expert between two samplings, and a job of several segments saves one
        # before it draws the next. The text follows; the stage neither goes back nor runs ahead.
        if self.steps and self.step < self.steps and stage in ("finish", "save"):
            stage = "draw"
        if stage in STAGES and (self.stage not in STAGES or STAGES.index(stage) > STAGES.index(self.stage)):
            self.stage = stage

    def _account(self, now: float) -> None:
        if self.started_at is not None and self.ended_at is None and self.stage in ACTIVE_STAGES:
            self.spent[self.stage] = self.spent.get(self.stage, 0.0) + max(0.0, now - self._last)
        self._last = now

    def timings(self, now: float) -> dict[str, float]:
        """Seconds that each stage took so far."""
        self._account(now)
        return {stage: round(seconds, 3) for stage, seconds in self.spent.items()}

    def weights(self) -> dict[str, float]:
        """Expected seconds of each stage."""
        known: dict[str, float] = {
            stage: max(0.05, float(self.expected[stage]))
            for stage in ACTIVE_STAGES
            if self.expected.get(stage)
        }
        if len(known) < len(ACTIVE_STAGES):
            scale = sum(known.values()) / sum(DEFAULT_WEIGHTS[s] for s in known) if known else 1.0
            known = {s: known.get(s, max(0.05, DEFAULT_WEIGHTS[s] * scale)) for s in ACTIVE_STAGES}
        return known

    def done_shares(self, now: float) -> dict[str, float]:
        """The finished share of each stage, 0 to 1."""
        weights = self.weights()
        at = (
            ACTIVE_STAGES.index(self.stage)
            if self.stage in ACTIVE_STAGES
            else (len(ACTIVE_STAGES) if self.stage == "done" else -1)
        )
        shares: dict[str, float] = {}
        for index, stage in enumerate(ACTIVE_STAGES):
            if index < at:
                shares[stage] = 1.0
            elif index > at:
                shares[stage] = 0.0
            elif stage == "draw" and self.steps:
                shares[stage] = min(1.0, self.step / self.steps)
            else:
                spent = self.spent.get(stage, 0.0) + (
                    max(0.0, now - self._last) if not self.ended_at else 0.0
                )
                shares[stage] = min(0.9, spent / (spent + weights[stage] * 0.6)) if spent else 0.0
        return shares

    def remaining(self, now: float) -> float | None:
        """Seconds left; None while unknown."""
        if self.status != "running" or self.started_at is None:
            return None
        weights, shares = self.weights(), self.done_shares(now)
        left = {stage: weights[stage] * (1.0 - shares[stage]) for stage in ACTIVE_STAGES}
        if self.step and self.steps and self._paces:
            # The measured pace of this job is more accurate than any estimate. The median leaves out the step
            # in which the second expert is loaded. The current step counts down to 0 and stays there.
            per_step = max(1e-3, median(self._paces))
            to_go = self.steps - self.step
            since = self.spent.get("draw", 0.0) + max(0.0, now - self._last) - self._drawn
            if self.stage == "draw":
                left["draw"] = max(per_step * (to_go - 1), per_step * to_go - since, 0.0)
            if not self.expected:
                ratio = per_step * self.steps / DEFAULT_WEIGHTS["draw"]
                for stage in ("finish", "save"):
                    left[stage] = DEFAULT_WEIGHTS[stage] * ratio * (1.0 - shares[stage])
        elif not self.expected:
            return None
        return sum(left.values())

    def snapshot(self, now: float) -> Snapshot:
        """The state at `now`."""
        weights, shares = self.weights(), self.done_shares(now)
        total = sum(weights.values())
        share = sum(weights[s] * shares[s] for s in ACTIVE_STAGES) / total
        if self.status != "done":
            waited = WAIT_SHARE if self.status == "running" else 0.0
            self.best = max(self.best, min(99.0, 100.0 * (waited + (1.0 - WAIT_SHARE) * share)))
        wait_done = 0.0 if self.status == "queued" else 1.0
        if self.status == "done":
            shares = dict.fromkeys(ACTIVE_STAGES, 1.0)
        segments = (
            ("wait", WAIT_SHARE, wait_done),
            *((s, (1.0 - WAIT_SHARE) * weights[s] / total, shares[s]) for s in ACTIVE_STAGES),
        )
        waits = self.waits if self.status == "queued" else None
        end = self.ended_at if self.ended_at is not None else now
        return Snapshot(
            version=self.version,
            status=self.status,
            stage=self.stage,
            text=words(waits) or self.text,
            percent=self.best,
            segments=segments,
            step=self.step,
            steps=self.steps,
            elapsed=max(0.0, end - self.started_at) if self.started_at is not None else 0.0,
            remaining=self.remaining(now),
            ahead=self.ahead,
            others=self.others,
            preview_version=self.preview_version,
            error=self.error,
            connected=self.connected,
            chunk=self.chunk,
            chunks=self.chunks,
            preparing=self.preparing,
            waits=waits,
        )
