"""The relations of a clip to others, as HTML: the draft that it is the final of, and its own finals."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from backend.jobs.job import FINAL
from ui.i18n.texts import escaped, text
from ui.views import wording
from ui.views.buttons import attributes
from ui.views.final import clip_of, mark

if TYPE_CHECKING:
    from backend.jobs.final_views import Relations
    from backend.jobs.views import JobView

MOST = 3
"""Finals that are named; there is rarely more than one."""


def relations(job: JobView, found: Relations) -> str:
    """The lines below the facts; "" for a clip without relations."""
    lines = []
    if found.origin is not None:
        key = "relations.final_of" if job.role == FINAL else "relations.goes_on_from"
        lines.append(_line(text(key), [_link(job, found.origin)]))
    if found.finals:
        links = [_link(job, final, of=job) for final in found.finals[:MOST]]
        lines.append(_line(text("relations.final"), links))
    return f'<div class="relations">{"".join(lines)}</div>' if lines else ""


def _line(label: str, links: list[str]) -> str:
    return f"<p><span>{escape(label)}</span>{''.join(links)}</p>"


def _link(job: JobView, other: JobView, of: JobView | None = None) -> str:
    """Shows the other clip, and compares the two where both are finished. of: the draft that the other one is
    the final of."""
    data: dict[str, object] = {"act": "show", "id": other.id, "key": other.key}
    if of is not None:
        data |= {"draft": of.id, "final": mark(other.drawn, clip_of(other).speed)}
    found = f'<button type="button" class="link" {attributes(data)}>{escape(_facts(other))}</button>'
    if job.status == other.status == "done":
        pair = {"act": "compare", "id": job.id, "key": job.key, "other": other.id, "otherkey": other.key}
        found += (
            f'<button type="button" class="link" {attributes(pair)} aria-haspopup="dialog">'
            f"{escaped('compare.compare')}</button>"
        )
    return found


def _facts(job: JobView) -> str:
    """`Draft, 512 × 288, Fast`, and its state while it is not finished."""
    draft = text("relations.draft") if clip_of(job).is_draft else ""
    states = {
        "queued": text("card.waiting"),
        "running": text("card.running"),
        "failed": text("library.stopped.failed"),
        "cancelled": text("library.stopped.cancelled"),
    }
    size = wording.size(*job.drawn) if all(job.drawn) else ""
    return wording.listed([draft, size, wording.speed(job), states.get(job.status, "")])
