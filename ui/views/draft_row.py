"""The row with Undo and Clear of a form; the script shows each when it has something to do."""

from __future__ import annotations

from ui.i18n.texts import escaped


def draft_row(mode: str) -> str:
    """The row as HTML, both buttons hidden."""
    row = f'<div class="draft" data-mode="{mode}"><span></span>'
    for act, words in (("undo", escaped("drafts.undo")), ("clear", escaped("drafts.clear"))):
        row += f'<button type="button" data-draft="{act}" data-mode="{mode}" hidden>{words}</button>'
    return f"{row}</div>"
