"""Limits of request bodies and of uploads: size, speed, free disk space, and how many at once."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from backend.security.rate_limit import Slots
from backend.web import access_rules
from backend.web.exchange import Exchange, Refused
from backend.web.request_body import Body, Receive, TooLarge, TooSlow, drain, replay
from backend.web.visitors import Visitor

SLOT_POLL_SECONDS = 0.1
"""Between two looks for a free upload slot."""


def content_length(exchange: Exchange) -> int:
    """The declared length; 0 where there is none."""
    return int(exchange.headers.get("content-length", "") or 0)


async def check_length(exchange: Exchange, max_upload_bytes: int) -> None:
    """Raises Refused when the declared length is above the path's limit, or no number."""
    limit = access_rules.body_limit(exchange.path, max_upload_bytes)
    length = exchange.headers.get("content-length", "")
    if length and (not length.isdecimal() or int(length) > limit):
        if "100-continue" not in exchange.headers.get("expect", "").lower():
            await drain(exchange.receive, 2 * limit)
        raise _too_large(exchange.path, max_upload_bytes)


async def limited_body(exchange: Exchange, max_upload_bytes: int, grace_seconds: float) -> Receive:
    """The app's `receive`: small bodies are read here, uploads and MCP requests are limited as they stream.

    Raises Refused for a body that is too large or too slow. grace_seconds: how long it may send nothing.
    """
    path, headers = exchange.path, exchange.headers

    def refusal() -> Refused:
        if isinstance(body.problem, TooLarge):
            return _too_large(path, max_upload_bytes)
        return Refused(408, "This request came in too slowly. Try again on a better connection.")

    body = Body(exchange.receive, access_rules.body_limit(path, max_upload_bytes), grace_seconds)
    exchange.body, exchange.body_refusal = body, refusal
    if path == access_rules.UPLOAD or path.startswith(access_rules.MCP):
        return body.receive
    declared = headers.get("content-length") or "transfer-encoding" in headers
    if exchange.method in ("GET", "HEAD") and not declared:
        return exchange.receive
    try:
        return replay(await body.whole(), exchange.receive)
    except (TooLarge, TooSlow):
        raise refusal() from None


@contextlib.asynccontextmanager
async def upload_slot(slots: Slots, visitor: Visitor, wait_seconds: float) -> AsyncIterator[None]:
    """Waits for other uploads to end. Raises Refused when that takes too long."""
    until = time.monotonic() + wait_seconds
    while not slots.take(str(visitor), visitor.people):
        if time.monotonic() >= until:
            raise Refused(429, "Other files are still being added.", 5)
        await asyncio.sleep(SLOT_POLL_SECONDS)
    try:
        yield
    finally:
        slots.free(str(visitor))


@contextlib.contextmanager
def stream_slot(slots: Slots, visitor: Visitor) -> Iterator[None]:
    """Raises Refused when too many streams are open."""
    if not slots.take(str(visitor), visitor.people):
        raise Refused(429, "Too many open connections at once. Close some tabs of Wan Studio.", 5)
    try:
        yield
    finally:
        slots.free(str(visitor))


def is_inside(name: str, folder: Path) -> bool:
    """Whether this path, all links resolved, lies in the folder."""
    try:
        return Path(name).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def free_bytes(folder: Path) -> int | None:
    """Free space on the disk of this folder; None where that is not known."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _too_large(path: str, max_upload_bytes: int) -> Refused:
    if path == access_rules.UPLOAD:
        most = max_upload_bytes // 1_000_000
        return Refused(413, f"This file is larger than {most} MB. Save it smaller and add it again.")
    return Refused(413, "This request is too large. Upload files first and send their paths.")
