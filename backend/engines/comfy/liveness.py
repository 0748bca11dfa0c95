"""Decides when the server of a running prompt counts as lost or hung. Does no I/O.

A server is lost when its connections are refused, when something else answers at its address, or when its
responses are missing or invalid, each for a time of its own.

A server is hung if it executes our prompt and sends neither an event nor an HTTP response for Timing.hung
seconds (loading a model can block both for minutes). It is also hung if it responds to HTTP but makes no
progress for STALLED times as long: the thread that executes the prompt may be blocked in the GPU driver. A
prompt that waits in the queue is never hung.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from backend.engines.comfy.http import is_connection_refused, is_read_timeout
from backend.engines.comfy.timing import Timing
from backend.errors import EngineError, EngineHung, EngineLost, EngineUnreachable

STALLED = 3  # a server that responds but sends no events is hung after this many times Timing.hung


class Liveness:
    """When a server last responded, and since when its responses fail. For one prompt and one thread."""

    def __init__(self, timing: Timing, server: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`server`: its name in errors. `clock`: monotonic seconds."""
        self._timing, self._server, self._clock = timing, server, clock
        self._refused_since: float | None = None
        self._failing_since: float | None = None
        self._foreign_since: float | None = None  # something else than ComfyUI answers
        self._last_activity = self._last_event = 0.0
        self.begin()

    @property
    def foreign(self) -> bool:
        """Whether something else than ComfyUI answered last."""
        return self._foreign_since is not None

    def begin(self) -> None:
        """Starts to wait: until now nothing was expected of the server."""
        self._last_activity = self._last_event = self._clock()

    def frame(self, *, own: bool) -> None:
        """A frame has arrived. `own`: one that belongs to the prompt."""
        self._forgive()
        if own:
            self._last_activity = self._last_event = self._clock()

    def without_events(self) -> None:
        """No event can arrive at the moment: the socket is down."""
        self._last_event = self._clock()

    def response(self, *, waiting: bool) -> None:
        """The server has responded. `waiting`: the prompt waits in its queue, so no event is expected."""
        self._forgive()
        self._last_activity = self._clock()
        if waiting:
            self._last_event = self._last_activity

    def failure(self, error: EngineError, *, executing: bool) -> EngineLost | None:
        """A poll has failed. The error to raise if the server counts as lost or hung by now."""
        now, silent = self._clock(), is_read_timeout(error)
        if silent and executing:
            self._forgive()
            if now - self._last_activity >= self._timing.hung:
                return self._hung(now - self._last_activity, f"no response: {error.detail}")
            return None
        self._failing_since = _since(self._failing_since, now)
        self._refused_since = _since(self._refused_since, now) if is_connection_refused(error) else None
        final = isinstance(error, EngineUnreachable) and error.final
        self._foreign_since = _since(self._foreign_since, now) if final else None
        patience = max(self._timing.error_limit, self._timing.hung) if silent else self._timing.error_limit
        limits = (
            (self._foreign_since, self._timing.final_limit),
            (self._refused_since, self._timing.refused_limit),
            (self._failing_since, patience),
        )
        if not any(since is not None and now - since >= limit for since, limit in limits):
            return None
        if final:
            return EngineLost.because(error.why, detail=error.detail)
        return EngineLost.of("server_lost_at_work", server=self._server, detail=error.detail)

    def stalled(self, *, executing: bool, cancelled: bool) -> EngineHung | None:
        """The error to raise if the server responds but makes no progress; the limit of a cancelled prompt is
        shorter."""
        limit = self._timing.hung * (1 if cancelled else STALLED)
        silence = self._clock() - self._last_event
        if executing and silence >= limit:
            return self._hung(silence, "it responds, but sends no events")
        return None

    def _forgive(self) -> None:
        self._refused_since = self._failing_since = self._foreign_since = None

    def _hung(self, seconds: float, detail: str) -> EngineHung:
        return EngineHung.of("server_stuck", server=self._server, silence=seconds, detail=detail)


def _since(before: float | None, now: float) -> float:
    return now if before is None else before
