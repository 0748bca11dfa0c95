"""Ports for tests: no two test processes of this machine are given the same one.

A row of ports belongs to the process that holds the lock on the row's file; the kernel lets go of it when the
process ends. Rows lie below the ports that the system gives out by itself.
"""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
from pathlib import Path
from typing import IO

from backend.servers.ports import port_is_free

FIRST, LAST, ROW = 20_000, 32_000, 8
LOCKS = Path(tempfile.gettempdir()) / f"wan-studio-test-ports-{os.getuid()}"

_held: dict[int, IO[bytes]] = {}


def free_row(count: int = ROW) -> int:
    """The first of `count` free ports next to each other."""
    assert count <= ROW
    LOCKS.mkdir(exist_ok=True)
    rows = list(range(FIRST, LAST, ROW))
    random.shuffle(rows)
    for first in rows:
        if first in _held or not all(port_is_free(first + n, "127.0.0.1") for n in range(count)):
            continue
        file = (LOCKS / str(first)).open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _held[first] = file
        return first
    raise AssertionError(f"no {count} free ports from {FIRST} to {LAST}")


def free_port() -> int:
    """One such port."""
    return free_row(1)
