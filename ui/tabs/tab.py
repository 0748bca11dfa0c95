"""What a tab with forms is: its names, its modes, and the function that lays out its widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ui.forms.widgets import Form


@dataclass(frozen=True)
class Layout:
    """The forms of a tab. `kind`: the component that chooses between them, where there are several."""

    forms: Sequence[Form]
    kind: Any = None


@dataclass(frozen=True, kw_only=True)
class Tab:
    """`key`: in element ids (tab-<key>), in the style sheet and in the script; `short`: its name in the
    Library's filter; `begin`: how to begin, shown while the stage is empty; `starters`: whether pictures to
    start from are offered there; `build`: (upload limit in MB, default negative prompt) -> the forms."""

    id: str
    key: str
    title: str
    short: str
    modes: tuple[str, ...]
    begin: str
    build: Callable[[int, str], Layout]
    starters: bool = True
