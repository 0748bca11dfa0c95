"""The Sound-to-Video tab."""

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
    whole_again,
)
from ui.tabs.tab import Layout, Tab


def build(limit_mb: int, default_negative: str) -> Layout:
    """The inputs of the tab."""
    form = new_form("sound_to_video", default_negative)
    needs(form)
    media(form, "audio", limit_mb)
    pair(form, "start", "duration", classes=("even", "ws-trim"))
    picture(form, "image", limit_mb, small=True)
    prompt(form, lines=2)
    segmented(form, "speed")
    with advanced(form):
        groups(form)
    notes(form)
    generate(form)
    whole_again(form)
    return Layout([form])


TAB = Tab(
    id="sound_to_video",
    key="sound",
    modes=("sound_to_video",),
    build=build,
    starters=False,
)
