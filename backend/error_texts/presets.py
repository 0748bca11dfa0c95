"""Errors of presets."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

TEXTS: Mapping[str, ErrorText] = {
    "preset_token": ErrorText("Presets belong to a visitor, and this is not a visitor's token."),
    "preset_id": ErrorText("This is not the id of a preset."),
    "preset_gone": ErrorText("This preset no longer exists."),
    "preset_shipped": ErrorText("This preset comes with Wan Studio and cannot be changed."),
    "preset_unnamed": ErrorText("The preset has no name.", "Give it one."),
    "preset_name_long": ErrorText("The name is longer than {most} characters.", "Shorten it."),
    "preset_name_taken": ErrorText("You already have a preset {name!r}.", "Replace it, or use another name."),
    "preset_value": ErrorText("{field_name} has a value that cannot be used.", "Correct it and save again."),
    "preset_large": ErrorText(
        "The settings take {kilobytes:.0f} kB, and a preset may have {most:.0f} kB.",
        "Shorten its texts or use fewer LoRAs.",
    ),
    "presets_full": ErrorText(
        "You have {count} presets, which is the limit.", "Delete one that you do not need."
    ),
    "presets_of_all_full": ErrorText("This studio cannot keep presets for more visitors."),
    "preset_file": ErrorText(
        "This is not a preset.", "Use a file or a link that Wan Studio made, unchanged."
    ),
    "preset_file_large": ErrorText("This file is too large for a preset."),
    "preset_link_long": ErrorText("These settings are too long for a link.", "Share the file."),
    "presets_unread": ErrorText("Your presets cannot be read at the moment.", "Try again."),
}
