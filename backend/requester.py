"""Who something is done for: a visitor or a job. What is scarce is shared out by it.

Set where a request or a job begins, for the thread or task that works on it; asyncio.to_thread and anyio
hand it on to the threads that they use.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from dataclasses import dataclass


def _goes_on() -> None:
    """The check of somebody who is never stopped."""


@dataclass(frozen=True)
class Asker:
    """`owner`: whose share it is; "" for code of ours that works for nobody in particular. `check` is called
    while a job waits; what it raises ends the wait."""

    owner: str = ""
    is_job: bool = False
    check: Callable[[], None] = _goes_on


NOBODY = Asker()
_current: contextvars.ContextVar[Asker] = contextvars.ContextVar("asker", default=NOBODY)


def current() -> Asker:
    """For whom this thread or task works."""
    return _current.get()


@contextlib.contextmanager
def visitor(owner: str) -> Iterator[None]:
    """What runs in here is a visitor's request, unless it is known already whose it is."""
    with _as(Asker(owner) if current() == NOBODY else current()):
        yield


@contextlib.contextmanager
def job(owner: str, check: Callable[[], None] = _goes_on) -> Iterator[None]:
    """What runs in here is work on a job of this owner."""
    with _as(Asker(owner, True, check)):
        yield


@contextlib.contextmanager
def _as(asker: Asker) -> Iterator[None]:
    token = _current.set(asker)
    try:
        yield
    finally:
        _current.reset(token)
