"""Pause and resume of the queue, and the choice of model files, on the System tab."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from ui.actions.event_data import event_text
from ui.gradio_fixes.event_errors import sentence
from ui.views.model_choice import DISTILLED, FULL

if TYPE_CHECKING:
    from backend.studio import Studio
    from ui.tabs.system import System


class SystemActions:
    """Handlers that return the new HTML of a column of the System tab, the left one unless said."""

    def __init__(self, studio: Studio, tab: System) -> None:
        self.studio, self.tab = studio, tab

    def pause(self, owner: str, request: gr.Request) -> str:
        """No further job starts; running jobs continue."""
        return self._change(self.studio.pause, owner, request)

    def resume(self, owner: str, request: gr.Request) -> str:
        """Jobs start again."""
        return self._change(self.studio.resume, owner, request)

    def choose(self, owner: str, event: gr.EventData, request: gr.Request) -> str:
        """Another file takes a role; the new HTML is that of the right column."""
        role, file, change = (event_text(event, name) for name in ("role", "file", "change"))
        distilled = {DISTILLED: True, FULL: False}.get(change)
        try:
            self.studio.choose_model(owner, role, file, distilled, request.username or "")
        except StudioError as error:
            gr.Warning(sentence(error))
        return self.tab.table(owner, request)

    def _change(self, change: Callable[[str, str], Any], owner: str, request: gr.Request) -> str:
        try:
            change(owner, request.username or "")
        except StudioError as error:
            gr.Warning(sentence(error))
        return self.tab.machine(owner, request)
