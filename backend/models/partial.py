"""Partial downloads: found again after a kill, never written by two processes, never under the final name.

A partial file lies beside the final file as .<name>.<tag>.<host>-<process>-<random>.part. The tag identifies
the content, so that a partial file of an older version is never continued. A process that continues a partial
file first renames it to a name of its own; a rename is atomic, so only one process can succeed. A lock in the
machine's temporary folder serializes downloads of the same file on one machine; two pods on one volume have
no such lock and at worst download the file twice."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from backend.models.owner import FORM, in_use, mark

ENDING = ".part"
BUSY_SECONDS = 120.0
"""A partial file that another machine has written to within this time may be in use there."""
POLL_SECONDS = 0.5


def claim(final: Path, tag: str) -> Path:
    """A partial file of this content that only this process uses: the longest abandoned one, or a new empty
    one.

    Raises OSError.
    """
    mine = _part(final, tag)
    for part in sorted(parts(final, tag), key=_length, reverse=True):
        if busy(part):
            continue
        with contextlib.suppress(OSError):  # another process has claimed it
            part.rename(mine)
            os.utime(mine)  # so that it does not count as abandoned before the first byte arrives
            return mine
    mine.touch(exist_ok=False)
    return mine


def parts(final: Path, tag: str = "") -> list[Path]:
    """All partial files of a file, or those of one content. Links and files with other names are left out."""
    key = _key(tag) if tag else "[0-9a-f]{12}"
    ours = re.compile(rf"\.{re.escape(final.name)}\.{key}\.{FORM}{re.escape(ENDING)}")
    with contextlib.suppress(OSError), os.scandir(final.parent) as here:
        return [
            Path(entry.path)
            for entry in here
            if ours.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
        ]
    return []


def busy(part: Path) -> bool:
    """Whether another process may be writing it."""
    return in_use(part, ENDING, BUSY_SECONDS)


def clean(final: Path) -> None:
    """Removes the partial files that are not in use, after the file itself has arrived."""
    for part in parts(final):
        if not busy(part):
            with contextlib.suppress(OSError):
                part.unlink()


@contextlib.contextmanager
def exclusive(
    final: Path, on_wait: Callable[[], None], check: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Waits until no other process of this machine downloads this file; calls on_wait once if it has to
    wait, and check each time, which ends the waiting by an exception."""
    folder = Path(tempfile.gettempdir()) / f"wan-studio-locks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    name = hashlib.sha256(str(final.parent.resolve() / final.name).encode()).hexdigest()[:32]
    with (folder / name).open("ab") as lock:
        announced = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not announced:
                    on_wait()
                    announced = True
                check()
                time.sleep(POLL_SECONDS)
        yield


def _part(final: Path, tag: str) -> Path:
    return final.with_name(f".{final.name}.{_key(tag)}.{mark()}{ENDING}")


def _key(tag: str) -> str:
    return hashlib.sha256(tag.encode()).hexdigest()[:12]


def _length(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return -1
