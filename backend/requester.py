"""For whom the current thread or task works: a visitor or a job. Scarce resources are shared out by it.

Set where a request or a job begins. asyncio.to_thread and anyio copy it to the threads that they use.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from dataclasses import dataclass


def _never_stopped() -> None:
    """The check of work that nothing ends early."""


@dataclass(frozen=True)
class Requester:
    """owner: whose share the work counts against; "" for the program's own work. check: called while a job
    waits; what it raises ends the wait."""

    owner: str = ""
    is_job: bool = False
    check: Callable[[], None] = _never_stopped


@dataclass
class Attempt:
    """One try at a request that its sender may send again. id: chosen by the sender, the same in each try.
    submitted: how many jobs the try has submitted so far; a repetition submits them in the same order."""

    id: str
    submitted: int = 0


INTERNAL = Requester()
"""The program itself."""
_current: contextvars.ContextVar[Requester] = contextvars.ContextVar("requester", default=INTERNAL)

_attempt: contextvars.ContextVar[Attempt | None] = contextvars.ContextVar("attempt", default=None)


def current() -> Requester:
    """The requester of this thread or task."""
    return _current.get()


@contextlib.contextmanager
def visitor(owner: str) -> Iterator[None]:
    """Within it the work is a visitor's request, unless a requester is already set."""
    with _set(Requester(owner) if current() == INTERNAL else current()):
        yield


@contextlib.contextmanager
def job(owner: str, check: Callable[[], None] = _never_stopped) -> Iterator[None]:
    """Within it the work is on a job of this owner."""
    with _set(Requester(owner, True, check)):
        yield


@contextlib.contextmanager
def attempt(id: str) -> Iterator[None]:
    """Within it the work belongs to the request with this id; "" is a request that is sent only once."""
    token = _attempt.set(Attempt(id) if id else None)
    try:
        yield
    finally:
        _attempt.reset(token)


def attempt_id() -> str:
    """The id of the current request; "" for one that is sent only once."""
    found = _attempt.get()
    return found.id if found is not None else ""


def this_submission() -> str:
    """The name that `next_submission` gives next."""
    found = _attempt.get()
    return f"{found.id}:{found.submitted}" if found is not None else ""


def next_submission() -> str:
    """Names the next job of the current request: the same text in each try. "" outside of `attempt`."""
    name, found = this_submission(), _attempt.get()
    if found is not None:
        found.submitted += 1
    return name


@contextlib.contextmanager
def _set(requester: Requester) -> Iterator[None]:
    token = _current.set(requester)
    try:
        yield
    finally:
        _current.reset(token)
