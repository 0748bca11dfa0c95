"""The Fast 4-step tab."""

from __future__ import annotations

from ui.forms.builder import FormLayout
from ui.tabs.tab import Tab

TAB = Tab(id="fast_video", key="fast", forms=(FormLayout(mode="fast_video"),))
