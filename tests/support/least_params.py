"""Each mode's parameters with only the required values."""

from __future__ import annotations

from typing import Any

from workflows.modes.registry import MODES
from workflows.params.media import Media

PHOTO = Media("photo.png", 1600, 900)
REQUIRED: dict[str, dict[str, Any]] = {
    "image_to_video": {"image": PHOTO},
    "fast_video": {"image": PHOTO},
    "sound_to_video": {"audio": Media("song.wav", seconds=12.0)},
    "animate": {"image": PHOTO, "video": Media("dance.mp4", 640, 480, seconds=9.0)},
    "text_to_video": {"prompt": "A boat"},
    "text_to_image": {"prompt": "A boat"},
}


def least(mode: str, **options: Any) -> Any:
    """The params of a mode with the required values and `options`."""
    return MODES[mode].params(**{"seed": 1, **REQUIRED[mode], **options})
