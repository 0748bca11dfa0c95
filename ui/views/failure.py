"""A job that failed or was cancelled: what happened, why, what is kept, what to try. Pure; gives text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.errors import says_kept
from ui.views.wording import clip_seconds, follows, is_still, recipe, size, thing
from workflows.modes.registry import MODES, media_fields
from workflows.modes.registry import title as mode_title
from workflows.params.sizes import fit_size

if TYPE_CHECKING:
    from backend.jobs.views import JobView


GONE = (
    "The files it was made from were kept for a day and have been deleted. Reuse its settings, add the"
    " files and generate again."
)
NO_COPY = "in the form. A cancelled job keeps no copy of its files."


def kept(mode: str, gone: bool = False) -> str:
    """What is not lost when a job of this mode ends without a result. gone: a cancelled one's files are."""
    given = [field.kind for field in media_fields(mode).values() if field.required]
    words = f"Your {', '.join([*given, 'prompt'])} and settings are still here"
    return f"{words}, {NO_COPY}" if gone else f"{words}."


@dataclass(frozen=True)
class Remedy:
    """A button under a failure: `change` goes over the job's own values."""

    label: str
    change: Mapping[str, Any]


def remedies(job: JobView) -> list[Remedy]:
    """What to try after a failure, best first; the first is the ink button."""
    again = Remedy("Try again", {})
    if (job.error or {}).get("code", "") != "out_of_memory":
        return [again]
    params = job.params
    if is_still(job):
        if job.width * job.height <= 832 * 480:
            return [again]
        width, height = fit_size(job.width, job.height, "480p")
        return [Remedy(f"Try again at {size(width, height)}", {"width": width, "height": height})]
    found = []
    smaller = {"720p": "480p", "480p": "draft"}.get(str(params.get("resolution") or "480p"))
    if params.get("width") or params.get("height"):
        smaller = "480p" if job.width * job.height > 832 * 480 else "draft"
    if smaller:
        change = {"resolution": smaller, "width": 0, "height": 0}
        found.append(
            Remedy("Try again as a draft" if smaller == "draft" else f"Try again at {smaller}", change)
        )
    lengths = (30.0, 10.0, 5.0, 3.0, 2.0) if follows(job.mode) else (5.0, 3.0, 2.0)
    shorter = next((s for s in lengths if s < clip_seconds(job)), None)
    if shorter:
        name = MODES[job.mode].length_field if job.mode in MODES else "seconds"
        found.append(Remedy(f"Try again with {shorter:g} s", {name: shorter}))
    return found or [again]


def failure(job: JobView, gone: bool = False) -> tuple[str, str]:
    """What happened, and why with what is kept, for a failed job. gone: the files it was made from are, and
    with them what the hint says to do."""
    error = job.error or {}
    message = str(error.get("message") or f"The {thing(job)} was not made").strip()
    hint = str(error.get("hint") or "").strip()
    head, _, rest = message.partition(". ")
    if gone:
        return head.rstrip("."), f"{rest.rstrip('.')}. {GONE}" if rest else GONE
    why = " ".join(part for part in (rest, hint) if part)
    if not says_kept(error):
        why = f"{why} {kept(job.mode)}".strip()
    return head.rstrip("."), why


def details(job: JobView) -> str:
    """What Copy details puts on the clipboard: for a bug report, without the prompt."""
    error = job.error or {}
    lines = [
        f"Wan Studio, {mode_title(job.mode)}, job {job.id}",
        f"{error.get('code', '')}: {error.get('message', '')}",
        ", ".join(recipe(job)),
        f"Engine: {job.engine}" if job.engine else "",
    ]
    told = (
        "speed", "motion", "experts", "variant", "method", "model", "aspect", "resolution", "fit", "cfg",
        "shift", "start", "duration", "level", "relight",
    )  # fmt: skip
    lines.append(", ".join(f"{name} {job.params[name]}" for name in told if name in job.params))
    return "\n".join(line for line in lines if line)
