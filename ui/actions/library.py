"""The events of the Library's tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from ui.actions.event_data import event_job, event_text
from ui.gradio_fixes.event_errors import sentence

if TYPE_CHECKING:
    from backend.studio import Studio
    from ui.actions.fill import FillForms
    from ui.job_card import Card


class LibraryActions:
    """Handlers; the page fills the grid again after deleting and pinning."""

    def __init__(self, studio: Studio, forms: FillForms, card: Card, shown: Any) -> None:
        """shown: the card's component."""
        self.studio, self.forms, self.card, self.shown = studio, forms, card, shown

    def outputs(self) -> list[Any]:
        """The components that `show` updates."""
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

    def delete(self, event: gr.EventData) -> None:
        """Deletes one clip; the script has asked for confirmation."""
        try:
            self.studio.delete(event_text(event, "id"), event_text(event, "key"))
        except StudioError as error:
            gr.Warning(sentence(error))

    def pin(self, event: gr.EventData) -> None:
        """Excludes a clip from removal by age or disk share."""
        self._pin(event, True)

    def unpin(self, event: gr.EventData) -> None:
        """Allows the removal of a clip again."""
        self._pin(event, False)

    def _pin(self, event: gr.EventData, pinned: bool) -> None:
        try:
            self.studio.pin(event_text(event, "id"), event_text(event, "key"), pinned)
        except StudioError as error:
            gr.Warning(sentence(error))
