"""Two clips side by side: what the page shows of each, and what differs in their settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ui.i18n import mode_texts
from ui.i18n.texts import text
from ui.views import wording
from ui.views.result_details import shown_value
from workflows.modes.registry import MODES
from workflows.stages.distill import AUTO

if TYPE_CHECKING:
    from backend.jobs.views import JobView

IN_FACTS = frozenset(
    {"seed", "steps", "speed", "width", "height", "resolution", "fps", "seconds", "duration"}
)
"""Parameters whose outcome is among the facts of a clip."""


def clip(job: JobView, url: Callable[[JobView, str], str], sound: bool) -> dict[str, Any]:
    """A clip as the script needs it. url: the address of a file of the job, from the server's root on."""
    return {
        "id": job.id,
        "key": job.key,
        "title": wording.title(job),
        "facts": wording.recipe(job),
        "url": url(job, job.result).lstrip("/"),
        "poster": "" if wording.is_still(job) else url(job, job.poster).lstrip("/"),
        "still": wording.is_still(job),
        "fps": job.fps,
        "frames": job.frames,
        "width": job.width,
        "height": job.height,
        "sound": sound,
    }


def differing(one: JobView, other: JobView) -> list[tuple[str, str, str]]:
    """(name, value, value) of every fact and setting in which two clips differ, the prompt last."""
    rows = [*_facts(one, other), *_settings(one, other)]
    return [(name, a, b) for name, a, b in rows if a != b]


def _facts(one: JobView, other: JobView) -> list[tuple[str, str, str]]:
    """The facts of the two clips."""

    def row(name: str, value: Callable[[JobView], str]) -> tuple[str, str, str]:
        return (text(f"compare.{name}"), value(one), value(other))

    return [
        row("mode", lambda job: mode_texts.title(job.mode)),
        row("size", lambda job: wording.size(job.width, job.height)),
        row("length", _length),
        row("rate", lambda job: text("format.fps", fps=wording.number(job.fps)) if job.fps else _none()),
        row("speed", wording.speed),
        row("steps", lambda job: str(job.steps) if job.steps else _none()),
        row("seed", lambda job: str(job.seed)),
        row("took", lambda job: wording.duration(job.elapsed) if job.elapsed else _none()),
    ]


def _length(job: JobView) -> str:
    return text("facts.picture") if wording.is_still(job) else wording.length(wording.clip_seconds(job))


def _none() -> str:
    return text("format.no_size")


def _settings(one: JobView, other: JobView) -> list[tuple[str, str, str]]:
    """The parameters that are not among the facts; one that a mode lacks has a dash there."""
    names = [field.name for job in (one, other) if job.mode in MODES for field in MODES[job.mode].fields]
    kept = [name for name in dict.fromkeys(names) if name not in IN_FACTS and name != "prompt"]
    return [(_label(one, other, name), _value(one, name), _value(other, name)) for name in [*kept, "prompt"]]


def _label(one: JobView, other: JobView, name: str) -> str:
    """The name of a parameter in the first of the two modes that has it."""
    if name == "prompt":
        return text("result.prompt")
    mode = next(job.mode for job in (one, other) if job.mode in MODES and name in MODES[job.mode].by_name)
    return mode_texts.label(mode, name)


def _value(job: JobView, name: str) -> str:
    """The value that was used, also where the choice was `auto`."""
    if job.mode not in MODES or name not in MODES[job.mode].by_name:
        return _none()
    field = MODES[job.mode].field(name)
    value = job.params.get(name, field.default)
    if value == AUTO or (field.zero and not value):
        value = job.resolved.get(name, value)
    return shown_value(job.mode, field, value) or text("result.none")
