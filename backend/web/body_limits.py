"""Limits of request bodies and of uploads: size, speed, free disk space, and how many at once."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from backend.security.rate_limit import Slots
from backend.web import access_rules
from backend.web.exchange import Exchange, Refused
from backend.web.request_body import Body, Crowded, Receive, TooLarge, TooSlow, drain, replay
from backend.web.visitors import Visitor


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


async def limited_body(
    exchange: Exchange, max_upload_bytes: int, grace_seconds: float
) -> tuple[Receive, bytes | None, Body]:
    """The app's `receive`, the body where it is read here, and its limits: uploads and MCP requests are
    limited as they stream.

    Raises Refused for a body that is too large or too slow. grace_seconds: how long it may send nothing.
    """
    path, headers = exchange.path, exchange.headers

    def refusal() -> Refused:
        if isinstance(body.problem, TooLarge):
            return _too_large(path, max_upload_bytes)
        if isinstance(body.problem, Crowded):
            return Refused.of("file_too_slow", 408, 5)
        return Refused.of("request_too_slow", 408)

    body = Body(exchange.receive, access_rules.body_limit(path, max_upload_bytes), grace_seconds)
    exchange.body, exchange.body_refusal = body, refusal
    if path == access_rules.UPLOAD or path.startswith(access_rules.MCP):
        return body.receive, None, body
    declared = headers.get("content-length") or "transfer-encoding" in headers
    if exchange.method in ("GET", "HEAD") and not declared:
        return exchange.receive, None, body
    try:
        data = await body.whole()
    except (TooLarge, TooSlow):
        raise refusal() from None
    return replay(data, exchange.receive), data, body


@contextlib.contextmanager
def stream_slot(slots: Slots, visitor: Visitor) -> Iterator[None]:
    """Raises Refused when too many streams are open."""
    if not slots.take(str(visitor), visitor.people, visitor.neighbour):
        raise Refused.of("too_many_streams", 429, 5)
    try:
        yield
    finally:
        slots.free(str(visitor), visitor.neighbour)


@contextlib.contextmanager
def large_body(budget: Slots, visitor: Visitor, size: int) -> Iterator[None]:
    """Holds this many bytes of memory. Raises Refused when too many are held."""
    if not budget.take(str(visitor), visitor.people, visitor.neighbour, size):
        raise Refused.of("too_many_bodies", 429, 10)
    try:
        yield
    finally:
        budget.free(str(visitor), visitor.neighbour, size)


def is_inside(name: str, folder: Path) -> bool:
    """Whether this path, all links resolved, is in the folder."""
    try:
        return Path(name).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def is_file_inside(name: str, folder: Path) -> bool:
    """Whether this path, all links resolved, is a file in the folder."""
    try:
        return is_inside(name, folder) and Path(name).is_file()
    except (OSError, ValueError):  # a name that is too long
        return False


def free_bytes(folder: Path) -> int | None:
    """Free space on the disk of this folder; None where that is not known."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _too_large(path: str, max_upload_bytes: int) -> Refused:
    if path == access_rules.UPLOAD:
        return Refused.of("upload_over_limit", 413, megabytes=max_upload_bytes // 1_000_000)
    return Refused.of("request_over_limit", 413)
