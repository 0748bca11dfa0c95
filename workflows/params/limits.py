"""What a creator may ask for, as named limits and lists. Pure data."""

from __future__ import annotations

from collections.abc import Mapping

from workflows.params.values import InvalidParam, shown

SECONDS_MIN = 0.25
"""The shortest clip that moves: 5 frames."""
SECONDS_MAX = 15.0
"""The longest clip of one run: 241 frames, three times the trained length; its frames still fit in memory."""
SECONDS_TRAINED = 5.0
"""The length that WAN 2.2 A14B was trained for (81 frames at 16 fps); longer is allowed and warned of."""
SOUND_SECONDS_MIN = 0.2
"""The shortest sound that makes a video: 3 frames."""
SOUND_SECONDS_MAX = 600.0
"""The longest part of a sound that one job draws: 121 chunks in 16 graphs."""
DRIVING_SECONDS_MIN = 0.25
DRIVING_SECONDS_MAX = 300.0
"""The longest part of a driving video that one job draws."""
DRIVING_FPS_MIN, DRIVING_FPS_MAX = 8.0, 30.0
"""30 is WAN's own Animate rate; 16 (the default, the template's) costs about half."""
RELIGHT_MAX = 2.0
SEED_MAX = 2**53 - 1
"""The largest seed: a browser's numbers are exact only that far."""
RANDOM_SEEDS = 10**6
"""A random seed is drawn below this: short enough to read out and to type again, rarely the same twice."""
STEPS_MAX = 100
GUIDANCE_MIN, GUIDANCE_MAX = 1.0, 20.0
"""Limits of cfg and shift (0 means the mode's own)."""
PROMPT_MAX = 4000

ASPECTS: Mapping[str, tuple[int, int]] = {
    "16:9": (16, 9),
    "9:16": (9, 16),
    "1:1": (1, 1),
    "4:3": (4, 3),
    "3:4": (3, 4),
}
"""The shapes of what is made from text alone."""

_RESOLUTIONS = ("480p", "draft", "720p")
_FITS = ("crop", "pad")
_SPEEDS = ("quality", "fast")

TITLES: Mapping[str, str] = {
    "image_to_video": "Image-to-Video",
    "fast_video": "Fast 4-step",
    "sound_to_video": "Sound-to-Video",
    "animate": "Animate",
    "text_to_video": "Text-to-Video",
    "text_to_image": "Text-to-Image",
}
"""mode -> what people call it."""

CHOICES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "image_to_video": {
        "resolution": _RESOLUTIONS,
        "motion": ("balanced", "dynamic", "subtle", "official"),
        "experts": ("both", "high", "low"),
        "speed": _SPEEDS,
        "fit": _FITS,
    },
    "fast_video": {
        "variant": ("balanced", "dynamic", "subtle", "480p", "anti_slow_motion"),
        "resolution": _RESOLUTIONS,
        "fit": _FITS,
    },
    "sound_to_video": {"resolution": _RESOLUTIONS, "speed": _SPEEDS, "fit": _FITS},
    "animate": {
        "method": ("move", "mix"),
        "resolution": _RESOLUTIONS,
        "speed": _SPEEDS,
        "fit": _FITS,
    },
    "text_to_video": {"aspect": tuple(ASPECTS), "resolution": _RESOLUTIONS, "speed": _SPEEDS},
    "text_to_image": {"model": ("wan", "flux"), "aspect": tuple(ASPECTS)},
}
"""mode -> field -> allowed values, the first is the default."""

CHOICE_LABELS: Mapping[str, str] = {
    "resolution": "Resolution",
    "motion": "Motion",
    "experts": "Experts",
    "speed": "Speed",
    "variant": "Variant",
    "fit": "Fit",
    "method": "Method",
    "aspect": "Shape",
    "model": "Model",
}

MEDIA: Mapping[str, Mapping[str, tuple[str, bool]]] = {
    "image_to_video": {"image": ("picture", True), "end_image": ("picture", False)},
    "fast_video": {"image": ("picture", True)},
    "sound_to_video": {"audio": ("sound", True), "image": ("picture", False)},
    "animate": {
        "image": ("picture", True),
        "video": ("video", True),
        "pose_video": ("video", False),
        "face_video": ("video", False),
        "mask": ("video", False),
    },
    "text_to_video": {},
    "text_to_image": {},
}
"""mode -> its media: parameter -> (picture, sound or video; whether it must be given)."""


def choices(mode: str) -> Mapping[str, tuple[str, ...]]:
    """field -> allowed values of one mode. Raises InvalidParam for an unknown mode."""
    if mode not in CHOICES:
        raise InvalidParam("mode", f"There is no mode {shown(mode)}.", f"Known modes: {', '.join(CHOICES)}.")
    return CHOICES[mode]
