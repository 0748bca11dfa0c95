"""Errors of making the final of a clip."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

TEXTS: Mapping[str, ErrorText] = {
    "final_resolution": ErrorText("The resolution of a final is one of {names}."),
    "final_speed": ErrorText("The speed of a final is one of {names}."),
    "final_of_unfinished": ErrorText(
        "Only a finished clip can have a final.", "Wait until it is done, or start it again."
    ),
    "final_of_picture": ErrorText(
        "A picture is made in its final size at once.",
        "For a larger one set width and height, and generate it again.",
    ),
    "final_of_joined": ErrorText(
        "A joined video cannot have a final.",
        "Finish the clip that it begins with, and extend that.",
    ),
    "final_of_other_mode": ErrorText("This Wan Studio cannot make finals of {mode}."),
    "final_smaller": ErrorText(
        "This clip is already {width} × {height}, and the final would be smaller.",
        "Choose a larger size, or same to keep its own.",
    ),
    "final_not_better": ErrorText(
        "This clip already has this size and speed, {width} × {height}.",
        "Choose a larger size, or another seed.",
    ),
}
