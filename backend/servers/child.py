"""A process under supervision: one that we started, or one that an earlier run of the studio left."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time


class Child:
    """A session of its own, so that a signal reaches what it started, too."""

    def __init__(self, pid: int, popen: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self.status: int | None = None  # known for our own children only; negative: the signal
        self.gone = False
        self._popen = popen
        self._handle = -1
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self.gone = True
        except (OSError, AttributeError):  # a kernel before 5.3, or no Linux
            pass

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, asked for at most so long. For one thread."""
        if self.gone:
            return True
        if self._handle >= 0:
            poll = select.poll()
            poll.register(self._handle, select.POLLIN)
            if not poll.poll(int(seconds * 1000)):
                return False
            os.close(self._handle)
            self._handle = -1
        elif self._popen is None:
            time.sleep(seconds)
            if _exists(self.pid):
                return False
        if self._popen is not None:
            try:
                self.status = self._popen.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
        self.gone = True
        return True

    def signal(self, number: signal.Signals) -> None:
        """To it and its children; harmless when they are gone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
