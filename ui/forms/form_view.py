"""What a form shows around its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from ui.forms.widgets import Form


@dataclass(frozen=True, kw_only=True)
class FormView:
    """The contents of a form's outputs, as HTML except for `ready`."""

    lines: Mapping[str, str] = field(default_factory=dict)  # file parameter -> the line below its drop zone
    views: Mapping[str, str] = field(default_factory=dict)  # sound or video parameter -> its preview
    advanced: str
    hint: str
    ready: bool  # whether Generate can be pressed
    needs: str
    notes: str

    def updates(self, form: Form) -> dict[Any, Any]:
        """component -> update, for the components that the form has."""
        updates: dict[Any, Any] = {form.lines[name]: html for name, html in self.lines.items()}
        updates |= {form.views[name]: html for name, html in self.views.items()}
        updates |= {form.advanced: self.advanced, form.hint: self.hint}
        updates[form.needs] = form.heading + self.needs
        updates[form.button] = gr.Button(interactive=self.ready)
        if form.notes is not None:
            updates[form.notes] = self.notes
        return updates
