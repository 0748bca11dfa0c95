"""Which files make a mode work on a GPU: format of the experts, distillation, what is there already. Pure.

The weights of an expert that the GPU does not hold stay in system memory, from where ComfyUI copies them in
every step: that works and is slower. So a format is chosen in this order: what the GPU holds, closest to the
original first; else Q4_K_M, in part in system memory; a coarser one only where the system memory is known and
too small for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from backend.errors import BadInput
from backend.models.assigned import shown_name
from backend.models.file_names import GGUF, name_facts, plain_name
from backend.models.formats import GIB, SHARE
from backend.models.inventory import READY, UNSEEN, FileState
from backend.models.roles import WANTS
from workflows.catalog import Catalog, ModelFile
from workflows.modes.registry import MODES
from workflows.notice import Notice, made
from workflows.stages.distill import I2V, T2V

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
_BITS = {
    "fp16": 16.0, "bf16": 16.0, "fp8_scaled": 8.5, "Q8_0": 8.66, "Q6_K": 6.76, "Q5_K_M": 6.01,
    "Q4_K_M": 5.32, "Q3_K_M": 3.99, "Q2_K": 2.99,
}  # fmt: skip
"""Bits for each weight, by the sizes of the published Animate files."""


@dataclass(frozen=True)
class Wish:
    """What is asked for. setting: which of several models of the mode, such as model=flux; "" for the one
    that is there, else its default."""

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
class SetFile:
    """One file of a set. used: the file that serves the role already, as it is listed; "" when `file` has to
    be fetched."""

    file: ModelFile
    used: str = ""


@dataclass(frozen=True)
class ModelSet:
    """The files for one wish on one machine. notes: what is to be known of the choice."""

    wish: Wish
    files: tuple[SetFile, ...]
    notes: tuple[Notice, ...] = ()

    @property
    def to_fetch(self) -> tuple[ModelFile, ...]:
        """The files that are not there."""
        return tuple(each.file for each in self.files if not each.used)


@dataclass(frozen=True)
class _Option:
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
        needed = sum(self.sizes) if _BITS.get(self.format) == 16.0 else self.largest
        return needed <= machine.vram * SHARE

    def runs(self, machine: Hardware) -> bool:
        """Whether GPU and system memory together hold an expert."""
        return not machine.ram or self.largest <= machine.vram * SHARE + machine.ram * RAM_SHARE


def choose(wish: Wish, machine: Hardware, catalog: Catalog, found: Mapping[str, FileState]) -> ModelSet:
    """The set for a wish. found: role -> state. Raises BadInput for what no set can be made of."""
    if wish.mode not in catalog.modes():
        raise BadInput.of("no_such_mode", given=wish.mode, names=tuple(catalog.modes()))
    if is_gguf(wish.format) and machine.gguf is False:
        raise BadInput.of("set_without_gguf")
    files, notes = _wanted(wish, machine, catalog, found)
    experts = [file for file in files if catalog.formats(file.role)]
    chosen: dict[str, ModelFile] = {}
    if experts:
        option, said = _format(wish, machine, catalog, experts, found)
        notes += said
        chosen = {file.role: new for file, new in zip(experts, option.files, strict=True)}
        files = [chosen.get(file.role, file) for file in files if not _spared(file, option)]
    kept = tuple(SetFile(file, _used(file, wish, found, machine)) for file in files)
    beside = [
        file
        for file in (each.file for each in kept if not each.used)
        if _here(found.get(file.role)) and file.name != catalog.file(file.role).name
    ]
    notes += [
        made("set_not_first", {"other": shown_name(found[file.role]), "file": file.name, "role": file.role})
        for file in beside
    ]
    return ModelSet(wish, kept, tuple(notes))


def settings_of(mode: str, catalog: Catalog) -> tuple[str, ...]:
    """The models between which a mode has the choice, such as model=flux; one "" where it has none."""
    return tuple(setting for setting, _ in catalog.sets(mode)) or ("",)


def has_speeds(mode: str) -> bool:
    """Whether a mode runs in Fast and in Quality."""
    return mode in MODES and any(field.name == "speed" for field in MODES[mode].fields)


def _wanted(
    wish: Wish, machine: Hardware, catalog: Catalog, found: Mapping[str, FileState]
) -> tuple[list[ModelFile], list[Notice]]:
    """The catalogue's files for a wish, with its distilled models in place of experts and LoRAs."""
    sets = dict(catalog.sets(wish.mode))
    if wish.setting and set(sets) <= {""}:
        raise BadInput.of("set_one_model", given=wish.setting, title=MODES[wish.mode].title)
    if wish.setting and wish.setting not in sets:
        raise BadInput.of("set_no_such_model", given=wish.setting, names=tuple(sets))
    complete = (files for files in sets.values() if all(_here(found.get(file.role)) for file in files))
    default = next(complete, next(iter(sets.values())))
    files = list(sets[wish.setting] if wish.setting else default)
    notes: list[Notice] = []
    if wish.speed and has_speeds(wish.mode):
        other = {"fast": "quality", "quality": "fast"}[wish.speed]
        files = [file for file in files if file.option(wish.mode) != f"speed={other}"]
    elif wish.speed == "quality" and MODES[wish.mode].always_fast:
        notes.append(made("set_always_fast", {"title": MODES[wish.mode].title}))
    if wish.distilled:
        distilled, said = _distilled(wish, machine, catalog, files)
        return distilled, notes + said
    return files, notes


def _distilled(
    wish: Wish, machine: Hardware, catalog: Catalog, files: list[ModelFile]
) -> tuple[list[ModelFile], list[Notice]]:
    """The files with the full-size distilled experts of the mode, if the GPU holds them; others are found
    among the formats."""
    title = MODES[wish.mode].title
    if wish.speed == "quality":
        raise BadInput.of("set_distilled_quality")
    if not _baked(wish.mode, catalog, files):
        return files, [made("set_no_distilled", {"title": title})]
    notes = [made("set_distilled_rest", {"title": title})] if MODES[wish.mode].always_fast else []
    files = [file for file in files if not _is_speed_lora(file)]
    large = _Option("fp16", *_large(wish.mode, catalog)) if wish.format in ("auto", "fp16") else None
    if large is not None and large.files and (wish.format == "fp16" or _roomy(large, machine)):
        experts = {WANTS[file.role].expert for file in files if _is_expert(file)}
        instead = [file for file in large.files if any(file.role.endswith(expert) for expert in experts)]
        return [*instead, *(file for file in files if not _is_expert(file))], notes
    return files, notes


def _large(mode: str, catalog: Catalog) -> tuple[tuple[ModelFile, ...], tuple[int, ...]]:
    """The experts of the best distillation of a mode that has experts of its own, and their sizes."""
    for one in (*I2V, *T2V):
        files = tuple(catalog.file(role) for role in one.experts.values())
        if files and all(mode in file.modes for file in files):
            return files, tuple(file.bytes for file in files)
    return (), ()


def _baked(mode: str, catalog: Catalog, files: Sequence[ModelFile]) -> bool:
    """Whether there are distilled experts for the mode."""
    rows = (each for file in files for each in catalog.formats(file.role))
    return bool(_large(mode, catalog)[0]) or any(each.distilled for each in rows)


def _is_expert(file: ModelFile) -> bool:
    return file.role in WANTS and bool(WANTS[file.role].expert) and WANTS[file.role].kind != "lora"


def _is_speed_lora(file: ModelFile) -> bool:
    return file.role in WANTS and WANTS[file.role].purpose == "speed"


def _options(experts: Sequence[ModelFile], distilled: bool, catalog: Catalog) -> list[_Option]:
    """The formats that all of these experts have, closest to the original first."""
    rows = [{row.format: row for row in _rows(file, distilled, catalog)} for file in experts]
    shared = [form for form in rows[0] if all(form in each for each in rows)]
    found = []
    for form in shared:
        files = tuple(each[form] for each in rows)
        pairs = zip(experts, files, strict=True)
        found.append(_Option(form, files, tuple(_size(row, own, catalog) for own, row in pairs)))
    order = list(_BITS)
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
    known = [one for one in (*catalog.formats(own.role), _own(own)) if one.bytes and one.format in _BITS]
    same = [one for one in known if one.name.endswith(GGUF) == row.name.endswith(GGUF)] or known
    bits = _BITS.get(row.format, 16.0)
    near = min(same, key=lambda one: abs(_BITS[one.format] - bits))
    return round(near.bytes * bits / _BITS[near.format])


def _format(
    wish: Wish,
    machine: Hardware,
    catalog: Catalog,
    experts: Sequence[ModelFile],
    found: Mapping[str, FileState],
) -> tuple[_Option, list[Notice]]:
    """The format of the experts, and what is to be known of it."""
    distilled = wish.distilled and all(
        any(row.distilled for row in catalog.formats(file.role)) for file in experts
    )
    options = _options(experts, distilled, catalog)
    if is_gguf(wish.format) and distilled and not any(one.gguf for one in options):
        raise BadInput.of("set_distilled_gguf")
    usable = [one for one in options if not one.gguf or machine.gguf]
    if wish.format == "gguf":
        usable = [one for one in options if one.gguf]
    elif is_gguf(wish.format):
        usable = [_nearest(wish.format, [one for one in options if one.gguf])]
    elif wish.format == "fp16":
        usable = [one for one in options if _BITS.get(one.format) == 16.0] or usable
    elif wish.format == "fp8":
        usable = [one for one in options if one.format.startswith("fp8")] or usable
    elif present := _present(experts, found, usable):
        usable = present
    best = _best(usable, wish, machine)
    said = _said(best, wish, machine, options)
    if is_gguf(wish.format) and wish.format not in ("gguf", best.format):
        said.append(made("set_other_size", {"asked": wish.format, "form": best.format}))
    return best, said


def is_gguf(form: Format) -> bool:
    """Whether a format that can be asked for is one of GGUF files."""
    return form == "gguf" or form.startswith("Q")


def _nearest(form: Format, options: Sequence[_Option]) -> _Option:
    """The GGUF size that is asked for, else the one with the nearest number of bits."""
    return min(options, key=lambda one: abs(_BITS.get(one.format, 16.0) - _BITS[form]))


def _best(options: Sequence[_Option], wish: Wish, machine: Hardware) -> _Option:
    """The option for a machine; `options` are sorted, closest to the original first."""
    narrow = [one for one in options if wish.format != "auto" or _BITS.get(one.format) != 16.0] or options
    names = [one.format for one in narrow]
    last = names.index(SMALLEST_GOOD) if SMALLEST_GOOD in names else len(narrow) - 1
    wide = next((one for one in options if one not in narrow), None)
    if wide is not None and _roomy(wide, machine):
        return wide
    fitting = next((one for one in narrow[: last + 1] if one.fits(machine)), None)
    rest = narrow[last:]
    return fitting or next((one for one in rest if one.runs(machine)), rest[-1])


def _roomy(one: _Option, machine: Hardware) -> bool:
    """Whether GPU and disk have the room for a large format."""
    return one.fits(machine) and (not machine.room or sum(one.sizes) <= machine.room)


def _present(
    experts: Sequence[ModelFile], found: Mapping[str, FileState], options: Sequence[_Option]
) -> list[_Option]:
    """The options in the format of an expert that is there, so that a pair is of one format."""
    for file in experts:
        state = found.get(file.role)
        if state is None or not _here(state):
            continue
        used = state.used or file.name
        form = name_facts(used, file.folder).format
        exact = [one for one in options if one.format == form]
        gguf = [one for one in options if one.gguf == used.lower().endswith(GGUF)]
        own = [one for one in gguf if one.files[0].name == file.name]
        return exact or own or gguf
    return []


def _said(best: _Option, wish: Wish, machine: Hardware, options: Sequence[_Option]) -> list[Notice]:
    notes = []
    smaller = any(one.gguf and one.largest < best.largest for one in options)
    if not machine.gguf and smaller and not best.gguf and not best.fits(machine) and wish.format == "auto":
        code = "set_gguf_missing" if machine.gguf is False else "set_gguf_unknown"
        notes.append(made(code, {}))
    held = round(machine.vram * SHARE)
    if best.largest > held:
        rest = max(1, round((best.largest - held) / 1e9))
        notes.append(made("set_offloaded", {"gigabytes": machine.gigabytes, "rest": rest}))
        if not best.runs(machine):
            ram = round(machine.ram / GIB)
            notes.append(made("set_too_large", {"gigabytes": machine.gigabytes, "ram": ram}))
    return notes


def _spared(file: ModelFile, option: _Option) -> bool:
    """Whether the chosen experts make a file unnecessary: a 4-step LoRA beside distilled ones."""
    return option.files[0].distilled and _is_speed_lora(file)


def _here(state: FileState | None) -> bool:
    return state is not None and state.state in (READY, UNSEEN)


def _used(file: ModelFile, wish: Wish, found: Mapping[str, FileState], machine: Hardware) -> str:
    """The file that serves the role of `file` already; "" for none in the format that is asked for."""
    state = found.get(file.role)
    if state is None or not _here(state):
        instead = next((one for one in found.values() if one.file.replaces(wish.mode) == file.role), None)
        return (instead.used or instead.file.name) if instead is not None and _here(instead) else ""
    used = state.used or state.file.name
    if used.lower().endswith(GGUF) and machine.gguf is False:
        return ""
    if plain_name(used).casefold() == file.name.casefold():
        return used
    facts = name_facts(used, file.folder)
    if file.distilled and facts.speed != "baked":
        return ""
    asked = wish.format != "auto" and bool(file.format)
    if asked and not _of_format(wish.format, facts.format, used):
        return ""
    return used


def _of_format(wanted: Format, form: str, name: str) -> bool:
    if wanted == "gguf":
        return name.lower().endswith(GGUF)
    if is_gguf(wanted):
        return form == wanted
    if wanted == "fp8":
        return form.startswith("fp8")
    return form in ("fp16", "bf16")
