"""Places for requests, shared fairly: jobs before visitors, and in each class one owner after the other."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from backend.requester import Requester

CHECK_SECONDS = 0.5
"""How often a waiting job is asked whether it goes on."""


class NoTurn(Exception):
    """The request got no place. `own`: because its owner has too many that wait, not because of others."""

    def __init__(self, own: bool) -> None:
        super().__init__("no place")
        self.own = own


class Closed(Exception):
    """Nobody waits any more."""


@dataclass(eq=False)
class _Ticket:
    """A request that waits. `key`: requests of one key are not worked on at the same time. `counted`: among
    those that its owner may have."""

    asker: Requester
    key: Hashable = None
    counted: bool = True
    granted: bool = False


class _Line:
    """The waiting requests of one class: each owner's in their order, and the owners in turn."""

    def __init__(self) -> None:
        self._owners: OrderedDict[str, deque[_Ticket]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(own) for own in self._owners.values())

    def add(self, ticket: _Ticket) -> None:
        self._owners.setdefault(ticket.asker.owner, deque()).append(ticket)

    def remove(self, ticket: _Ticket) -> None:
        own = self._owners[ticket.asker.owner]
        own.remove(ticket)
        if not own:
            del self._owners[ticket.asker.owner]

    def take(self, at_work: set[Hashable]) -> _Ticket | None:
        """The next request whose key is not at work; its owner is the last in turn then."""
        for owner, own in self._owners.items():
            for ticket in own:
                if ticket.key is None or ticket.key not in at_work:
                    self._owners.move_to_end(owner)
                    self.remove(ticket)
                    return ticket
        return None

    def of(self, owner: str) -> int:
        return sum(ticket.counted for ticket in self._owners.get(owner, ()))

    def has(self, key: Hashable) -> bool:
        return any(ticket.key == key for own in self._owners.values() for ticket in own)


class Turns:
    """`places` requests are worked on at once. A visitor may have `waiting_max` others that wait; jobs, and
    what is asked for nobody in particular, any number."""

    def __init__(self, places: int, waiting_max: int) -> None:
        self._free, self._waiting_max = places, waiting_max
        self._changed = threading.Condition()
        self._jobs, self._visitors = _Line(), _Line()
        self._at_work: set[Hashable] = set()
        self._closed = False

    def waiting(self) -> int:
        """How many requests wait."""
        with self._changed:
            return len(self._jobs) + len(self._visitors)

    def close(self) -> None:
        """Ends all waits, now and later; who has a place keeps it, and who needs not wait gets one."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @contextlib.contextmanager
    def turn(
        self,
        asker: Requester,
        patience: float = math.inf,
        key: Hashable = None,
        answered: Callable[[], bool] = lambda: False,
    ) -> Iterator[bool]:
        """A place while the `with` lasts: True; or False, without a place, once `answered` says that another
        request of the same key has made this one needless. `answered` is called with a lock held.

        Raises NoTurn after `patience` seconds, or at once when the owner has too many that wait; Closed; and
        what the asker's check raises.
        """
        ticket = _Ticket(asker, key)
        line = self._jobs if asker.is_job else self._visitors
        with self._changed:
            self._admit(ticket, line)
            try:
                self._wait(ticket, time.monotonic() + patience, answered)
            except BaseException:
                self._leave(ticket, line)
                raise
            if not ticket.granted:
                self._leave(ticket, line)
        try:
            yield ticket.granted
        finally:
            with self._changed:
                if ticket.granted:
                    self._give_back(ticket)

    def _admit(self, ticket: _Ticket, line: _Line) -> None:
        """Puts the request in line. One that is joined to another of the same key costs nothing."""
        asker, key = ticket.asker, ticket.key
        ticket.counted = key is None or not (
            key in self._at_work or self._jobs.has(key) or self._visitors.has(key)
        )
        line.add(ticket)
        self._grant()
        if ticket.granted or asker.is_job or not asker.owner or not ticket.counted:
            return
        if line.of(asker.owner) > self._waiting_max:
            line.remove(ticket)
            raise NoTurn(own=True)

    def _wait(self, ticket: _Ticket, until: float, answered: Callable[[], bool]) -> None:
        while not ticket.granted and not answered():
            if self._closed:
                raise Closed
            ticket.asker.check()
            left = until - time.monotonic()
            if left <= 0:
                raise NoTurn(own=False)
            self._changed.wait(min(left, CHECK_SECONDS))

    def _leave(self, ticket: _Ticket, line: _Line) -> None:
        if ticket.granted:
            self._give_back(ticket)
        else:
            line.remove(ticket)

    def _give_back(self, ticket: _Ticket) -> None:
        self._free += 1
        if ticket.key is not None:
            self._at_work.discard(ticket.key)
        self._grant()
        self._changed.notify_all()

    def _grant(self) -> None:
        while self._free:
            ticket = self._jobs.take(self._at_work) or self._visitors.take(self._at_work)
            if ticket is None:
                return
            ticket.granted = True
            self._free -= 1
            if ticket.key is not None:
                self._at_work.add(ticket.key)
            self._changed.notify_all()
