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
    "recipe_malformed": ErrorText("This is not a recipe that can be read."),
    "no_recipe": ErrorText(
        "This file does not say how it was made.",
        "Use a video or picture as Wan Studio or ComfyUI saved it: many sites remove what is in a file.",
    ),
    "recipe_file_renamed": ErrorText("{name} is called {here} on this machine."),
    "recipe_file_differs": ErrorText("{name} is another file on this machine, of the same name."),
    "recipe_file_unread": ErrorText("{name} is not compared with all files of this machine."),
    "recipe_file_lacking": ErrorText("{name} is not on this machine."),
    "text_too_long": ErrorText(
        "{upload} has more than the {most} MB that a recipe may have.",
        "Use a video or picture that Wan Studio or ComfyUI wrote, or its JSON file.",
    ),
}
