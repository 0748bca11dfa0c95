"""The tensors that a model file lists in its header, read without its data: safetensors and GGUF.

Both readers are bounded in bytes and counts, so that a damaged or hostile file costs as little as a good one.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from backend.models.gguf_types import LOADED, unloaded_name

HEADER_MAX = 8 << 20
"""Longest header in bytes that is read; those of WAN's files have up to 0.5 MB."""
GGUF_MAX = 48 << 20
"""The same for GGUF, where the vocabulary of a text encoder is part of the header."""
_KEYS_MAX, _TENSORS_MAX, _STRINGS_MAX, _DIMENSIONS_MAX = 4_096, 50_000, 600_000, 8
_ORIGINAL_SHAPE = "comfy.gguf.orig_shape."


@dataclass(frozen=True)
class Tensors:
    """`dtypes` and `shapes` have the same names; shapes are as PyTorch has them. end: bytes that the file has
    at least. vocabulary: tokens of a GGUF text encoder, 0 for none. places: where the tensors of one number
    are in a safetensors file, in bytes from its start. unloaded: the type of tensors of a GGUF file that
    ComfyUI-GGUF does not load, "" for none; the size of such a file is not checked."""

    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    metadata: Mapping[str, str] = field(default_factory=dict)
    end: int = 0
    vocabulary: int = 0
    places: Mapping[str, int] = field(default_factory=dict)
    unloaded: str = ""


class NotReadable(ValueError):
    """The reason is one of kinds.FAULTS."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


def read_tensors(path: Path, size: int) -> Tensors:
    """Reads the header of a regular file of `size` bytes. Raises NotReadable, OSError.

    A file of one format with the ending of the other counts as not readable: ComfyUI goes by the ending.
    """
    if size == 0:
        raise NotReadable("empty")
    with path.open("rb", buffering=1 << 18) as file:
        start = file.read(8)
        gguf = start[:4] == b"GGUF"
        if gguf:
            file.seek(4)
            found = _gguf(file, size)
        elif len(start) < 8:
            raise NotReadable("cut_short")
        else:
            found = _safetensors(file, struct.unpack("<Q", start)[0], size)
    if gguf != (path.suffix.lower() == ".gguf"):
        raise NotReadable("other_ending")
    return found


def _safetensors(file: BinaryIO, length: int, size: int) -> Tensors:
    if length < 2 or file.read(1) != b"{":
        raise NotReadable("not_a_model")
    if 8 + length > size:
        raise NotReadable("cut_short")
    if length > HEADER_MAX:
        raise NotReadable("header_too_large")
    raw = b"{" + file.read(length - 1)
    try:
        header = json.loads(raw)
        metadata = header.pop("__metadata__", None) or {}
        shapes: dict[str, tuple[int, ...]] = {}
        dtypes: dict[str, str] = {}
        places: dict[str, int] = {}
        end = 0
        for name, tensor in header.items():
            first, last = tensor["data_offsets"]
            if type(first) is not int or type(last) is not int or not 0 <= first <= last:
                raise NotReadable("damaged")
            shapes[name], dtypes[name] = _shape(tensor["shape"]), str(tensor["dtype"])[:16]
            if math.prod(shapes[name]) == 1:
                places[name] = 8 + length + first
            end = max(end, last)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise error if isinstance(error, NotReadable) else NotReadable("damaged") from error
    if 8 + length + end > size:
        raise NotReadable("cut_short")
    texts = metadata.items() if isinstance(metadata, dict) else ()
    kept = {str(key): value for key, value in texts if isinstance(value, str)}
    return Tensors(shapes, dtypes, kept, 8 + length + end, places=places)


def _shape(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > _DIMENSIONS_MAX:
        raise NotReadable("damaged")
    if not all(type(each) is int and 0 <= each < 1 << 48 for each in value):
        raise NotReadable("damaged")
    return tuple(value)


# GGUF: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

_FIXED = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Type of a value -> bytes."""
_STRING, _ARRAY = 8, 9


class _Bounded:
    """Reads little-endian values, GGUF_MAX bytes at most."""

    def __init__(self, file: BinaryIO, at: int) -> None:
        self._file = file
        self.at = at

    def take(self, count: int) -> bytes:
        self.at += count
        if self.at > GGUF_MAX:
            raise NotReadable("header_too_large")
        data = self._file.read(count)
        if len(data) < count:
            raise NotReadable("cut_short")
        return data

    def number(self, form: str, count: int) -> int:
        return int(struct.unpack(form, self.take(count))[0])

    def count(self, most: int) -> int:
        found = self.number("<Q", 8)
        if found > most:
            raise NotReadable("damaged")
        return found

    def text(self, most: int = 1 << 16) -> str:
        return self.take(self.count(most)).decode("utf-8", "replace")


def _gguf(file: BinaryIO, size: int) -> Tensors:
    reader = _Bounded(file, 4)
    version = reader.number("<I", 4)
    if not 2 <= version <= 3:
        raise NotReadable("damaged")
    tensors, keys = reader.count(_TENSORS_MAX), reader.count(_KEYS_MAX)
    metadata: dict[str, str] = {}
    originals: dict[str, tuple[int, ...]] = {}
    vocabulary, alignment = 0, 32
    for _ in range(keys):
        key = reader.text()
        value = _value(reader, reader.number("<I", 4))
        if isinstance(value, str):
            metadata[key] = value
        elif isinstance(value, tuple) and key.startswith(_ORIGINAL_SHAPE):
            originals[key.removeprefix(_ORIGINAL_SHAPE)] = value
        elif isinstance(value, int) and key == "tokenizer.ggml.tokens":
            vocabulary = value
        elif isinstance(value, bytes) and key == "general.alignment" and len(value) == 4:
            alignment = max(1, min(struct.unpack("<I", value)[0], 1 << 16))
    return _gguf_tensors(reader, tensors, size, metadata, originals, vocabulary, alignment)


def _gguf_tensors(
    reader: _Bounded,
    count: int,
    size: int,
    metadata: Mapping[str, str],
    originals: Mapping[str, tuple[int, ...]],
    vocabulary: int,
    alignment: int,
) -> Tensors:
    shapes: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, str] = {}
    end, unloaded = 0, ""
    for _ in range(count):
        name = reader.text()
        dimensions = reader.number("<I", 4)
        if dimensions > _DIMENSIONS_MAX:
            raise NotReadable("damaged")
        shape = tuple(reader.number("<Q", 8) for _ in range(dimensions))
        kind, offset = reader.number("<I", 4), reader.number("<Q", 8)
        new = unloaded_name(kind)
        if (kind not in LOADED and not new) or any(each >= 1 << 48 for each in shape):
            raise NotReadable("damaged")
        unloaded = unloaded or new
        dtype, block, width = LOADED.get(kind, (new, 1, 0))
        shapes[name] = originals.get(name, shape[::-1])
        dtypes[name] = dtype
        end = max(end, offset + -(-math.prod(shape) // block) * width)
    data = -(-reader.at // alignment) * alignment
    if data + end > size:
        raise NotReadable("cut_short")
    return Tensors(shapes, dtypes, metadata, data + end, vocabulary, unloaded=unloaded)


def _value(reader: _Bounded, kind: int) -> str | bytes | int | tuple[int, ...]:
    """A value of the metadata: a text, the bytes of a number, small integers as a tuple, or the length of
    another array."""
    if kind in _FIXED:
        return reader.take(_FIXED[kind])
    if kind == _STRING:
        return reader.text(HEADER_MAX)
    if kind != _ARRAY:
        raise NotReadable("damaged")
    inner, count = reader.number("<I", 4), reader.count(_STRINGS_MAX)
    if inner == _STRING:
        for _ in range(count):
            reader.take(reader.count(1 << 16))
        return count
    if inner not in _FIXED:
        raise NotReadable("damaged")
    data = reader.take(count * _FIXED[inner])
    if inner == 5 and count <= _DIMENSIONS_MAX:
        return struct.unpack(f"<{count}i", data)
    return count
