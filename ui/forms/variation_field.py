"""The field of a form that holds how many videos it makes and what they differ in."""

from __future__ import annotations

import gradio as gr

from ui.forms import variations
from ui.forms.widgets import Form
from ui.gradio_fixes.no_form import no_form
from ui.i18n.texts import text


def variation_field(form: Form) -> None:
    """The JSON text in a field that is not shown; the script shows the choices and edits the text."""
    form.start[variations.NAME] = ""
    form.widgets[variations.NAME] = box = no_form(
        gr.Textbox(
            value="",
            label=text("variations.label"),
            show_label=False,
            lines=1,
            interactive=True,
            elem_id=form.named(variations.NAME),
            elem_classes=["ws-variations"],
        )
    )
    js = f"(value) => window.wanStudio.variations.show({form.mode!r}, value)"
    box.change(None, box, None, js=js, queue=False, api_visibility="private")
