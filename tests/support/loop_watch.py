"""Detects disk and database access on the thread of an event loop."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

LIBRARIES = f"{os.sep}site-packages{os.sep}"
EVENTS = ("open", "os.", "shutil.", "sqlite3.", "tempfile.", "glob.", "subprocess.Popen", "pathlib.")
"""Audit events of disk access; https://docs.python.org/3/library/audit_events.html."""
HARMLESS = ("os.putenv", "os.unsetenv", "os.add_dll_directory")
UNAUDITED = ("stat", "lstat", "access", "readlink", "statvfs", "fsync", "fstat")
"""Functions of os that raise no audit event."""


@dataclass(frozen=True)
class Touch:
    """what: the event; by: "package/module.py:function", the innermost frame outside of the standard
    library."""

    what: str
    by: str
    ours: bool

    def __str__(self) -> str:
        return f"{self.what} by {self.by}"


class LoopWatch:
    """Records accesses while `thread` is set. Installed once per process: audit hooks cannot be removed."""

    def __init__(self) -> None:
        self.thread: int | None = None
        self.touches: list[Touch] = []
        sys.addaudithook(self._audit)

    @contextmanager
    def on(self, thread: threading.Thread) -> Iterator[list[Touch]]:
        """Watches the loop that runs in this thread."""
        self.touches, self.thread = [], thread.ident
        try:
            yield self.touches
        finally:
            self.thread = None

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if self.thread is not None and event.startswith(EVENTS) and event not in HARMLESS:
            self.note(f"{event}({args[0]!r})" if args else event)

    def note(self, what: str) -> None:
        """Records an access if it happens on the watched thread."""
        if threading.get_ident() != self.thread:
            return
        by, ours = _caller()
        if by:
            self.touches.append(Touch(what, by, ours))


def _caller() -> tuple[str, bool]:
    """The innermost frame outside of the standard library; "" for an import, which reads code only once."""
    frame = sys._getframe(2)
    found: tuple[str, bool] = ("", False)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib"):
            return "", False
        if not found[0] and name != __file__:
            label = f"{Path(name).parent.name}/{Path(name).name}:{frame.f_code.co_name}"
            if LIBRARIES in name:
                found = (label, False)
            elif Path(name).is_relative_to(ROOT):
                found = (label, True)
        frame = frame.f_back
    return found


_watch: list[LoopWatch] = []


def watch(monkeypatch: pytest.MonkeyPatch) -> LoopWatch:
    """The process's LoopWatch, with the functions of os and sqlite3 that raise no audit event."""
    if not _watch:
        _watch.append(LoopWatch())
    one = _watch[0]
    for name in UNAUDITED:
        monkeypatch.setattr(os, name, _noted(one, f"os.{name}", getattr(os, name)))
    connect = sqlite3.connect

    class Connection(sqlite3.Connection):
        def execute(self, *args: Any) -> sqlite3.Cursor:
            one.note("sqlite3 execute")
            return super().execute(*args)

        def executescript(self, *args: Any) -> sqlite3.Cursor:
            one.note("sqlite3 executescript")
            return super().executescript(*args)

    monkeypatch.setattr(sqlite3, "connect", lambda *args, **more: connect(*args, factory=Connection, **more))
    return one


def _noted(watch: LoopWatch, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*args: Any, **more: Any) -> Any:
        watch.note(f"{what}({args[0]!r})" if args else what)
        return call(*args, **more)

    return noted
