"""Half-fetched files: found again after a kill, never shared by two processes, never under the right name.

A part lies beside the file that it will be, as .<name>.<tag>.<host>-<process>-<random>.part; the tag is that
of the content, so that a part of an older version is never continued. Who continues a part renames it to a
name of its own first; a rename is atomic, so that only one of two can have it. A lock in the machine's
temporary folder makes two downloads on one machine wait for each other; two pods on one volume have no such
lock and at worst fetch the file twice.
"""

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

from backend.models.owner import FORM, at_work, mark

ENDING = ".part"
BUSY_SECONDS = 120.0
"""A part that another machine wrote to in this time may be in use there."""
POLL_SECONDS = 0.5


def claim(final: Path, tag: str) -> Path:
    """A part for this content that is ours alone: the longest abandoned one, or a new empty one.

    Raises OSError.
    """
    mine = _part(final, tag)
    for part in sorted(parts(final, tag), key=_length, reverse=True):
        if busy(part):
            continue
        with contextlib.suppress(OSError):  # another process was faster
            part.rename(mine)
            os.utime(mine)  # nobody else takes it for abandoned before the first byte comes
            return mine
    mine.touch(exist_ok=False)
    return mine


def parts(final: Path, tag: str = "") -> list[Path]:
    """All parts of a file, or those of one content. A link, or a file that is not named as we name ours, is
    somebody else's."""
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
    return at_work(part, ENDING, BUSY_SECONDS)


def clean(final: Path) -> None:
    """Removes what nobody will continue, after the file itself has come."""
    for part in parts(final):
        if not busy(part):
            with contextlib.suppress(OSError):
                part.unlink()


@contextlib.contextmanager
def alone(final: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Waits until no other process of this machine fetches this file; on_wait is called once if so."""
    folder = Path(tempfile.gettempdir()) / f"wan-studio-locks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    name = hashlib.sha256(str(final.parent.resolve() / final.name).encode()).hexdigest()[:32]
    with (folder / name).open("ab") as lock:
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    on_wait()
                    told = True
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
