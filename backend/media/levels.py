"""The range of values in a picture of one channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image


def levels(channel: Image) -> tuple[float, float]:
    """The lowest and the highest value. For several channels Pillow returns a pair for each instead."""
    found: Any = channel.getextrema()
    lowest, highest = found
    return lowest, highest
