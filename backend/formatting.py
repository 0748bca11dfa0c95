"""Numbers as text: sizes, durations, estimates, crops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Location = Literal["gpu", "runpod", "demo", "here", "slowest"]
"""Where a video is made: "here" is a server of which no GPU is known, "slowest" one of several servers."""
LOCATIONS: Mapping[Location, str] = {
    "gpu": "on this GPU",
    "runpod": "on RunPod",
    "demo": "in the demo",
    "here": "here",
    "slowest": "on the slowest server",
}


def crop_text(horizontal: float, vertical: float) -> str:
    """ "Fits, nothing is cropped" or which edges lose how much; shares of width and height, 0 to 1."""
    across, down = round(100 * horizontal), round(100 * vertical)
    if down:
        return f"Top and bottom are cropped by {down} %"
    if across:
        return f"Left and right are cropped by {across} %"
    return "Fits, nothing is cropped"


def duration_text(seconds: float) -> str:
    """ "24 s", "1 min 5 s", "2 h 3 min"."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def estimate_text(seconds: float, location: Location | None = None) -> str:
    """ "About 3 min on RunPod"; "About 3 min" without a location."""
    text = f"About {duration_text(seconds)}"
    return text if location is None else f"{text} {LOCATIONS[location]}"


def size_text(count: int) -> str:
    """Decimal units as shops and disks use them: 1_226_977_424 -> "1.2 GB"."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    if count >= 1e6:
        return f"{count / 1e6:.0f} MB"
    return f"{max(0, count) / 1e3:.0f} kB"


def megabytes_text(count: float) -> str:
    """Megabytes, as quotas are given: 123_000_000 -> "123 MB", 1_500_000 -> "1.5 MB"."""
    return f"{count / 1e6:,.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB"
