"""`python app.py bench --random-weights`: measures a GPU without downloading models."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.cli import random_rows
from backend.cli.bench import prepared, repeats
from backend.cli.bench_run import Runner, write_json
from backend.cli.console import complain, print_table, say, terminal
from backend.cli.memory_watch import MemoryWatch
from backend.cli.random_rows import Measured, RandomRow
from backend.custom_nodes import tiny_models
from backend.engines.base import EngineInfo
from backend.errors import BadInput, OutOfMemory, StudioError
from backend.jobs.cards import FOLDER, file_name, has_card
from backend.models.errors import ModelStoreError
from backend.models.progress import Progress, size
from backend.models.random_weights import folder as weights
from backend.models.random_weights.shapes import ROLES
from backend.servers import gpus, launch, ports
from backend.servers.choice import local_url
from backend.servers.server import answers
from backend.settings.model import Settings
from backend.stopping import StopSignal
from backend.studio import Studio
from workflows.catalog import ModelFile, load_catalog

REPEAT = 1
OWN_OPTIONS = frozenset(
    {
        "--base-directory", "--models-directory", "--input-directory", "--output-directory",
        "--temp-directory", "--user-directory", "--database-url", "--extra-model-paths-config", "--port",
        "--listen",
    }
)  # fmt: skip
"""Options of COMFYUI_ARGS that are left out: the benchmark's ComfyUI has a folder of its own."""
FOLDERS = ("models", "custom_nodes", "input", "output", "temp", "user")
"""What ComfyUI expects in a base directory."""


def _rows(scale: str, names: str, own: Sequence[str]) -> tuple[RandomRow, ...]:
    try:
        return random_rows.chosen(scale, names, own)
    except ValueError as error:
        known = tuple(row.name for row in random_rows.ROWS[scale])
        modes = tuple(random_rows.MODES_MEASURED)
        raise BadInput.of("no_such_random_row", given=str(error), names=known, modes=modes) from error


def run_random(arguments: argparse.Namespace, here: Path) -> int:
    """Returns 0, 1 when a row failed for another reason than lack of memory, 2 for wrong use. `here`: the
    folder with `.env`. Raises StudioError."""
    scale = arguments.scale
    try:
        rows = _rows(scale, arguments.rows, arguments.row)
        repeat = repeats(arguments.repeat, REPEAT)
    except BadInput as error:
        complain(error.message, error.hint)
        return 2
    stop, environ = prepared(here)
    settings = Settings.from_env(environ, here)
    comfyui = settings.comfyui_dir
    if comfyui is None:
        raise ModelStoreError.of("weights_no_comfyui")
    files = random_rows.files(rows, load_catalog(), ROLES)
    places = weights.candidates(settings.data_dir)
    if arguments.folder:
        places = [Path(arguments.folder).expanduser().absolute()]
    weights.remove_left(places, say)
    place = weights.choose(
        places, weights.room(files, scale), (settings.models_dir, comfyui / "models")
    )  # fmt: skip
    python = launch.comfyui_python(comfyui, settings.comfyui_python)
    if "--base-directory" not in launch.options(python, comfyui):
        raise ModelStoreError.of("weights_old_comfyui", path=str(comfyui))
    if answers(local_url(settings)):
        say(f"A ComfyUI answers at {local_url(settings)}: stop it first, or its memory and work count too.")
    with weights.folder(place, say, stop.tidying) as base:
        say(
            f"{len(files)} model files of random numbers, {size(weights.needed(files, scale))} in {base};"
            " they are removed at the end."
        )
        _prepare(base, scale)
        weights.write_files(base / "models", files, scale, Progress(say, terminal()), stop.check)
        with _studio(settings, base) as studio:
            work = _Bench(studio, base, scale, settings.data_dir, stop)
            return work.run(rows, files, repeat, arguments.out)


def _prepare(base: Path, scale: str) -> None:
    for name in FOLDERS:
        (base / name).mkdir()
    if scale == "tiny":
        shutil.copy(str(tiny_models.__file__), base / "custom_nodes" / "wan_studio_tiny_models.py")


@contextlib.contextmanager
def _studio(settings: Settings, base: Path) -> Iterator[Studio]:
    """A studio that starts the ComfyUI in `base`, on one GPU."""
    given = gpus.visible(os.environ, settings.comfyui_args)
    if len(given) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = given[0]
        say(f"GPU {given[0]} is measured, one of {len(given)}; CUDA_VISIBLE_DEVICES chooses another one.")
    args = [
        *without(settings.comfyui_args, OWN_OPTIONS), "--base-directory", str(base),
        "--database-url", f"sqlite:///{base / 'user' / 'comfyui.db'}",
    ]  # fmt: skip
    known = launch.options(
        launch.comfyui_python(settings.comfyui_dir or Path(), settings.comfyui_python),
        settings.comfyui_dir or Path(),
    )
    if "--database-url" not in known:
        args = args[:-2]
    changed = {
        "engine": "comfyui", "comfyui_urls": (), "comfyui_port": ports.free_port(),
        "comfyui_listen": "127.0.0.1", "comfyui_args": tuple(args), "comfyui_wait_seconds": 0.0,
        "models_dir": base / "models", "data_dir": base / "data",
    }  # fmt: skip
    studio = Studio(settings.model_copy(update=changed))
    try:
        studio.start()
        yield studio
    finally:
        studio.close()


def without(args: Sequence[str], options: frozenset[str]) -> list[str]:
    """The arguments without these options and their values."""
    kept: list[str] = []
    skip = False
    for arg in args:
        if arg.startswith("--"):
            name, equals, _ = arg.partition("=")
            skip = name in options and not equals
            if name in options:
                continue
        elif skip:
            continue
        kept.append(arg)
    return kept


def targets(scale: str, data_dir: Path, info: EngineInfo, out: str | None) -> list[Path]:
    """Where the figures are written: the chosen file, and for a real GPU the one that the estimates read."""
    found = [Path(out)] if out else []
    if scale == "full" and has_card(info):
        found.append(data_dir / FOLDER / file_name(info.gpu))
    return found


class _Bench:
    def __init__(self, studio: Studio, base: Path, scale: str, data_dir: Path, stop: StopSignal) -> None:
        self.studio, self.scale, self.data_dir = studio, scale, data_dir
        self._runner = Runner(studio, base, stop)

    def run(self, rows: Sequence[RandomRow], files: Sequence[ModelFile], repeat: int, out: str | None) -> int:
        say("Starting ComfyUI.")
        self._runner.wait_for_engine()
        info = self.studio.engines()[0]
        engine = self._engine(info)
        say(
            f"ComfyUI {info.version}, PyTorch {info.pytorch}, {info.gpu or 'no GPU'}, {size(info.vram_total)}"
        )
        say(random_rows.TINY_NOTE if self.scale == "tiny" else random_rows.NOTE)
        say(
            "s/evaluation: without loading. first: from Generate to the file, with loading; later: without."
            " GPU, RAM: peak of the whole GPU, and of ComfyUI's processes."
        )
        print_table(random_rows.table())
        when = datetime.now(UTC).isoformat(timespec="seconds")
        found: list[Measured] = []
        watch = MemoryWatch(info.address, self._pid)
        try:
            for row in rows:
                found.append(self._row(row, repeat, watch))
                print_table(random_rows.table(found[-1]))
                if found[-1].error:
                    say(f"      not made: {found[-1].error}")
                made = random_rows.record(found, engine, self.scale, when, whole=len(found) == len(rows))
                self._store(info, made, out)
        finally:
            watch.close()
        for path in targets(self.scale, self.data_dir, info, out):
            say(f"Written to {path}.")
        return 1 if any(one.error and not one.out_of_memory for one in found) else 0

    def _engine(self, info: EngineInfo) -> dict[str, Any]:
        return {
            "kind": info.kind, "gpu": info.gpu, "vram": info.vram_total, "ram": info.ram_total,
            "comfyui": info.version, "pytorch": info.pytorch, "python": info.python,
            "args": list(without(self.studio.settings.comfyui_args, OWN_OPTIONS)),
        }  # fmt: skip

    def _pid(self) -> int | None:
        return next((process.pid for process in self.studio.servers.processes), None)

    def _store(self, info: EngineInfo, made: dict[str, Any], out: str | None) -> None:
        for path in targets(self.scale, self.data_dir, info, out):
            write_json(path, made)

    def _row(self, row: RandomRow, repeat: int, watch: MemoryWatch) -> Measured:
        runs: list[float] = []
        last = None
        watch.restart()
        error, memory = "", False
        for _ in range(1 + repeat):
            try:
                last = self._runner.once(row)
            except StudioError as fault:
                error = f"{fault.message} {fault.hint}".strip()
                memory = fault.code == OutOfMemory.code
                break
            runs.append(last.seconds)
        peaks = watch.peaks()
        if last is None:
            return Measured(
                row, gpu_peak=peaks.gpu, torch_peak=peaks.torch, ram_peak=peaks.ram, ram_left=peaks.ram_left,
                error=error, out_of_memory=memory,
            )  # fmt: skip
        return Measured(
            row, tuple(runs), last.width, last.height, last.frames, last.evaluations, last.stages, peaks.gpu,
            peaks.torch, peaks.ram, peaks.ram_left, error, memory,
        )  # fmt: skip
