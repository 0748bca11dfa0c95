"""Fails tests whose code leaves sockets open; sockets of libraries are only counted.

A plugin of tests/conftest.py. An open socket is reported when it is garbage collected, which may be in a
later test, so the line that opened it is included.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.support.paths import ROOT

OURS = tuple(str(ROOT / name) for name in ("backend/", "ui/", "workflows/", "app.py"))
PLAIN = ("socket.py", "ssl.py", "selectors.py")
"""Modules of the standard library that open a socket on behalf of their caller."""

_opened: dict[int, str] = {}
_leaks: list[str] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.__new__":
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and Path(frame.f_code.co_filename).name in PLAIN:
        frame = frame.f_back
    key = id(arguments[0])
    if frame is not None and frame.f_code.co_filename.startswith(OURS):
        _opened[key] = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    else:
        _opened.pop(key, None)  # of an earlier socket at the same place in memory


sys.addaudithook(_hear)


def pytest_warning_recorded(warning_message: warnings.WarningMessage) -> None:
    source = getattr(warning_message, "source", None)
    if warning_message.category is ResourceWarning and id(source) in _opened:
        _leaks.append(f"{_opened.pop(id(source))} opens a socket and does not close it")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Reports the sockets collected until the end of the previous test."""
    result = yield
    if _leaks:
        found, _leaks[:] = list(_leaks), []
        pytest.fail("; ".join(found), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any) -> Iterator[None]:
    """A library's open sockets are counted, not listed."""
    warned = terminalreporter.stats.get("warnings", [])
    others = [one for one in warned if "unclosed <socket" not in one.message]
    if len(others) < len(warned):
        terminalreporter.stats["warnings"] = others
        count = len(warned) - len(others)
        terminalreporter.write_line(f"{count} sockets of libraries or tests were left open")
    return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _leaks:
        print("\n".join(_leaks), file=sys.stderr)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
