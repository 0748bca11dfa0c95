"""What a creator may ask for with words alone: Text-to-Video and Text-to-Image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from workflows.params.checks import check_common, check_prompt_given, check_run, check_steps, set_clean
from workflows.params.limits import ASPECTS, SECONDS_MAX, SECONDS_MIN
from workflows.params.sizes import FPS, fit_size, frames_for
from workflows.params.values import check_number

PICTURE_RESOLUTION = "720p"
"""The area of a picture: the larger of the two that WAN was trained for, and close to Flux's 1 megapixel."""


@dataclass(frozen=True, kw_only=True)
class TextToVideo:
    """Words become a video."""

    MODE: ClassVar[str] = "text_to_video"

    seed: int
    prompt: str = ""  # refused when empty
    negative_prompt: str | None = None  # None: the catalog's default; "": none at all
    aspect: str = "16:9"
    resolution: str = "480p"
    width: int = 0  # 0 with height 0: from aspect and resolution
    height: int = 0
    seconds: float = 5.0
    speed: str = "quality"
    steps: int = 0  # 0: the mode's own; so for cfg and shift
    cfg: float = 0.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        check_common(self)
        check_prompt_given(self)
        set_clean(self, "seconds", check_number(
            "seconds", "The length", self.seconds, SECONDS_MIN, SECONDS_MAX, " seconds"))  # fmt: skip
        check_run(self, two_experts=True)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the video in pixels, multiples of 16."""
        if self.width:
            return (self.width, self.height)
        return fit_size(*ASPECTS[self.aspect], self.resolution)

    @property
    def frames(self) -> int:
        """Number of frames, 4n+1."""
        return frames_for(self.seconds)

    @property
    def fps(self) -> float:
        """Frames a second."""
        return FPS


@dataclass(frozen=True, kw_only=True)
class TextToImage:
    """Words become a picture."""

    MODE: ClassVar[str] = "text_to_image"

    seed: int
    prompt: str = ""  # refused when empty
    model: str = "wan"
    aspect: str = "16:9"
    width: int = 0  # 0 with height 0: from aspect
    height: int = 0
    steps: int = 0  # 0: the model's own

    def __post_init__(self) -> None:
        check_common(self)
        check_prompt_given(self)
        check_steps(self, two_experts=self.model == "wan")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the picture in pixels, multiples of 16."""
        if self.width:
            return (self.width, self.height)
        return fit_size(*ASPECTS[self.aspect], PICTURE_RESOLUTION)

    @property
    def frames(self) -> int:
        """One."""
        return 1

    @property
    def fps(self) -> float:
        """Frames a second: none, it is a picture."""
        return 0.0
