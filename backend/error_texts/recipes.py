"""Errors of recipes and of stored settings."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

TEXTS: Mapping[str, ErrorText] = {
    "settings_malformed": ErrorText(
        "These settings cannot be read.", "Use a file that Wan Studio wrote, unchanged."
    ),
    "settings_later": ErrorText(
        "These settings were written by a later version of Wan Studio.", "Update this one to use them."
    ),
    "settings_mode": ErrorText("These settings are for {mode!r}, a mode that does not exist here."),
}
