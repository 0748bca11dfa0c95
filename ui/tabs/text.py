"""The Text tab: a form for videos and one for pictures, of which one is shown."""

from __future__ import annotations

import gradio as gr

from ui.forms.groups import groups
from ui.forms.widgets import Form, advanced, generate, needs, new_form, prompt, segmented
from ui.gradio_fixes.no_form import no_form
from ui.i18n.texts import text
from ui.tabs.tab import Layout, Tab

VIDEO, PICTURE = "text_to_video", "text_to_image"
SWITCH_JS = """(kind, video, picture) => {
  window.wanStudio.textKind(kind);
  if (window.wanStudio.drafts.busy()) return [video, picture];
  return kind === "text_to_image" ? [video, picture || video] : [video || picture, picture];
}"""
"""Shows the other form and copies the prompt to it, unless the target has one already or the forms
are being restored."""


def build(limit_mb: int, default_negative: str) -> Layout:
    """The inputs of the tab."""
    kind = no_form(
        gr.Radio(
            [(text("tabs.text.video"), VIDEO), (text("tabs.text.picture"), PICTURE)],
            value=VIDEO,
            label=text("tabs.text.make"),
            show_label=False,
            interactive=True,
            min_width=0,
            elem_id="text-kind",
            elem_classes=["ws-seg", "ws-kind"],
        )
    )
    with gr.Column(elem_id="text-video"):
        video = _video(default_negative)
    with gr.Column(elem_id="text-picture"):
        picture = _picture()
    words = [video.widgets["prompt"], picture.widgets["prompt"]]
    kind.change(None, [kind, *words], words, js=SWITCH_JS, api_visibility="private")
    return Layout([video, picture], kind)


def _video(default_negative: str) -> Form:
    form = new_form(VIDEO, default_negative)
    needs(form)
    prompt(form)
    segmented(form, "aspect")
    with gr.Row(elem_classes=["ws-pair"]):
        segmented(form, "seconds")
        segmented(form, "speed")
    with advanced(form):
        groups(form)
    generate(form)
    return form


def _picture() -> Form:
    form = new_form(PICTURE)
    needs(form)
    prompt(form)
    segmented(form, "aspect")
    segmented(form, "model")
    with advanced(form):
        groups(form)
    generate(form)
    return form


TAB = Tab(
    id="text",
    key="text",
    modes=(VIDEO, PICTURE),
    build=build,
    starters=False,
)
