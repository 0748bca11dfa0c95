"""Processes of this machine as /proc tells them; where there is none, nothing is found."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")
BESIDE = "#"  # between the data folder and the process of a studio that is there beside another
MARK = "_STUDIO_SERVER"
"""The variable in the environment of a process of ours that says what it is. It is there as soon as the
process is and goes with it, so that, unlike a file, it is never missing and never stale."""


@dataclass(frozen=True)
class Mark:
    """What a server process of ours was started for."""

    data: str  # the data folder of its studio, and after BESIDE that studio's process
    key: str  # equal when it would be started the same way again, but for the port
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
    """A server process that an earlier run of the studio started and did not stop. `age` in seconds."""

    pid: int
    mark: Mark
    age: float


def orphans(data: Path, proc: Path = PROC) -> list[Orphan]:
    """Those of this data folder, for who holds it alone; those of studios that are there beside it are none.

    Their own children are left out: each is a session's leader.
    """
    found = []
    for pid in _pids(proc):
        mark = Mark.of(environment(pid, proc) or {})
        stat = _stat(pid, proc)
        if mark is not None and stat is not None and _is_left(mark.data, str(data), proc):
            state, session, started = stat
            if state != "Z" and session == pid and pid != os.getpid():
                found.append(Orphan(pid, mark, max(0.0, _uptime(proc) - started)))
    return found


def _is_left(marked: str, data: str, proc: Path) -> bool:
    if marked == data:
        return True
    owner = marked.removeprefix(data + BESIDE).partition("-")[0]
    return marked.startswith(data + BESIDE) and owner.isdecimal() and _stat(int(owner), proc) is None


def environment(pid: int, proc: Path = PROC) -> dict[str, str] | None:
    """With what environment a process was started; None when that cannot be read."""
    try:
        data = (proc / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    pairs = (item.partition("=") for item in data.decode("utf-8", "replace").split("\0"))
    return {name: value for name, _, value in pairs if name}


def listener(port: int, proc: Path = PROC) -> int | None:
    """The process that listens on this TCP port, as far as we may see it."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if len(fields) > 9 and fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for pid in _pids(proc) if inodes else ():
        try:
            for link in (proc / str(pid) / "fd").iterdir():
                if os.readlink(link) in inodes:  # noqa: PTH115 - not a path
                    return pid
        except OSError:
            continue
    return None


def oom_kills(proc: Path = PROC, root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """How often the kernel ended a process of our container for lack of memory; None when it does not say."""
    try:
        groups = [line.split(":", 2) for line in (proc / "self" / "cgroup").read_text().splitlines()]
    except OSError:
        groups = []
    candidates = []
    for _, controllers, path in (group for group in groups if len(group) == 3):
        if not controllers:
            candidates += [root / path.lstrip("/") / "memory.events", root / "memory.events"]
        elif "memory" in controllers.split(","):
            memory = root / "memory"
            candidates += [memory / path.lstrip("/") / "memory.oom_control", memory / "memory.oom_control"]
    for file in (*candidates, proc / "vmstat"):
        try:
            found = re.search(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE)
        except OSError:
            continue
        if found:
            return int(found[1])
    return None


def _pids(proc: Path) -> Iterator[int]:
    try:
        names = [entry.name for entry in proc.iterdir()]
    except OSError:
        return
    yield from sorted(int(name) for name in names if name.isdigit())


def _stat(pid: int, proc: Path) -> tuple[str, int, float] | None:
    """State, session, and when it was started, in seconds after the boot."""
    try:
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return fields[0], int(fields[3]), int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None


def _uptime(proc: Path) -> float:
    try:
        return float((proc / "uptime").read_text().split()[0])
    except (OSError, IndexError, ValueError):
        return 0.0
