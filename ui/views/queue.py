"""One's own jobs that wait, with their places, as HTML. Pure; what a user wrote is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ui.views import wording
from ui.views.icons import icon
from workflows.modes.registry import title as mode_title

if TYPE_CHECKING:
    from backend.jobs.views import JobView, Place

ROWS = 8
"""Jobs that are named; more are counted."""


def waiting_rows(line: Sequence[Place], shown: str = "") -> list[tuple[int, JobView]]:
    """(place in line, job) of one's own waiting jobs, but the one on the stage. The running ones come first
    in line: behind one of them the next job is the 2nd."""
    running = sum(place.position == 0 for place in line)
    return [
        (running + place.position, place.job)
        for place in line
        if place.position and place.job is not None and place.job.id != shown
    ]


def line_list(line: Sequence[Place], shown: str = "", paused: bool = False) -> str:
    """The list, or nothing when no job of one's own waits off the stage."""
    rows = waiting_rows(line, shown)
    if not rows:
        return ""
    waits = sum(place.position > 0 for place in line)
    mine = sum(place.position > 0 and place.mine for place in line)
    words = wording.PAUSED if paused else wording.line_counts(waits, mine)
    listed = "".join(_row(place, job) for place, job in rows[:ROWS])
    more = f'<p class="note">And {len(rows) - ROWS} more of yours.</p>' if len(rows) > ROWS else ""
    return (
        '<div class="line"><div class="label-row"><h2 class="label">Queue</h2>'
        f'<p class="{"paused" if paused else "note"}" data-live="line">{escape(words)}</p></div>'
        f"<ol>{listed}</ol>{more}</div>"
    )


def _row(place: int, job: JobView) -> str:
    name, job_id, key = escape(wording.title(job)), escape(job.id), escape(job.key)
    data = f'data-id="{job_id}" data-key="{key}"'
    return (
        f'<li {data} data-waits><span class="place" data-place="{job_id}">{wording.ordinal(place)}</span>'
        f'<button type="button" class="what" data-act="show" {data} title="{name}"><span>{name}</span>'
        f"<small>{mode_title(job.mode)}</small></button>"
        f'<button type="button" class="drop" data-act="cancel" {data} aria-label="Cancel: {name}"'
        f' title="Cancel">{icon("close", 16)}</button></li>'
    )
