"""Which files make a mode work on a GPU: format of the experts, distillation, what is there already. Pure.

The weights of an expert that the GPU does not hold stay in system memory, from where ComfyUI copies them in
every step: that works and is slower. So a format is chosen in this order: what the GPU holds, closest to the
original first; else Q4_K_M, in part in system memory; a coarser one only where the system memory is known and
too small for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.errors import BadInput
from backend.models.assigned import shown_name
from backend.models.file_names import GGUF, name_facts, plain_name
from backend.models.formats import GIB, SHARE
from backend.models.inventory import READY, UNSEEN, FileState
from backend.models.roles import WANTS
from backend.models.set_options import (
    BITS,
    Format,
    Hardware,
    Option,
    Wish,
    best_of,
    is_gguf,
    nearest,
    options_of,
)
from workflows.catalog import Catalog, ModelFile
from workflows.modes.registry import MODES
from workflows.notice import Notice, made
from workflows.stages.distill import I2V, T2V


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
    large = Option("fp16", *_large(wish.mode, catalog)) if wish.format in ("auto", "fp16") else None
    if large is not None and large.files and (wish.format == "fp16" or large.has_room(machine)):
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


def _format(
    wish: Wish,
    machine: Hardware,
    catalog: Catalog,
    experts: Sequence[ModelFile],
    found: Mapping[str, FileState],
) -> tuple[Option, list[Notice]]:
    """The format of the experts, and what is to be known of it."""
    distilled = wish.distilled and all(
        any(row.distilled for row in catalog.formats(file.role)) for file in experts
    )
    options = options_of(experts, distilled, catalog)
    if is_gguf(wish.format) and distilled and not any(one.gguf for one in options):
        raise BadInput.of("set_distilled_gguf")
    usable = [one for one in options if not one.gguf or machine.gguf]
    if wish.format == "gguf":
        usable = [one for one in options if one.gguf]
    elif is_gguf(wish.format):
        usable = [nearest(wish.format, [one for one in options if one.gguf])]
    elif wish.format == "fp16":
        usable = [one for one in options if BITS.get(one.format) == 16.0] or usable
    elif wish.format == "fp8":
        usable = [one for one in options if one.format.startswith("fp8")] or usable
    elif present := _present(experts, found, usable):
        usable = present
    best = best_of(usable, wish, machine)
    said = _said(best, wish, machine, options)
    if is_gguf(wish.format) and wish.format not in ("gguf", best.format):
        said.append(made("set_other_size", {"asked": wish.format, "form": best.format}))
    return best, said


def _present(
    experts: Sequence[ModelFile], found: Mapping[str, FileState], options: Sequence[Option]
) -> list[Option]:
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


def _said(best: Option, wish: Wish, machine: Hardware, options: Sequence[Option]) -> list[Notice]:
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


def _spared(file: ModelFile, option: Option) -> bool:
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
