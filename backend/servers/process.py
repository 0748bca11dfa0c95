"""Keeps one server process of this machine running: starts it or takes it over, restarts it when it exits or
hangs, and stops it when the studio stops. Processes that the studio did not start are never touched.

When the studio itself is killed, the server keeps running so that its job is not lost: the next start finds
it by its mark (orphans.py) and takes it over."""

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

from backend.notices import words
from backend.servers import oom
from backend.servers.child import Child
from backend.servers.exit_reasons import why
from backend.servers.log_tail import Tail, is_important
from backend.servers.orphans import Orphan
from workflows.notice import Notice

log = logging.getLogger("wan.servers")


@dataclass(frozen=True)
class Times:
    """Time limits and intervals of supervision, in seconds."""

    backoff_first: float = 1.0  # before the first restart; each further wait is twice as long
    backoff_last: float = 30.0
    stable: float = 60.0  # a process that ran for this long resets the wait to backoff_first
    stop: float = 5.0  # from SIGTERM to SIGKILL
    look: float = 0.25  # between two reads of its output
    count: float = 2.0  # between two reads of the kernel's counter of OOM kills
    young: float = 120.0  # an orphan that was started more recently may still be starting up


TIMES = Times()


@dataclass(frozen=True)
class ProcessExit:
    """How a process ended. `at`: monotonic. `status`: None when it was not our child; negative: the
    signal."""

    at: float
    status: int | None
    printed: tuple[tuple[float, str], ...]  # the last lines, each with its time (monotonic)
    was_up: bool  # it had answered a request
    oom: bool | None  # the kernel killed a process for lack of memory at that time; None: unknown
    by_us: bool = False  # killed by kill()

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(line for _, line in self.printed)

    def after(self, moment: float) -> ProcessExit:
        """The same with only the lines printed after this moment (monotonic)."""
        return replace(self, printed=tuple(item for item in self.printed if item[0] >= moment))


class SupervisedProcess:
    """start() returns at once; stop() waits for the end. Methods may be called from any thread."""

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
        on_exit: Callable[[ProcessExit], None] = lambda ended: None,
        times: Times = TIMES,
    ) -> None:
        """`command`: the command line, or a function that returns it, called before each start. `output`: the
        file for its output. `taken_over`: a running process to supervise instead of starting one.
        `restart`: whether to start it again after it exits. `on_exit`: called on the supervisor thread."""
        self.name = name
        self.command = command
        self.times = times
        self.cwd, self.env = cwd, dict(env) if env is not None else None
        self.tail = Tail(name, Path(taken_over.mark.log) if taken_over is not None else output)
        self.restarts = 0
        self.exits: list[ProcessExit] = []
        self.trouble: OSError | None = None  # why the command could not be started
        self.ended: Notice | None = None  # why it ended last, where the reason is known
        self.taken_over = taken_over
        self.unconfirmed = False  # taken over, and has not answered since
        self._output, self._restart, self._on_exit = output, restart, on_exit
        self._child: Child | None = None
        self._up = False
        self._last_answer = 0.0
        self._started = False
        self._stopping = threading.Event()
        self._killed = False
        self._exited = threading.Condition()
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
        """Whether it has exited and will not be restarted."""
        return bool(self.exits) and not self._restart and self.pid is None

    def note_answer(self) -> None:
        """Records that it answered a request."""
        if self.pid is not None:
            self._up, self.unconfirmed, self._last_answer = True, False, time.monotonic()

    def seconds_without_answer(self) -> float:
        """Seconds since the last answer of the running process; 0 when none is running."""
        return time.monotonic() - self._last_answer if self.pid is not None else 0.0

    def kill(self, why: str) -> None:
        """Kills it; it is restarted as after any other exit."""
        with self._lock:
            child = self._child
            if child is None or child.gone or self._killed:
                return
            self._killed = True
        log.warning("%s (process %d) is killed: %s", self.name, child.pid, why)
        child.signal(signal.SIGKILL)

    def exit_since(self, moment: float, wait: float = 0.0) -> ProcessExit | None:
        """The first exit after this moment (monotonic); waits up to `wait` seconds for it."""

        def found() -> ProcessExit | None:
            return next((ended for ended in self.exits if ended.at >= moment), None)

        with self._exited:
            self._exited.wait_for(lambda: found() is not None, wait)
            return found()

    # -- supervisor thread -------------------------------------------------------------------------

    def _run(self) -> None:
        wait = self.times.backoff_first
        while not self._stopping.is_set():
            began = time.monotonic()
            self.trouble = None
            try:
                self._launch()
            except OSError as error:
                self.trouble = error
                log.error("%s cannot be started: %s", self.name, error)
                ended = ProcessExit(time.monotonic(), None, (), was_up=False, oom=False)
            else:
                ended = self._wait_for_exit()
            if self._stopping.is_set():
                return
            self._report(ended)
            if not self._restart:
                return
            if time.monotonic() - began > self.times.stable:
                wait = self.times.backoff_first
            self.restarts += 1
            log.warning("%s restarts in %.0f s", self.name, wait)
            self._stopping.wait(wait)
            wait = min(self.times.backoff_last, wait * 2)

    def _launch(self) -> None:
        """Starts the process, or takes over the running one. Raises OSError."""
        now = time.monotonic()
        taken, self.taken_over = self.taken_over, None
        self._up, self._killed, self.unconfirmed = False, False, False
        if taken is not None:
            self.tail.resume()
            self._last_answer, self.unconfirmed = now, taken.age >= self.times.young
            self._child = Child(taken.process)
            log.info("%s is taken over from an earlier run, process %d", self.name, taken.pid)
            return
        command = self.command() if callable(self.command) else self.command
        self.tail.close()
        self.tail = Tail(self.name, self._output)
        output = self.tail.start_file()
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
                    start_new_session=True,  # signals reach its children; Ctrl+C does not reach it
                )
                self._last_answer = time.monotonic()
                self._child = Child(popen)
        finally:
            os.close(output)
        log.info("%s started, process %d", self.name, popen.pid)

    def _wait_for_exit(self) -> ProcessExit:
        child = self._child
        counted = kills = oom.oom_kills()
        looked = time.monotonic()
        while child is not None and not child.wait(self.times.look):
            self.tail.read()
            if time.monotonic() - looked > self.times.count:
                looked, counted, kills = time.monotonic(), kills, oom.oom_kills()
        self.tail.finish()
        if child is not None:
            child.signal(signal.SIGKILL)  # children that outlived it
        last = oom.oom_kills()
        return ProcessExit(
            at=time.monotonic(),
            status=child.status if child is not None else None,
            printed=tuple(self.tail.printed()),
            was_up=self._up,
            oom=last > counted if counted is not None and last is not None else None,
            by_us=self._killed,
        )

    def _report(self, ended: ProcessExit) -> None:
        for line in ended.lines[-20:]:
            log.log(logging.WARNING if is_important(line) else logging.DEBUG, "%s: %s", self.name, line)
        # SIGKILL means lack of memory only if the kernel counted an OOM kill or does not count them.
        status = None if ended.oom is False else ended.status
        self.ended = None if ended.by_us else why(ended.lines[-60:], status)
        log.warning("%s ended (exit status %s) %s", self.name, ended.status, words(self.ended))
        with self._exited:
            self.exits = [*self.exits[-9:], ended]
            self._exited.notify_all()
        try:
            self._on_exit(ended)
        except Exception:
            log.exception("%s: unexpected error", self.name)

    # -- shutdown ----------------------------------------------------------------------------

    def ask_to_stop(self) -> None:
        """Sends SIGTERM to the process and its children; returns at once."""
        with self._lock:
            self._stopping.set()
            child = self._child
        if child is not None and not child.gone:
            child.signal(signal.SIGTERM)

    def stop(self, grace: float | None = None) -> None:
        """Sends SIGTERM, and SIGKILL after `grace` seconds (default: `times.stop`)."""
        self.ask_to_stop()
        if not self._started:
            return
        self._thread.join(self.times.stop if grace is None else max(0.0, grace))
        child = self._child
        if child is None:
            return
        if self._thread.is_alive():
            log.warning("%s did not stop on SIGTERM", self.name)
            child.signal(signal.SIGKILL)
            self._thread.join(self.times.stop)
        self.tail.close()


def terminate(orphan: Orphan, times: Times = TIMES) -> None:
    """Stops a server of an earlier run that is no longer needed."""
    log.info("process %d of an earlier run is stopped", orphan.pid)
    child = Child(orphan.process)
    child.signal(signal.SIGTERM)
    if not child.wait(times.stop):
        child.signal(signal.SIGKILL)
        child.wait(times.stop)
