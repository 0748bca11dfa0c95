"""Signals that end the process, as a flag.

The handler takes no lock: it may run between any two instructions of the main thread, also while that thread
waits. threading.Event would deadlock there now and then. A signal that another thread receives does not wake
the main one, so the wait looks at the flag again and again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from types import FrameType

LOOK_SECONDS = 0.25


class StopSignal:
    """`asked` is True from the first signal on. Further ones change nothing; with `insist` they raise
    KeyboardInterrupt at once."""

    def __init__(self, insist: bool = False) -> None:
        self.asked = False
        self._insist = insist

    def install(self, numbers: Sequence[int] = (signal.SIGTERM, signal.SIGINT)) -> None:
        """Handles the signals from now on. To be called on the main thread."""
        for number in numbers:
            signal.signal(number, self._handle)

    def check(self) -> None:
        """Raises KeyboardInterrupt after a signal. To be called where everything begun can be undone."""
        if self.asked:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def tidying(self) -> Iterator[None]:
        """Within it further signals change nothing, so that what is removed is removed whole."""
        insist, self._insist = self._insist, False
        try:
            yield
        finally:
            self._insist = insist

    def wait(self, look_seconds: float = LOOK_SECONDS, parent: int | None = None) -> None:
        """Returns after a signal, to whichever thread it was delivered; also when this process is no longer
        a child of `parent` (a process id)."""
        while not self.asked and (parent is None or os.getppid() == parent):
            time.sleep(look_seconds)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked and self._insist:
            raise KeyboardInterrupt
        self.asked = True


def of_command() -> StopSignal:
    """Ctrl+C, SIGTERM and a closed terminal as a flag, so that a command ends what it began; a second one
    raises KeyboardInterrupt."""
    stop = StopSignal(insist=True)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    stop.install(
        [one for one in numbers if signal.getsignal(one) is not signal.SIG_IGN]
    )  # nohup ignores SIGHUP
    return stop
