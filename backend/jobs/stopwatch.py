"""Measures what a job's seconds go into: stages of the engine, waiting there, and the studio's own work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Activity = Literal["queue", "own", "load", "read", "draw", "finish", "save"]
"""`queue`: behind other prompts in the engine's own queue. `own`: the studio cuts, sends, fetches and joins
media. The others are stages of the engine."""
STAGES: tuple[Activity, ...] = ("load", "read", "draw", "finish", "save")
QUEUE: Activity = "queue"
OWN: Activity = "own"
LOST, AWAY = "lost", "away"
"""Names in a job's timings beside those of the stages. `lost`: an attempt that was interrupted, all together;
`away`: the engine went on while the studio was down."""
UNTIL = "until"
"""Name in the timings of a job that has not ended: the unix time up to which they count."""


def worked(timings: Mapping[str, float]) -> float | None:
    """Seconds of work, without waiting in queues; None for a job whose timings an earlier version wrote."""
    if OWN not in timings:
        return None
    return sum(seconds for name, seconds in timings.items() if name not in (QUEUE, UNTIL))


class Stopwatch:
    """Adds up seconds by activity. Times are monotonic seconds; between activities nothing counts."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.activity: Activity | None = None
        self._last = self._entered = 0.0

    def account(self, now: float) -> None:
        """Adds the time since the last call to the present activity."""
        if self.activity is not None:
            self.spent[self.activity] = self.spent.get(self.activity, 0.0) + max(0.0, now - self._last)
        self._last = now

    def enter(self, activity: Activity | None, now: float) -> None:
        """Another activity began."""
        self.account(now)
        self.activity, self._entered = activity, now

    def lose(self, now: float) -> None:
        """The attempt is interrupted: its stages have to be done again."""
        self.enter(None, now)
        lost = sum(self.spent.pop(stage, 0.0) for stage in STAGES)
        if lost:
            self.spent[LOST] = self.spent.get(LOST, 0.0) + lost

    def restore(self, timings: Mapping[str, float]) -> None:
        """Goes on from the timings of an earlier run of the studio."""
        for name, seconds in timings.items():
            if name != UNTIL:
                self.spent[name] = self.spent.get(name, 0.0) + seconds

    def since(self, now: float) -> float:
        """Seconds since the present activity began."""
        return max(0.0, now - self._entered)

    def add_away(self, seconds: float) -> None:
        """The engine went on for this long while the studio did not look; less than 0 takes some back."""
        self.spent[AWAY] = max(0.0, self.spent.get(AWAY, 0.0) + seconds)

    @property
    def begun(self) -> bool:
        """Whether anything was measured."""
        return bool(self.spent) or self.activity is not None

    def elapsed(self, now: float) -> float:
        """Seconds of work up to `now`, without waiting in queues."""
        going = max(0.0, now - self._last) if self.activity not in (None, QUEUE) else 0.0
        return going + sum(seconds for name, seconds in self.spent.items() if name != QUEUE)

    def timings(self, now: float) -> dict[str, float]:
        """Activity -> seconds so far; `own` is always there."""
        self.account(now)
        return {OWN: 0.0, **{name: round(seconds, 3) for name, seconds in self.spent.items()}}
