"""Checks model files: by safetensors header and size (cheap), by sha256 (reads the whole file)."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from workflows.notice import Notice, made

CHUNK = 8 << 20
HEADER_MAX = 100_000_000
"""Longest header in bytes that the safetensors library reads (MAX_HEADER_SIZE in its Rust source)."""
NEAR = 0.01
"""A size within 1 % matches: publishers repack files without changing the tensors."""
NEAR_ROUNDED = 0.05
"""The same where the catalogue has only a rounded size."""


def size_matches(size: int, expected: int, exact: bool = True) -> bool:
    """Whether `size` bytes can be the file of which the catalogue says `expected`, 0 if it does not say."""
    return not expected or abs(size - expected) <= expected * (NEAR if exact else NEAR_ROUNDED)


def header_problem(path: Path) -> Notice | None:
    """What is wrong with a safetensors file, None when header and length fit together.

    Reads only the header; cached until size or modification time change. Raises OSError.
    """
    with path.open("rb"):  # permissions can change without a new modification time: check on each call
        facts = path.stat()
    return _header_problem(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=512)
def _header_problem(path: Path, size: int, _changed: int) -> Notice | None:
    with path.open("rb") as file:
        start = file.read(64)
        if size == 0:
            return made("fault_empty", {})
        text = _text_problem(start)
        if text is not None:
            return text
        if len(start) < 8:
            return made("fault_cut_short", {})
        (length,) = struct.unpack("<Q", start[:8])
        if length == 0:
            return made("fault_zeros", {})
        if length > HEADER_MAX:
            return made("fault_other_format", {})
        if 8 + length > size:
            return made("fault_cut_short", {})
        file.seek(8)
        raw = file.read(length)
    try:
        end = 8 + length + _data_end(json.loads(raw))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return made("fault_header", {})
    if end > size:
        return made("fault_bytes_missing", {"has": size, "due": end})
    return None if end == size else made("fault_bytes_more", {"count": size - end})


def _text_problem(start: bytes) -> Notice | None:
    """Names common files that are saved in place of a model; None for none of them."""
    lower = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if lower.startswith((b"<!doctype", b"<html", b"<?xml")):
        return made("fault_web_page", {})
    if lower.startswith(b"version https://git-lfs"):
        return made("fault_lfs_pointer", {})
    if start and start[8:9] != b"{" and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start):
        return made("fault_text", {})
    return None


def _data_end(header: dict[str, Any]) -> int:
    """Bytes of tensor data according to the header. Raises ValueError, TypeError, KeyError or AttributeError
    for an invalid header."""
    end = 0
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        first, last = tensor["data_offsets"]
        if not (isinstance(first, int) and isinstance(last, int) and 0 <= first <= last):
            raise ValueError(name)
        end = max(end, last)
    return end


def sha256(path: Path, on_bytes: Callable[[int], None] = lambda count: None, chunk: int = CHUNK) -> str:
    """The file's sha256 in hex; calls on_bytes with the size of each chunk read. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(chunk):
            digest.update(piece)
            on_bytes(len(piece))
    return digest.hexdigest()
