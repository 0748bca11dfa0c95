"""Whether the system clock can be relied on for the age of a job. Pure.

A machine may start with its clock in 1970 and be corrected an hour later; a pod may be stopped for two
months. In both cases the wall clock has moved much further (or less far) than the studio has run. Then
nothing is removed for its age until the studio has run for another day.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

JUMP_SECONDS = 2 * 86_400.0
WAIT_SECONDS = 86_400.0  # of running, over any number of starts
EARLIEST_END = 1_735_689_600.0
"""2025-01-01 in unix seconds, before the release of WAN 2.2: an earlier end comes from a wrong clock."""


@dataclass(frozen=True)
class ClockCheck:
    """`seen`: unix seconds of the last check; `wait`: seconds of running until ages are used again."""

    seen: float
    wait: float = 0.0

    def checked(self, now: float, passed: float) -> ClockCheck:
        """The state after the next check. `now`: unix seconds; `passed`: seconds of the monotonic clock since
        `seen`, 0 when that was in an earlier run of the studio.

        A jump during this run restarts the wait. A gap between two runs does so only when no wait is left:
        otherwise the wait would never end on a pod that is used for an hour every third day.
        """
        left = max(0.0, self.wait - passed)
        drift = now - (self.seen + passed)
        if abs(drift) > JUMP_SECONDS and (passed > 0 or left == 0 or drift < 0):
            left = WAIT_SECONDS
        return ClockCheck(now, left)

    @property
    def reliable(self) -> bool:
        return self.wait == 0

    def text(self) -> str:
        """The state as JSON, for the database."""
        return json.dumps({"seen": self.seen, "wait": self.wait})

    @staticmethod
    def read(text: str, now: float) -> ClockCheck:
        """The state from `text`; without valid text, that of a first check at `now`."""
        try:
            data = json.loads(text)
            return ClockCheck(float(data["seen"]), max(0.0, float(data["wait"])))
        except (ValueError, TypeError, KeyError):
            return ClockCheck(now)


def plausible_end(finished: float | None, now: float) -> bool:
    """Whether a job can have ended at this time: not before EARLIEST_END, not in the future."""
    return finished is not None and EARLIEST_END <= finished <= now
