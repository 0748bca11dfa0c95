"""Finds server processes that an earlier run of the studio started and did not stop."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

OWNER_SEPARATOR = "#"
"""Between the data folder and the process of a second studio that runs on the same data folder."""
MARK = "_STUDIO_SERVER"
"""Environment variable of each server process that the studio starts. It exists exactly as long as the
process, so unlike a PID file it is never missing and never stale."""


@dataclass(frozen=True)
class Mark:
    """What a server process was started for."""

    data: str  # the data folder of its studio, followed by OWNER_SEPARATOR and process for a second studio
    key: str  # equal for processes with the same command line, port aside
    port: int
    log: str  # the file that it prints to
    folder: str = ""  # its own folder, if it has one

    def environment(self) -> dict[str, str]:
        return {MARK: json.dumps(asdict(self))}

    @staticmethod
    def of(environ: Mapping[str, str]) -> Mark | None:
        try:
            return Mark(**json.loads(environ[MARK]))
        except (KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True)
class Orphan:
    """A server process left by an earlier run. `process` holds PID and start time; `age` is in seconds."""

    process: psutil.Process
    mark: Mark
    age: float

    @property
    def pid(self) -> int:
        return int(self.process.pid)


def orphans(data: Path) -> list[Orphan]:
    """The orphans of this data folder, by PID. To be called by the studio that holds the folder's lock.

    Servers of a second studio that still runs are left out, and so are the children of servers: only session
    leaders count. Processes whose environment cannot be read are skipped.
    """
    found = []
    for process in processes():
        with contextlib.suppress(psutil.Error, OSError):
            mark = Mark.of(process.environ())
            if mark is None or not _is_left(mark.data, str(data)) or process.pid == os.getpid():
                continue
            if os.getsid(process.pid) == process.pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(Orphan(process, mark, max(0.0, time.time() - process.create_time())))
    return found


def processes() -> Iterator[psutil.Process]:
    """The processes of this machine that are visible to us, by PID; none where there is no process table."""
    with contextlib.suppress(psutil.Error, OSError):
        yield from psutil.process_iter()


def _is_left(marked: str, data: str) -> bool:
    if marked == data:
        return True
    owner = marked.removeprefix(data + OWNER_SEPARATOR).partition("-")[0]
    return (
        marked.startswith(data + OWNER_SEPARATOR) and owner.isdecimal() and not psutil.pid_exists(int(owner))
    )
