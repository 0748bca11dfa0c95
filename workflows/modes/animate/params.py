"""What a creator may ask of Animate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from workflows.params.checks import check_common, check_run, chosen_seconds, set_clean
from workflows.params.limits import (
    DRIVING_FPS_MAX,
    DRIVING_FPS_MIN,
    DRIVING_SECONDS_MAX,
    DRIVING_SECONDS_MIN,
    RELIGHT_MAX,
)
from workflows.params.media import Media
from workflows.params.sizes import fit_size
from workflows.params.values import InvalidParam, check_number

_LONGEST = f"{DRIVING_SECONDS_MAX / 60:g}"
_LONGEST_FILE = 1e6
"""Seconds; a bound for start and length, so that they are finite."""
LENGTH_SLACK = 0.25
"""Seconds by which a pose, face or mask video may be shorter than the driving video."""
_SHAPE_SLACK = 0.05
"""Share by which the mask's ratio of width to height may differ from the driving video's."""
_LYING = ("mask", "pose_video")
"""Videos that lie on the driving video where the person is replaced in it."""


@dataclass(frozen=True, kw_only=True)
class Animate:
    """The character of one picture moves as the person in a driving video does.

    move: into the picture; mix: the character takes the person's place in the video. Pose, face and mask
    videos keep the driving video's time: `start` and `seconds` cut all of them alike.
    """

    MODE: ClassVar[str] = "animate"

    image: Media
    video: Media
    seed: int
    prompt: str = ""
    negative_prompt: str | None = None  # None: the catalog's default; "": none at all
    method: str = "move"
    relight: float = 0.8  # strength of the relighting LoRA; 0: none
    pose_video: Media | None = None
    face_video: Media | None = None
    mask: Media | None = None  # white where the person is
    start: float = 0.0  # seconds into the driving video
    seconds: float = 0.0  # 0: to the end
    fps: float = 16.0
    resolution: str = "480p"
    width: int = 0  # 0 with height 0: from resolution and the picture (move) or the driving video (mix)
    height: int = 0
    speed: str = "quality"
    steps: int = 0  # 0: the mode's own; so for cfg and shift
    cfg: float = 0.0
    shift: float = 0.0
    fit: str = "crop"  # pad: the picture was padded to the size before it was uploaded

    def __post_init__(self) -> None:
        check_common(self)
        for field, label in (("start", "The start"), ("seconds", "The length")):
            value = check_number(field, label, getattr(self, field), 0, _LONGEST_FILE, " seconds")
            set_clean(self, field, value)
        set_clean(self, "fps", check_number(
            "fps", "Frames a second", self.fps, DRIVING_FPS_MIN, DRIVING_FPS_MAX))  # fmt: skip
        set_clean(self, "relight", check_number("relight", "Relighting", self.relight, 0, RELIGHT_MAX))
        check_run(self, two_experts=False)
        self._check_length()
        self._check_helpers()

    @property
    def driving_seconds(self) -> float:
        """Length of the chosen part. Raises InvalidParam when it does not lie in the driving video."""
        where = ("video", "the driving video", self.video, self.start, self.seconds, "seconds")
        return chosen_seconds(*where, DRIVING_SECONDS_MAX)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the video in pixels, multiples of 16."""
        if self.width:
            return (self.width, self.height)
        shape = self.video if self.method == "mix" else self.image
        return fit_size(shape.width, shape.height, self.resolution)

    @property
    def frames(self) -> int:
        """Number of frames: as long as the chosen part of the driving video."""
        return round(self.fps * self.driving_seconds)

    def _check_length(self) -> None:
        seconds = self.driving_seconds
        field = "seconds" if self.seconds else "video"
        if seconds < DRIVING_SECONDS_MIN:
            raise InvalidParam(
                field,
                f"The driving video lasts {seconds:.2g} s; at least {DRIVING_SECONDS_MIN:g} s are needed.",
                "Choose a longer video, or a longer part of it.",
            )
        if seconds > DRIVING_SECONDS_MAX:
            raise InvalidParam(
                field,
                f"The driving video lasts {seconds / 60:.4g} min; at most {_LONGEST} min are possible.",
                "Choose a part of it by start and length.",
            )

    @property
    def helpers(self) -> dict[str, Media]:
        """The pose, face and mask videos that are given and used, by their fields."""
        fields = ("pose_video", "face_video") + (("mask",) if self.method == "mix" else ())
        return {field: media for field in fields if (media := getattr(self, field)) is not None}

    def _check_helpers(self) -> None:
        end = self.start + self.driving_seconds
        for field, media in self.helpers.items():
            word = field.replace("_", " ")
            if 0 < media.seconds < end - LENGTH_SLACK:
                raise InvalidParam(
                    field,
                    f"The {word} ends at {media.seconds:.4g} s; the driving video is used until {end:.4g} s.",
                    f"Choose a {word} as long as the driving video, or use a shorter part.",
                )
            if self.method == "mix" and field in _LYING and not _same_shape(media, self.video):
                raise InvalidParam(
                    field,
                    f"The {word} is {media.width} x {media.height}, the driving video"
                    f" {self.video.width} x {self.video.height}: they do not lie on each other.",
                    f"Choose a {word} of the driving video's shape.",
                )


def _same_shape(one: Media, other: Media) -> bool:
    """Whether one fits on the other; yes when a size is not known."""
    if not (one.width and one.height and other.width and other.height):
        return True
    return abs(one.width / one.height * other.height / other.width - 1) <= _SHAPE_SLACK
