"""The events that delete, bring back, pin and unpin a clip, in the Library and on the card."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import NotAllowed, NotFound, StudioError
from ui.actions.event_data import event_text
from ui.actions.picks import pairs, unpicked
from ui.gradio_fixes.event_errors import sentence
from ui.i18n.texts import text
from ui.views.keeping import deleted

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio
    from ui.actions.once import Once
    from ui.job_card import Card
    from ui.tabs.library import Library

UNDO_JS = (
    "const start = () => window.wanStudio?.undo\n"
    "  ? window.wanStudio.undo({element, trigger, watch}) : setTimeout(start, 15);\n"
    "start();"
)


def undo_box() -> gr.HTML:
    """The place of the toast that offers to undo a deletion; its event is `undo`."""
    return gr.HTML("", elem_id="ws-undo", apply_default_css=False, js_on_load=UNDO_JS)


class Keeping:
    """Handlers that return component -> update: the Library as filtered, the card, and the toast."""

    def __init__(
        self, studio: Studio, card: Card, library: Library, shown: Any, box: Any, once: Once
    ) -> None:
        """shown: the card's component; box: that of the toast."""
        self.studio, self.card, self.library, self.shown, self.box = studio, card, library, shown, box
        self.once = once

    def inputs(self, owner: Any) -> list[Any]:
        """The components that the handlers read: the owner and the Library's filters."""
        return self.library.inputs(owner)

    def outputs(self) -> list[Any]:
        """The components that the handlers write."""
        return [self.box, self.shown, *self.library.outputs()]

    def delete(
        self, owner: str, mode: str, search: str, limit: float, status: str, event: gr.EventData
    ) -> dict[Any, Any]:
        """Hides a clip of this owner and offers to undo that; the studio removes it some seconds later.

        A repetition offers it again: the studio postpones the removal, also after a restart."""
        job = self._tried(lambda job_id, key: self.studio.delete(owner, job_id, key, undo=True), event)
        updates = self._refreshed(owner, (mode, search, limit, status), event)
        return {**updates, self.box: deleted(job, secrets.token_hex(8)) if job else gr.skip()}

    def keep(
        self, owner: str, mode: str, search: str, limit: float, status: str, event: gr.EventData
    ) -> dict[Any, Any]:
        """Hides the variations of a set that were not picked, as `delete` does; one Undo brings all back."""
        hidden = []
        for job in unpicked(self.studio, owner, event):
            try:
                hidden.append(self.studio.delete(owner, job.id, job.key, undo=True))
            except StudioError as error:
                gr.Warning(sentence(error))
                break
        updates = self._refreshed(owner, (mode, search, limit, status), event)
        number = secrets.token_hex(8)
        return {**updates, self.box: deleted(hidden[0], number, hidden[1:]) if hidden else gr.skip()}

    def undo(
        self, owner: str, mode: str, search: str, limit: float, status: str, event: gr.EventData
    ) -> dict[Any, Any]:
        """Brings a clip back, to the card too where it was deleted there, and those that were deleted
        together with it."""
        first = (event_text(event, "id"), event_text(event, "key"))
        back: JobView | None = None
        for number, pair in enumerate([first, *pairs(event, "more")]):
            try:
                found = self._brought_back(owner, *pair)
            except StudioError as error:  # says for how long a deletion can be undone
                gr.Warning(sentence(error))
                break
            back = found if not number else back
        shown = (back.id, back.key) if back and event_text(event, "on") == "card" else None
        return self._refreshed(owner, (mode, search, limit, status), event, shown)

    def _brought_back(self, owner: str, job_id: str, key: str) -> JobView:
        return self.once.run(lambda: self.studio.undo_delete(owner, job_id, key), owner, "undo", job_id)

    def pin(
        self, owner: str, mode: str, search: str, limit: float, status: str, event: gr.EventData
    ) -> dict[Any, Any]:
        """Excludes a clip of this owner from removal by age or disk share."""
        return self._pin(owner, (mode, search, limit, status), event, True)

    def unpin(
        self, owner: str, mode: str, search: str, limit: float, status: str, event: gr.EventData
    ) -> dict[Any, Any]:
        """Allows the removal of a clip again."""
        return self._pin(owner, (mode, search, limit, status), event, False)

    def _pin(self, owner: str, filters: tuple[Any, ...], event: gr.EventData, pinned: bool) -> dict[Any, Any]:
        name = "pin" if pinned else "unpin"

        def pin(job_id: str, key: str) -> JobView:
            return self.once.run(lambda: self.studio.pin(owner, job_id, key, pinned), owner, name, job_id)

        self._tried(pin, event)
        return self._refreshed(owner, filters, event)

    def _tried(self, change: Callable[[str, str], JobView], event: gr.EventData) -> JobView | None:
        """The event's job (id, key) as the change leaves it; None, with the reason on the page, when it was
        refused."""
        try:
            return change(event_text(event, "id"), event_text(event, "key"))
        except NotFound:
            gr.Info(text("actions.job_gone"))
        except NotAllowed:
            gr.Warning(text("actions.not_yours"))
        except StudioError as error:
            gr.Warning(sentence(error))
        return None

    def _refreshed(
        self,
        owner: str,
        filters: tuple[Any, ...],
        event: gr.EventData,
        show: tuple[str, str] | None = None,
    ) -> dict[Any, Any]:
        """The Library, and the card with the job `show` (id, key), by default the one that it shows; when
        that is gone, with the latest."""
        tiles = dict(zip(self.library.outputs(), self.library.fill(owner, *filters), strict=True))
        job_id, key = show or (event_text(event, "shown"), event_text(event, "shownkey"))
        job: JobView | None = None
        if job_id:
            try:
                job = self.studio.job(job_id, key)
            except NotFound:
                job = None
        return {**tiles, self.shown: self.card.html(owner, job or self.card.latest(owner))}
