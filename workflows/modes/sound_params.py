"""What a creator may ask of Sound-to-Video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from workflows.params.checks import check_common, check_run, chosen_seconds, set_clean
from workflows.params.limits import SOUND_SECONDS_MAX, SOUND_SECONDS_MIN
from workflows.params.media import Media
from workflows.params.sizes import FPS, fit_size
from workflows.params.values import InvalidParam, check_bool, check_number

_LONGEST = f"{SOUND_SECONDS_MAX / 60:g}"
_LONGEST_FILE = 1e6
"""Seconds; a bound for start and duration, so that they are finite."""


@dataclass(frozen=True, kw_only=True)
class SoundToVideo:
    """A sound, and perhaps a picture, become a video that moves with the sound."""

    MODE: ClassVar[str] = "sound_to_video"

    audio: Media  # Media.seconds: of the whole file
    seed: int
    image: Media | None = None
    prompt: str = ""
    negative_prompt: str | None = None  # None: the catalog's default; "": none at all
    start: float = 0.0  # seconds into the sound
    duration: float = 0.0  # seconds; 0: to the end
    level: bool = False  # bring the sound to a common loudness
    resolution: str = "480p"
    width: int = 0  # 0 with height 0: from resolution and picture, 16:9 without one
    height: int = 0
    speed: str = "quality"
    steps: int = 0  # 0: the mode's own; so for cfg and shift
    cfg: float = 0.0
    shift: float = 0.0
    fit: str = "crop"  # pad: the picture was padded to the size before it was uploaded

    def __post_init__(self) -> None:
        check_common(self)
        for field, label in (("start", "The start"), ("duration", "The duration")):
            value = check_number(field, label, getattr(self, field), 0, _LONGEST_FILE, " seconds")
            set_clean(self, field, value)
        check_bool("level", "Level", self.level)
        check_run(self, two_experts=False)
        seconds = self.seconds
        if seconds < SOUND_SECONDS_MIN:
            raise InvalidParam(
                "duration" if self.duration else "audio",
                f"The sound lasts {seconds:.2g} s; at least {SOUND_SECONDS_MIN:g} s are needed.",
                "Choose a longer sound, or a longer part of it.",
            )
        if seconds > SOUND_SECONDS_MAX:
            raise InvalidParam(
                "duration" if self.duration else "audio",
                f"The sound lasts {seconds / 60:.4g} min; at most {_LONGEST} min are possible.",
                "Choose a part of it by start and duration.",
            )

    @property
    def seconds(self) -> float:
        """Length of the chosen part of the sound. Raises InvalidParam when it does not lie in the file."""
        where = ("audio", "the sound", self.audio, self.start, self.duration, "duration")
        return chosen_seconds(*where, SOUND_SECONDS_MAX)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the video in pixels, multiples of 16."""
        if self.width:
            return (self.width, self.height)
        picture = self.image or Media("none")
        return fit_size(picture.width, picture.height, self.resolution)

    @property
    def frames(self) -> int:
        """Number of frames: as long as the sound, within half a frame."""
        return round(FPS * self.seconds)

    @property
    def fps(self) -> float:
        """Frames a second."""
        return FPS
