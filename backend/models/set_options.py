"""The formats that the experts of a mode come in, and which of them a machine can run. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from backend.models.file_names import GGUF, name_facts
from backend.models.formats import GIB, SHARE
from workflows.catalog import Catalog, ModelFile

Speed: TypeAlias = Literal["", "fast", "quality"]
"""Which settings of a mode the set is for; "" for all of them."""
Format: TypeAlias = Literal[
    "auto", "fp8", "fp16", "gguf", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K"
]  # fmt: skip
"""gguf: a GGUF file of the size that suits the GPU."""
SPEEDS: tuple[Speed, ...] = get_args(Speed)
FORMATS: tuple[Format, ...] = get_args(Format)
GPU_LIMITS = (4, 1024)
"""Gigabytes of a GPU that can be named."""
DEFAULT_GIGABYTES = 24
"""The GPU that is assumed where none is known and none is named."""
RAM_SHARE = 0.8
"""Share of the system memory that weights may take."""
SMALLEST_GOOD = "Q4_K_M"
"""The coarsest format that is chosen while a finer one can run: below it the picture suffers visibly."""
BITS = {
    "fp16": 16.0, "bf16": 16.0, "fp8_scaled": 8.5, "Q8_0": 8.66, "Q6_K": 6.76, "Q5_K_M": 6.01,
    "Q4_K_M": 5.32, "Q3_K_M": 3.99, "Q2_K": 2.99,
}  # fmt: skip
"""Bits for each weight, by the sizes of the published Animate files."""


@dataclass(frozen=True)
class Wish:
    """The requested set. setting: which of several models of the mode, such as model=flux; "" for the one
    that exists, else its default."""

    mode: str
    speed: Speed = ""
    format: Format = "auto"
    distilled: bool = False
    setting: str = ""


@dataclass(frozen=True)
class Hardware:
    """The machine that will run the models. vram, ram: bytes, ram 0 when unknown. gguf: whether its ComfyUI
    has the loader nodes of ComfyUI-GGUF, None when unknown. room: free bytes of the store's disk, 0 when
    unknown. assumed: no GPU is known, so a usual one is assumed."""

    vram: int = DEFAULT_GIGABYTES * GIB
    ram: int = 0
    gguf: bool | None = None
    room: int = 0
    gpu: str = ""
    assumed: bool = False

    @property
    def gigabytes(self) -> int:
        """The GPU's memory as it is sold."""
        return round(self.vram / GIB)


@dataclass(frozen=True)
class Option:
    """One format for a group of experts: a file for each of them."""

    format: str
    files: tuple[ModelFile, ...]
    sizes: tuple[int, ...]  # bytes, estimated where no source gives them

    @property
    def gguf(self) -> bool:
        return self.files[0].name.lower().endswith(GGUF)

    @property
    def largest(self) -> int:
        return max(self.sizes)

    def fits(self, machine: Hardware) -> bool:
        """Whether the GPU holds one expert. Of fp16 it has to hold all: else each change of the expert would
        copy more than fp8 needs as a whole."""
        needed = sum(self.sizes) if BITS.get(self.format) == 16.0 else self.largest
        return needed <= machine.vram * SHARE

    def runs(self, machine: Hardware) -> bool:
        """Whether GPU and system memory together hold an expert."""
        return not machine.ram or self.largest <= machine.vram * SHARE + machine.ram * RAM_SHARE

    def has_room(self, machine: Hardware) -> bool:
        """Whether GPU and disk have the room for a large format."""
        return self.fits(machine) and (not machine.room or sum(self.sizes) <= machine.room)


def options_of(experts: Sequence[ModelFile], distilled: bool, catalog: Catalog) -> list[Option]:
    """The formats that all of these experts have, closest to the original first."""
    rows = [{row.format: row for row in _rows(file, distilled, catalog)} for file in experts]
    shared = [form for form in rows[0] if all(form in each for each in rows)]
    found = []
    for form in shared:
        files = tuple(each[form] for each in rows)
        pairs = zip(experts, files, strict=True)
        found.append(Option(form, files, tuple(_size(row, own, catalog) for own, row in pairs)))
    order = list(BITS)
    return sorted(found, key=lambda one: order.index(one.format) if one.format in order else len(order))


def _rows(file: ModelFile, distilled: bool, catalog: Catalog) -> list[ModelFile]:
    rows = [row for row in catalog.formats(file.role) if row.distilled == distilled]
    if distilled:
        return rows
    return [*rows, _own(file)]


def _own(file: ModelFile) -> ModelFile:
    """The catalogue's usual file, with the format that its name says."""
    return replace(file, format=name_facts(file.name, file.folder).format)


def _size(row: ModelFile, own: ModelFile, catalog: Catalog) -> int:
    """Bytes of a file; where no source gives them, from those of the nearest format with a known size."""
    if row.bytes:
        return row.bytes
    known = [one for one in (*catalog.formats(own.role), _own(own)) if one.bytes and one.format in BITS]
    same = [one for one in known if one.name.endswith(GGUF) == row.name.endswith(GGUF)] or known
    bits = BITS.get(row.format, 16.0)
    near = min(same, key=lambda one: abs(BITS[one.format] - bits))
    return round(near.bytes * bits / BITS[near.format])


def is_gguf(form: Format) -> bool:
    """Whether a format that can be asked for is one of GGUF files."""
    return form == "gguf" or form.startswith("Q")


def nearest(form: Format, options: Sequence[Option]) -> Option:
    """The GGUF size that is asked for, else the one with the nearest number of bits."""
    return min(options, key=lambda one: abs(BITS.get(one.format, 16.0) - BITS[form]))


def best_of(options: Sequence[Option], wish: Wish, machine: Hardware) -> Option:
    """The option for a machine; `options` are sorted, closest to the original first."""
    narrow = [one for one in options if wish.format != "auto" or BITS.get(one.format) != 16.0] or options
    names = [one.format for one in narrow]
    last = names.index(SMALLEST_GOOD) if SMALLEST_GOOD in names else len(narrow) - 1
    wide = next((one for one in options if one not in narrow), None)
    if wide is not None and wide.has_room(machine):
        return wide
    fitting = next((one for one in narrow[: last + 1] if one.fits(machine)), None)
    rest = narrow[last:]
    return fitting or next((one for one in rest if one.runs(machine)), rest[-1])
