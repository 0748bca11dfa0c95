"""What a creator may ask of Animate."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.modes import fields
from workflows.modes.animate import pose_cache
from workflows.params.checks import check_sides, chosen_seconds
from workflows.params.field import Choice
from workflows.params.limits import (
    DRIVING_FPS_MAX,
    DRIVING_FPS_MIN,
    DRIVING_SECONDS_MAX,
    DRIVING_SECONDS_MIN,
    RELIGHT_MAX,
)
from workflows.params.loras import Lora
from workflows.params.media import Media
from workflows.params.sizes import fit_size
from workflows.params.values import InvalidParam
from workflows.spec import ModeParams

_LONGEST = f"{DRIVING_SECONDS_MAX / 60:g}"
METHODS = (
    Choice("move", "Move", "Your character performs the motion from the driving video."),
    Choice("mix", "Replace", "Replaces the person in the driving video with your character."),
)
FIRST, SECOND = "animate_1", "animate_2"
"""Values of `model` that name one; "auto" takes what suits the job and is there."""
MODELS = (
    Choice("auto", "Best installed"),
    Choice(SECOND, "Animate 2"),
    Choice(FIRST, "Animate"),
)
LENGTH_SLACK = 0.25
"""Seconds by which a pose, face or mask video may be shorter than the driving video."""
_SHAPE_SLACK = 0.05
"""Share by which the mask's ratio of width to height may differ from the driving video's."""
_LYING = ("mask", "pose_video")
"""Videos that are laid over the driving video where the person in it is replaced."""


@dataclass(frozen=True, kw_only=True)
class Animate(ModeParams):
    """The character of one picture moves as the person in a driving video does.

    move: into the picture; mix: the character takes the person's place in the video. Pose, face and mask
    videos keep the driving video's time: `start` and `seconds` cut all of them alike.
    """

    MODE = "animate"

    image: Media = fields.media(
        "picture", "Picture", "The character: a picture uploaded here before, or a data: address.",
        required=True, heading="Drop or choose a character",
    )  # fmt: skip
    video: Media = fields.media(
        "video", "Driving video", "The driving video, whose motion is taken: uploaded here before.",
        required=True, heading="Drop or choose a driving video",
    )  # fmt: skip
    prompt: str = fields.prompt(
        "Describe the scene", "What is to be seen", "A woman in a red coat dances on a roof at dusk"
    )
    negative_prompt: str | None = fields.negative_prompt()
    method: str = fields.choice(
        "Method", METHODS, "move animates the picture; mix puts the character into the driving video."
    )
    relight: float = fields.number(  # strength of the relighting LoRA; 0: none
        "Relight", "With mix: how much the character matches the video's lighting, 0 to 2.",
        0.8, 0, RELIGHT_MAX,
        subject="Relighting", step=0.05, varies=True, compared=(0.8, 0.4, 1.2, 0.0, 1.6, 0.6, 1.0, 0.2, 2.0),
        note="How much the character matches the lighting of the driving video.",
    )  # fmt: skip
    pose_video: Media | None = fields.media(
        "video", "Pose video", "Skeletons of the driving video, if you have them.",
        heading="Pose video", hint="Skeletons of the driving video", group="files",
    )  # fmt: skip
    face_video: Media | None = fields.media(
        "video", "Face video", "Close-ups of the face in the driving video, 512 x 512, if you have them.",
        heading="Face video", hint="The face, close up, 512 × 512", group="files",
    )  # fmt: skip
    mask: Media | None = fields.media(
        "video", "Mask",
        "A video that is white where the person is, of the driving video's shape and length.",
        subject="The mask video", heading="Mask video", hint="White where the person is", group="files",
    )  # fmt: skip
    fps: float = fields.number(
        "Frame rate", f"Frames a second of the result, {DRIVING_FPS_MIN:g} to {DRIVING_FPS_MAX:g}.", 16.0,
        DRIVING_FPS_MIN, DRIVING_FPS_MAX, subject="Frames a second", group="motion",
        note="16, or up to the driving video's own rate, at most 30",
    )  # fmt: skip
    resolution: str = fields.resolution("")
    width: int = fields.width("resolution and media")
    height: int = fields.height("resolution and media")
    seconds: float = fields.part_length(
        "Length", "The length",
        f"Seconds of the driving video to use, at most {DRIVING_SECONDS_MAX:g}; 0 takes it to its end.",
    )  # fmt: skip
    speed: str = fields.speed("quality (20 steps) or fast (6 steps).")
    steps: int = fields.steps()
    cfg: float = fields.cfg()
    shift: float = fields.shift()
    seed: int = fields.seed()
    start: float = fields.part_start("Where in the driving video to start, in seconds.")
    nag: str = fields.nag()
    prompt_weights: bool = fields.prompt_weights()
    loras: tuple[Lora, ...] = fields.loras()
    fit: str = fields.fit()
    model: str = fields.choice(
        "Model", MODELS,
        "auto takes Animate 2 for move where it is installed and no pose, face or mask video is given, else"
        " the first Animate; animate_2, animate_1.",
        note="Animate 2 reads the motion from the driving video itself. It cannot replace a person.",
        group="experts", later=1,
    )  # fmt: skip
    pose_cache: str = fields.choice(
        "Motion cache", pose_cache.CHOICES,
        "With Animate 2: read the driving video once instead of at every step, for 12.5 GB of the engine's"
        " memory at 480p (full; int8 a half, int4 a quarter, off). auto takes full, else int8, if at least"
        " 32 GB are left for the rest.",
        note="With Animate 2: about twice as fast, for 12.5 GB of memory at 480p.",
        group="experts", later=1,
    )  # fmt: skip

    def check(self) -> None:
        """Raises InvalidParam."""
        check_sides(self)
        if self.method == "mix" and self.model == SECOND:
            raise InvalidParam(
                "model", "Animate 2 cannot replace a person.", "Choose another model, or use Move."
            )
        self._check_length()
        self._check_helpers()

    @property
    def driving_seconds(self) -> float:
        """Length of the chosen part. Raises InvalidParam when it is outside of the driving video."""
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
                f"The driving video lasts {seconds:.2g} s; it must be at least {DRIVING_SECONDS_MIN:g} s.",
                "Choose a longer video, or a longer part of it.",
            )
        if seconds > DRIVING_SECONDS_MAX:
            raise InvalidParam(
                field,
                f"The driving video lasts {seconds / 60:.4g} min; it can be at most {_LONGEST} min.",
                "Choose a part of it by start and length.",
            )

    @property
    def given(self) -> tuple[str, ...]:
        """The fields of the pose, face and mask videos that are given."""
        names = ("pose_video", "face_video", "mask")
        return tuple(name for name in names if getattr(self, name) is not None)

    @property
    def helpers(self) -> dict[str, Media]:
        """The pose, face and mask videos that are given and used, by their fields."""
        if self.model == SECOND:
            return {}
        names = ("pose_video", "face_video") + (("mask",) if self.method == "mix" else ())
        return {field: media for field in names if (media := getattr(self, field)) is not None}

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
                    f"The {word} is {media.width} × {media.height}, the driving video"
                    f" {self.video.width} × {self.video.height}: their aspect ratios differ.",
                    f"Choose a {word} with the driving video's aspect ratio.",
                )


def _same_shape(one: Media, other: Media) -> bool:
    """Whether one fits on the other; yes when a size is not known."""
    if not (one.width and one.height and other.width and other.height):
        return True
    return abs(one.width / one.height * other.height / other.width - 1) <= _SHAPE_SLACK
