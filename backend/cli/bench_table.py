"""The benchmark table of the WAN 2.2 guide, with the times measured here. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from backend.cli.console import plain_table
from backend.errors import BadInput
from backend.formatting import duration_text

GUIDE_MACHINE = "A100 80GB"
DEMO_WORDS = (
    "DEMO: these are the times of the built-in demo engine, which has no model. They say nothing about"
    " WAN 2.2 and stand beside the guide's figures only to show the table."
)


def add_bench(commands: Any) -> None:
    """The `bench` command's arguments."""
    parser = commands.add_parser(
        "bench",
        help="time the guide's benchmark rows on this machine's engine",
        description="Times the benchmark rows of the WAN 2.2 guide on the engine that the page would use, and"
        " prints them beside the guide's figures. On the demo engine every row is marked DEMO. With"
        " --random-weights it needs no downloaded models: it writes files of the real shapes, starts the"
        " ComfyUI of COMFYUI_DIR with them in a folder of its own, and removes both.",
    )
    parser.add_argument(
        "--rows", default="", metavar="LIST", help="such as 1,3b: a with, b without LoRA (default: all)"
    )
    parser.add_argument(
        "--repeat", type=int, metavar="N",
        help="runs after the first one, which loads the models (default 3, with random weights 1)",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE", help="write the figures here as JSON, after every row")
    parser.add_argument(
        "--random-weights", action="store_true",
        help="with model files of random numbers; --rows then takes numbers of its own rows, or all",
    )  # fmt: skip
    parser.add_argument(
        "--scale", choices=("full", "tiny"), default="full",
        help="of the random weights: tiny runs on a machine without a GPU",
    )  # fmt: skip
    parser.add_argument(
        "--row", action="append", default=[], metavar="MODE,WxH,FRAMES[,STEPS[,SPEED]]",
        help="a row of your own with random weights, such as image_to_video,832x480,81,4,fast; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--folder", metavar="DIR", help="where the random weights are written (default: the first disk with"
        " room of the temporary folder and the data folder)",
    )  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One cell of the guide's table. `frames`: the guide's frame count; `guide`: its time in seconds."""

    number: int
    title: str
    mode: str
    width: int
    height: int
    frames: int
    steps: int
    lora: bool
    guide: float
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.number}{'a' if self.lora else 'b'}"


def _rows() -> tuple[Row, ...]:
    """Source: the guide's table "Performance Benchmarks". Its 16 frames are 17 in Image-to-Video and Animate:
    WAN makes 4 n + 1."""
    guides_lora = {"distillation": "v1"}  # whatever newer one is installed
    second, two = {"seconds": 1.0, **guides_lora}, {"seconds": 2.0, **guides_lora}
    table: tuple[tuple[str, str, int, int, int, int, float, float, dict[str, Any]], ...] = (
        ("I2V high noise", "image_to_video", 512, 512, 16, 4, 15, 60, {"experts": "high", **second}),
        ("I2V high noise", "image_to_video", 512, 512, 16, 20, 0, 300, {"experts": "high", **second}),
        ("I2V low noise", "image_to_video", 832, 480, 33, 4, 30, 120, {"experts": "low", **two}),
        ("I2V low noise", "image_to_video", 832, 480, 33, 20, 0, 600, {"experts": "low", **two}),
        ("S2V", "sound_to_video", 512, 512, 16, 20, 0, 360, {}),
        ("Animate", "animate", 512, 512, 16, 20, 0, 360, {}),
    )
    rows = []
    for number, (title, mode, width, height, frames, steps, fast, full, values) in enumerate(table, 1):
        for lora, guide in ((True, fast), (False, full)):
            if guide:
                given = {
                    **values, "prompt": "The boat drifts slowly to the right", "width": width,
                    "height": height, "steps": steps, "speed": "fast" if lora else "quality",
                }  # fmt: skip
                rows.append(Row(number, title, mode, width, height, frames, steps, lora, guide, given))
    return tuple(rows)


ROWS = _rows()


def chosen(text: str) -> tuple[Row, ...]:
    """The rows of a list such as "1,3b,5": a number is a row of the table, a and b are with and without LoRA;
    "" is all.

    Raises BadInput for the first entry that is no row.
    """
    wanted = [part.strip().lower() for part in text.split(",") if part.strip()]
    for part in wanted:
        if not any(part in (row.name, str(row.number)) for row in ROWS):
            raise BadInput.of("no_such_row", given=part, names=tuple(row.name for row in ROWS))
    return tuple(row for row in ROWS if not wanted or {row.name, str(row.number)} & set(wanted))


@dataclass(frozen=True)
class Measured:
    """The measurement of a row. `runs`: seconds from Generate to the finished file, in order; `stages`:
    seconds of the last run; `frames`: of the result; `error`: why the row failed."""

    row: Row
    runs: tuple[float, ...] = ()
    frames: int = 0
    stages: Mapping[str, float] | None = None
    error: str = ""

    @property
    def first(self) -> float | None:
        """Seconds of the first run, which includes loading the models unless they were loaded before."""
        return self.runs[0] if self.runs else None

    @property
    def later(self) -> tuple[float, ...]:
        return self.runs[1:]

    @property
    def median(self) -> float | None:
        """Median of the runs after the first, in seconds."""
        return statistics.median(self.later) if self.later else None


def record(
    found: Sequence[Measured], engine: Mapping[str, Any], demo: bool, when: str, whole: bool
) -> dict[str, Any]:
    """The benchmark as JSON. On the demo engine without a ratio to the guide's figures."""
    rows = []
    for one in found:
        best = one.median if one.median is not None else one.first
        rows.append(
            {
                "row": one.row.name,
                "workflow": one.row.title,
                "width": one.row.width,
                "height": one.row.height,
                "guide_frames": one.row.frames,
                "frames": one.frames,
                "steps": one.row.steps,
                "lora": one.row.lora,
                "guide_seconds": one.row.guide,
                "runs": [round(run, 3) for run in one.runs],
                "first": _rounded(one.first),
                "median": _rounded(one.median),
                "fastest": _rounded(min(one.later, default=None)),
                "slowest": _rounded(max(one.later, default=None)),
                "of_guide": None if demo or best is None else round(best / one.row.guide, 3),
                "stages": dict(one.stages or {}),
                "error": one.error,
            }
        )
    return {
        "demo": demo,
        "note": DEMO_WORDS if demo else f"guide_seconds are the guide's, on an {GUIDE_MACHINE}",
        "engine": dict(engine),
        "measured": when,
        "complete": whole,
        "rows": rows,
    }


COLUMNS = (
    ("row", 4), ("workflow", 15), ("size", 8), ("frames", 6), ("steps", 5), ("LoRA", 7), ("first", 10),
    ("median", 10), ("spread", 17), ("guide", 8), ("", 4),
)  # fmt: skip
"""Headings and least widths: each row is printed as soon as it is measured, before the next one is known."""


def table(one: Measured | None = None, *, demo: bool = False) -> Table:
    """One row of the printed table; without a measurement the headings. The rows of a demo end with DEMO."""
    made = plain_table(header=one is None)
    for heading, width in COLUMNS:
        made.add_column(heading, min_width=width, no_wrap=True)
    if one is not None:
        made.add_row(*_cells(one, demo))
    return made


def _cells(one: Measured, demo: bool) -> tuple[str, ...]:
    row = one.row
    made = ("", "", "")
    if not one.error:
        spread = f"{min(one.later):.1f} to {max(one.later):.1f} s" if len(one.later) > 1 else "-"
        made = (_seconds(one.first), _seconds(one.median), spread)
    return (
        row.name,
        row.title,
        f"{row.width}x{row.height}",
        str(one.frames or row.frames),
        str(row.steps),
        "with" if row.lora else "without",
        *made,
        f"~{duration_text(row.guide)}",
        "DEMO" if demo and not one.error else "",
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
