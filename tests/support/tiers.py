"""Three tiers of tests. A test without a mark is `fast`: it starts no process and opens no listening socket,
and fails when it does. `full` and `deep` are marked, by file (`pytestmark`) or by test.

A plugin of tests/conftest.py.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

SLOW = ("live", "e2e", "deep", "full")
STARTING = {"make"}
"""Fixtures that start a process, such as a studio with its decoder. Tests that use them are at least
`full`."""
PROCESS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec")


class Watch:
    """Processes and listening sockets that a test starts, from the interpreter's audit events."""

    def __init__(self) -> None:
        self.seen: list[str] | None = None
        self._earlier: set[int | None] = set()
        sys.addaudithook(self._hear)

    def begin(self) -> None:
        """Starts recording on this thread; threads of earlier tests are ignored."""
        self._earlier = {thread.ident for thread in threading.enumerate()} - {threading.main_thread().ident}
        self.seen = []

    def end(self) -> list[str]:
        found, self.seen = self.seen, None
        return found or []

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.seen is None or threading.get_ident() in self._earlier:
            return
        if event in PROCESS:
            self.seen.append(f"{event} {arguments[0] if arguments else ''}")
        elif event == "socket.bind" and isinstance(arguments[1], tuple):
            self.seen.append(f"a socket bound to {arguments[1]}")


_watch = Watch()


def tier(item: pytest.Item) -> str:
    """The slowest tier among its marks."""
    marks = {mark.name for mark in item.iter_markers()}
    return next((name for name in SLOW if name in marks), "fast")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks unmarked tests as `fast`, so that `-m` selects them."""
    for item in items:
        if item.path.parent.name in ("e2e", "live"):
            item.add_marker(item.path.parent.name)
        if tier(item) == "fast":
            item.add_marker("full" if STARTING & set(getattr(item, "fixturenames", ())) else "fast")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if tier(item) == "fast":
        _watch.begin()
    try:
        return (yield)
    finally:
        _watch.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Runs after the test's teardown, and fails a `fast` test that started a process or socket."""
    result = yield
    if tier(item) == "fast" and (found := _watch.end()):
        pytest.fail(f"a fast test starts {', '.join(found)}: mark it full", pytrace=False)
    return result


def deep(*values: Any) -> Any:
    """A `parametrize` case that belongs to the `deep` tier."""
    return pytest.param(*values, marks=pytest.mark.deep)
