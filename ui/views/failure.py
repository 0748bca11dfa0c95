"""A job that failed or was cancelled: what happened, why, what is kept, what to try. Texts without markup."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ui.i18n import mode_texts
from ui.i18n.texts import text
from ui.views.wording import clip_seconds, follows, is_still, listed, recipe, size, thing
from workflows.modes.registry import MODES, media_fields
from workflows.params.sizes import fit_size

if TYPE_CHECKING:
    from backend.jobs.views import JobView


def kept(job: JobView, files: Collection[str], inputs_deleted: bool = False) -> str:
    """What is still stored of a job of the reader's own that ended without a result. files: its parameters
    that are files; inputs_deleted: they are deleted, as those of a cancelled job are."""
    fields = media_fields(job.mode).items()
    things = [text(f"media.kind.{field.kind}") for name, field in fields if name in files]
    if inputs_deleted:
        things = []
    if job.params.get("prompt"):
        things.append(text("failure.prompt"))
    known = listed(dict.fromkeys(things))
    words = text("failure.kept", things=known) if known else text("failure.kept_settings")
    return f"{words} {text('failure.cancelled_files')}" if inputs_deleted else words


@dataclass(frozen=True)
class Remedy:
    """A button under a failure: `change` overrides the job's own values."""

    label: str
    change: Mapping[str, Any]


def remedies(job: JobView) -> list[Remedy]:
    """What to try after a failure, best first; the first is the primary button."""
    again = Remedy(text("failure.try.again"), {})
    if (job.error or {}).get("code", "") != "out_of_memory":
        return [again]
    params = job.params
    across, down = job.drawn
    if is_still(job):
        if across * down <= 832 * 480:
            return [again]
        width, height = fit_size(across, down, "480p")
        label = text("failure.try.size", size=size(width, height))
        return [Remedy(label, {"width": width, "height": height})]
    found = []
    smaller = {"720p": "480p", "480p": "draft"}.get(str(params.get("resolution") or "480p"))
    if params.get("width") or params.get("height"):
        smaller = "480p" if across * down > 832 * 480 else "draft"
    if smaller:
        change = {"resolution": smaller, "width": 0, "height": 0}
        draft = smaller == "draft"
        label = text("failure.try.draft") if draft else text("failure.try.size", size=smaller)
        found.append(Remedy(label, change))
    lengths = (30.0, 10.0, 5.0, 3.0, 2.0) if follows(job.mode) else (5.0, 3.0, 2.0)
    shorter = next((s for s in lengths if s < clip_seconds(job)), None)
    if shorter:
        name = MODES[job.mode].length_field if job.mode in MODES else "seconds"
        found.append(Remedy(text("failure.try.length", seconds=f"{shorter:g}"), {name: shorter}))
    return found or [again]


def failure(
    job: JobView, files: Collection[str] = (), inputs_deleted: bool = False, mine: bool = True
) -> tuple[str, str]:
    """(the error's message, what is kept and what to do) of a failed job. files, inputs_deleted: see `kept`;
    without the files the hint no longer applies. mine: its reader owns the job, and can do something."""
    error = job.error or {}
    message = str(error.get("message") or text(f"failure.not_made.{thing(job)}")).strip().rstrip(".")
    if not mine:
        return message, ""
    if inputs_deleted:
        return message, text("failure.files_deleted")
    hint = str(error.get("hint") or "").strip()
    return message, f"{kept(job, files)} {hint}".strip()


def details(job: JobView) -> str:
    """The text that "Copy details" puts on the clipboard: for a bug report, without the prompt."""
    error = job.error or {}
    lines = [
        text("failure.details.job", mode=mode_texts.title(job.mode), id=job.id),
        f"{error.get('code', '')}: {error.get('message', '')}",
        text("failure.details.cause", cause=error["cause"]) if error.get("cause") else "",
        listed(recipe(job)),
        text("failure.details.engine", engine=job.engine) if job.engine else "",
    ]
    listed_params = (
        "speed", "motion", "experts", "variant", "method", "model", "aspect", "resolution", "fit", "cfg",
        "shift", "start", "duration", "level", "relight",
    )  # fmt: skip
    lines.append(", ".join(f"{name} {job.params[name]}" for name in listed_params if name in job.params))
    return "\n".join(line for line in lines if line)
