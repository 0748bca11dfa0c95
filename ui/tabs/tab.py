"""The description of a tab with forms: its names, its modes, and the function that builds its widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ui.forms.widgets import Form
from ui.i18n.texts import text


@dataclass(frozen=True)
class Layout:
    """The forms of a tab. `kind`: the component that chooses between several forms, else None."""

    forms: Sequence[Form]
    kind: Any = None


@dataclass(frozen=True, kw_only=True)
class Tab:
    """A tab whose texts stand below `tabs.<key>` in the text table.

    `key`: in element ids (tab-<key>), in the style sheet and in the script; `starters`: whether pictures to
    start from are offered there; `build`: (upload limit in MB, default negative prompt) -> the forms.
    """

    id: str
    key: str
    modes: tuple[str, ...]
    build: Callable[[int, str], Layout]
    starters: bool = True

    @property
    def title(self) -> str:
        """The name on the tab."""
        return text(f"tabs.{self.key}.title")

    @property
    def short(self) -> str:
        """The name in the Library's filter."""
        return text(f"tabs.{self.key}.short")

    @property
    def begin(self) -> str:
        """What to do first, shown while the stage is empty."""
        return text(f"tabs.{self.key}.begin")
