"""The Image-to-Video tab."""

from __future__ import annotations

import gradio as gr

from ui.forms.groups import groups
from ui.forms.widgets import advanced, frames, generate, needs, new_form, prompt, segmented
from ui.tabs.tab import Layout, Tab


def build(limit_mb: int, default_negative: str) -> Layout:
    """The inputs of the tab."""
    form = new_form("image_to_video", default_negative)
    needs(form)
    frames(form, "image", "end_image", limit_mb)
    prompt(form)
    with gr.Row(elem_classes=["ws-pair"]):
        segmented(form, "seconds")
        segmented(form, "speed")
    with advanced(form):
        groups(form)
    generate(form)
    return Layout([form])


TAB = Tab(
    id="image_to_video",
    key="image",
    modes=("image_to_video",),
    build=build,
)
