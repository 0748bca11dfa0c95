"""Changes that a request makes once, however often it arrives.

A page that lost an answer sends its request again under the same id, seconds or minutes later
(ui/assets/events.js). By then the visitor may have changed the same thing by another button: a second
execution of "pin" would undo an "unpin", and one of "move up" would move a job twice.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from backend import requester

REMEMBERED = 1000
"""Requests whose outcome is kept in memory. Ten visitors who change something every second are remembered for
more than a minute and a half; a page repeats a request after 12 s, or when its connection is back."""

Outcome = TypeVar("Outcome")


class Once:
    """The outcomes of the latest requests. Thread-safe."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._lock = threading.Lock()
        self._outcomes: OrderedDict[tuple[str, ...], Future[Any]] = OrderedDict()

    def run(self, change: Callable[[], Outcome], *about: str) -> Outcome:
        """What `change` returns or raises. A repetition of the request waits for the first arrival and gets
        its outcome. about: owner, name and subject of the change: an id that a client uses for another change
        does not count for this one."""
        request = requester.attempt_id()
        if not request:
            return change()
        key = (request, *about)
        with self._lock:
            known: Future[Outcome] | None = self._outcomes.get(key)
            outcome: Future[Outcome] = Future() if known is None else known
            self._outcomes[key] = outcome
            self._outcomes.move_to_end(key)
            while len(self._outcomes) > self._remembered:
                self._outcomes.popitem(last=False)
        if known is None:
            try:
                outcome.set_result(change())
            except BaseException as error:
                outcome.set_exception(error)
        return outcome.result()
