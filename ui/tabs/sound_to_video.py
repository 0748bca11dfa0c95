"""The Sound-to-Video tab."""

from __future__ import annotations

from ui.forms.builder import FormLayout
from ui.tabs.tab import Tab

TAB = Tab(
    id="sound_to_video",
    key="sound",
    forms=(FormLayout(mode="sound_to_video", rows=("audio", "image", "prompt", "speed"), compact=True),),
    starters=False,
)
