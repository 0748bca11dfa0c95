"""SIGTERM and SIGINT as a flag of the process.

The handler takes no lock: it may run between any two instructions of the main thread, also while that thread
waits. threading.Event would deadlock there now and then. A signal that another thread receives does not wake
the main one, so the wait looks at the flag again and again.
"""

from __future__ import annotations

import signal
import time
from types import FrameType

LOOK_SECONDS = 0.25


class StopSignal:
    """`asked` is True from the first signal on; further ones change nothing."""

    def __init__(self) -> None:
        self.asked = False

    def install(self) -> None:
        """Handles the signals from now on. To be called on the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def wait(self, look_seconds: float = LOOK_SECONDS) -> None:
        """Returns after a signal, to whichever thread it was delivered."""
        while not self.asked:
            time.sleep(look_seconds)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
