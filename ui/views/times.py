"""What the seconds of a finished job went into, as HTML: a line that opens."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from ui.i18n.texts import escaped, text
from ui.views.wording import duration

PARTS = ("load", "read", "draw", "finish", "save", "own", "away", "lost")
"""Names in a job's timings, in the order in which they are shown; together they are its time."""
LEAST = 0.05  # seconds


def details(timings: Mapping[str, float]) -> str:
    """The parts of a job's time on demand; "" for a job of which they are not known. Waiting in the engine's
    queue is not part of it and stands apart."""
    rows = [(name, timings.get(name, 0.0)) for name in PARTS]
    if "own" not in timings or not any(seconds >= LEAST for _, seconds in rows):
        return ""
    lines = "".join(_row(name, seconds) for name, seconds in rows if seconds >= LEAST)
    queued = timings.get("queue", 0.0)
    waited = ""
    if queued >= 0.5:
        waited = f"<p>{escape(text('times.queued', duration=duration(queued)))}</p>"
    heading = f"<summary>{escaped('times.heading')}</summary>"
    return f'<details class="took">{heading}<dl>{lines}</dl>{waited}</details>'


def _row(name: str, seconds: float) -> str:
    took = text("times.tenths", seconds=f"{seconds:.1f}") if seconds < 10 else duration(seconds)
    return f"<div><dt>{escaped(f'times.part.{name}')}</dt><dd>{escape(took)}</dd></div>"
