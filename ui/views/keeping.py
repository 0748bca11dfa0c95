"""Pin and Delete on the card, and the toast that offers to undo a deletion. What a user wrote is escaped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ui.i18n.texts import escaped, plural, text
from ui.views import wording
from ui.views.buttons import attributes, button
from ui.views.icons import icon

if TYPE_CHECKING:
    from backend.jobs.views import JobView

TOAST_SECONDS = 10
"""How long Undo is offered; the studio waits some seconds longer before it removes anything."""


def buttons(job: JobView) -> tuple[str, str]:
    """Pin or unpin, and Delete."""
    act, tip = ("unpin", "library.unpin_tip") if job.pinned else ("pin", "library.pin_tip")
    label = text("keeping.pinned") if job.pinned else text("library.pin")
    pin = (
        f'<button type="button" class="btn pin" {attributes({"act": act, "id": job.id, "key": job.key})}'
        f' aria-pressed="{str(job.pinned).lower()}" title="{escaped(tip)}">{icon("pin")}'
        f"<span>{escape(label)}</span></button>"
    )
    return pin, delete_button(job)


def delete_button(job: JobView, kind: str = "") -> str:
    """A button that deletes the job; the toast offers to undo it."""
    return button("delete", text("library.delete"), job, "trash", kind)


def deleted(job: JobView, number: str, more: Sequence[JobView] = ()) -> str:
    """Makes the script show the toast for this job. number: of this deletion alone, also after a restart of
    the app, since a page stays open across it. more: deleted together with it."""
    title = plural("variations.tile", 1 + len(more)) if more else wording.title(job)
    data = attributes(
        {
            "id": job.id,
            "key": job.key,
            "number": number,
            "seconds": TOAST_SECONDS,
            "title": title,
            "more": json.dumps([[one.id, one.key] for one in more]),
        }
    )
    return f"<div hidden {data}></div>"
