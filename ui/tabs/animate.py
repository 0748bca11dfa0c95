"""Animate: widgets only."""

from __future__ import annotations

import gradio as gr

from ui.forms.widgets import (
    Form,
    advanced,
    generate,
    heading,
    media,
    needs,
    negative,
    new_form,
    note,
    notes,
    number,
    picture,
    prompt,
    run_numbers,
    segmented,
    sides,
    slider,
    whole_again,
)
from workflows.params.limits import RELIGHT_MAX

MODE = "animate"
PLACEHOLDER = "A woman in a red coat dances on a roof at dusk"
METHODS = {
    "move": "Move: The picture moves as the person in the video.",
    "mix": "Mix: The character takes the person's place in the video.",
}
"""value -> name and a short sentence; the script sets the sentence apart."""


def build(limit_mb: int, default_negative: str) -> Form:
    """The inputs of the tab."""
    form = new_form(MODE, default_negative)
    files = f"MP4, MOV, WebM or MKV, up to {limit_mb} MB"
    needs(form)
    picture(form, "image", "Drop or choose a character", limit_mb, small=True)
    media(form, "video", "video", "Drop or choose a driving video", files)
    with gr.Row(elem_classes=["ws-pair", "even", "ws-trim"]):
        number(form, "start", "Start", "In seconds", step=0.1)
        number(form, "seconds", "Length", "0: to the end", step=0.1)
    segmented(form, "method", "Method", words=METHODS, classes=("rows",))
    prompt(form, label="What should be seen?", placeholder=PLACEHOLDER, lines=2)
    segmented(form, "speed", "Speed")
    slider(
        form, "relight", "Relight", "How strongly the character takes on the video's light.",
        RELIGHT_MAX, 0.05,
    )  # fmt: skip
    with advanced(form):
        heading("Your own pose, face and mask videos")
        note("As long as the driving video; they save finding these in it.")
        media(form, "pose_video", "video", "Pose video", "Skeletons of the driving video", small=True)
        media(form, "face_video", "video", "Face video", "The face, close up, 512 × 512", small=True)
        media(form, "mask", "video", "Mask video", "White where the person is", small=True)
        number(form, "fps", "Frames a second", "16, or up to the driving video's own 30")
        segmented(form, "resolution", "Resolution")
        sides(form, "automatic")
        segmented(
            form, "fit", "Fit", info="When the picture has another shape: crop it, or pad it with soft edges."
        )
        negative(form)
        run_numbers(form)
    notes(form)
    generate(form)
    whole_again(form)
    return form
