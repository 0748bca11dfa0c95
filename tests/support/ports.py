"""Allocates ports for tests; no two test processes on this machine get the same one.

A range of ports belongs to the process that holds the lock on the range's file; the kernel releases it when
the process ends. The ranges are below the system's ephemeral ports.
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
    """The first of `count` consecutive free ports."""
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
    """A free port."""
    return free_row(1)
