"""The Library's tile of a failed or cancelled job, with Try again. What a user wrote is escaped."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from ui.i18n import mode_texts
from ui.i18n.texts import escaped, text
from ui.views import failure, wording
from ui.views.buttons import attributes, button
from ui.views.icons import icon
from ui.views.player import demo_tag
from workflows.modes.registry import media_fields

if TYPE_CHECKING:
    from backend.jobs.views import JobView

STOPPED = ("failed", "cancelled")


def stopped_tile(
    job: JobView, media: Callable[[JobView, str, bool], str], now: float, lacking: bool = False
) -> str:
    """lacking: the files that it was made from are deleted, so its settings can only be reused."""
    title, what = wording.title(job), reason(job)
    picture = ""
    if not lacking and "image" in media_fields(job.mode):
        url = escape(media(job, "input", False).lstrip("/"))
        picture = f'<img class="fill grey" src="{url}" alt="" loading="lazy">'
    word = escaped(f"library.stopped.{job.status}")
    mark = icon("alert" if job.status == "failed" else "close", 16)
    data = attributes({"act": "show", "id": job.id, "key": job.key})
    facts = [wording.when(job.created, now), mode_texts.title(job.mode), wording.resolution(job)]
    return (
        f'<li class="tile stopped-tile" data-state="{job.status}">'
        f'<button type="button" class="open" {data}>'
        f'<span class="sr">{escaped("library.open", title=title)}</span>'
        f'{picture}<span class="len state">{mark}{word}</span>{demo_tag() if job.demo else ""}</button>'
        f'<p class="name" dir="auto" title="{escape(title)}">{escape(title)}</p>'
        f'<p class="reason" title="{escape(what)}">{escape(what)}</p>'
        '<p class="facts">' + "".join(f"<span>{escape(fact)}</span>" for fact in facts if fact) + "</p>"
        f'<div class="tile-steps">{_again(job, lacking)}{_delete(job)}</div></li>'
    )


def reason(job: JobView) -> str:
    """Why there is no result, in a sentence or two."""
    error = job.error or {}
    message = " ".join(str(error.get(part) or "").strip() for part in ("message", "hint")).strip()
    if message:
        return message
    return wording.cancelled(job) if job.status == "cancelled" else failure.failure(job)[0]


def _again(job: JobView, lacking: bool) -> str:
    if lacking:
        return button("reuse", text("library.reuse"), job, "again")
    if job.status == "failed":
        remedy = failure.remedies(job)[0]
        return button("retry", remedy.label, job, "again", "", remedy.change or {"seed": job.seed})
    return button("retry", text("library.try_again"), job, "again", "", {"seed": job.seed})


def _delete(job: JobView) -> str:
    tip = escaped("library.delete")
    label = escaped("library.action", action=text("library.delete"), title=wording.title(job))
    data = attributes({"act": "delete", "id": job.id, "key": job.key})
    return (
        f'<button type="button" class="btn quiet bin" {data} aria-label="{label}" title="{tip}">'
        f"{icon('trash')}</button>"
    )
