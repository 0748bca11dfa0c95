"""The Animate tab."""

from __future__ import annotations

from ui.forms.groups import groups
from ui.forms.widgets import (
    advanced,
    generate,
    media,
    needs,
    new_form,
    notes,
    pair,
    picture,
    prompt,
    segmented,
    slider,
    whole_again,
)
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
        groups(form)
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
