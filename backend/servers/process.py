"""Keeps one server process of this machine running: starts it or takes it over, restarts it when it dies or
hangs, stops it with us. A process that we did not start is never touched.

It outlives this process when that is killed, so that the job in it is not lost: the next start finds it by
its mark (proc.py) and takes it over.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from backend.servers import oom
from backend.servers.child import Child
from backend.servers.exit_reasons import why
from backend.servers.log_tail import Tail, is_loud
from backend.servers.orphans import Orphan

log = logging.getLogger("wan.supervisor")


@dataclass(frozen=True)
class Times:
    """How long a process is given, in seconds."""

    backoff_first: float = 1.0  # before it is started again; each further wait is twice as long
    backoff_last: float = 30.0
    stable: float = 60.0  # a process that lived this long starts over with the shortest wait
    stop: float = 5.0  # from SIGTERM to SIGKILL
    look: float = 0.25  # between two looks at its output
    count: float = 2.0  # between two looks at the kernel's counter
    young: float = 120.0  # one that was left that long ago may still be coming up


TIMES = Times()


@dataclass(frozen=True)
class Death:
    """How a process ended. `at`: monotonic. `status`: None when it was not our child; negative: a signal."""

    at: float
    status: int | None
    printed: tuple[tuple[float, str], ...]  # the last lines, each with its time (monotonic)
    was_up: bool  # it had answered
    oom: bool | None  # just then the kernel ended something here for lack of memory; None: it does not say
    by_us: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(line for _, line in self.printed)

    def after(self, moment: float) -> Death:
        """The same, with what was printed after this moment alone."""
        return replace(self, printed=tuple(item for item in self.printed if item[0] >= moment))


class Process:
    """start() returns at once; stop() leaves nothing behind. Methods may be called from any thread."""

    def __init__(
        self,
        name: str,
        command: Sequence[str] | Callable[[], Sequence[str]],
        output: Path,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        taken_over: Orphan | None = None,
        restart: bool = True,
        on_death: Callable[[Death], None] = lambda death: None,
        times: Times = TIMES,
    ) -> None:
        """`command`: or what makes it, called before each start. `output`: the file that it prints to.
        `taken_over`: one that runs already. `restart`: whether it is started again when it dies."""
        self.name = name
        self.command = command
        self.times = times
        self.cwd, self.env = cwd, dict(env) if env is not None else None
        self.tail = Tail(name, Path(taken_over.mark.log) if taken_over is not None else output)
        self.restarts = 0
        self.deaths: list[Death] = []
        self.trouble: OSError | None = None  # why it could not even be started
        self.ended = ""  # why it ended last, in a sentence; "" when it never did or nobody knows
        self.taken_over = taken_over
        self.untried = False  # taken over, and it has not answered since
        self._output, self._restart, self._on_death = output, restart, on_death
        self._child: Child | None = None
        self._up = False
        self._heard = 0.0
        self._started = False
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._killed = False
        self._died = threading.Condition()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"supervisor-{name}", daemon=True)

    def start(self) -> None:
        with self._lock:
            if self._started or self._stopping.is_set():
                return
            self._started = True
        self._thread.start()

    @property
    def pid(self) -> int | None:
        child = self._child
        return child.pid if child is not None and not child.gone else None

    @property
    def is_up(self) -> bool:
        """Whether it has answered since it was started."""
        return self._up and self.pid is not None

    @property
    def over(self) -> bool:
        """Whether it has died and is not started again."""
        return bool(self.deaths) and not self._restart and self.pid is None

    def heard(self) -> None:
        """Somebody had an answer from it."""
        if self.pid is not None:
            self._up, self.untried, self._heard = True, False, time.monotonic()

    def silent(self) -> float:
        """For how many seconds the running process has not answered; 0 when none runs."""
        return time.monotonic() - self._heard if self.pid is not None else 0.0

    def kill(self, why: str) -> None:
        """Ends it at once; it is started again as after any other death."""
        with self._lock:
            child = self._child
            if child is None or child.gone or self._killed:
                return
            self._killed = True
        log.warning("%s (process %d) is ended: %s", self.name, child.pid, why)
        child.signal(signal.SIGKILL)

    def death_since(self, moment: float, wait: float = 0.0) -> Death | None:
        """The first death after this moment (monotonic), waited for so long."""

        def found() -> Death | None:
            return next((death for death in self.deaths if death.at >= moment), None)

        with self._died:
            self._died.wait_for(lambda: found() is not None, wait)
            return found()

    # -- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        wait = self.times.backoff_first
        while not self._stopping.is_set():
            began = time.monotonic()
            self.trouble = None
            try:
                self._begin()
            except OSError as error:
                self.trouble = error
                log.error("%s cannot be started: %s", self.name, error)
                death = Death(time.monotonic(), None, (), was_up=False, oom=False)
            else:
                death = self._until_death()
            if self._stopping.is_set():
                return
            self._tell(death)
            if not self._restart:
                return
            if time.monotonic() - began > self.times.stable:
                wait = self.times.backoff_first
            self.restarts += 1
            log.warning("%s is started again in %.0f s", self.name, wait)
            self._stopping.wait(wait)
            wait = min(self.times.backoff_last, wait * 2)

    def _begin(self) -> None:
        """Takes over or starts it. Raises OSError."""
        now = time.monotonic()
        taken, self.taken_over = self.taken_over, None
        self._up, self._killed, self.untried = False, False, False
        if taken is not None:
            self.tail.skip()
            self._heard, self.untried = now, taken.age >= self.times.young
            self._child = Child(taken.process)
            log.info("%s is taken over from an earlier run, process %d", self.name, taken.pid)
            return
        command = self.command() if callable(self.command) else self.command
        self.tail.close()
        self.tail = Tail(self.name, self._output)
        output = self.tail.fresh()
        try:
            with self._lock:
                if self._stopping.is_set():
                    return
                popen = psutil.Popen(
                    command,
                    cwd=self.cwd,
                    env=self.env,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # so that a signal reaches its children too, and Ctrl+C not it
                )
                self._heard = time.monotonic()
                self._child = Child(popen)
        finally:
            os.close(output)
        log.info("%s started, process %d", self.name, popen.pid)

    def _until_death(self) -> Death:
        child = self._child
        counted = kills = oom.oom_kills()
        looked = time.monotonic()
        while child is not None and not child.wait(self.times.look):
            self.tail.read()
            if time.monotonic() - looked > self.times.count:
                looked, counted, kills = time.monotonic(), kills, oom.oom_kills()
        self.tail.finish()
        if child is not None:
            child.signal(signal.SIGKILL)  # what it started and left
        last = oom.oom_kills()
        return Death(
            at=time.monotonic(),
            status=child.status if child is not None else None,
            printed=tuple(self.tail.printed()),
            was_up=self._up,
            oom=last > counted if counted is not None and last is not None else None,
            by_us=self._killed,
        )

    def _tell(self, death: Death) -> None:
        for line in death.lines[-20:]:
            log.log(logging.WARNING if is_loud(line) else logging.DEBUG, "%s: %s", self.name, line)
        # Killed by hand is not killed by the kernel, as long as the kernel counts.
        status = None if death.oom is False else death.status
        self.ended = "" if death.by_us else why(death.lines[-60:], status)
        log.warning("%s ended (exit status %s) %s", self.name, death.status, self.ended)
        with self._died:
            self.deaths = [*self.deaths[-9:], death]
            self._died.notify_all()
        try:
            self._on_death(death)
        except Exception:
            log.exception("%s: unexpected error", self.name)

    # -- the end ----------------------------------------------------------------------------

    def ask_to_stop(self) -> None:
        """SIGTERM to the process and its children; returns at once."""
        with self._lock:
            self._stopping.set()
            child = self._child
        if child is not None and not child.gone:
            child.signal(signal.SIGTERM)

    def stop(self, grace: float | None = None) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds (`times.stop`)."""
        self.ask_to_stop()
        if not self._started:
            return
        self._thread.join(self.times.stop if grace is None else max(0.0, grace))
        child = self._child
        if child is None:
            return
        if self._thread.is_alive():
            log.warning("%s did not stop by itself", self.name)
            child.signal(signal.SIGKILL)
            self._thread.join(self.times.stop)
        self.tail.close()


def end(orphan: Orphan, times: Times = TIMES) -> None:
    """Ends a server of an earlier run that is not wanted any more."""
    log.info("process %d of an earlier run is ended", orphan.pid)
    child = Child(orphan.process)
    child.signal(signal.SIGTERM)
    if not child.wait(times.stop):
        child.signal(signal.SIGKILL)
        child.wait(times.stop)
