"""The Animate tab."""

from __future__ import annotations

from ui.forms.builder import FormLayout
from ui.tabs.tab import Tab

TAB = Tab(
    id="animate",
    key="animate",
    forms=(
        FormLayout(
            mode="animate",
            rows=("image", "video", "method", "prompt", "speed", "relight"),
            compact=True,
        ),
    ),
    starters=False,
)
