"""`python app.py bench`: times the guide's benchmark rows on this machine's engine, as ordinary jobs."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from backend.cli import bench_table
from backend.cli.bench_run import Runner, write_json
from backend.cli.bench_table import Measured, Row
from backend.cli.console import complain, print_table, say
from backend.engines.kinds import engine_name, kind_of
from backend.errors import BadInput, StudioError
from backend.notices import words
from backend.settings.environment import load_environment
from backend.settings.model import Settings
from backend.stopping import StopSignal, of_command
from backend.studio import Studio

REPEAT = 3
"""Runs after the first one, which loads the models."""


def run_bench(arguments: argparse.Namespace, here: Path) -> int:
    """Returns 0, 1 when a row failed, 2 for wrong use. `here`: the folder with `.env`.

    Raises StudioError when no engine is available.
    """
    if arguments.random_weights:
        from backend.cli.bench_random import run_random

        return run_random(arguments, here)
    try:
        rows = bench_table.chosen(arguments.rows)
        repeat = repeats(arguments.repeat, REPEAT)
    except BadInput as error:
        complain(error.message, error.hint)
        return 2
    stop, environ = prepared(here)
    with _folder(stop) as folder:
        settings = Settings.from_env(environ, here).model_copy(update={"data_dir": folder / "data"})
        studio = Studio(settings)
        try:
            studio.start()
            work = _Bench(studio, folder, stop)
            try:
                return work.run(rows, repeat, arguments.out)
            finally:
                work.clean_up()
        finally:
            studio.close()


@contextlib.contextmanager
def _folder(stop: StopSignal) -> Iterator[Path]:
    """A temporary folder that is removed at the end, also after a second signal."""
    made = tempfile.TemporaryDirectory(prefix="wan-bench-", ignore_cleanup_errors=True)
    try:
        yield Path(made.name)
    finally:
        with stop.tidying():
            made.cleanup()


def repeats(given: int | None, own: int) -> int:
    """How often a row runs after its first run. Raises BadInput for less than 0 or more than 100."""
    count = own if given is None else given
    if not 0 <= count <= 100:
        raise BadInput.of("repeat_unusable")
    return count


def prepared(here: Path) -> tuple[StopSignal, dict[str, str]]:
    """The signal that ends the benchmark, and the environment with that of `.env` in `here`."""
    if logging.getLogger().level > logging.DEBUG:
        logging.getLogger("wan").setLevel(logging.ERROR)  # the table shows the errors
    stop = of_command()
    environ = dict(os.environ)
    for warning in load_environment(here, environ):
        complain(words(warning))
    return stop, environ


class _Bench:
    def __init__(self, studio: Studio, folder: Path, stop: StopSignal) -> None:
        self.studio = studio
        self._runner = Runner(studio, folder, stop)

    def run(self, rows: tuple[Row, ...], repeat: int, out: str | None) -> int:
        self._runner.wait_for_engine()
        info = self.studio.engines()[0]
        demo = kind_of(info).simulated
        say(f"Engine: {engine_name(info)} at {info.address}")
        if demo:
            say(bench_table.DEMO_WORDS)
        if info.running or info.pending:
            say("The server has other work in its queue: the times hold waiting too.")
        say(
            f"Seconds from Generate to the finished file. first: with loading"
            f" where the row before had other models; median of {repeat} more runs;"
            f" guide: its figure for an {bench_table.GUIDE_MACHINE}."
        )
        print_table(bench_table.table())
        engine = {
            "kind": info.kind, "gpu": info.gpu, "vram": info.vram_total, "comfyui": info.version,
            "pytorch": info.pytorch, "address": info.address,
        }  # fmt: skip
        when = datetime.now(UTC).isoformat(timespec="seconds")
        found: list[Measured] = []
        for row in rows:
            found.append(self._row(row, repeat))
            print_table(bench_table.table(found[-1], demo=demo))
            if found[-1].error:
                say(f"      not made: {found[-1].error}")
            if out:
                write_json(
                    Path(out), bench_table.record(found, engine, demo, when, whole=len(found) == len(rows))
                )
        if out:
            say(f"Written to {out}.")
        return 1 if any(one.error for one in found) else 0

    def _row(self, row: Row, repeat: int) -> Measured:
        runs: list[float] = []
        frames = 0
        stages: dict[str, float] = {}
        for _ in range(1 + repeat):
            try:
                run = self._runner.once(row)
            except StudioError as error:
                return Measured(row, tuple(runs), frames, stages, f"{error.message} {error.hint}".strip())
            runs.append(run.seconds)
            frames, stages = run.frames, dict(run.stages)
        return Measured(row, tuple(runs), frames, stages)

    def clean_up(self) -> None:
        self._runner.clean_up()
