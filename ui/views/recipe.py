"""What a recipe needs and this machine lacks, as sentences for the page's script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from ui.i18n.mode_texts import label
from ui.i18n.texts import escaped, text
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.recipe import Lacking


def from_file() -> str:
    """The line below the samples, for those who cannot drop a file on the page."""
    words = escaped("recipes.from_file")
    return f'<p class="from-file"><button type="button" data-recipe="choose">{words}</button></p>'


def notes_for_script(
    mode: str, name: str, fields: Mapping[str, str], general: Sequence[str], turn: str
) -> str:
    """name: the file's; fields: parameter -> sentence; general: sentences about none; turn: a number that
    distinguishes two equal answers."""
    data = {"mode": mode, "name": name, "fields": dict(fields), "general": list(general), "turn": turn}
    return f'<i hidden data-recipe-notes="{escape(json.dumps(data))}"></i>'


def lacking_text(mode: str, one: Lacking) -> str:
    """One thing that is missing or has another name here, in a sentence."""
    known = one.field in MODES[mode].by_name and one.kind in ("file", "setting")
    return text(
        f"recipes.lacks.{one.kind}",
        name=label(mode, one.field) if known else one.name,
        here=one.here,
        used=one.used,
    )
