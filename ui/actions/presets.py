"""The event that puts a preset into its form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from ui.actions.event_data import event_text
from ui.gradio_fixes.event_errors import sentence

if TYPE_CHECKING:
    from ui.actions.fill import FillForms
    from ui.forms.presets import PresetBox


class LoadPreset:
    """The handler, which returns component -> update."""

    def __init__(self, box: PresetBox, fill: FillForms) -> None:
        self.box, self.fill = box, fill

    def apply(self, owner: Any, event: gr.EventData) -> dict[Any, Any]:
        """Opens the form of a preset with its values; all other fields stay as they are. The event's data is
        {id}, or the {link} or {file} of a shared one, which is checked again."""
        asked = {name: event_text(event, name) for name in ("id", "link", "file")}
        try:
            preset = self.box.chosen({**asked, "owner": owner})
        except StudioError as error:
            gr.Warning(sentence(error))
            return self.fill.nothing()
        return self.fill.settings(preset.mode, self.box.widget_values(preset.mode, preset.values))
