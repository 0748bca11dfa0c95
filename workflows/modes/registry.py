"""What a creator may ask for: one frozen dataclass per mode, whose constructor refuses what cannot be.

Seeds are resolved and media are measured before they get here. Every constructor raises InvalidParam
with the field, a sentence and a hint; nothing is rounded or clamped silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Union

from workflows.modes.animate.params import Animate
from workflows.modes.sound_params import SoundToVideo
from workflows.modes.text_params import TextToImage, TextToVideo
from workflows.params.checks import check_common, check_run, set_clean
from workflows.params.limits import (
    ASPECTS,
    CHOICES,
    MEDIA,
    RANDOM_SEEDS,
    SECONDS_MAX,
    SECONDS_MIN,
    SECONDS_TRAINED,
    SEED_MAX,
    TITLES,
    choices,
)
from workflows.params.media import Media
from workflows.params.sizes import AREAS, FPS, SIZE_MAX, SIZE_MIN, crop_fraction, fit_size, frames_for
from workflows.params.values import InvalidParam, check_bool, check_number

__all__ = [
    "AREAS",
    "ASPECTS",
    "CHOICES",
    "FPS",
    "MEDIA",
    "MODES",
    "RANDOM_SEEDS",
    "SECONDS_MAX",
    "SECONDS_MIN",
    "SECONDS_TRAINED",
    "SEED_MAX",
    "SIZE_MAX",
    "SIZE_MIN",
    "TITLES",
    "Animate",
    "FastVideo",
    "ImageToVideo",
    "InvalidParam",
    "Media",
    "Params",
    "SoundToVideo",
    "TextToImage",
    "TextToVideo",
    "choices",
    "crop_fraction",
    "fit_size",
    "frames_for",
]


@dataclass(frozen=True, kw_only=True)
class ImageToVideo:
    """A picture (and perhaps a last picture) becomes a video."""

    MODE: ClassVar[str] = "image_to_video"

    image: Media
    seed: int
    prompt: str = ""
    negative_prompt: str | None = None  # None: the catalog's default; "": none at all
    end_image: Media | None = None
    resolution: str = "480p"
    width: int = 0  # 0 with height 0: from resolution and picture
    height: int = 0
    seconds: float = 5.0
    motion: str = "balanced"  # where the high-noise expert hands over to the low-noise one
    experts: str = "both"
    speed: str = "quality"
    steps: int = 0  # 0: the mode's own; so for cfg and shift
    cfg: float = 0.0
    shift: float = 0.0
    fit: str = "crop"  # pad: the picture was padded to the size before it was uploaded
    clip_vision: bool = False
    tiled_decode: bool = False
    easy_cache: bool = False

    def __post_init__(self) -> None:
        check_common(self)
        _check_seconds(self)
        check_run(self, two_experts=self.experts == "both")
        check_bool("clip_vision", "Picture understanding (clip_vision)", self.clip_vision)
        check_bool("tiled_decode", "Tiled decoding", self.tiled_decode)
        check_bool("easy_cache", "Step reuse (easy_cache)", self.easy_cache)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the video in pixels, multiples of 16."""
        return _size(self)

    @property
    def frames(self) -> int:
        """Number of frames, 4n+1."""
        return frames_for(self.seconds)

    @property
    def fps(self) -> float:
        """Frames a second."""
        return FPS


@dataclass(frozen=True, kw_only=True)
class FastVideo:
    """A picture becomes a video in few steps, with the settings of a named variant."""

    MODE: ClassVar[str] = "fast_video"

    image: Media
    seed: int
    prompt: str = ""
    variant: str = "balanced"
    resolution: str = "480p"
    width: int = 0
    height: int = 0
    seconds: float = 5.0
    fit: str = "crop"

    def __post_init__(self) -> None:
        check_common(self)
        _check_seconds(self)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the video in pixels, multiples of 16."""
        return _size(self)

    @property
    def frames(self) -> int:
        """Number of frames, 4n+1."""
        return frames_for(self.seconds)

    @property
    def fps(self) -> float:
        """Frames a second."""
        return FPS


Params = Union[  # noqa: UP007 - Python 3.10 evaluates this at run time
    ImageToVideo, FastVideo, SoundToVideo, Animate, TextToVideo, TextToImage
]
MODES: Mapping[str, type[Params]] = {
    kind.MODE: kind for kind in (ImageToVideo, FastVideo, SoundToVideo, Animate, TextToVideo, TextToImage)
}


def _check_seconds(params: ImageToVideo | FastVideo) -> None:
    set_clean(params, "seconds", check_number(
        "seconds", "The length", params.seconds, SECONDS_MIN, SECONDS_MAX, " seconds"))  # fmt: skip


def _size(params: ImageToVideo | FastVideo) -> tuple[int, int]:
    if params.width:
        return (params.width, params.height)
    return fit_size(params.image.width, params.image.height, params.resolution)
