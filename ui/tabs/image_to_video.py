"""The Image-to-Video tab."""

from __future__ import annotations

import gradio as gr

from ui.forms.widgets import (
    advanced,
    generate,
    heading,
    needs,
    negative,
    new_form,
    pair,
    picture,
    prompt,
    run_numbers,
    segmented,
    switch,
)
from ui.tabs.tab import Layout, Tab


def build(limit_mb: int, default_negative: str) -> Layout:
    """The inputs of the tab."""
    form = new_form("image_to_video", default_negative)
    needs(form)
    picture(form, "image", limit_mb)
    prompt(form)
    with gr.Row(elem_classes=["ws-pair"]):
        segmented(form, "seconds")
        segmented(form, "speed")
    with advanced(form):
        segmented(form, "resolution")
        pair(form, "width", "height")
        segmented(form, "fit")
        segmented(form, "motion")
        segmented(form, "experts")
        negative(form)
        heading(form.spec.media["end_image"].label)
        picture(form, "end_image", limit_mb, small=True)
        run_numbers(form)
        switch(form, "clip_vision")
        switch(form, "tiled_decode")
        switch(form, "easy_cache")
    generate(form)
    return Layout([form])


TAB = Tab(
    id="image_to_video",
    key="image",
    modes=("image_to_video",),
    build=build,
)
