"""Counts how often the kernel has killed a process for lack of memory."""

from __future__ import annotations

import re
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def oom_kills(proc: Path = PROC, root: Path = CGROUPS) -> int | None:
    """The count for our container (cgroup v2 or v1), else for the machine; None where the kernel has none."""
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
