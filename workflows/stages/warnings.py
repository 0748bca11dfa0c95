"""Warnings that more than one mode gives."""

from __future__ import annotations

from typing import Any

from workflows.params.limits import SECONDS_TRAINED
from workflows.params.sizes import AREAS


def general_warnings(params: Any) -> list[str]:
    """What every run of the two experts is warned of."""
    warnings = []
    if params.seconds > SECONDS_TRAINED:
        warnings.append(
            f"The model was trained on clips of {SECONDS_TRAINED:g} s; in longer ones the motion may "
            "repeat or reverse."
        )
    width, height = params.size
    if width * height > AREAS["720p"]:
        warnings.append(
            f"{width} x {height} is larger than the 1280 x 720 that the model was trained for: it needs more "
            "memory, and subjects may appear twice."
        )
    return warnings
