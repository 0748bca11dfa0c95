"""Writes safetensors files with random numbers, piece by piece: memory does not grow with the file."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backend.errors import from_os_error
from backend.models.random_weights.shapes import Tensor

PIECE = 4 << 20
"""Numbers in a piece. One piece is drawn; every tensor consists of it from another start."""
FP8_DEVIATION = 64.0
"""Standard deviation of the fp8 numbers: 448, the largest one, is seven times as much."""
FP8_MAX_CODE = 0x7E
"""0x7F and 0xFF are the NaNs of E4M3."""

Pieces = npt.NDArray[np.generic]


def header(tensors: Sequence[Tensor]) -> bytes:
    """The file's beginning: length, JSON, padding to 8 bytes."""
    entries, at = {}, 0
    for tensor in tensors:
        span = [at, at + tensor.bytes]
        entries[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": span}
        at += tensor.bytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def file_bytes(tensors: Sequence[Tensor]) -> int:
    """Size of the file."""
    return len(header(tensors)) + sum(tensor.bytes for tensor in tensors)


def fp8_values() -> npt.NDArray[np.float32]:
    """The numbers of the codes 0 to FP8_MAX_CODE of E4M3: 1 sign bit, 4 of the exponent (bias 7), 3 more."""
    codes = np.arange(FP8_MAX_CODE + 1)
    exponent, rest = codes >> 3, (codes & 7) / 8
    subnormal = rest * 2.0**-6
    return np.where(exponent == 0, subnormal, (1 + rest) * 2.0 ** (exponent - 7.0)).astype(np.float32)


def to_fp8(numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The nearest E4M3 codes. Larger numbers become the largest one; none becomes NaN."""
    values = fp8_values()
    codes = np.searchsorted((values[1:] + values[:-1]) / 2, np.abs(numbers)).astype(np.uint8)
    return codes | np.where(numbers < 0, np.uint8(0x80), np.uint8(0))


class Writer:
    """Writes files. `piece`: how many numbers are drawn."""

    def __init__(self, seed: int = 1, piece: int = PIECE) -> None:
        drawn = np.random.default_rng(seed).standard_normal(piece, dtype=np.float32)
        self._drawn = drawn
        self._fp8 = to_fp8(drawn * np.float32(FP8_DEVIATION))

    def write(
        self, path: Path, tensors: Sequence[Tensor], advance: Callable[[int], None] = lambda count: None
    ) -> int:
        """Writes the file and returns its size. Zeros take no space on disk. `advance`: called with the bytes
        of each piece. Raises DiskFull or StoreError."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.write(header(tensors))
                for tensor in tensors:
                    if tensor.fill == "zeros" and not tensor.data:
                        file.seek(tensor.bytes, os.SEEK_CUR)
                        continue
                    for piece in self._pieces(path.name, tensor):
                        file.write(piece)
                        advance(len(piece))
                size = file.tell()
                file.truncate(size)
                file.flush()
                _drop_from_cache(file.fileno())
        except OSError as error:
            raise from_os_error(
                error, "path_not_written", path=str(path), reason=str(error.strerror)
            ) from error
        return size

    def _pieces(self, file_name: str, tensor: Tensor) -> Iterator[bytes | memoryview]:
        if tensor.data:
            yield tensor.data
            return
        if tensor.fill == "scale":
            yield np.float32(tensor.deviation / FP8_DEVIATION).tobytes()
            return
        count, step = math.prod(tensor.shape), len(self._drawn)
        # Equal for equal names; the two experts differ, else they would be taken for one file twice.
        start = zlib.crc32(f"{file_name}/{tensor.name}".encode()) % step
        while count > 0:
            length = min(count, step - start)
            yield self._encoded(tensor, start, length)
            count, start = count - length, 0

    def _encoded(self, tensor: Tensor, start: int, length: int) -> bytes | memoryview:
        if tensor.dtype == "F8_E4M3":
            return self._fp8[start : start + length].data
        if tensor.fill == "ones":
            numbers = np.ones(length, np.float32)
        else:
            numbers = self._drawn[start : start + length] * np.float32(tensor.deviation)
        if tensor.dtype == "BF16":
            return (numbers.view(np.uint32) >> 16).astype(np.uint16).tobytes()
        return numbers.astype({"F16": np.float16, "F32": np.float32}[tensor.dtype]).tobytes()


def _drop_from_cache(descriptor: int) -> None:
    """Brings a file to the disk and out of memory, so that loading it reads the disk."""
    os.fdatasync(descriptor) if hasattr(os, "fdatasync") else os.fsync(descriptor)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
