"""What is known of files that have been looked at: an answer holds as long as the file does not change."""

from __future__ import annotations

import stat
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TICK_SECONDS = 0.02
"""More than a file system's clock needs to give another change another time."""

Reply = dict[str, Any]
"""What a child answers: {"ok": figures} or {"error": its fields}."""


@dataclass(frozen=True)
class Question:
    """One look at one state of a file. `name`: the file's name in sentences; `more`: further arguments."""

    op: str
    path: str
    name: str
    more: tuple[tuple[str, object], ...]
    state: tuple[int, ...]


def question(op: str, path: str, name: str, **more: object) -> Question | None:
    """The look at the file as it is now; None for what is no regular file."""
    state = _state(path)
    return Question(op, path, name, tuple(sorted(more.items())), state) if state is not None else None


class Looks:
    """The answers to the last `limit` questions. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._known: OrderedDict[Question, Reply] = OrderedDict()

    def __contains__(self, asked: Question) -> bool:
        return asked in self._known

    def get(self, asked: Question) -> Reply | None:
        with self._lock:
            reply = self._known.get(asked)
            if reply is not None:
                self._known.move_to_end(asked)
            return reply

    def put(self, asked: Question, reply: Reply) -> None:
        """Keeps the answer, unless the file has changed meanwhile or the answer may be another next time."""
        if "error" in reply and (reply["error"].get("code") != "bad_media" or reply["error"].get("passing")):
            return
        # A change right behind the last one would have the same time: it is seen only a moment later.
        age = time.time() - asked.state[-1] / 1e9
        if 0 <= age < _TICK_SECONDS:
            time.sleep(_TICK_SECONDS - age)
        if _state(asked.path) != asked.state:
            return
        with self._lock:
            self._known[asked] = reply
            while len(self._known) > self._limit:
                self._known.popitem(last=False)


def _state(path: str) -> tuple[int, ...] | None:
    """What changes with a file's content; its last part is the time of the last change."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
