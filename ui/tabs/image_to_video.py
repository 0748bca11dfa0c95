"""Image-to-Video: widgets only."""

from __future__ import annotations

import gradio as gr

from ui.fields import Form, advanced, generate, new_form, number, picture, prompt, seed, segmented, switch

MODE = "image_to_video"
PLACEHOLDER = "The boat drifts to the right, mist rises from the water, the camera stays still"


def build(limit_mb: int, default_negative: str) -> Form:
    """The inputs of the tab."""
    form = new_form(MODE, default_negative)
    picture(form, "image", "Drop or choose a picture", limit_mb)
    prompt(form, placeholder=PLACEHOLDER)
    with gr.Row(elem_classes=["ws-pair"]):
        segmented(form, "seconds", "Length")
        segmented(form, "speed", "Speed")
    with advanced(form):
        segmented(form, "resolution", "Resolution")
        with gr.Row(elem_classes=["ws-pair", "even"]):
            number(form, "width", "Width", "0: from the picture", step=16)
            number(form, "height", "Height", "0: from the picture", step=16)
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
        prompt(form, "negative_prompt", "What to avoid", "Nothing", lines=3)
        gr.HTML(
            '<p class="note">Has no effect in Fast. Empty means that nothing is avoided.</p>',
            apply_default_css=False,
            elem_classes=["ws-note"],
        )
        gr.HTML('<p class="label">Last picture</p>', apply_default_css=False, elem_classes=["ws-label"])
        picture(form, "end_image", "The video ends here", limit_mb, small=True)
        with gr.Row(elem_classes=["ws-pair", "even"]):
            number(form, "steps", "Steps", "0: the mode's own")
            number(form, "cfg", "CFG", "0: the mode's own", step=0.1)
        with gr.Row(elem_classes=["ws-pair", "even"]):
            number(form, "shift", "Shift", "0: the mode's own", step=0.1)
            seed(form)
        switch(form, "clip_vision", "CLIP vision", "Reads the picture a second way. Needs one more file.")
        switch(form, "tiled_decode", "Tiled decode", "Finishes in pieces: less GPU memory, a little slower.")
        switch(
            form, "easy_cache", "EasyCache", "Skips steps that change little: faster, slightly less detail."
        )
    generate(form)
    return form
