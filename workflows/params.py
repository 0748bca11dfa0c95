"""What a creator may ask for: one frozen dataclass per mode, whose constructor refuses what cannot be.

Seeds are resolved and pictures are measured before they get here. Every constructor raises InvalidParam
with the field, a sentence and a hint; nothing is rounded or clamped silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Union

from workflows.fields import (
    InvalidParam,
    check_bool,
    check_choice,
    check_int,
    check_number,
    check_text,
    check_zero_or_number,
    shown,
)
from workflows.sizes import (
    AREAS,
    FPS,
    SIZE_MAX,
    SIZE_MIN,
    SIZE_STEP,
    crop_fraction,
    fit_size,
    frames_for,
)

__all__ = [
    "AREAS",
    "CHOICES",
    "FPS",
    "MODES",
    "RANDOM_SEEDS",
    "SECONDS_MAX",
    "SECONDS_MIN",
    "SECONDS_TRAINED",
    "SEED_MAX",
    "SIZE_MAX",
    "SIZE_MIN",
    "FastVideo",
    "ImageToVideo",
    "InvalidParam",
    "Media",
    "Params",
    "choices",
    "crop_fraction",
    "fit_size",
    "frames_for",
]

SECONDS_MIN = 0.25
"""The shortest clip that moves: 5 frames."""
SECONDS_MAX = 15.0
"""The longest clip of one run: 241 frames, three times the trained length; its frames still fit in memory."""
SECONDS_TRAINED = 5.0
"""The length that WAN 2.2 A14B was trained for (81 frames at 16 fps); longer is allowed and warned of."""
SEED_MAX = 2**53 - 1
"""The largest seed: a browser's numbers are exact only that far."""
RANDOM_SEEDS = 10**6
"""A random seed is drawn below this: short enough to read out and to type again, rarely the same twice."""
STEPS_MAX = 100
GUIDANCE_MIN, GUIDANCE_MAX = 1.0, 20.0
"""Limits of cfg and shift (0 means the mode's own)."""
PROMPT_MAX = 4000

_RESOLUTIONS = ("480p", "draft", "720p")
_FITS = ("crop", "pad")

CHOICES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "image_to_video": {
        "resolution": _RESOLUTIONS,
        "motion": ("balanced", "dynamic", "subtle", "official"),
        "experts": ("both", "high", "low"),
        "speed": ("quality", "fast"),
        "fit": _FITS,
    },
    "fast_video": {
        "variant": ("balanced", "dynamic", "subtle", "480p", "anti_slow_motion"),
        "resolution": _RESOLUTIONS,
        "fit": _FITS,
    },
}
"""mode -> field -> allowed values, the first is the default."""


def choices(mode: str) -> Mapping[str, tuple[str, ...]]:
    """field -> allowed values of one mode. Raises InvalidParam for an unknown mode."""
    if mode not in CHOICES:
        raise InvalidParam("mode", f"There is no mode {shown(mode)}.", f"Known modes: {', '.join(CHOICES)}.")
    return CHOICES[mode]


@dataclass(frozen=True)
class Media:
    """A picture, video or sound that the engine will read, already measured.

    `name` is what the graph gives to the loading node, relative to the engine's input folder; it may hold
    a subfolder. width and height in pixels after rotation by EXIF, 0 when unknown.
    """

    name: str
    width: int = 0
    height: int = 0
    frames: int = 1
    fps: float = 0.0
    seconds: float = 0.0


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
        _check_common(self)
        if self.end_image is not None:
            _check_media("end_image", "The last picture", self.end_image)
        if self.negative_prompt is not None:
            _set(self, "negative_prompt", check_text(
                "negative_prompt", "The negative prompt", self.negative_prompt, PROMPT_MAX))  # fmt: skip
        check_int("steps", "Steps", self.steps, 0, STEPS_MAX)
        if self.steps == 1 and self.experts == "both":
            raise InvalidParam(
                "steps",
                "One step cannot be shared by two experts.",
                "Give at least 2 steps, or choose one expert.",
            )
        for field, label in (("cfg", "Guidance (cfg)"), ("shift", "Shift")):
            value = check_zero_or_number(field, label, getattr(self, field), GUIDANCE_MIN, GUIDANCE_MAX)
            _set(self, field, value)
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
        _check_common(self)

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


Params = Union[ImageToVideo, FastVideo]  # noqa: UP007 - Python 3.10 evaluates this at run time
MODES: Mapping[str, type[ImageToVideo] | type[FastVideo]] = {
    ImageToVideo.MODE: ImageToVideo,
    FastVideo.MODE: FastVideo,
}

_CHOICE_LABELS = {
    "resolution": "Resolution",
    "motion": "Motion",
    "experts": "Experts",
    "speed": "Speed",
    "variant": "Variant",
    "fit": "Fit",
}


def _set(params: object, field: str, value: Any) -> None:
    object.__setattr__(params, field, value)  # the dataclass is frozen from its user's side


def _check_common(params: ImageToVideo | FastVideo) -> None:
    """What both modes have: picture, prompt, seed, choices, size, length."""
    _check_media("image", "The picture", params.image)
    check_int("seed", "The seed", params.seed, 0, SEED_MAX)
    _set(params, "prompt", check_text("prompt", "The prompt", params.prompt, PROMPT_MAX))
    for field, allowed in CHOICES[params.MODE].items():
        check_choice(field, _CHOICE_LABELS[field], getattr(params, field), allowed)
    _check_side("width", "Width", params.width)
    _check_side("height", "Height", params.height)
    if (params.width == 0) != (params.height == 0):
        missing = "width" if params.width == 0 else "height"
        raise InvalidParam(
            missing,
            "Width and height belong together, but only one is given.",
            "Give both, or 0 for both to take the size from the picture.",
        )
    _set(params, "seconds", check_number(
        "seconds", "The length", params.seconds, SECONDS_MIN, SECONDS_MAX, " seconds"))  # fmt: skip


def _check_side(field: str, label: str, value: Any) -> None:
    hint = f"Give a multiple of {SIZE_STEP} from {SIZE_MIN} to {SIZE_MAX}, or 0 for automatic."
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidParam(field, f"{label} must be a whole number of pixels, not {shown(value)}.", hint)
    if value == 0:
        return
    if not SIZE_MIN <= value <= SIZE_MAX:
        message = f"{label} must lie between {SIZE_MIN} and {SIZE_MAX} pixels, not {shown(value)}."
        raise InvalidParam(field, message, hint)
    if value % SIZE_STEP:
        raise InvalidParam(field, f"{label} must be a multiple of {SIZE_STEP} pixels; {value} is not.", hint)


def _check_media(field: str, label: str, media: Any) -> None:
    if not isinstance(media, Media):
        raise InvalidParam(field, f"{label} is missing.", "Add a picture.")
    parts = media.name.replace("\\", "/").split("/") if isinstance(media.name, str) else []
    if not parts or "" in parts or ".." in parts or not media.name.isprintable():
        raise InvalidParam(field, f"{label} has no usable file name.", "Rename the file and try again.")
    for side in (media.width, media.height):
        if isinstance(side, bool) or not isinstance(side, int) or side < 0:
            raise InvalidParam(field, f"{label} has no usable size.", "Choose another picture.")


def _size(params: ImageToVideo | FastVideo) -> tuple[int, int]:
    if params.width:
        return (params.width, params.height)
    return fit_size(params.image.width, params.image.height, params.resolution)
