"""Waiting for a condition, with a bound far above what a loaded machine needs."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

SECONDS = 60.0
Found = TypeVar("Found")


def until(condition: Callable[[], Found], seconds: float = SECONDS, says: object = None) -> Found:
    """What the condition returns once that is true. `says`: what a failure shows; called when callable."""
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
    """What this address answers once it does. Fails with what `says` returns when the process ends first."""

    def answer() -> bytes | None:
        assert process.poll() is None, says()
        try:
            with urllib.request.urlopen(url, timeout=10) as found:
                return bytes(found.read())
        except OSError:
            return None

    return until(answer, seconds, says) or b""


def let_pass(seconds: float) -> None:
    """For a test of what time itself does, or of what must not happen meanwhile. More of it does no harm: a
    test that goes wrong when this takes longer has to wait for a condition instead."""
    time.sleep(seconds)
