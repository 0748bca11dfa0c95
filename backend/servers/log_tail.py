"""What a server process prints: kept for a post-mortem, passed on to our log.

It prints into a file and not into a pipe: the process outlives this one when this one is killed, and a broken
pipe would end the job in it. The file is kept small by cutting it off once it has been read.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections import deque
from pathlib import Path
from typing import BinaryIO

log = logging.getLogger("wan.servers")

LINES = 200  # kept
LINE_MAX = 500  # characters of a line
FILE_MAX = 16 << 20  # bytes
READ = 1 << 16  # bytes

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LOUD = re.compile(
    r"\s*(?:\[(?!\s*(?:error|warning|critical)\s*\])[^\]]*\]\s*)*[\[!\s]*"
    r"(?:(?:error|warning|critical|fatal|traceback|killed|failed to|terminate called)\b|"
    r"(?:[\w.]+\.)?\w*(?:Error|Exception|Warning)\b)",
    re.IGNORECASE,
)


def is_loud(line: str) -> bool:
    """Whether a line is a warning or an error, by how it begins."""
    return _LOUD.match(line) is not None


class Tail:
    """Follows one file. `read` is called by one thread; the rest by any."""

    def __init__(self, name: str, path: Path, file_max: int = FILE_MAX) -> None:
        self.name, self.path, self._file_max = name, path, file_max
        self._lines: deque[tuple[float, str]] = deque(maxlen=LINES)
        self._file: BinaryIO | None = None
        self._rest = b""

    def fresh(self) -> int:
        """Begins an empty file; the earlier one is kept beside it. Returns a descriptor to write to.

        Raises OSError.
        """
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND  # so that cutting it off moves the writer, too
        return os.open(self.path, flags, 0o600)

    def skip(self) -> None:
        """Takes what is there as told already, but for its last lines: the process is an earlier run's."""
        self.close()
        with contextlib.suppress(OSError):
            self._file = self.path.open("rb")
            self._file.seek(max(0, self.path.stat().st_size - READ))
            for line in _lines(self._file.read()):
                self._lines.append((0.0, line))

    def read(self) -> None:
        """Takes in what was printed since."""
        try:
            if self._file is None:
                self._file = self.path.open("rb")
            while data := self._file.read(READ):
                *whole, self._rest = (self._rest + data).split(b"\n")
                self._rest = self._rest.rpartition(b"\r")[2][-READ:]  # of a progress bar, how it stands last
                for line in _lines(b"\n".join(whole)):
                    self._take(line)
                if self._runs_away(self._file):
                    self._skip_to_end(self._file)
                    break
            if self._file.tell() > self._file_max:
                self._cut_off(self._file)
        except OSError as error:
            log.debug("%s: its output cannot be read: %s", self.name, error)

    def finish(self) -> None:
        """After the end of the process: the rest, also without a line's end."""
        self.read()
        for line in _lines(self._rest):
            self._take(line)
        self._rest = b""

    def printed(self) -> list[tuple[float, str]]:
        """The last lines, each with its time (monotonic; 0 for those of before we took over)."""
        return list(self._lines)

    def lines(self) -> list[str]:
        """The last lines."""
        return [line for _, line in self.printed()]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._rest = None, b""

    def _runs_away(self, file: BinaryIO) -> bool:
        """Whether the process prints faster than it is read here, so that the file would never be read up."""
        size, read = os.fstat(file.fileno()).st_size, file.tell()
        return size - read > self._file_max or size > read > 2 * self._file_max

    def _skip_to_end(self, file: BinaryIO) -> None:
        """Takes in the last lines alone, and empties the file."""
        size, read = os.fstat(file.fileno()).st_size, file.tell()
        file.seek(max(read, size - READ))
        log.info("%s: %d bytes of its output were skipped", self.name, file.tell() - read)
        for line in _lines(file.read(READ)):
            self._take(line)
        self._rest = b""
        self._cut_off(file)

    def _cut_off(self, file: BinaryIO) -> None:
        os.truncate(self.path, 0)
        file.seek(0)

    def _take(self, line: str) -> None:
        self._lines.append((time.monotonic(), line))
        log.log(logging.INFO if is_loud(line) else logging.DEBUG, "%s: %s", self.name, line)


def _lines(data: bytes) -> list[str]:
    text = _COLOURS.sub("", data.decode("utf-8", "replace"))
    found = (line.rstrip().rpartition("\r")[2].rstrip()[:LINE_MAX] for line in text.split("\n"))
    return [line for line in found if line]
