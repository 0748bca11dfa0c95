"""Warnings that more than one mode gives."""

from __future__ import annotations

from typing import Any

from workflows.notice import Notice, notice
from workflows.params.limits import SECONDS_TRAINED
from workflows.params.sizes import AREAS


def general_warnings(params: Any) -> list[Notice]:
    """The warnings of every run of the two experts: a length or a size beyond what they were trained on."""
    warnings = []
    if params.seconds > SECONDS_TRAINED:
        warnings.append(notice("longer_than_trained", seconds=SECONDS_TRAINED))
    width, height = params.size
    if width * height > AREAS["720p"]:
        warnings.append(notice("larger_than_trained_experts", width=width, height=height))
    return warnings
