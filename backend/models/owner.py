"""Marks in the names of unfinished files: the process and the machine that write them."""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from pathlib import Path

import psutil

FORM = r"[A-Za-z0-9_]*-\d+-[0-9a-f]{8}"


def mark() -> str:
    """A new, unique mark: host, process, random part."""
    return f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"


def in_use(path: Path, ending: str, idle_seconds: float) -> bool:
    """Whether the process named by the mark before `ending` may still be writing the file.

    On this machine: while that process exists. On another machine: while the file was changed within the last
    idle_seconds.
    """
    found = re.search(rf"\.({FORM}){re.escape(ending)}$", path.name)
    if not found:
        return False
    host, process, _ = found.group(1).rsplit("-", 2)
    if host == _host():
        return int(process) != os.getpid() and psutil.pid_exists(int(process))
    try:
        return time.time() - path.stat().st_mtime < idle_seconds
    except OSError:
        return False


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())
