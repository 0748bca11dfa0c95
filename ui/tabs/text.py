"""Text: a video or a picture from words. Widgets only, two forms of which one is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.forms.widgets import (
    Form,
    advanced,
    generate,
    needs,
    negative,
    new_form,
    number,
    prompt,
    run_numbers,
    seed,
    segmented,
    sides,
)

VIDEO, PICTURE = "text_to_video", "text_to_image"
KINDS = [("Video", VIDEO), ("Picture", PICTURE)]
SWITCH_JS = """(kind, video, picture) => {
  window.wanStudio.textKind(kind);
  return kind === "text_to_image" ? [video, picture || video] : [video || picture, picture];
}"""
"""Shows the other form; words that are only in the one go along."""


@dataclass
class Text:
    """Both forms and what chooses between them."""

    kind: Any
    video: Form
    picture: Form


def build(default_negative: str) -> Text:
    """The inputs of the tab."""
    kind = gr.Radio(
        KINDS, value=VIDEO, label="Make", show_label=False, interactive=True, min_width=0,
        elem_id="text-kind", elem_classes=["ws-seg", "ws-kind"],
    )  # fmt: skip
    with gr.Column(elem_id="text-video"):
        video = _video(default_negative)
    with gr.Column(elem_id="text-picture"):
        picture = _picture()
    words = [video.widgets["prompt"], picture.widgets["prompt"]]
    kind.change(None, [kind, *words], words, js=SWITCH_JS, api_visibility="private")
    return Text(kind, video, picture)


def _video(default_negative: str) -> Form:
    form = new_form(VIDEO, default_negative)
    needs(form)
    prompt(
        form,
        label="What should be seen?",
        placeholder="A fishing boat crosses a fjord at blue hour, mist rises, the camera glides along",
    )
    segmented(form, "aspect", "Shape")
    with gr.Row(elem_classes=["ws-pair"]):
        segmented(form, "seconds", "Length")
        segmented(form, "speed", "Speed")
    with advanced(form):
        segmented(form, "resolution", "Resolution")
        sides(form, "from the shape")
        negative(form)
        run_numbers(form)
    generate(form)
    return form


def _picture() -> Form:
    form = new_form(PICTURE)
    needs(form)
    prompt(
        form,
        label="What should be seen?",
        placeholder="A fishing boat on a fjord at blue hour, mist over the water, wide shot",
    )
    segmented(form, "aspect", "Shape")
    segmented(form, "model", "Model")
    with advanced(form):
        sides(form, "from the shape")
        with gr.Row(elem_classes=["ws-pair", "even"]):
            number(form, "steps", "Steps", "0: the model's own")
            seed(form)
    generate(form)
    return form
