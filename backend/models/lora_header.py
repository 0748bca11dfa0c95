"""What the header of a LoRA says: the model that it fits, its key layout and strength, and its metadata.

Metadata is what the publisher wrote. It is shortened, reduced to one line of printable characters, and only
shown as text.
"""

from __future__ import annotations

import stat
import struct
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from backend.models.file_headers import ENDINGS
from backend.models.lora_keys import LoraKeys, judge, modules, rank_of
from backend.models.lora_words import TITLE_MAX, one_line, trigger_words
from backend.models.pickled_tensors import ENDINGS as PICKLES
from backend.models.pickled_tensors import PICKLED, read_pickled
from backend.models.tensor_kinds import expert_of
from backend.models.tensor_list import NotReadable, Tensors, read_tensors
from workflows.params.expert_names import named_expert

REMEMBERED = 5_000
ALPHAS = 8
"""Scale factors of a file that are looked at; trainers write the same one for each layer."""
THUMBNAIL = "modelspec.thumbnail"
_FORMATS = {"F64": "<d", "F32": "<f", "F16": "<e"}


@dataclass(frozen=True)
class LoraHeader(LoraKeys):
    """What its keys say, and: `scale`: alpha divided by rank; `expert`, `title`, `output`, `words`:
    by metadata; `picture`: it holds a thumbnail; `fault`: a code of kinds.FAULTS; `unjudged`: its format does
    not say what it is without running it, or it lists too much."""

    size: int = 0
    scale: float = 1.0
    expert: str = ""
    title: str = ""
    output: str = ""
    words: tuple[str, ...] = ()
    picture: bool = False
    fault: str = ""
    read: bool = False
    unjudged: bool = False


UNREAD = LoraHeader()
NO_TARGET = LoraHeader(fault="no_target")
"""The header of a link whose target does not exist."""


class LoraHeaders:
    """Headers of LoRAs by path, size and modification time. Any thread may ask."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._known: OrderedDict[tuple[str, int, int], LoraHeader] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()
        self.reads = 0

    def of(self, path: Path) -> LoraHeader:
        """The header of a file; UNREAD for a format that is not opened. Never raises."""
        try:
            status = path.stat()
        except (OSError, ValueError):
            return LoraHeader(fault="unreadable")
        if not stat.S_ISREG(status.st_mode):
            return LoraHeader(fault="not_a_model")
        key = (str(path), status.st_size, status.st_mtime_ns)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        found = _read(path, status.st_size)
        with self._lock:
            self.reads += 1
            if found.fault != "unreadable":  # permissions change without a new modification time
                self._known[key] = found
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return found


HEADERS = LoraHeaders()
"""The cache of this process."""


UNJUDGED = (PICKLED, "header_too_large")
"""Faults of files that can be good and are not looked at."""


def _read(path: Path, size: int) -> LoraHeader:
    ending = path.suffix.lower()
    if ending not in (*ENDINGS, *PICKLES):
        return LoraHeader(size=size, fault="empty" if size == 0 else "", unjudged=size > 0)
    try:
        tensors = read_pickled(path, size) if ending in PICKLES else read_tensors(path, size)
        scale = _scale(path, tensors)
    except NotReadable as error:
        unjudged = error.fault in UNJUDGED
        return LoraHeader(size=size, fault="" if unjudged else error.fault, unjudged=unjudged)
    except (OSError, ValueError):
        return LoraHeader(size=size, fault="unreadable")
    metadata = tensors.metadata
    output = one_line(metadata.get("ss_output_name", ""), TITLE_MAX)
    return LoraHeader(
        **vars(judge(tensors.shapes, metadata)),
        size=size,
        scale=scale,
        expert=expert_of(metadata) or named_expert(f"{output}.x"),
        title=one_line(metadata.get("modelspec.title", ""), TITLE_MAX) or output,
        output=output,
        words=trigger_words(metadata),
        picture=metadata.get(THUMBNAIL, "")[:11] == "data:image/",
        read=True,
    )


def _scale(path: Path, tensors: Tensors) -> float:
    """alpha divided by rank, the same for all layers of a file; 1 without alpha. Raises OSError."""
    alphas = [key for key in tensors.places if key.endswith(".alpha")][:ALPHAS]
    if not alphas:
        return 1.0
    found = modules(tensors.shapes)
    scales = []
    with path.open("rb") as file:
        for key in alphas:
            value = _number(file.seek(tensors.places[key]) and file.read(8), tensors.dtypes[key])
            rank = rank_of(found.get(key.removesuffix(".alpha"), {}))
            if value is not None and rank:
                scales.append(value / rank)
    return min(scales, default=1.0)


def _number(data: bytes | int, dtype: str) -> float | None:
    if not isinstance(data, bytes):
        return None
    try:
        if dtype == "BF16":
            return float(struct.unpack("<f", b"\0\0" + data[:2])[0])
        form = _FORMATS[dtype]
        return float(struct.unpack(form, data[: struct.calcsize(form)])[0])
    except (KeyError, struct.error):
        return None


def thumbnail(path: Path) -> str:
    """The data address of the picture in the metadata; "" for none. Never raises."""
    if path.suffix.lower() not in ENDINGS:
        return ""
    try:
        found = read_tensors(path, path.stat().st_size).metadata.get(THUMBNAIL, "")
    except (OSError, ValueError):
        return ""
    return found if found.startswith("data:image/") else ""
