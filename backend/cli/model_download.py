"""`python app.py models download`: one file, the files of a mode for a GPU, or those of all core modes."""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from backend.cli.console import complain, plain_table, print_table, say, terminal
from backend.engines.base import EngineInfo
from backend.errors import BadInput, StudioError
from backend.formatting import duration_text
from backend.models.file_hashes import hashes_of
from backend.models.inventory import FileState
from backend.models.meter import LastSpeed, Meter
from backend.models.needs import states, wanted
from backend.models.progress import Progress, size
from backend.models.set_options import FORMATS, GPU_LIMITS, Wish
from backend.models.set_plan import SetPlan, plan, states_of
from backend.models.sets import ModelSet, SetFile, choose
from backend.notices import words
from workflows.catalog import Catalog, ModelFile
from workflows.modes.registry import MODES
from workflows.notice import Notice

if TYPE_CHECKING:
    from backend.models.hub import Hub
    from backend.models.set_options import Hardware
    from backend.settings.model import Settings

SMI_SECONDS = 20.0
"""Timeout of nvidia-smi: the driver is slow to load without persistence mode."""
OPTIONS = ("gpu", "speed", "format", "distilled", "model")


def add_download(actions: Any) -> None:
    """The arguments of `models download`."""
    fetch = actions.add_parser(
        "download",
        help="fetch what is missing from Hugging Face; can be stopped and run again",
        description="Fetches what is missing: for Image-to-Video, Sound-to-Video and Animate, for one mode,"
        " or one file. The format of a mode's models is chosen for the GPU. Stopped at any point, it goes on"
        " where it was when it is run again.",
    )
    fetch.add_argument("what", nargs="?", default="", metavar="MODE or file", help=", ".join(MODES))
    fetch.add_argument(
        "--gpu",
        type=int,
        default=None,
        metavar="GB",
        help="memory of the GPU (default: of this one, else 24)",
    )
    fetch.add_argument("--speed", choices=("fast", "quality"), default="", help="default: what both need")
    fetch.add_argument("--format", choices=FORMATS, default="auto", help="of the models (default: auto)")
    fetch.add_argument("--distilled", action="store_true", help="4-step models instead of 4-step LoRAs")
    fetch.add_argument("--model", default="", metavar="NAME", help="of Text-to-Image: wan or flux")
    fetch.add_argument("--dry-run", action="store_true", help="only list the files, sizes and time")


Ask = Callable[[], EngineInfo | None]
"""What ComfyUI reports about its machine and the files that it lists; None without an answer."""


def download(settings: Settings, arguments: argparse.Namespace, catalog: Catalog, ask: Ask) -> int:
    """Downloads. Returns 0 when all requested files are in the store, else 1. Raises BadInput for what is
    neither a mode nor a file, and for options that do not fit."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported
    from backend.models.hub import Hub

    what, modes = arguments.what, catalog.modes()
    values = {name: getattr(arguments, name) for name in OPTIONS}
    given = [f"--{name}" for name, v in values.items() if v is not False and v not in (None, "", "auto")]
    if what not in ("", *modes):
        return _one_file(settings, arguments, catalog, Hub(), given)
    if arguments.gpu is not None and not GPU_LIMITS[0] <= arguments.gpu <= GPU_LIMITS[1]:
        raise BadInput.of("set_gpu_wrong", given=str(arguments.gpu))
    machine = _machine(settings, arguments.gpu or 0, ask)
    found = {state.file.role: state for state in states(settings, None, catalog, vram=machine.vram).files}
    wish = Wish(
        what, arguments.speed, arguments.format, arguments.distilled,
        f"model={arguments.model}" if arguments.model else "",
    )  # fmt: skip
    if what:
        chosen = choose(wish, machine, catalog, found)
    else:
        chosen = _core(wish, machine, catalog, found)
    return _fetch(settings, chosen, machine, found, Hub(), arguments.dry_run)


def _core(wish: Wish, machine: Hardware, catalog: Catalog, found: Mapping[str, FileState]) -> ModelSet:
    """The sets of all core modes as one."""
    sets = [
        choose(replace(wish, mode=mode), machine, catalog, found)
        for mode in catalog.core_modes
        if catalog.sets(mode)
    ]
    files: dict[str, SetFile] = {}
    for one in sets:
        for each in one.files:
            files.setdefault(each.file.name, each)
    notes: dict[Notice, None] = dict.fromkeys(note for one in sets for note in one.notes)
    return ModelSet(wish, tuple(files.values()), tuple(notes))


def _one_file(
    settings: Settings, arguments: argparse.Namespace, catalog: Catalog, hub: Hub, given: Sequence[str]
) -> int:
    what = arguments.what
    found = states(settings, None, catalog, assigned=False)
    files = wanted(what, found.files, catalog)
    if files is None:
        raise BadInput.of("no_such_mode_or_file", given=what, names=tuple(catalog.modes()))
    if given:
        raise BadInput.of("set_options_with_file", file=what, options=", ".join(given))
    by_role = {state.file.role: state for state in found.files}
    chosen = ModelSet(Wish(""), tuple(SetFile(file) for file in files))
    if arguments.dry_run:
        planned = plan(chosen, settings.models_dir, hub, LastSpeed(settings.data_dir).read())
        _show(planned)
        return _status(planned)
    return _run(settings, files, states_of(files, by_role, settings), hub)


def _fetch(
    settings: Settings,
    chosen: ModelSet,
    machine: Hardware,
    found: Mapping[str, FileState],
    hub: Hub,
    dry_run: bool,
) -> int:
    for each in chosen.files:
        if each.used:
            say(f"{each.used} already exists.")
    files = chosen.to_fetch
    if files:
        card = f" ({machine.gpu})" if machine.gpu else ""
        guess = ", as no GPU is known here; --gpu names another" if machine.assumed else ""
        say(f"For a GPU with {machine.gigabytes} GB{card}{guess}:")
        planned = plan(chosen, settings.models_dir, hub, LastSpeed(settings.data_dir).read())
        _show(planned)
    for note in chosen.notes:
        say(words(note))
    if not files or dry_run:
        if not files:
            say("All requested files are in place.")
        return _status(planned) if files else 0
    return _run(settings, files, states_of(files, found, settings), hub)


def _status(planned: SetPlan) -> int:
    """The exit status of a plan: 1 when the disk does not suffice, or the hub does not offer all files."""
    return 0 if planned.fits and not planned.trouble else 1


def _show(planned: SetPlan) -> None:
    """Prints the files to fetch, their size, the room and the time."""
    table = plain_table()
    for heading in ("SIZE", "FOLDER", "FILE", "MODEL"):
        table.add_column(heading, justify="right" if heading == "SIZE" else "left", no_wrap=True)
    for each in planned.to_fetch:
        arrived = f" ({size(each.have)} there)" if each.have else ""
        count = size(each.size) if each.size else "unknown"
        table.add_row(count, each.file.folder, each.file.name, Text(each.file.title + arrived))
    print_table(table)
    for error in planned.trouble:
        complain(error.message, error.hint)
    more = f" and {planned.unknown} of unknown size" if planned.unknown else ""
    there = f", {size(planned.have)} of it already there" if planned.have else ""
    number = len(planned.to_fetch)
    say(f"{size(planned.size)}{more} in {number} file{'' if number == 1 else 's'}{there}.")
    say(f"The disk of {planned.store} has {size(planned.free)} free.")
    if not planned.fits:
        complain(f"That does not fit: {size(planned.left - planned.free)} are missing.")
    if planned.seconds:
        time = duration_text(planned.seconds)
        say(f"About {time} at {size(planned.rate)}/s, the speed of the last download.")


def _run(settings: Settings, files: Sequence[ModelFile], found: Sequence[FileState], hub: Hub) -> int:
    from backend.models.download import download as fetch

    meter = Meter()
    progress = Progress(say, terminal(), watch=meter.watch, verified=hashes_of(settings).note)
    try:
        refused: list[StudioError] = fetch(files, found, settings.models_dir, hub, progress, meter=meter)
    except KeyboardInterrupt:
        complain("Stopped. Run the same command again: it resumes where it stopped.")
        return 1
    finally:
        LastSpeed(settings.data_dir).write(meter.average())
    for error in refused:
        complain(error.message, error.hint)
    if not refused:
        say("All requested files are in place.")
    return 1 if refused else 0


def _machine(settings: Settings, gigabytes: int, ask: Ask) -> Hardware:
    """The GPU that is named, else ComfyUI's, else the driver's, else a usual one."""
    info = ask()
    if info is None and not gigabytes and (name_and_vram := _driver()):
        info = EngineInfo("comfyui", "", gpu=name_and_vram[0], vram_total=name_and_vram[1])
    from backend.system.model_fetch import hardware  # it reads settings, which `--help` does not need

    return hardware(info, gigabytes, settings.models_dir, _gguf(settings))


def _gguf(settings: Settings) -> bool | None:
    """Whether the ComfyUI of this machine has the nodes of ComfyUI-GGUF, by its folders; None without one."""
    if settings.comfyui_dir is None:
        return None
    try:
        names = [path.name.lower() for path in (Path(settings.comfyui_dir) / "custom_nodes").iterdir()]
    except OSError:
        return False
    return any("gguf" in name and not name.endswith(".disabled") for name in names)


def _driver() -> tuple[str, int] | None:
    """Name and bytes of the largest GPU that nvidia-smi lists; None without one."""
    query = ["nvidia-smi", "--query-gpu=memory.total,name", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=SMI_SECONDS, check=False)
        lines = [line.split(",", 1) for line in done.stdout.splitlines() if "," in line]
        found = [(name.strip(), int(count) << 20) for count, name in lines]
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return max(found, key=lambda one: one[1], default=None)
