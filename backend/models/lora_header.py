"""What the header of a LoRA says: the model that it fits, its key layout and strength, and its metadata.

Metadata is what the publisher wrote. It is shortened, reduced to one line of printable characters, and only
shown as text.
"""

from __future__ import annotations

import json
import re
import stat
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.models.file_headers import ENDINGS
from backend.models.kinds import Kind
from backend.models.tensor_kinds import expert_of, is_lora, lora_bases, width_of
from backend.models.tensor_list import NotReadable, Tensors, read_tensors
from workflows.params.expert_names import named_expert

REMEMBERED = 5_000
TITLE_MAX, WORD_MAX, WORDS_MAX = 80, 120, 12
"""Characters of a title and of a trigger word, and the number of trigger words."""
TAGS_MAX = 200_000
"""Characters of the tag statistics that are read."""
ALPHAS = 8
"""Scale factors of a file that are looked at; trainers write the same one for each layer."""
THUMBNAIL = "modelspec.thumbnail"
_LOADED = ("diffusion_model.", "lora_unet_")
"""Beginnings of the keys that ComfyUI 0.33 applies to WAN (comfy/lora.py, comfy/lora_convert.py)."""
_WAN_PART = re.compile(r"blocks[._]\d+[._](?:self_attn|cross_attn|ffn)")
_PART = re.compile(r"\.(?:lora_(?:A|B|up|down)|lora\.|alpha$|diff(?:_b)?$|lokr_|hada_|oft_|dora_scale$)")
_QWEN = re.compile(r"(?:img|txt)_m(?:od|lp)")
"""Keys that Qwen-Image has and Flux in the layout of the diffusers library has not."""
_FORMATS = {"F64": "<d", "F32": "<f", "F16": "<e"}


@dataclass(frozen=True)
class LoraHeader:
    """`fits`: kinds of model by its keys; `ignored`: their layout, where ComfyUI applies none of them;
    `partly`: it has keys for the image encoder of WAN 2.1; `scale`: alpha divided by rank; `expert`, `title`,
    `output`, `words`: by metadata; `picture`: it holds a thumbnail; `lora`: its keys are those of a LoRA;
    `fault`: a code of kinds.FAULTS."""

    size: int = 0
    fits: frozenset[Kind] = frozenset()
    ignored: str = ""
    partly: bool = False
    width: int = 0
    scale: float = 1.0
    expert: str = ""
    title: str = ""
    output: str = ""
    words: tuple[str, ...] = ()
    picture: bool = False
    lora: bool = False
    fault: str = ""
    read: bool = False


UNREAD = LoraHeader()


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


def _read(path: Path, size: int) -> LoraHeader:
    if path.suffix.lower() not in ENDINGS:
        return LoraHeader(size, fault="empty" if size == 0 else "")
    try:
        tensors = read_tensors(path, size)
        scale = _scale(path, tensors)
    except NotReadable as error:
        return LoraHeader(size, fault=error.fault)
    except (OSError, ValueError):
        return LoraHeader(size, fault="unreadable")
    shapes, metadata = tensors.shapes, tensors.metadata
    fits = lora_bases(shapes) if is_lora(shapes) else frozenset()
    output = one_line(metadata.get("ss_output_name", ""), TITLE_MAX)
    return LoraHeader(
        size=size,
        fits=fits | {"flux"} if fits == {"qwen_image"} and not _QWEN.search("\n".join(shapes)) else fits,
        ignored=ignored_layout(shapes),
        partly=any(re.search(r"[kv]_img\b|[kv]_img\.", key) for key in shapes) and "animate" in fits,
        width=width_of(shapes),
        scale=scale,
        expert=expert_of(metadata) or named_expert(f"{output}.x"),
        title=one_line(metadata.get("modelspec.title", ""), TITLE_MAX) or output,
        output=output,
        words=trigger_words(metadata),
        picture=metadata.get(THUMBNAIL, "")[:11] == "data:image/",
        lora=is_lora(shapes),
        read=True,
    )


def ignored_layout(keys: Iterable[str]) -> str:
    """The layout of a WAN LoRA of which ComfyUI applies no key: diffusers, bare, or "" for one that it
    applies, and for other families."""
    wan = [key for key in keys if _WAN_PART.search(key)]
    if not wan or any(key.startswith(_LOADED) for key in wan):
        return ""
    return "diffusers" if any(key.startswith("transformer.") for key in wan) else "bare"


def _scale(path: Path, tensors: Tensors) -> float:
    """alpha divided by rank, the same for all layers of a file; 1 without alpha. Raises OSError."""
    ranks = {
        _PART.split(key)[0]: min(shape)
        for key, shape in tensors.shapes.items()
        if len(shape) >= 2 and re.search(r"lora_(?:A|down)\b|lora\.down\.", key)
    }
    alphas = [key for key in tensors.places if key.endswith(".alpha")][:ALPHAS]
    if not alphas:
        return 1.0
    scales = []
    with path.open("rb") as file:
        for key in alphas:
            value = _number(file.seek(tensors.places[key]) and file.read(8), tensors.dtypes[key])
            rank = ranks.get(key.removesuffix(".alpha"), 0)
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


def trigger_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """What a prompt needs for the LoRA: the phrase that its publisher named, else the tags that most of its
    pictures were trained with."""
    phrase = one_line(metadata.get("modelspec.trigger_phrase", ""), WORD_MAX * WORDS_MAX)
    words = [one_line(word, WORD_MAX) for word in phrase.split(",")] or []
    words = [word for word in words if word] or _frequent(metadata.get("ss_tag_frequency", ""))
    return tuple(dict.fromkeys(words))[:WORDS_MAX]


def _frequent(text: str) -> list[str]:
    """Tags in at least half as many pictures as the most frequent one."""
    try:
        folders = json.loads(text[:TAGS_MAX]) if len(text) <= TAGS_MAX else {}
        counts: dict[str, int] = {}
        for tags in folders.values():
            for tag, count in tags.items():
                counts[str(tag)] = counts.get(str(tag), 0) + int(count)
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        return []
    most = max(counts.values(), default=0)
    found = sorted(counts, key=lambda tag: -counts[tag])
    cleaned = (one_line(tag, WORD_MAX) for tag in found if counts[tag] * 2 >= most)
    return [tag for tag in cleaned if tag]


def one_line(text: str, longest: int) -> str:
    """A text of the metadata as one line of printable characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: longest * 4]).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def thumbnail(path: Path) -> str:
    """The data address of the picture in the metadata; "" for none. Never raises."""
    try:
        found = read_tensors(path, path.stat().st_size).metadata.get(THUMBNAIL, "")
    except (OSError, ValueError):
        return ""
    return found if found.startswith("data:image/") else ""
