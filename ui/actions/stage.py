"""The events of the job card that change which job it shows."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import gradio as gr

from backend.errors import NotFound, StudioError
from ui.actions.event_data import event_job, event_text
from ui.gradio_fixes.event_errors import sentence
from ui.i18n.texts import text

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio
    from ui.job_card import Card


class Stage:
    """Handlers that return the card's new HTML."""

    def __init__(self, studio: Studio, card: Card) -> None:
        self.studio, self.card = studio, card

    def show(self, owner: str, event: gr.EventData) -> str:
        """Shows a clip."""
        job = event_job(self.studio, event)
        whole = self._whole(event, job)
        return self.card.html(owner, job or self.card.latest(owner), autoplay=bool(job), whole=whole)

    def cancel(self, owner: str, event: gr.EventData) -> str:
        """Cancels a job; the card shows the result if it showed that job."""
        job: JobView | None
        try:
            job = self.studio.cancel(event_text(event, "id"), event_text(event, "key"))
        except StudioError as error:
            gr.Warning(sentence(error))
            job = event_job(self.studio, event)
        return self.card.html(owner, self._other_job(event) or job or self.card.latest(owner))

    def finished(self, owner: str, event: gr.EventData) -> str:
        """A followed job ended: the card shows it if it showed that job, else only its lists change."""
        other = self._other_job(event)
        if other is not None:
            return self.card.html(owner, other, whole=self._whole(event, other))
        try:
            job = self.studio.job(event_text(event, "id"), event_text(event, "key"))
        except NotFound:
            return self.card.on_load(owner)
        return self.card.html(owner, job, autoplay=True, whole=self._whole(event, job))

    def redraw(self, owner: str, event: gr.EventData) -> str:
        """The same job, with everything else up to date and its files under new addresses; says when it no
        longer exists."""
        other, shown = self._other_job(event), event_text(event, "shown")
        gone = other is None and bool(shown) and shown != event_text(event, "id")
        note = text("actions.job_gone") if gone else ""
        whole = self._whole(event, other)
        return self.card.html(owner, other or self.card.latest(owner), note=note, whole=whole)

    def started(self, owner: str, job: JobView, count: int = 1) -> str:
        """The card after a job was queued: an active job stays on the stage, and the new one is listed below.
        count: of the jobs that were queued together, `job` being the first."""
        active = self.studio.active(owner)
        if active is None or active.id == job.id:
            return self.card.html(owner, job, made=job.id)
        gr.Info(text("actions.queued") if count == 1 else text("actions.queued_all", count=count))
        return self.card.html(owner, active, made=job.id)

    def _whole(self, event: gr.EventData, job: JobView | None) -> JobView | None:
        """The set that the card shows, or that its clip was opened from, if the job is one of it."""
        for name, key in (("set", "setkey"), ("shown", "shownkey")):
            whole = event_text(event, name)
            if job is not None and job.parent and whole == job.parent:
                with contextlib.suppress(NotFound):
                    return self.studio.job(whole, event_text(event, key))
        return None

    def _other_job(self, event: gr.EventData) -> JobView | None:
        """The job that the card shows, if the event is about another one."""
        shown = event_text(event, "shown")
        if not shown or shown == event_text(event, "id"):
            return None
        try:
            return self.studio.job(shown, event_text(event, "shownkey"))
        except NotFound:
            return None
