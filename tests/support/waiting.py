"""Waiting for a condition, with a bound far above what a loaded machine needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

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
