"""Image-to-Video: widgets only."""

from __future__ import annotations

import gradio as gr

from ui.forms.widgets import (
    Form,
    advanced,
    generate,
    heading,
    needs,
    negative,
    new_form,
    picture,
    prompt,
    run_numbers,
    segmented,
    sides,
    switch,
)

MODE = "image_to_video"
PLACEHOLDER = "The boat drifts to the right, mist rises from the water, the camera stays still"


def build(limit_mb: int, default_negative: str) -> Form:
    """The inputs of the tab."""
    form = new_form(MODE, default_negative)
    needs(form)
    picture(form, "image", "Drop or choose a picture", limit_mb)
    prompt(form, placeholder=PLACEHOLDER)
    with gr.Row(elem_classes=["ws-pair"]):
        segmented(form, "seconds", "Length")
        segmented(form, "speed", "Speed")
    with advanced(form):
        segmented(form, "resolution", "Resolution")
        sides(form, "from the picture")
        segmented(
            form, "fit", "Fit", info="When the picture has another shape: crop it, or pad it with soft edges."
        )
        segmented(
            form,
            "motion",
            "Motion",
            info="How early the second expert takes over. Dynamic moves more, subtle less.",
        )
        segmented(
            form, "experts", "Experts",
            words={"high": "High noise", "low": "Low noise"},
            info="WAN is made for both. High noise alone moves but stays soft,"
            " low noise alone is sharp and moves little.",
        )  # fmt: skip
        negative(form)
        heading("Last picture")
        picture(form, "end_image", "The video ends here", limit_mb, small=True)
        run_numbers(form)
        switch(form, "clip_vision", "CLIP vision", "Reads the picture a second way. Needs one more file.")
        switch(form, "tiled_decode", "Tiled decode", "Finishes in pieces: less GPU memory, a little slower.")
        switch(
            form, "easy_cache", "EasyCache", "Skips steps that change little: faster, slightly less detail."
        )
    generate(form)
    return form
