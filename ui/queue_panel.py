"""The queue's panel: a gr.HTML that the header's badge opens. assets/queue.js asks for the list while it is
open, and sends the clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import NotFound, StudioError
from ui.actions.event_data import event_text
from ui.forms.job_inputs import has_picture
from ui.gradio_fixes.event_errors import sentence
from ui.views.queue_panel import ROWS, QueuePanel, panel
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backend.jobs.views import QueueRow
    from ui.actions.once import Once
    from ui.job_card import Card

WITH_OPTIONAL_PICTURE = frozenset(
    name for name, mode in MODES.items() if "image" in mode.media and not mode.media["image"].required
)
EVENTS = ("list", "up", "down", "cancel", "cancel_all", "pause", "resume")
JS = (
    f"const events = {list(EVENTS)!r};\n"
    "const start = () => window.wanStudio?.queue\n"
    "  ? window.wanStudio.queue({element, trigger, watch, events}) : setTimeout(start, 15);\n"
    "start();"
)


class Queue:
    """The panel's component and its events. Each handler gets the visitor's token, and answers with what this
    visitor may see and do; the studio checks every call."""

    def __init__(self, card: Card, once: Once) -> None:
        self.studio, self.card, self.once = card.studio, card, once

    def build(self) -> None:
        """Creates the component."""
        self.shown = gr.HTML(
            panel(QueuePanel(known=False)), elem_id="ws-queue", apply_default_css=False, js_on_load=JS
        )

    def wire(self, owner: Any, card: Any, direct: dict[str, Any], queued: dict[str, Any]) -> None:
        """owner, card: the components. direct, queued: the arguments of events without and with messages."""
        shown: Any = self.shown
        shown.list(self.listed, owner, shown, **direct)
        for name in EVENTS[1:]:
            getattr(shown, name)(getattr(self, name), owner, [shown, card], **queued)

    def html(self, owner: str, user: str, note: str = "") -> str:
        """The panel for this visitor."""
        rows = self.studio.queue_rows(owner, user)
        return panel(
            QueuePanel(
                rows=rows,
                pictured=self._pictured(rows[:ROWS]),
                paused=self.studio.paused(),
                admin=self.studio.is_admin(owner, user),
                note=note,
                media=self.studio.media_url,
            )
        )

    def _pictured(self, rows: Sequence[QueueRow]) -> frozenset[str]:
        """Ids of the jobs with a picture that their mode can do without; none while the database does not
        answer."""
        jobs = [row.job for row in rows if row.job is not None and row.mode in WITH_OPTIONAL_PICTURE]
        try:
            return frozenset(job.id for job in jobs if has_picture(self.studio, job))
        except StudioError:
            return frozenset()

    def listed(self, owner: str, request: gr.Request) -> str:
        """The panel as it is now."""
        return self.html(owner, request.username or "")

    def up(self, owner: str, event: gr.EventData, request: gr.Request) -> list[str]:
        """The visitor's own waiting job starts one earlier among the visitor's own."""
        return self._change(owner, event, request, "up", lambda: self.studio.move(owner, *_job(event), -1))

    def down(self, owner: str, event: gr.EventData, request: gr.Request) -> list[str]:
        """The same job starts one later."""
        return self._change(owner, event, request, "down", lambda: self.studio.move(owner, *_job(event), 1))

    def cancel(self, owner: str, event: gr.EventData, request: gr.Request) -> list[str]:
        """Cancels one job, by its key."""
        return self._change(owner, event, request, "cancel", lambda: self.studio.cancel(*_job(event)))

    def cancel_all(self, owner: str, event: gr.EventData, request: gr.Request) -> list[str]:
        """Cancels all jobs of this visitor; the script has asked for confirmation."""
        return self._change(owner, event, request, "cancel_all", lambda: self.studio.cancel_all(owner))

    def pause(self, owner: str, event: gr.EventData, request: gr.Request) -> list[str]:
        """No further job starts; for the admin."""
        return self._change(
            owner, event, request, "pause", lambda: self.studio.pause(owner, request.username or "")
        )

    def resume(self, owner: str, event: gr.EventData, request: gr.Request) -> list[str]:
        """Jobs start again; for the admin."""
        return self._change(
            owner, event, request, "resume", lambda: self.studio.resume(owner, request.username or "")
        )

    def _change(
        self, owner: str, event: gr.EventData, request: gr.Request, name: str, change: Callable[[], Any]
    ) -> list[str]:
        """Makes a change, once for each request; the panel with the reason if it was refused, and the card up
        to date."""
        note = ""
        try:
            self.once.run(change, owner, f"queue {name}", event_text(event, "id"))
        except StudioError as error:
            note = sentence(error)
        return [self.html(owner, request.username or "", note), self._card(owner, event)]

    def _card(self, owner: str, event: gr.EventData) -> str:
        try:
            job = self.studio.job(event_text(event, "shown"), event_text(event, "shownkey"))
        except NotFound:
            job = None
        return self.card.html(owner, job or self.card.latest(owner))


def _job(event: gr.EventData) -> tuple[str, str]:
    return event_text(event, "id"), event_text(event, "key")
