"""What a model file on this disk is, by its header; remembered until the file changes."""

from __future__ import annotations

import stat
import threading
from collections import OrderedDict
from pathlib import Path

from backend.models.kinds import UNKNOWN, HeaderFacts
from backend.models.lora_keys import judge
from backend.models.tensor_kinds import expert_of, format_of, kinds_of, parameters_of, width_of
from backend.models.tensor_list import NotReadable, read_tensors

REMEMBERED = 10_000
ENDINGS = (".safetensors", ".sft", ".gguf")
"""Files with a header that is safe to read. Others can run code when they are loaded: they are not opened."""


class HeaderCache:
    """Facts of files by path, size and modification time. Any thread may ask."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._facts: OrderedDict[tuple[str, int, int], HeaderFacts] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()
        self.reads = 0

    def facts(self, path: Path) -> HeaderFacts:
        """The facts of a file; UNKNOWN for a format that is not read. Never raises."""
        try:
            status = path.stat()
        except (OSError, ValueError):
            return HeaderFacts(fault="unreadable")
        if not stat.S_ISREG(status.st_mode):
            return HeaderFacts(fault="not_a_model")
        key = (str(path), status.st_size, status.st_mtime_ns)
        with self._lock:
            if key in self._facts:
                self._facts.move_to_end(key)
                return self._facts[key]
        facts = read_facts(path, status.st_size)
        with self._lock:
            self.reads += 1
            if facts.fault != "unreadable":  # permissions change without a new modification time
                self._facts[key] = facts
            while len(self._facts) > self._most:
                self._facts.popitem(last=False)
        return facts


def read_facts(path: Path, size: int) -> HeaderFacts:
    """Reads the header of a regular file of `size` bytes. Never raises."""
    if path.suffix.lower() not in ENDINGS:
        return HeaderFacts(size=size, fault="empty" if size == 0 else "")
    try:
        tensors = read_tensors(path, size)
    except NotReadable as error:
        return HeaderFacts(size=size, fault=error.fault)
    except (OSError, ValueError):
        return HeaderFacts(size=size, fault="unreadable")
    kinds = kinds_of(tensors)
    lora = judge(tensors.shapes, tensors.metadata) if "lora" in kinds else None
    return HeaderFacts(
        kinds=kinds,
        bases=lora.fits if lora is not None else frozenset(),
        format=format_of(tensors),
        parameters=parameters_of(tensors),
        expert=expert_of(tensors.metadata),
        size=size,
        unloaded=tensors.unloaded,
        width=lora.width if lora is not None else width_of(tensors.shapes),
    )


HEADERS = HeaderCache()
"""The cache of this process."""

__all__ = ["ENDINGS", "HEADERS", "UNKNOWN", "HeaderCache", "read_facts"]
