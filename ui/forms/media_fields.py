"""The widgets of files: drop zones for pictures, sounds and videos, and the part of a file that is used."""

from __future__ import annotations

import gradio as gr

from backend.media.format_names import field_line
from ui.forms.uploads import FileInput, PictureInput
from ui.forms.widgets import Form, pair
from ui.i18n import mode_texts
from ui.i18n.texts import text
from ui.views import media_preview


def picture(form: Form, name: str, limit_mb: int = 0, small: bool = False, plain: bool = False) -> None:
    """A drop zone for a picture and the line below it. plain: its heading alone, for a narrow one."""
    heading = mode_texts.heading(form.mode, name)
    drop = text("forms.drop_picture", heading=heading, formats=field_line("picture"), limit=limit_mb)
    form.widgets[name] = PictureInput(
        label=heading,
        show_label=False,
        sources=["upload"],
        buttons=[],
        type="filepath",
        interactive=True,
        placeholder=text("forms.drop_heading", heading=heading) if plain or not limit_mb else drop,
        elem_id=form.named(name),
        elem_classes=["ws-drop", "ws-takes-picture", *(["small"] if small else [])],
        container=False,
    )
    form.lines[name] = gr.HTML("", elem_classes=["ws-line"], apply_default_css=False)


def frames(form: Form, first: str, last: str, limit_mb: int) -> None:
    """Two pictures side by side: the one a video starts with, and the one it may end with."""
    with gr.Row(elem_classes=["ws-frames"]):
        picture(form, first, limit_mb)
        picture(form, last, plain=True)


def media(form: Form, name: str, limit_mb: int = 0, small: bool = False) -> None:
    """A drop zone for a sound or a video, the preview of the chosen file, and the line below it.

    limit_mb: shown in the empty drop zone unless 0.
    """
    kind = form.spec.media[name].kind
    heading = mode_texts.heading(form.mode, name)
    hint = mode_texts.help_text(form.mode, name) or field_line(kind)
    if limit_mb:
        hint = text("forms.drop_media", formats=hint, limit=limit_mb)
    form.empty_texts[name] = (heading, hint)
    with gr.Column(elem_classes=["ws-media", "small"] if small else ["ws-media"]):
        widget = FileInput(
            label=heading,
            show_label=False,
            interactive=True,
            elem_id=form.named(name),
            elem_classes=["ws-drop", "ws-file", f"ws-takes-{kind}"],
            container=False,
        )
        widget.kind = kind
        form.widgets[name] = widget
        form.views[name] = gr.HTML(
            media_preview.empty(heading, hint, kind),
            elem_classes=["ws-view"],
            apply_default_css=False,
        )
        form.lines[name] = gr.HTML("", elem_classes=["ws-line"], apply_default_css=False)


def part(form: Form) -> None:
    """Start and length of the part of a file that is used; a new file is used as a whole.

    Raises ValueError for the form of a mode that uses no part.
    """
    trim = form.spec.trim
    if trim is None:
        raise ValueError(f"{form.mode} uses no part of a file")
    pair(form, trim.start, trim.length, classes=("even", "ws-trim"))
    gr.on(
        [form.widgets[trim.media].upload, form.widgets[trim.media].clear],
        lambda: [0, None],
        None,
        [form.widgets[trim.start], form.widgets[trim.length]],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
