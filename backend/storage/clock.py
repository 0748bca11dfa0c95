"""Whether the clock may be believed when it says that something is old. Pure.

A machine may start with its clock in 1970 and be put right an hour later, or be wrong for a while; a pod may
stand still for two months. Each looks the same: much more (or less) time has gone by than was seen to pass.
Then nothing is removed for its age until the studio has run for a day.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

JUMP_SECONDS = 2 * 86_400.0
WAIT_SECONDS = 86_400.0  # of running, over any number of starts
BORN = 1_735_689_600.0
"""2025-01-01: WAN 2.2 is younger, so a job that ended before was dated by a wrong clock."""


@dataclass(frozen=True)
class Trust:
    """`seen`: unix seconds when last looked; `wait`: seconds of running until ages count again."""

    seen: float
    wait: float = 0.0

    def looked(self, now: float, passed: float) -> Trust:
        """The same a look later. `now`: unix seconds; `passed`: seconds that a steady clock counted since
        `seen`, 0 when that was in an earlier run of the studio.

        A jump that this run saw starts the wait anew. A gap between two runs does so only when no wait is
        left: else a pod that is used for an hour every third day would never come to the end of it.
        """
        left = max(0.0, self.wait - passed)
        drift = now - (self.seen + passed)
        if abs(drift) > JUMP_SECONDS and (passed > 0 or left == 0 or drift < 0):
            left = WAIT_SECONDS
        return Trust(now, left)

    @property
    def believed(self) -> bool:
        return self.wait == 0

    def text(self) -> str:
        """As it is stored."""
        return json.dumps({"seen": self.seen, "wait": self.wait})

    @staticmethod
    def read(text: str, now: float) -> Trust:
        """What was stored; with nothing usable stored, this is the first look."""
        try:
            data = json.loads(text)
            return Trust(float(data["seen"]), max(0.0, float(data["wait"])))
        except (ValueError, TypeError, KeyError):
            return Trust(now)


def dated(finished: float | None, now: float) -> bool:
    """Whether a job's end is a time that can be: not before WAN 2.2, not in the future."""
    return finished is not None and BORN <= finished <= now
