"""The visitor's own waiting jobs, with their places in the queue, as HTML. What a user wrote is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ui.i18n import mode_texts
from ui.i18n.texts import escaped, plural, text
from ui.views import wording
from ui.views.icons import icon

if TYPE_CHECKING:
    from backend.jobs.views import JobView, Place

ROWS = 8
"""Jobs that are listed; further ones are counted."""


def waiting_rows(line: Sequence[Place], shown: str = "") -> list[tuple[int, JobView]]:
    """(place in the queue, job) of the visitor's own waiting jobs without the one on the stage and its parts.
    Running jobs count: after one of them the next job is the 2nd."""
    running = sum(place.position == 0 for place in line)
    return [
        (running + place.position, place.job)
        for place in line
        if place.position and place.job is not None and shown not in (place.job.id, place.job.parent or None)
    ]


def line_list(line: Sequence[Place], shown: str = "", paused: bool = False) -> str:
    """The list; "" when no job of the visitor waits, or only the one on the stage."""
    rows = waiting_rows(line, shown)
    if not rows:
        return ""
    waits = sum(place.position > 0 for place in line)
    mine = sum(place.position > 0 and place.mine for place in line)
    words = text("queue.paused_by_admin") if paused else wording.line_counts(waits, mine)
    listed = "".join(_row(place, job) for place, job in rows[:ROWS])
    hidden = len(rows) - ROWS
    more = f'<p class="note">{escape(plural("queue.more", hidden))}</p>' if hidden > 0 else ""
    return (
        f'<div class="line"><div class="label-row"><h2 class="label">{escaped("queue.heading")}</h2>'
        f'<p class="{"paused" if paused else "note"}" data-live="line">{escape(words)}</p></div>'
        f"<ol>{listed}</ol>{more}</div>"
    )


def _row(place: int, job: JobView) -> str:
    name, job_id, key = escape(wording.title(job)), escape(job.id), escape(job.key)
    cancel = escaped("queue.cancel_clip", title=wording.title(job))
    data = f'data-id="{job_id}" data-key="{key}"'
    return (
        f'<li {data} data-waits><span class="place" data-place="{job_id}">{wording.ordinal(place)}</span>'
        f'<button type="button" class="what" data-act="show" {data} title="{name}">'
        f'<span dir="auto">{name}</span><small>{escape(mode_texts.title(job.mode))}</small></button>'
        f'<button type="button" class="drop" data-act="cancel" {data} aria-label="{cancel}"'
        f' title="{escaped("queue.cancel")}">{icon("close", 16)}</button></li>'
    )
