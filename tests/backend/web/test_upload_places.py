"""Uploads at once: shared by address, and slow ones give way."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from backend.web.exchange import Refused
from backend.web.request_body import RATE_SECONDS, Body, Crowded
from backend.web.request_rates import Rates
from backend.web.upload_places import SLOW_BYTES_PER_SECOND, UploadPlaces
from backend.web.visitors import Visitor
from tests.support.guarded_site import UPLOAD, Clock, Site

SLOW = int(SLOW_BYTES_PER_SECOND * RATE_SECONDS / 4)
FAST = int(SLOW_BYTES_PER_SECOND * RATE_SECONDS * 4)


class Upload:
    """An upload whose bytes come when the test says so."""

    def __init__(self, clock: Clock) -> None:
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self.body = Body(self._receive, 1e9, 1e6, clock)

    async def _receive(self) -> Any:
        return {"type": "http.request", "body": await self.pieces.get(), "more_body": True}

    async def come(self, size: int) -> None:
        self.pieces.put_nowait(b"x" * size)
        await self.body.receive()


async def held(stack: contextlib.AsyncExitStack, places: UploadPlaces, who: Visitor, upload: Upload) -> None:
    await stack.enter_async_context(places.place(who, upload.body, 0))


def who(name: str, neighbour: str = "8.8.8.8") -> Visitor:
    return Visitor("visitor", name, neighbour)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    async def test() -> None:
        clock = Clock()
        upload = Upload(clock)
        assert upload.body.rate() == math.inf, "not begun"
        upload.body.begin()
        await upload.come(10)
        assert upload.body.rate() == math.inf, "too early to tell"
        clock.now += RATE_SECONDS
        assert upload.body.rate() == pytest.approx(10 / RATE_SECONDS)
        await upload.come(FAST)
        assert upload.body.rate() == pytest.approx((FAST + 10) / RATE_SECONDS)
        for _ in range(3):  # a fast begin is no credit
            clock.now += RATE_SECONDS
            await upload.come(SLOW)
        assert upload.body.rate() == pytest.approx(SLOW / RATE_SECONDS)

    asyncio.run(test())


@pytest.mark.parametrize("waiting", [False, True], ids=["between two pieces", "while it is waited for"])
def test_a_slow_upload_is_closed_when_another_visitor_waits(waiting: bool) -> None:
    async def test() -> None:
        clock, places = Clock(), UploadPlaces(2, 2)
        async with contextlib.AsyncExitStack() as fast_one, contextlib.AsyncExitStack() as slow_one:
            fast, slow = Upload(clock), Upload(clock)
            await held(fast_one, places, who("fast"), fast)
            await held(slow_one, places, who("slow"), slow)
            clock.now += RATE_SECONDS
            await fast.come(FAST)
            await slow.come(SLOW)
            reading = asyncio.ensure_future(slow.body.receive()) if waiting else None
            await asyncio.sleep(0)
            with pytest.raises(Refused, match="still being added"):
                await held(fast_one, places, who("third", "1.1.1.1"), Upload(clock))
            with pytest.raises(Crowded):
                await (reading or slow.body.receive())
            assert slow.body.closed and not fast.body.closed
            await slow_one.aclose()
            await held(fast_one, places, who("third", "1.1.1.1"), Upload(clock))

    asyncio.run(test())


def test_who_waits_for_the_visitors_own_uploads_closes_none() -> None:
    async def test() -> None:
        clock, places = Clock(), UploadPlaces(2, 9)
        async with contextlib.AsyncExitStack() as stack:
            uploads = [Upload(clock), Upload(clock)]
            for upload in uploads:
                await held(stack, places, who("one"), upload)
            clock.now += RATE_SECONDS * 2
            with pytest.raises(Refused):
                await held(stack, places, who("one"), Upload(clock))
            assert not any(upload.body.closed for upload in uploads)

    asyncio.run(test())


def test_one_address_does_not_take_all_places_and_its_slow_uploads_go_first() -> None:
    async def test() -> None:
        clock, places = Clock(), UploadPlaces(1, 5, 3)
        async with contextlib.AsyncExitStack() as stack:
            crowd = [Upload(clock) for _ in range(3)]
            for number, upload in enumerate(crowd):
                await held(stack, places, who(f"crowd {number}"), upload)
            with pytest.raises(Refused):
                await held(stack, places, who("crowd 4"), Upload(clock))
            lone = Upload(clock)
            await held(stack, places, who("lone", "1.1.1.1"), lone)
            await held(stack, places, who("last", "9.9.9.9"), Upload(clock))
            clock.now += RATE_SECONDS
            for size, upload in zip((2, 1, 3), crowd, strict=True):
                await upload.come(size)
            await lone.come(1)
            with pytest.raises(Refused):
                await held(stack, places, who("new", "4.4.4.4"), Upload(clock))
            assert [upload.body.closed for upload in (*crowd, lone)] == [False, True, False, False]
            with pytest.raises(Refused):  # one at a time
                await held(stack, places, who("new", "4.4.4.4"), Upload(clock))
            assert [upload.body.closed for upload in (*crowd, lone)].count(True) == 1

    asyncio.run(test())


def test_a_closed_upload_is_answered_with_a_sentence(tmp_path: Path) -> None:
    async def test() -> None:
        site = Site(tmp_path, Rates(uploads=(1, 1)), upload_wait_seconds=30)
        begun, end = asyncio.Event(), asyncio.Event()

        async def dripping() -> AsyncIterator[bytes]:
            yield b"x"
            begun.set()
            await end.wait()

        async with site.client("8.8.8.8") as slow, site.client("1.1.1.1") as other:
            first = asyncio.create_task(slow.post(UPLOAD, content=dripping()))
            await begun.wait()
            places = site.middleware._counters.uploads
            while not places._uploads:
                await asyncio.sleep(0.01)
            body = places._uploads[0].body
            body._clock = lambda: 1e9  # a long time later
            answer = await asyncio.wait_for(other.post(UPLOAD, content=b"y"), 60)
            assert answer.status_code == 200
            refused = await asyncio.wait_for(first, 60)
            assert refused.status_code == 408 and "Others are waiting" in refused.json()["detail"]

    asyncio.run(test())
