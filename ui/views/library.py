"""The Library as HTML: one tile per clip, the job on its way first. Pure; what a user wrote is escaped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from ui.views import wording
from ui.views.card import ACTIVE, attributes, length_tag, thumb_picture
from ui.views.icons import icon
from workflows.modes.registry import title

if TYPE_CHECKING:
    from backend.jobs.views import JobView

PINNED = "Pinned: not deleted automatically"
Media = Callable[["JobView", str, bool], str]


def heading(clips: int, size: int, keep_days: int) -> str:
    """`48 clips, 1.2 GB. Kept for 30 days. Pinned clips stay.`"""
    if not clips:
        words = f"Nothing here yet. Clips are kept for {keep_days} days."
    else:
        count = "1 clip" if clips == 1 else f"{clips} clips"
        words = f"{count}, {wording.file_size(size)}. Kept for {keep_days} days. Pinned clips stay."
    return f'<div class="page-head"><h1>Library</h1><p>{words}</p></div>'


def grid(
    jobs: Sequence[JobView], media: Media, now: float, searched: bool = False, more: bool = False
) -> str:
    """Tiles of jobs that are under way or done; failed and cancelled ones are left out by the caller."""
    if not jobs:
        words = (
            "No clips match. Clear the search or show all." if searched else "Your videos will appear here."
        )
        return f'<div class="nothing"><p>{words}</p></div>'
    tiles = "".join(_tile(job, media, now) for job in jobs)
    button = '<button type="button" class="btn" data-act="more">Show more</button>' if more else ""
    return f'<ul class="tiles">{tiles}</ul><div class="more">{button}</div>'


def _tile(job: JobView, media: Media, now: float) -> str:
    def url(name: str, download: bool = False) -> str:
        return escape(media(job, name, download).lstrip("/"))

    name = escape(wording.title(job))
    under_way = job.status in ACTIVE
    picture = thumb_picture(job, lambda _, name: url(name))
    tall = job.width * 9 < job.height * 16 * 0.9
    inside = f'<img class="blur" src="{picture}" alt="" loading="lazy">' if tall else ""
    inside += f'<img class="{"whole" if tall else "fill"}" src="{picture}" alt="" loading="lazy">'
    if under_way:
        word = "Starting" if job.status == "running" else "Waiting"
        inside += (
            f'<span class="len bare" data-left="{escape(job.id)}">{word}</span>'
            f'<i class="under-way" data-bar="{escape(job.id)}"></i>'
        )
    else:
        inside += f'<span class="len">{length_tag(job)}</span>'
    if job.demo:
        inside += f'<span class="tag demo" title="{escape(wording.DEMO_SENTENCE)}">DEMO</span>'
    data = attributes({"act": "show", "id": job.id, "key": job.key}) + (" data-waits" if under_way else "")
    pinned = f'<span class="pinned" title="{PINNED}">{icon("pin", 14)}Pinned</span>' if job.pinned else ""
    facts = [wording.when(job.created, now), *_kind(job), wording.speed(job), wording.resolution(job)]
    live = f' data-words="{escape(job.id)}"' if under_way else ""
    shown = "Waiting" if job.status == "queued" else "Starting" if under_way else name
    return (
        f'<li class="tile" data-state="{job.status}"><button type="button" class="open" {data}'
        f' aria-label="Open: {name}">{inside}</button>{"" if under_way else _actions(job, url)}'
        f'<p class="name" title="{name}"{live}>{shown}</p><p class="facts">{pinned}'
        + "".join(f"<span>{escape(f)}</span>" for f in facts)
        + "</p></li>"
    )


def _kind(job: JobView) -> list[str]:
    return [title(job.mode)] if wording.follows(job.mode) else []


def _actions(job: JobView, url: Callable[[str, bool], str]) -> str:
    data = {"id": job.id, "key": job.key}
    why = f"{PINNED}. Click to unpin" if job.pinned else "Pin: don't auto-delete"
    return (
        '<div class="actions">'
        f'<a href="{url(job.result, True)}" download aria-label="Download" title="Download">'
        f"{icon('download')}</a>"
        f'<button type="button" {attributes({"act": "unpin" if job.pinned else "pin", **data})}'
        f' aria-label="Pin" aria-pressed="{str(job.pinned).lower()}" title="{why}">{icon("pin")}</button>'
        f'<button type="button" {attributes({"act": "reuse", **data})} aria-label="Reuse settings"'
        f' title="Reuse settings">{icon("again")}</button>'
        f'<button type="button" {attributes({"act": "delete", **data})} aria-label="Delete" title="Delete"'
        f' data-confirm="Delete permanently?">{icon("trash")}</button></div>'
    )
