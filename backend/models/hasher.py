"""Computes the sha256 of model files in the background: one thread of low priority, small files first."""

from __future__ import annotations

import contextlib
import heapq
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from backend.models.file_hashes import FileHashes, FileKey, file_key
from backend.models.verify import sha256

log = logging.getLogger("wan.models")

READ_BYTES = 1 << 20
"""Of one read, after each of which the thread can be stopped."""
JOIN_SECONDS = 5.0

Compute = Callable[[Path, Callable[[int], None]], str]
"""(path, called after each read) -> sha256. Raises OSError."""


class _Stopped(Exception):
    """The hasher was closed while it read a file."""


def computed(path: Path, on_bytes: Callable[[int], None]) -> str:
    """The sha256 of a file, by small reads. Raises OSError."""
    return sha256(path, on_bytes, READ_BYTES)


class Hasher:
    """Any thread may ask. The thread runs while there is something to compute; each state of a file is
    computed once."""

    def __init__(self, hashes: FileHashes, compute: Compute = computed) -> None:
        self.hashes, self._compute = hashes, compute
        self._changed = threading.Condition()
        self._waiting: list[FileKey] = []
        self._pending: set[FileKey] = set()
        self._unreadable: set[FileKey] = set()
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, keys: Iterable[FileKey]) -> None:
        """Computes what is not known of these files, after what is smaller."""
        new = [key for key in dict.fromkeys(keys) if not self.hashes.get(key)]
        with self._changed:
            for key in new:
                if not self._closed and key not in self._pending and key not in self._unreadable:
                    self._pending.add(key)
                    heapq.heappush(self._waiting, key)
            if self._waiting and self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="model hashes", daemon=True)
                self._thread.start()

    def known(self, key: FileKey) -> str:
        """The sha256 of a file in this state, "" while it is not known."""
        return self.hashes.get(key)

    def wait(self, keys: Iterable[FileKey], seconds: float) -> bool:
        """Waits until nothing of these files is to be computed any more; False when that takes longer."""
        asked = set(keys)
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or not asked & self._pending, seconds)

    def close(self) -> None:
        """Stops the thread after its current read."""
        with self._changed:
            self._closed, thread = True, self._thread
            self._waiting.clear()
            self._pending.clear()
            self._changed.notify_all()
        if thread is not None:
            thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        _lower_priority()
        while True:
            with self._changed:
                if not self._waiting:
                    self._thread = None
                    return
                key = heapq.heappop(self._waiting)
            self._hash(key)
            with self._changed:
                self._pending.discard(key)
                self._changed.notify_all()

    def _hash(self, key: FileKey) -> None:
        path, began = Path(key.path), time.monotonic()
        try:
            if self.hashes.get(key) or file_key(path) != key:
                return  # another process has computed it, or it is another file by now
            digest = self._compute(path, self._check)
            if file_key(path) == key:
                self.hashes.put(key, digest)
                log.info("%s: sha256 computed in %.1f s", path.name, time.monotonic() - began)
        except _Stopped:
            return
        except OSError as error:
            log.warning("%s cannot be hashed: %s", path.name, error.strerror or error)
            with self._changed:
                self._unreadable.add(key)
        except Exception:  # the other files are still hashed
            log.exception("%s cannot be hashed", path.name)

    def _check(self, count: int) -> None:
        if self._closed:
            raise _Stopped


def _lower_priority() -> None:
    """Gives this thread the lowest share of processor and disk. Linux alone sets both for one thread."""
    if not sys.platform.startswith("linux"):
        return
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, 19)
    with contextlib.suppress(OSError, psutil.Error):
        psutil.Process(thread).ionice(psutil.IOPRIO_CLASS_IDLE)
