"""A job that failed or was cancelled: what happened, why, what is kept, what to try. Texts without markup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ui.i18n import mode_texts
from ui.i18n.texts import text
from ui.views.wording import clip_seconds, follows, is_still, listed, recipe, size, thing
from workflows.modes.registry import MODES, media_fields
from workflows.params.sizes import fit_size

if TYPE_CHECKING:
    from backend.jobs.views import JobView


def kept(mode: str, inputs_deleted: bool = False) -> str:
    """What is still in the form after a job of this mode ended without a result. inputs_deleted: the server's
    copies of a cancelled job's files are."""
    required = [field.kind for field in media_fields(mode).values() if field.required]
    files = listed(text(f"media.kind.{kind}") for kind in required)
    if files:
        return text("failure.kept_files_form" if inputs_deleted else "failure.kept_files", files=files)
    return text("failure.kept_form" if inputs_deleted else "failure.kept")


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
    if is_still(job):
        if job.width * job.height <= 832 * 480:
            return [again]
        width, height = fit_size(job.width, job.height, "480p")
        label = text("failure.try.size", size=size(width, height))
        return [Remedy(label, {"width": width, "height": height})]
    found = []
    smaller = {"720p": "480p", "480p": "draft"}.get(str(params.get("resolution") or "480p"))
    if params.get("width") or params.get("height"):
        smaller = "480p" if job.width * job.height > 832 * 480 else "draft"
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


def failure(job: JobView, inputs_deleted: bool = False) -> tuple[str, str]:
    """(the error's message, what is kept and what to do) of a failed job. inputs_deleted: its input files are
    deleted, and the error's hint no longer applies."""
    error = job.error or {}
    message = str(error.get("message") or text(f"failure.not_made.{thing(job)}")).strip()
    if inputs_deleted:
        return message.rstrip("."), text("failure.files_deleted")
    hint = str(error.get("hint") or "").strip()
    return message.rstrip("."), f"{kept(job.mode)} {hint}".strip()


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
