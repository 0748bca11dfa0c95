"""The Animate tab."""

from __future__ import annotations

from ui.forms.widgets import (
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
    pair,
    picture,
    prompt,
    run_numbers,
    segmented,
    slider,
    whole_again,
)
from ui.i18n.texts import text
from ui.tabs.tab import Layout, Tab


def build(limit_mb: int, default_negative: str) -> Layout:
    """The inputs of the tab."""
    form = new_form("animate", default_negative)
    needs(form)
    picture(form, "image", limit_mb, small=True)
    media(form, "video", limit_mb)
    pair(form, "start", "seconds", classes=("even", "ws-trim"))
    segmented(form, "method", classes=("rows",))
    prompt(form, lines=2)
    segmented(form, "speed")
    slider(form, "relight")
    with advanced(form):
        heading(text("tabs.animate.own_files"))
        note(text("tabs.animate.own_files_note"))
        for name in ("pose_video", "face_video", "mask"):
            media(form, name, small=True)
        number(form, "fps")
        segmented(form, "resolution")
        pair(form, "width", "height")
        segmented(form, "fit")
        negative(form)
        run_numbers(form)
    notes(form)
    generate(form)
    whole_again(form)
    return Layout([form])


TAB = Tab(
    id="animate",
    key="animate",
    modes=("animate",),
    build=build,
    starters=False,
)
