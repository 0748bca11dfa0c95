"""The Text tab: a form for videos and one for pictures."""

from __future__ import annotations

from ui.forms.builder import FormLayout
from ui.tabs.tab import Tab

TAB = Tab(
    id="text",
    key="text",
    forms=(
        FormLayout(name="video", mode="text_to_video", rows=("prompt", "aspect", ("seconds", "speed"))),
        FormLayout(name="picture", mode="text_to_image", rows=("prompt", "aspect", "model")),
    ),
    starters=False,
)
