"""Starts the ComfyUI (or demo engine) process of this machine, restarts it when it dies, stops it with us.

What is started is a command; whether it is up is asked of a callable that is handed in. A process that
we did not start is never touched.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.exit_words import why

log = logging.getLogger("wan.supervisor")

BACKOFF_FIRST_SECONDS = 1.0
BACKOFF_LAST_SECONDS = 30.0
STABLE_SECONDS = 60.0  # a process that lived this long starts over with the shortest wait
STOP_SECONDS = 5.0
LOG_LINES = 200


class Process:
    """One child process under supervision. start() returns at once; stop() leaves nothing behind."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = tuple(command)
        self.cwd = cwd
        self.env = dict(env) if env is not None else None
        self.lines: deque[str] = deque(maxlen=LOG_LINES)
        self.restarts = 0
        self.last_exit: int | None = None
        self.ended = ""  # why it ended last, in a sentence; "" when it never did or nobody knows
        self._child: subprocess.Popen[str] | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"supervisor-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def pid(self) -> int | None:
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def tail(self, count: int = 20) -> list[str]:
        """The last lines that the process printed."""
        return list(self.lines)[-count:]

    def _run(self) -> None:
        wait = BACKOFF_FIRST_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._spawn()
            except OSError as error:
                log.error("%s cannot be started: %s", self.name, error)
            else:
                self._read_until_exit()
            if self._stopping.is_set():
                return
            if time.monotonic() - began > STABLE_SECONDS:
                wait = BACKOFF_FIRST_SECONDS
            self.restarts += 1
            for line in self.tail():
                log.warning("%s: %s", self.name, line)
            self.ended = why(self.tail(60), self.last_exit)
            if self.ended:
                log.warning("%s", self.ended)
            log.warning(
                "%s ended (exit status %s); starting it again in %.0f s", self.name, self.last_exit, wait
            )
            self._stopping.wait(wait)
            wait = min(BACKOFF_LAST_SECONDS, wait * 2)

    def _spawn(self) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            self._child = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # so that stop() reaches its children too
            )
        log.info("%s started, process %d", self.name, self._child.pid)

    def _read_until_exit(self) -> None:
        child = self._child
        if child is None or child.stdout is None:
            return
        with child.stdout:
            for line in child.stdout:
                self.lines.append(line.rstrip())
                log.debug("%s: %s", self.name, line.rstrip())
        self.last_exit = child.wait()

    def stop(self) -> None:
        """SIGTERM to the process and its children, SIGKILL after five seconds."""
        self._stopping.set()
        with self._lock:
            child = self._child
        if child is None:
            return
        _signal(child, signal.SIGTERM)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop by itself", self.name)
        _signal(child, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS)


def _signal(child: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def comfyui_python(folder: Path, chosen: str = "") -> str:
    """The interpreter for a ComfyUI folder: the chosen one, else .venv-cu128, .venv-cu*, .venv, else ours."""
    if chosen:
        return chosen
    for venv in (folder / ".venv-cu128", *sorted(folder.glob(".venv-cu*"), reverse=True), folder / ".venv"):
        python = venv / "bin" / "python"
        if python.exists():
            return str(python)
    return "python3"


def comfyui_command(folder: Path, python: str, listen: str, port: int, extra: Sequence[str]) -> list[str]:
    """How a ComfyUI of ours is started: headless, with previews, unless the extra options say otherwise."""
    command = [python, "main.py", "--listen", listen, "--port", str(port), "--disable-auto-launch"]
    if "--preview-method" not in extra:
        command += ["--preview-method", "auto"]
    return [*command, *extra]


def demo_command(port: int, step_seconds: float, folder: Path) -> list[str]:
    """How the built-in demo engine is started; it ends by itself when this process is gone."""
    return [
        sys.executable, "-m", "backend.engines.demo", "--port", str(port), "--dir", str(folder),
        "--step-seconds", str(step_seconds), "--parent-pid", str(os.getpid()),
    ]  # fmt: skip
