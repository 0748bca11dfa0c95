"""The tabs with forms, one line for each, in the page's order."""

from __future__ import annotations

from ui.tabs import animate, fast, image_to_video, sound_to_video, text
from ui.tabs.tab import Tab

TABS: tuple[Tab, ...] = (image_to_video.TAB, sound_to_video.TAB, animate.TAB, fast.TAB, text.TAB)


def tab_of(mode: str) -> Tab:
    """The tab with the form of a mode; the first one for a mode that has none."""
    return next((tab for tab in TABS if mode in tab.modes), TABS[0])
