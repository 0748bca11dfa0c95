"""Cache of the decoder's replies about files; a reply is valid until the file changes."""

from __future__ import annotations

import contextlib
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

_TICK_SECONDS = 0.02
"""Longer than the resolution of a file system's timestamps."""

Reply = dict[str, Any]
"""A child's reply: {"ok": fields} or {"error": fields of the error}."""


@dataclass(frozen=True)
class CacheKey:
    """A request about one state of a file. `name`: the file's name in messages; `more`: further arguments."""

    op: str
    path: str
    name: str
    more: tuple[tuple[str, object], ...]
    state: tuple[int, ...]


def cache_key(op: str, path: str, name: str, **more: object) -> CacheKey | None:
    """The key of a request about the file as it is now; None if it is not a regular file."""
    state = _state(path)
    return CacheKey(op, path, name, tuple(sorted(more.items())), state) if state is not None else None


class ReplyCache:
    """The `limit` most recently used replies. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._replies: OrderedDict[CacheKey, Reply] = OrderedDict()

    def __contains__(self, key: CacheKey) -> bool:
        return key in self._replies

    def get(self, key: CacheKey) -> Reply | None:
        with self._lock:
            reply = self._replies.get(key)
            if reply is not None:
                self._replies.move_to_end(key)
            return reply

    def put(self, key: CacheKey, reply: Reply) -> None:
        """Stores a reply, unless the file has changed meanwhile or the error is transient."""
        if "error" in reply and (
            reply["error"].get("code") != "bad_media" or reply["error"].get("transient")
        ):
            return
        # A change directly after the last one could have the same timestamp: wait until it would differ.
        age = time.time() - key.state[-1] / 1e9
        if 0 <= age < _TICK_SECONDS:
            time.sleep(_TICK_SECONDS - age)
        if _state(key.path) != key.state:
            return
        with self._lock:
            self._replies[key] = reply
            while len(self._replies) > self._limit:
                self._replies.popitem(last=False)

    @contextlib.contextmanager
    def unchanged(self, path: str) -> Iterator[None]:
        """Replies about a file stay valid while the studio itself gives it another name, which changes its
        ctime alone."""
        before = _state(path)
        yield
        after = _state(path)
        if before is None or after is None or before[:-1] != after[:-1]:
            return
        with self._lock:
            for key in [key for key in self._replies if key.path == path and key.state == before]:
                self._replies[replace(key, state=after)] = self._replies.pop(key)


def _state(path: str) -> tuple[int, ...] | None:
    """Device, inode, size, mtime and ctime (ns) of a regular file: they change with its content."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
