"""The download of a mode's models on the System tab: which files, start, progress, cancel; for the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from backend.models.state import SetRequest
from ui.actions.event_data import event_text
from ui.gradio_fixes.event_errors import sentence

if TYPE_CHECKING:
    from backend.models.state import SetOffer
    from backend.studio import Studio
    from ui.actions.once import Once
    from ui.tabs.system import System


AFTER_PLAN = "() => window.wanStudio.modelsPlanned()"
"""The same files as before are no new value, of which the script would hear."""


class ModelDownload:
    """Handlers that return the new HTML of the download. The studio checks every call."""

    def __init__(self, studio: Studio, tab: System, once: Once) -> None:
        self.studio, self.tab, self.once = studio, tab, once

    def wire(self, owner: Any, direct: dict[str, Any], queued: dict[str, Any]) -> None:
        """owner: the component with the visitor's token. direct, queued: arguments of the events."""
        shown, table = self.tab.download, self.tab.right
        shown.look(self.look, owner, [shown, table], **direct)
        shown.plan(self.plan, owner, shown, **queued).then(None, js=AFTER_PLAN, api_visibility="private")
        shown.start(self.start, owner, shown, **queued)
        shown.cancel(self.cancel, owner, shown, **queued)

    def look(self, owner: str, event: gr.EventData, request: gr.Request) -> list[Any]:
        """The progress; with the model table once the download that the script shows has ended."""
        html = self.tab.download_row(owner, request)
        if not html:
            return [html, gr.skip()]
        busy = self.studio.fetch_progress(owner, request.username or "").busy
        ended = event_text(event, "busy") == "1" and not busy
        return [html, self.tab.table(owner, request) if ended else gr.skip()]

    def plan(self, owner: str, event: gr.EventData, request: gr.Request) -> str:
        """The files of the set, their sizes, room and time."""
        offer: SetOffer | None = None
        asked = _request(event)
        try:
            offer = self.studio.plan_models(owner, asked, request.username or "")
        except StudioError as error:
            gr.Warning(sentence(error))
        return self.tab.download_row(owner, request, offer, asked)

    def start(self, owner: str, event: gr.EventData, request: gr.Request) -> str:
        """Starts to fetch them."""
        wanted, user = _request(event), request.username or ""
        try:
            self.once.run(lambda: self.studio.fetch_models(owner, wanted, user), owner, "fetch", str(wanted))
        except StudioError as error:
            gr.Warning(sentence(error))
        return self.tab.download_row(owner, request, asked=wanted)

    def cancel(self, owner: str, request: gr.Request) -> str:
        """Ends the download; what has arrived is kept."""
        user = request.username or ""
        try:
            self.once.run(lambda: self.studio.cancel_fetch(owner, user), owner, "cancel fetch")
        except StudioError as error:
            gr.Warning(sentence(error))
        return self.tab.download_row(owner, request)


def _request(event: gr.EventData) -> SetRequest:
    """What the form says; the studio checks it."""
    mode, _, setting = event_text(event, "mode").partition(" ")
    memory = event_text(event, "gpu")
    gigabytes = int(memory) if memory.isascii() and memory.isdigit() and len(memory) < 6 else 0
    return SetRequest(
        mode, setting, event_text(event, "speed"), gigabytes, event_text(event, "format") or "auto",
        event_text(event, "distilled") == "distilled",
    )  # fmt: skip
