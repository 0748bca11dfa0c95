"""The check of the system clock that retention makes before it removes anything for its age."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from backend.storage.clock_check import ClockCheck
from backend.storage.retention_policy import DAY

log = logging.getLogger("wan.storage")

CLOCK = "clock"


class Settings(Protocol):
    """The settings in the job database."""

    def setting(self, name: str) -> str: ...
    def set_setting(self, name: str, value: str) -> None: ...


class AgeClock:
    """The clock of one data folder; its state is kept across restarts (see clock_check)."""

    def __init__(
        self,
        settings: Settings,
        lock: threading.RLock,
        wall: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        self._settings, self._lock = settings, lock
        self._wall, self._steady = wall, steady
        self._state: ClockCheck | None = None
        self._checked = 0.0

    def check(self) -> bool:
        """Checks the clock, once in a pass. Returns whether ages computed from it can be relied on."""
        with self._lock:
            now, steady = self._wall(), self._steady()
            first = self._state is None
            before = (
                ClockCheck.read(self._settings.setting(CLOCK), now) if self._state is None else self._state
            )
            self._state = before.checked(now, 0.0 if first else steady - self._checked)
            self._checked = steady
            if self._state.wait > before.wait:
                log.warning(
                    "The clock has moved by %.0f days since it was last checked: nothing is removed for its"
                    " age until Wan Studio has run for another day.",
                    (now - before.seen) / DAY,
                )
            self._settings.set_setting(CLOCK, self._state.text())
            return self._state.reliable

    @property
    def reliable(self) -> bool:
        """The result of the last check; False before the first."""
        return self._state is not None and self._state.reliable
