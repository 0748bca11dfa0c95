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
    from ui.actions.once import Once
    from ui.tabs.system import System


class SystemActions:
    """Handlers that return the new HTML of a column of the System tab, the left one unless said."""

    def __init__(self, studio: Studio, tab: System, once: Once) -> None:
        self.studio, self.tab, self.once = studio, tab, once

    def pause(self, owner: str, request: gr.Request) -> str:
        """No further job starts; running jobs continue."""
        return self._change("pause", self.studio.pause, owner, request)

    def resume(self, owner: str, request: gr.Request) -> str:
        """Jobs start again."""
        return self._change("resume", self.studio.resume, owner, request)

    def choose(self, owner: str, event: gr.EventData, request: gr.Request) -> str:
        """Another file takes a role; the new HTML is that of the right column."""
        role, file, change = (event_text(event, name) for name in ("role", "file", "change"))
        distilled = {DISTILLED: True, FULL: False}.get(change)
        user = request.username or ""
        try:
            self.once.run(
                lambda: self.studio.choose_model(owner, role, file, distilled, user),
                owner, "model", role, file, change,
            )  # fmt: skip
        except StudioError as error:
            gr.Warning(sentence(error))
        return self.tab.table(owner, request)

    def _change(self, name: str, change: Callable[[str, str], Any], owner: str, request: gr.Request) -> str:
        user = request.username or ""
        try:
            self.once.run(lambda: change(owner, user), owner, f"system {name}")
        except StudioError as error:
            gr.Warning(sentence(error))
        return self.tab.machine(owner, request)
