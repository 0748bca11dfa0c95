"""The rows of `bench --random-weights`: what is run, the printed table and the JSON. Pure."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from backend.cli.console import plain_table
from backend.jobs.drawing_model import model_of
from backend.models.progress import size
from backend.models.random_weights.shapes import ROLES
from workflows.catalog import Catalog, ModelFile, load_catalog
from workflows.modes.registry import MODES

VERSION = 1
"""Of the JSON."""
RATE = 16  # frames per second
MODES_MEASURED = ("image_to_video", "text_to_video", "sound_to_video", "animate")
NOTE = (
    "Random weights of the real shapes: times and memory are those of the real files, the pictures are noise."
)
TINY_NOTE = "Tiny models: the figures show that everything runs, and say nothing about WAN 2.2."


@dataclass(frozen=True)
class RandomRow:
    """One job to measure. `name`: its number, or what was asked for."""

    name: str
    mode: str
    width: int
    height: int
    frames: int
    steps: int
    speed: str

    @property
    def values(self) -> Mapping[str, Any]:
        """What the job is submitted with."""
        values = {
            "prompt": "The boat drifts slowly to the right", "width": self.width, "height": self.height,
            "steps": self.steps, "speed": self.speed,
        }  # fmt: skip
        if MODES[self.mode].trim is None:  # else it is as long as its file
            values["seconds"] = (self.frames - 1) / RATE
        return values


def _rows(scale: str) -> tuple[RandomRow, ...]:
    """Image-to-Video first, since it needs the fewest files; each row is one chunk of its model. 720p with
    quality is last: it takes longest."""
    if scale == "tiny":
        table = [(mode, 64, 64, 9 if mode == "animate" else 5, 2, "fast") for mode in MODES_MEASURED]
        table[2] = ("sound_to_video", 64, 64, 16, 2, "fast")
    else:
        table = [
            ("image_to_video", 832, 480, 81, 4, "fast"), ("image_to_video", 832, 480, 81, 20, "quality"),
            ("image_to_video", 1280, 720, 81, 4, "fast"), ("text_to_video", 832, 480, 81, 4, "fast"),
            ("sound_to_video", 832, 480, 78, 4, "fast"), ("animate", 832, 480, 77, 6, "fast"),
            ("image_to_video", 1280, 720, 81, 20, "quality"),
        ]  # fmt: skip
    return tuple(RandomRow(str(number), *row) for number, row in enumerate(table, 1))


ROWS: Mapping[str, tuple[RandomRow, ...]] = {scale: _rows(scale) for scale in ("full", "tiny")}
DEFAULT = {"full": "1,2,3", "tiny": "1"}
"""Image-to-Video alone: 38 GB instead of 104 GB of files."""


def chosen(scale: str, names: str, own: Sequence[str]) -> tuple[RandomRow, ...]:
    """The rows of a list such as "1,3" or "all", then one's own. Without a list: DEFAULT, unless there are
    rows of one's own.

    Raises ValueError with the first entry that is no row.
    """
    known = {row.name: row for row in ROWS[scale]}
    text = names.strip().lower() or ("" if own else DEFAULT[scale])
    wanted = list(known) if text == "all" else [part.strip() for part in text.split(",") if part.strip()]
    for part in wanted:
        if part not in known:
            raise ValueError(part)
    return (*(known[part] for part in dict.fromkeys(wanted)), *map(parsed, own))


def parsed(text: str) -> RandomRow:
    """A row such as "image_to_video,832x480,81,4,fast". Raises ValueError."""
    match = re.fullmatch(
        r"(\w+),(\d{2,4})x(\d{2,4}),(\d{1,4})(?:,(\d{1,3}))?(?:,(quality|fast))?", text.strip().lower()
    )
    if match is None or match.group(1) not in MODES_MEASURED:
        raise ValueError(text)
    mode, width, height, frames, steps, speed = match.groups()
    speed = speed or "fast"
    defaults = 20 if speed == "quality" else 6 if mode == "animate" else 4
    count = int(steps) if steps else defaults
    if int(frames) < 1 or not 2 <= count <= 100 or int(width) % 16 or int(height) % 16:
        raise ValueError(text)
    return RandomRow(text.strip(), mode, int(width), int(height), int(frames), count, speed)


def files(rows: Sequence[RandomRow], catalog: Catalog, roles: frozenset[str]) -> tuple[ModelFile, ...]:
    """The catalogue's files that these rows load, of those that can be written."""
    found = []
    for file in catalog.files:
        for row in rows:
            option = file.option(row.mode)
            if file.role in roles and row.mode in file.needed_by and option in ("", f"speed={row.speed}"):
                found.append(file)
                break
    return tuple(found)


@dataclass(frozen=True)
class Measured:
    """The measurement of a row. `runs`: seconds from Generate to the finished file, the first one with
    loading; `stages`: seconds of the last run; the peaks are in bytes, 0 if unknown: `gpu_peak` of the whole
    GPU, `torch_peak` reserved by PyTorch, `ram_peak` of ComfyUI's processes; `ram_left`: the least that the
    machine had left."""

    row: RandomRow
    runs: tuple[float, ...] = ()
    width: int = 0
    height: int = 0
    frames: int = 0
    evaluations: int = 0
    stages: Mapping[str, float] | None = None
    gpu_peak: int = 0
    torch_peak: int = 0
    ram_peak: int = 0
    ram_left: int = 0
    error: str = ""
    out_of_memory: bool = False

    @property
    def first(self) -> float | None:
        return self.runs[0] if self.runs else None

    @property
    def whole(self) -> float | None:
        """Median of the runs after the first one; of the first one if it is alone."""
        return statistics.median(self.runs[1:] or self.runs) if self.runs else None

    @property
    def chunks(self) -> int:
        return max(1, MODES[self.row.mode].chunks(self.frames or self.row.frames))

    @property
    def per_evaluation(self) -> float | None:
        """Seconds of one evaluation of the model, without loading it."""
        drawing = (self.stages or {}).get("draw", 0.0)
        return drawing / self.evaluations if self.evaluations and drawing else None


def record(
    found: Sequence[Measured], engine: Mapping[str, Any], scale: str, when: str, whole: bool
) -> dict[str, Any]:
    """The benchmark as JSON; workflows/cards.py reads it."""
    return {
        "version": VERSION,
        "scale": scale,
        "weights": "random",
        "note": TINY_NOTE if scale == "tiny" else NOTE,
        "measured": when,
        "complete": whole,
        "card": {"gpu": engine["gpu"], "vram": engine["vram"], "ram": engine["ram"]},
        "engine": dict(engine),
        "rows": [_record(one) for one in found],
    }


def _record(one: Measured) -> dict[str, Any]:
    row = one.row
    return {
        "row": row.name,
        "mode": row.mode,
        "model": model_of(file.role for file in files((row,), load_catalog(), ROLES)),
        "speed": row.speed,
        "width": one.width or row.width,
        "height": one.height or row.height,
        "frames": one.frames or row.frames,
        "steps": row.steps,
        "evaluations": one.evaluations or row.steps,
        "chunks": one.chunks,
        "runs": [round(run, 3) for run in one.runs],
        "first": _rounded(one.first),
        "seconds": _rounded(one.whole),
        "per_evaluation": _rounded(one.per_evaluation),
        "stages": {} if one.error else dict(one.stages or {}),
        "gpu_peak": one.gpu_peak,
        "torch_peak": one.torch_peak,
        "ram_peak": one.ram_peak,
        "ram_left": one.ram_left,
        "error": one.error,
        "out_of_memory": one.out_of_memory,
    }


COLUMNS = (
    ("row", 4), ("mode", 14), ("size", 8), ("frames", 6), ("steps", 5), ("speed", 7), ("s/evaluation", 12),
    ("first", 9), ("later", 9), ("GPU", 8), ("RAM", 8),
)  # fmt: skip
"""Headings and least widths: each row is printed as soon as it is measured, before the next one is known."""


def table(one: Measured | None = None) -> Table:
    """One row of the printed table; without a measurement the headings."""
    made = plain_table(header=one is None)
    for heading, width in COLUMNS:
        made.add_column(heading, min_width=width, no_wrap=True)
    if one is not None:
        row = one.row
        made.add_row(
            row.name if len(row.name) < 5 else "own", row.mode, f"{row.width}x{row.height}",
            str(one.frames or row.frames), str(row.steps), row.speed, _seconds(one.per_evaluation, 2),
            _seconds(one.first), _seconds(one.whole if len(one.runs) > 1 else None),
            size(one.gpu_peak) if one.gpu_peak else "-", size(one.ram_peak) if one.ram_peak else "-",
        )  # fmt: skip
    return made


def _seconds(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f} s"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
