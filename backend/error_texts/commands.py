"""Errors of the commands: arguments that they cannot use."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

TEXTS: Mapping[str, ErrorText] = {
    "not_key_value": ErrorText("{pair!r} is not key=value.", "Example: seconds=5"),
    "media_not_numbers": ErrorText("media_width, media_height and media_seconds take numbers."),
    "no_such_row": ErrorText("There is no row {given}.", "The rows are {names}; 1 means 1a and 1b."),
    "no_such_random_row": ErrorText(
        "There is no row {given}.",
        "The rows are {names}; --row takes MODE,WxH,FRAMES[,STEPS[,SPEED]] with {modes}, multiples of 16, and"
        " 2 to 100 steps.",
    ),
    "repeat_unusable": ErrorText("--repeat takes a number from 0 to 100."),
    "no_such_mode": ErrorText("There is no mode {given!r}.", "It is one of {names}."),
    "no_such_mode_or_file": ErrorText(
        "There is no mode and no model file {given!r}.",
        "Modes: {names}. `python app.py models check` lists the files.",
    ),
}
