"""The Fast 4-step tab."""

from __future__ import annotations

from ui.forms.groups import groups
from ui.forms.widgets import advanced, generate, needs, new_form, picture, prompt, segmented
from ui.tabs.tab import Layout, Tab


def build(limit_mb: int, default_negative: str) -> Layout:
    """The inputs of the tab."""
    form = new_form("fast_video", default_negative)
    needs(form)
    picture(form, "image", limit_mb)
    prompt(form)
    segmented(form, "variant", classes=("rows",))
    segmented(form, "seconds")
    with advanced(form):
        groups(form)
    generate(form)
    return Layout([form])


TAB = Tab(
    id="fast_video",
    key="fast",
    modes=("fast_video",),
    build=build,
)
