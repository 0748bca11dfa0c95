"""Sound-to-Video: widgets only."""

from __future__ import annotations

import gradio as gr

from ui.forms.widgets import (
    Form,
    advanced,
    generate,
    media,
    needs,
    negative,
    new_form,
    notes,
    number,
    picture,
    prompt,
    run_numbers,
    segmented,
    sides,
    switch,
    whole_again,
)

MODE = "sound_to_video"
PLACEHOLDER = "She sings to the sea, wind in her hair, the camera comes slowly closer"


def build(limit_mb: int, default_negative: str) -> Form:
    """The inputs of the tab."""
    form = new_form(MODE, default_negative)
    needs(form)
    media(
        form, "audio", "sound", "Drop or choose a sound",
        f"WAV, MP3, M4A, FLAC, OGG or a video, up to {limit_mb} MB",
    )  # fmt: skip
    with gr.Row(elem_classes=["ws-pair", "even", "ws-trim"]):
        number(form, "start", "Start", "In seconds", step=0.1)
        number(form, "duration", "Duration", "0: to the end", step=0.1)
    picture(form, "image", "Add a picture, if you like", limit_mb, small=True)
    prompt(form, label="What should be seen?", placeholder=PLACEHOLDER, lines=2)
    segmented(form, "speed", "Speed")
    with advanced(form):
        segmented(form, "resolution", "Resolution")
        sides(form, "from the picture")
        segmented(
            form, "fit", "Fit", info="When the picture has another shape: crop it, or pad it with soft edges."
        )
        switch(form, "level", "Level", "Bring the sound to a common loudness.")
        negative(form)
        run_numbers(form)
    notes(form)
    generate(form)
    whole_again(form)
    return form
