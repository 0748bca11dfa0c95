"""A process under supervision: one that we started, or one that an earlier run of the studio left."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil


class Child:
    """Leader of its own session, so that a signal to its process group also reaches its children.

    Identified by PID and start time: a process that has got the PID since is never signalled.
    """

    def __init__(self, process: psutil.Process) -> None:
        """`process`: a psutil.Popen for a child of this process, whose exit status is collected here."""
        self.pid = int(process.pid)
        self.status: int | None = None  # known only for a child of this process; negative: the signal
        self.gone = False
        self._process = process

    def wait(self, seconds: float) -> bool:
        """Waits up to `seconds` for the end of the process; returns whether it has ended. For one thread."""
        if not self.gone:
            self.gone = self._ended(seconds)
        return self.gone

    def _ended(self, seconds: float) -> bool:
        try:
            if not self._process.is_running():
                return True
            status = self._process.wait(seconds)
        except psutil.TimeoutExpired:
            return self._is_zombie()
        except psutil.NoSuchProcess:
            return True
        self.status = None if status is None else int(status)
        return True

    def _is_zombie(self) -> bool:
        """Whether it has ended and its parent does not collect its exit status."""
        if isinstance(self._process, psutil.Popen):
            return False  # the next wait() collects it
        try:
            return bool(self._process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    def signal(self, number: signal.Signals) -> None:
        """Signals the process group; does nothing when it is gone."""
        if psutil.pid_exists(self.pid) and not self._process.is_running():
            return  # another process has this PID now
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
