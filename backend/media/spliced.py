"""A file made of parts of another one and of bytes in between, read without a copy."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import BinaryIO

Part = bytes | tuple[int, int]
"""Bytes, or (offset, length) in the underlying file."""


class Spliced(io.RawIOBase):
    """Reads `parts` one after another. Offsets and lengths must lie in `file`. Closing leaves `file` open."""

    def __init__(self, file: BinaryIO, parts: Iterable[Part]) -> None:
        super().__init__()
        self._file = file
        self._parts = [part for part in _merged(parts) if _length(part)]
        self._starts = [0, *accumulate(_length(part) for part in self._parts)]
        self._at = 0

    @property
    def size(self) -> int:
        """The length of the whole."""
        return self._starts[-1]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a position in bytes and returns it. Raises ValueError for a negative one."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._at = base + offset
        return self._at

    def read(self, count: int | None = -1) -> bytes:
        if count is None or count < 0:
            count = max(0, self.size - self._at)
        pieces: list[bytes] = []
        while count > 0 and self._at < self.size:
            index = bisect_right(self._starts, self._at) - 1
            skipped = self._at - self._starts[index]
            piece = self._of(self._parts[index], skipped, count)
            if not piece:
                break  # the file was shortened meanwhile
            pieces.append(piece)
            self._at += len(piece)
            count -= len(piece)
        return b"".join(pieces)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _of(self, part: Part, skipped: int, count: int) -> bytes:
        if isinstance(part, bytes):
            return part[skipped : skipped + count]
        self._file.seek(part[0] + skipped)
        return self._file.read(min(count, part[1] - skipped))


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1]


def _merged(parts: Iterable[Part]) -> list[Part]:
    """The parts, with neighbours in the file as one."""
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else b""
        if isinstance(part, tuple) and isinstance(last, tuple) and sum(last) == part[0]:
            found[-1] = (last[0], last[1] + part[1])
        else:
            found.append(part)
    return found
