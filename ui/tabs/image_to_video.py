"""The Image-to-Video tab."""

from __future__ import annotations

from ui.forms.builder import FormLayout
from ui.tabs.tab import Tab

TAB = Tab(
    id="image_to_video",
    key="image",
    forms=(FormLayout(mode="image_to_video", rows=(("image", "end_image"), "prompt", ("seconds", "speed"))),),
)
