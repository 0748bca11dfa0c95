"""Three tiers of tests. A test without a mark is `fast`: it starts no process and opens no listening socket,
and fails when it does. `full` and `deep` are marked, by file (`pytestmark`) or by test.

Used as a plugin by tests/conftest.py.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

SLOW = ("live", "e2e", "deep", "full")
STARTING = {"make"}
"""Fixtures that start a process: a whole studio has a decoder in one. Who takes them is `full` at least."""
PROCESS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec")


class Watch:
    """What the code that runs now starts, as the interpreter's audit events say."""

    def __init__(self) -> None:
        self.seen: list[str] | None = None
        self._earlier: set[int | None] = set()
        sys.addaudithook(self._hear)

    def begin(self) -> None:
        """From now on. What threads of earlier tests do does not count."""
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
    """The slowest of its marks."""
    marks = {mark.name for mark in item.iter_markers()}
    return next((name for name in SLOW if name in marks), "fast")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what has no mark, so that `-m` selects it."""
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
    """After the test's own teardown: what it started is its fault, whoever stopped it."""
    result = yield
    if tier(item) == "fast" and (found := _watch.end()):
        pytest.fail(f"a fast test starts {', '.join(found)}: mark it full", pytrace=False)
    return result


def deep(*values: Any) -> Any:
    """A case of a `parametrize` that is for the whole matrix alone."""
    return pytest.param(*values, marks=pytest.mark.deep)
