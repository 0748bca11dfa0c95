"""Blocking calls of coroutines: shared fairly, joined when identical, and none holds up the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from backend.errors import NotFound, TooMany
from backend.threads import Threads, visitor_of
from tests.support.scripted import until


class Calls:
    """Calls that wait for `free`, in the order in which they began."""

    def __init__(self) -> None:
        self.free, self.begun = threading.Event(), list[str]()

    def __call__(self, name: str) -> str:
        self.begun.append(name)
        assert self.free.wait(120)
        return name.upper()


@pytest.fixture
def make() -> Iterator[Callable[..., Threads]]:
    made: list[Threads] = []

    def build(**limits: Any) -> Threads:
        made.append(Threads(**limits))
        return made[-1]

    yield build
    for threads in made:
        threads.close()


async def begun(calls: Calls, count: int) -> None:
    await asyncio.to_thread(until, lambda: len(calls.begun) >= count, 60)


def test_a_call_returns_its_value_or_raises_its_error(make: Callable[..., Threads]) -> None:
    threads = make()

    def absent() -> None:
        raise NotFound("Gone.")

    async def run() -> None:
        assert await threads.run("ann", str.upper, "x") == "X"
        with pytest.raises(NotFound):
            await threads.run("ann", absent)
        loop = threading.get_ident()
        assert await threads.run("ann", threading.get_ident) != loop

    asyncio.run(run())


def test_one_visitor_leaves_threads_for_others(make: Callable[..., Threads]) -> None:
    threads, calls = make(most=4, each=2), Calls()

    async def run() -> None:
        many = [asyncio.ensure_future(threads.run("ann", calls, f"ann{n}")) for n in range(40)]
        await begun(calls, 2)
        one = asyncio.ensure_future(threads.run("bob", calls, "bob"))
        await begun(calls, 3)
        assert sorted(calls.begun) == ["ann0", "ann1", "bob"], "the rest of ann's wait in line"
        calls.free.set()
        assert await one == "BOB"
        assert await asyncio.gather(*many) == [f"ANN{n}" for n in range(40)]

    asyncio.run(run())


def test_equal_reads_share_one_call(make: Callable[..., Threads]) -> None:
    threads, calls = make(), Calls()

    async def run() -> None:
        asked = [
            asyncio.ensure_future(threads.run(visitor, calls, "job", join=True))
            for visitor in ("ann", "bob", "ann")
        ]
        other = asyncio.ensure_future(threads.run("bob", calls, "other", join=True))
        await begun(calls, 2)
        asked[0].cancel()  # the other callers get their value
        calls.free.set()
        assert await asyncio.gather(*asked[1:], other) == ["JOB", "JOB", "OTHER"]
        assert sorted(calls.begun) == ["job", "other"]
        await threads.run("ann", calls, "job", join=True)
        assert calls.begun.count("job") == 2, "an answer is not kept"

    asyncio.run(run())


def test_writes_are_never_shared(make: Callable[..., Threads]) -> None:
    threads, calls = make(), Calls()
    calls.free.set()

    async def run() -> None:
        await asyncio.gather(*(threads.run("ann", calls, "write") for _ in range(3)))

    asyncio.run(run())
    assert calls.begun == ["write"] * 3


def test_a_full_queue_refuses_only_its_own_visitor(make: Callable[..., Threads]) -> None:
    threads, calls = make(each=1, waiting=2), Calls()

    async def run() -> None:
        held = [asyncio.ensure_future(threads.run("ann", calls, f"{n}")) for n in range(3)]
        await begun(calls, 1)
        with pytest.raises(TooMany):
            await threads.run("ann", calls, "more")
        bob = asyncio.ensure_future(threads.run("bob", calls, "bob"))
        calls.free.set()
        assert await asyncio.gather(*held, bob) == ["0", "1", "2", "BOB"]
        assert await threads.run("ann", calls, "again") == "AGAIN"

    asyncio.run(run())


def test_closing_cancels_queued_calls_at_once(make: Callable[..., Threads]) -> None:
    threads, calls = make(each=1), Calls()

    async def run() -> None:
        held = [asyncio.ensure_future(threads.run("ann", calls, f"{n}")) for n in range(3)]
        await begun(calls, 1)
        threads.close()
        ends = await asyncio.gather(*held, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends)
        with pytest.raises(asyncio.CancelledError):
            await threads.run("ann", calls, "late")
        calls.free.set()

    asyncio.run(run())


def test_visitor_of_a_request() -> None:
    assert visitor_of(SimpleNamespace(state=SimpleNamespace(visitor="address:1.2.3.4"))) == "address:1.2.3.4"
    assert visitor_of(None) == visitor_of(SimpleNamespace(state=SimpleNamespace())) == ""
