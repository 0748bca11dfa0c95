"""The events of the Library's tiles that lead to another tab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.actions.event_data import event_job, own_job

if TYPE_CHECKING:
    from backend.studio import Studio
    from ui.actions.again import Again
    from ui.actions.fill import FillForms
    from ui.job_card import Card


class LibraryActions:
    """Handlers that return component -> update."""

    def __init__(self, studio: Studio, forms: FillForms, again: Again, card: Card, shown: Any) -> None:
        """shown: the card's component."""
        self.studio, self.forms, self.again = studio, forms, again
        self.card, self.shown = card, shown

    def outputs(self) -> list[Any]:
        """The components that the handlers update."""
        return [self.forms.tabs, *self.forms.choosers.values(), self.shown]

    def show(self, owner: str, event: gr.EventData) -> dict[Any, Any]:
        """Shows a clip on the card, in the tab that it was made in."""
        job = event_job(self.studio, event)
        if job is None:
            return self.forms.nothing()
        return {
            **self.forms.tab_updates(job.mode),
            self.shown: self.card.html(owner, job, autoplay=True),
        }

    def retry(self, owner: str, event: gr.EventData, request: gr.Request) -> dict[Any, Any]:
        """Makes a failed or cancelled video again and shows it on the card, in its tab."""
        job = own_job(self.studio, owner, event)
        started = self.again.started(owner, job, event, request.username) if job is not None else None
        if job is None or started is None:
            return self.forms.nothing()
        return {**self.forms.tab_updates(job.mode), self.shown: started}

    def vary(self, owner: str, event: gr.EventData, request: gr.Request) -> dict[Any, Any]:
        """Makes variations of a clip and shows them on the card, in its tab."""
        job = own_job(self.studio, owner, event)
        started = self.again.varied(owner, job, request.username) if job is not None else None
        if job is None or started is None:
            return self.forms.nothing()
        return {**self.forms.tab_updates(job.mode), self.shown: started}
