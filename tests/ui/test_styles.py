"""The style sheets as text: no rule for names that nothing on the page has, none that fails in one theme."""

from __future__ import annotations

import re

from tests.support.paths import ROOT

UI = ROOT / "ui"
SHEETS = {
    path.name: re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.S) for path in UI.rglob("*.css")
}
GRADIO = frozenset(
    {
        "file-preview", "file-preview-holder", "has-info", "html-container", "icon-wrap", "image-container",
        "image-frame", "info-text", "input-container", "label-text", "max_value", "min_value",
        "slider_input_container", "tab-container", "tab-like-container", "toast-header", "toast-icon",
        "toast-item", "toast-messages", "toast-title-row",
    }
)  # fmt: skip
"""Classes of Gradio's own components that nothing else in ui/ mentions."""
BUILT = frozenset(
    {
        "tab-library-button", "tab-text", "tab-text-button", "ws-dialog-compare", "ws-dialog-final",
        "ws-dialog-reroll",
    }
)  # fmt: skip
"""Ids that are put together from a prefix and the key of a tab or the name of a dialog."""


def names(sheet: str) -> set[str]:
    """Classes and ids in the selectors of a style sheet."""
    selectors = re.findall(r"([^{};]+)\{", re.sub(r'url\("[^"]*"\)', "", sheet))
    return {name for one in selectors for name in re.findall(r"[.#]([a-zA-Z_][\w-]*)", one)}


def test_every_name_is_one_that_the_page_has() -> None:
    files = [path for kind in ("*.py", "*.js", "*.yaml") for path in UI.rglob(kind)]
    page = "\n".join(path.read_text("utf-8") for path in files)
    for sheet, style in SHEETS.items():
        unknown = {name for name in names(style) if name not in page} - GRADIO - BUILT
        assert not unknown, f"{sheet}: {sorted(unknown)}"
    used = set().union(*map(names, SHEETS.values()))
    assert used >= GRADIO | BUILT
    assert "no-such-name" in names("& .no-such-name:hover { color: red; }")


def test_the_dark_theme_is_named_by_the_class_of_the_body() -> None:
    """Gradio sets it there: with the container's name in one compound selector it matches nothing."""
    for sheet, style in SHEETS.items():
        assert not re.search(r"&\.dark|container\.dark", style), sheet


def test_no_filter_changes_the_colour_of_a_focus_ring() -> None:
    """`invert` and `hue-rotate` also apply to the outline of an element, which is then hardly seen."""
    for sheet, style in SHEETS.items():
        assert "invert(" not in style and "hue-rotate(" not in style, sheet
