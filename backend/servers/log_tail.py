"""Output of a server process: the last lines for a post-mortem, and warnings and errors for the log.

The process writes to a file and not to a pipe: it outlives the studio when that is killed, and a broken pipe
would end its job. The file is truncated after it has been read."""

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
_IMPORTANT = re.compile(
    r"\s*(?:\[(?!\s*(?:error|warning|critical)\s*\])[^\]]*\]\s*)*[\[!\s]*"
    r"(?:(?:error|warning|critical|fatal|traceback|killed|failed to|terminate called)\b|"
    r"(?:[\w.]+\.)?\w*(?:Error|Exception|Warning)\b)",
    re.IGNORECASE,
)


def is_important(line: str) -> bool:
    """Whether a line is a warning or an error, judging by its beginning."""
    return _IMPORTANT.match(line) is not None


class Tail:
    """Follows one file. `read` is called by one thread, the other methods by any."""

    def __init__(self, name: str, path: Path, file_max: int = FILE_MAX) -> None:
        self.name, self.path, self._file_max = name, path, file_max
        self._lines: deque[tuple[float, str]] = deque(maxlen=LINES)
        self._file: BinaryIO | None = None
        self._rest = b""

    def start_file(self) -> int:
        """Creates an empty file and renames the previous one. Returns a descriptor to write to.

        Raises OSError.
        """
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND  # truncation also moves the writer
        return os.open(self.path, flags, 0o600)

    def resume(self) -> None:
        """Continues a file of an earlier run: keeps its last lines, logs none of its content."""
        self.close()
        with contextlib.suppress(OSError):
            self._file = self.path.open("rb")
            self._file.seek(max(0, self.path.stat().st_size - READ))
            for line in _lines(self._file.read()):
                self._lines.append((0.0, line))

    def read(self) -> None:
        """Reads the output since the last call."""
        try:
            if self._file is None:
                self._file = self.path.open("rb")
            while data := self._file.read(READ):
                *whole, self._rest = (self._rest + data).split(b"\n")
                self._rest = self._rest.rpartition(b"\r")[2][-READ:]  # of a progress bar, the last state
                for line in _lines(b"\n".join(whole)):
                    self._take(line)
                if self._falls_behind(self._file):
                    self._skip_to_end(self._file)
                    break
            if self._file.tell() > self._file_max:
                self._truncate(self._file)
        except OSError as error:
            log.debug("%s: its output cannot be read: %s", self.name, error)

    def finish(self) -> None:
        """Reads the rest after the end of the process, including an unterminated line."""
        self.read()
        for line in _lines(self._rest):
            self._take(line)
        self._rest = b""

    def printed(self) -> list[tuple[float, str]]:
        """The last lines, each with its time (monotonic; 0 for lines from before a takeover)."""
        return list(self._lines)

    def lines(self) -> list[str]:
        """The last lines."""
        return [line for _, line in self.printed()]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._rest = None, b""

    def _falls_behind(self, file: BinaryIO) -> bool:
        """Whether the process writes faster than this reads, so that the file would grow without limit."""
        size, read = os.fstat(file.fileno()).st_size, file.tell()
        return size - read > self._file_max or size > read > 2 * self._file_max

    def _skip_to_end(self, file: BinaryIO) -> None:
        """Reads only the last lines and truncates the file."""
        size, read = os.fstat(file.fileno()).st_size, file.tell()
        file.seek(max(read, size - READ))
        log.info("%s: %d bytes of its output were skipped", self.name, file.tell() - read)
        for line in _lines(file.read(READ)):
            self._take(line)
        self._rest = b""
        self._truncate(file)

    def _truncate(self, file: BinaryIO) -> None:
        os.truncate(self.path, 0)
        file.seek(0)

    def _take(self, line: str) -> None:
        self._lines.append((time.monotonic(), line))
        log.log(logging.INFO if is_important(line) else logging.DEBUG, "%s: %s", self.name, line)


def _lines(data: bytes) -> list[str]:
    text = _COLOURS.sub("", data.decode("utf-8", "replace"))
    found = (line.rstrip().rpartition("\r")[2].rstrip()[:LINE_MAX] for line in text.split("\n"))
    return [line for line in found if line]
