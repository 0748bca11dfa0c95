"""When the waiting jobs will start and end. Pure: seconds from now."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Forecast:
    """Expected start and end of a job in seconds from now; None while unknown."""

    start: float | None
    end: float | None


def forecasts(
    left: Sequence[float | None], waiting: Sequence[float | None], lanes: int, paused: bool = False
) -> tuple[list[Forecast], list[Forecast]]:
    """Those of the running and of the waiting jobs, which start in this order on the lane that is free first.

    left: seconds that each running job still takes; waiting: seconds that each waiting one will take; None
    while unknown, as is everything behind it on its lane. lanes: jobs that can run at the same time. paused:
    nothing starts.
    """
    running = [Forecast(0.0, seconds) for seconds in left]
    free = [math.inf if seconds is None else seconds for seconds in left]
    free += [0.0] * (lanes - len(free))
    heapq.heapify(free)
    line: list[Forecast] = []
    for seconds in waiting:
        start = math.inf if paused or not free else heapq.heappop(free)
        end = start + (math.inf if seconds is None else seconds)
        if not paused:
            heapq.heappush(free, end)
        line.append(Forecast(_known(start), _known(end)))
    return running, line


def _known(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
