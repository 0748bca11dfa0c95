"""`python app.py bench`: times the guide's benchmark rows on this machine's engine, as ordinary jobs."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import math
import os
import signal
import tempfile
import time
import wave
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from backend.cli import bench_table
from backend.cli.bench_table import Measured, Row
from backend.cli.console import complain, print_table, say
from backend.engines.kinds import engine_name, kind_of
from backend.errors import BadInput, EngineUnreachable, JobCancelled, StudioError, from_os_error
from backend.jobs.job import DONE, TERMINAL
from backend.jobs.views import JobView
from backend.notices import words
from backend.settings.environment import load_environment
from backend.settings.model import Settings
from backend.studio import Studio

OWNER = "benchmark-of-this-machine"
START_SECONDS = 900.0  # for a ComfyUI that the studio starts, with many custom nodes on a network volume
ADOPT_SECONDS = 12.0  # for one that already runs
LOOK_SECONDS = 0.05
SEED = 1000
SOUND_RATE = 16_000  # Hz


def run_bench(arguments: argparse.Namespace, here: Path) -> int:
    """Returns 0, 1 when a row failed, 2 for wrong use. `here`: the folder with `.env`.

    Raises StudioError when no engine is available.
    """
    try:
        rows = bench_table.chosen(arguments.rows)
        if not 0 <= arguments.repeat <= 100:
            raise BadInput.of("repeat_unusable")
    except BadInput as error:
        complain(error.message, error.hint)
        return 2
    if logging.getLogger().level > logging.DEBUG:
        logging.getLogger("wan").setLevel(logging.ERROR)  # the table shows the errors
    signal.signal(signal.SIGTERM, _stop)  # so that the running job is cancelled and results are removed
    environ = dict(os.environ)
    for warning in load_environment(here, environ):
        complain(words(warning))
    with tempfile.TemporaryDirectory(prefix="wan-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        settings = Settings.from_env(environ, here).model_copy(update={"data_dir": folder / "data"})
        studio = Studio(settings)
        try:
            studio.start()
            work = _Bench(studio, folder)
            try:
                return work.run(rows, arguments.repeat, arguments.out)
            finally:
                work.clean_up()
        finally:
            studio.close()


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


class _Bench:
    def __init__(self, studio: Studio, folder: Path) -> None:
        self.studio, self.folder = studio, folder
        self._seed = SEED
        self._made: list[JobView] = []

    def run(self, rows: tuple[Row, ...], repeat: int, out: str | None) -> int:
        self._wait_for_engine()
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
                _write(
                    Path(out), bench_table.record(found, engine, demo, when, whole=len(found) == len(rows))
                )
        if out:
            say(f"Written to {out}.")
        return 1 if any(one.error for one in found) else 0

    def _wait_for_engine(self) -> None:
        """Waits until the engine answers. Raises EngineUnreachable when it does not in time."""
        most = START_SECONDS if self.studio.servers.choice.start else ADOPT_SECONDS
        end = time.monotonic() + most
        while self.studio.status() == "starting" and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        if self.studio.status() == "starting":
            info = self.studio.engines()[0]
            if info.fault is not None:
                complain(words(info.fault))
            raise EngineUnreachable.of(
                "server_silent", engine="ComfyUI", address=info.address, detail=words(info.error)
            )

    def _row(self, row: Row, repeat: int) -> Measured:
        runs: list[float] = []
        frames = 0
        stages: dict[str, float] = {}
        for _ in range(1 + repeat):
            try:
                seconds, frames, stages = self._once(row)
            except StudioError as error:
                return Measured(row, tuple(runs), frames, stages, f"{error.message} {error.hint}".strip())
            runs.append(seconds)
        return Measured(row, tuple(runs), frames, stages)

    def _once(self, row: Row) -> tuple[float, int, dict[str, float]]:
        """Seconds, frames and stages of one job. Each has a new seed, so that no result comes from a
        cache."""
        self._seed += 1
        files = media(row, self.folder, self.studio.decoder.frames_to_video)
        began = time.monotonic()
        job = self.studio.submit(OWNER, row.mode, {**row.values, "seed": self._seed}, files)
        self._made.append(job)
        try:
            while self.studio.progress(job.id, job.key).status not in TERMINAL:
                time.sleep(LOOK_SECONDS)
            took = time.monotonic() - began
        except BaseException:
            with contextlib.suppress(StudioError):
                self.studio.cancel(job.id, job.key)
            raise
        done = self.studio.job(job.id, job.key)
        if done.status != DONE:
            raise StudioError.from_dict(done.error) if done.error else JobCancelled.of("cancelled")
        stored = self.studio.store.get(job.id)
        stages = {name: round(value, 3) for name, value in (stored.timings if stored else {}).items()}
        return took, done.frames, stages

    def clean_up(self) -> None:
        """Removes the results, including ComfyUI's copies."""
        for job in self._made:
            with contextlib.suppress(StudioError):
                self.studio.delete(OWNER, job.id, job.key)


def media(row: Row, folder: Path, to_video: Callable[..., object]) -> Mapping[str, Path]:
    """Creates the input files of a row once: a picture of its size, a sound, a driving video."""
    picture = folder / f"picture-{row.width}x{row.height}.png"
    if not picture.exists():
        _picture(row.width, row.height, 0).save(picture)
    files = {"image": picture}
    if row.mode == "sound_to_video":
        files["audio"] = folder / "sound.wav"
        _sound(files["audio"], row.frames / 16)
    if row.mode == "animate":
        files["video"] = folder / "driving.mkv"
        if not files["video"].exists():
            pictures = []
            for number in range(row.frames + 1):
                pictures.append(folder / f"driving-{number:02}.png")
                _picture(row.width, row.height, 8 * number).save(pictures[-1])
            to_video(pictures, files["video"], fps=16.0)
    return files


def _picture(width: int, height: int, shift: int) -> Image.Image:
    """A radial gradient, shifted to the right by `shift` pixels."""
    tile = Image.radial_gradient("L").resize((width, height))
    moved = Image.new("L", (width, height))
    for left in (shift % width - width, shift % width):
        moved.paste(tile, (left, 0))
    return Image.merge("RGB", (moved, tile, moved.transpose(Image.Transpose.FLIP_TOP_BOTTOM)))


def _sound(path: Path, seconds: float) -> None:
    """Writes a 220 Hz tone whose volume oscillates twice a second."""
    count = round(seconds * SOUND_RATE)
    samples = bytearray()
    for n in range(count):
        level = 0.3 + 0.3 * math.sin(2 * math.pi * 2 * n / SOUND_RATE)
        value = round(32_000 * level * math.sin(2 * math.pi * 220 * n / SOUND_RATE))
        samples += value.to_bytes(2, "little", signed=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SOUND_RATE)
        file.writeframes(bytes(samples))


def _write(path: Path, data: Mapping[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise from_os_error(error, "path_not_written", path=str(path), reason=str(error.strerror)) from error
