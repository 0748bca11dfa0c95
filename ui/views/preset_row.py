"""The row above a form with its preset; ui/assets/presets.js fills in the name and the menu."""

from __future__ import annotations

from ui.i18n.texts import escaped
from ui.views.icons import icon


def preset_row(mode: str) -> str:
    """The row as HTML: no preset yet, an empty menu."""
    label, save, save_as = (escaped(f"presets.{key}") for key in ("label", "save", "save_as"))
    return (
        f'<div class="preset" data-mode="{mode}"><span class="menu-box">'
        '<button type="button" class="preset-open" data-menu aria-haspopup="menu" aria-expanded="false">'
        f'<span>{label}</span><strong dir="auto">{escaped("presets.none")}</strong>'
        f"<small hidden>{escaped('presets.changed')}</small>{icon('chevron', 16)}</button>"
        f'<span class="menu" role="menu" aria-label="{label}" hidden></span></span>'
        f'<button type="button" class="preset-save" data-preset="save" aria-label="{save_as}">'
        f"{save}</button></div>"
    )
