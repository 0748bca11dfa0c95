"""Waits for conditions, with a limit far above what a busy machine needs."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

SECONDS = 60.0
Found = TypeVar("Found")


def until(condition: Callable[[], Found], seconds: float = SECONDS, says: object = None) -> Found:
    """The first true result of the condition. `says`: the failure message, or a function that returns it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            detail = says() if callable(says) else says
            raise AssertionError(f"not so within {seconds:g} s" + (f": {detail}" if detail else ""))
        time.sleep(0.01)
    return found


def served(
    url: str, process: subprocess.Popen[Any], says: Callable[[], object], seconds: float = 180.0
) -> bytes:
    """The first response of this URL. Fails with the result of `says` if the process ends first."""

    def answer() -> bytes | None:
        assert process.poll() is None, says()
        try:
            with urllib.request.urlopen(url, timeout=10) as found:
                return bytes(found.read())
        except OSError:
            return None

    return until(answer, seconds, says) or b""


def let_pass(seconds: float) -> None:
    """Sleeps, for tests of time limits or of events that must not happen. A longer sleep must not break the
    test; otherwise the test has to wait for a condition instead."""
    time.sleep(seconds)
