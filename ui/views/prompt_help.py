"""What helps to write a prompt: phrases to add and the browser's own earlier prompts, behind one button."""

from __future__ import annotations

from ui.i18n.texts import escaped
from ui.views.icons import icon


def prompt_help(mode: str, name: str) -> str:
    """The button, the counter of characters and the closed panel for a text field. The script fills in the
    phrases and the list of earlier prompts when the panel is opened."""
    panel, words = f"{mode}-{name}-help", escaped("prompt_help.open")
    return (
        f'<div class="prompt-help" data-mode="{mode}" data-field="{mode}-{name}">'
        f'<div class="help-row"><button type="button" class="help-toggle" aria-expanded="false"'
        f' aria-controls="{panel}">{words}{icon("chevron", 16)}</button></div>'
        f'<div class="help-panel" id="{panel}" role="group" aria-label="{words}" hidden>'
        f"{_history(panel)}</div></div>"
    )


def _history(panel: str) -> str:
    return (
        '<div class="history"><div class="label-row">'
        f'<p class="label">{escaped("prompt_help.history")}</p>'
        '<button type="button" class="link" data-forget-all hidden>'
        f"{escaped('prompt_help.delete_all')}</button></div>"
        f'<input type="search" id="{panel}-search" autocomplete="off" hidden'
        f' placeholder="{escaped("prompt_help.search")}" aria-label="{escaped("prompt_help.search")}">'
        f'<ul></ul><p class="note" role="status">{escaped("prompt_help.empty")}</p></div>'
    )
