"""What a preset holds, and the presets that are shipped. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.modes.registry import MODES

SENTENCE = "prompt"
"""The parameter that a preset holds only if its creator chooses so."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings of a mode with a name. `values`: as forms and endpoints take them; `left_out`: names of values
    that this version cannot use; `id`: "" for one that is not stored."""

    mode: str
    name: str
    values: Mapping[str, Any]
    id: str = ""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A preset of the product. `values`: what it sets; other settings of a form stay as they are. Its name
    and its purpose are in the page's texts, under its id."""

    id: str
    mode: str
    values: Mapping[str, Any]


OWN_FIGURES: Mapping[str, Any] = {"steps": 0, "cfg": 0.0, "shift": 0.0}
"""Steps, guidance and shift are the mode's own."""

SHIPPED: tuple[Shipped, ...] = (
    Shipped(
        id="quick_draft",
        mode="image_to_video",
        values={
            "speed": "fast", "resolution": "draft", "width": 0, "height": 0, "seconds": 3.0,
            "motion": "balanced", "experts": "both", "distillation": "auto", "easy_cache": False,
            **OWN_FIGURES,
        },
    ),
    # The high-noise expert determines the motion, which a 4-step distillation slows down: full steps, 65 % of
    # them with that expert.
    Shipped(
        id="lively_motion",
        mode="image_to_video",
        values={
            "speed": "quality", "resolution": "480p", "width": 0, "height": 0, "motion": "dynamic",
            "experts": "both", "easy_cache": False, **OWN_FIGURES,
        },
    ),
    # 35 % of the steps with the high-noise expert: little movement, close to the picture.
    Shipped(
        id="calm_motion",
        mode="image_to_video",
        values={
            "speed": "quality", "resolution": "480p", "width": 0, "height": 0, "motion": "subtle",
            "experts": "both", "easy_cache": False, **OWN_FIGURES,
        },
    ),
    # WAN's own wan_i2v_A14B config: 40 steps, shift 5, guidance 3.5; the experts change at 0.900 of the
    # noise level.
    Shipped(
        id="official_image",
        mode="image_to_video",
        values={
            "speed": "quality", "resolution": "720p", "width": 0, "height": 0, "seconds": 5.0,
            "motion": "official", "experts": "both", "steps": 40, "cfg": 3.5, "shift": 5.0,
            "easy_cache": False,
        },
    ),
    # A 4-step run slows motion down; two guided steps without the distillation lay it out first.
    Shipped(
        id="lifelike_speed",
        mode="fast_video",
        values={
            "variant": "anti_slow_motion", "resolution": "480p", "width": 0, "height": 0,
            "distillation": "auto",
        },
    ),
    # WAN's own wan_t2v_A14B config: 40 steps; shift 12, guidance 4 and 3 and the change at 0.875 come with
    # the official motion.
    Shipped(
        id="official_text",
        mode="text_to_video",
        values={
            "speed": "quality", "resolution": "720p", "width": 0, "height": 0, "seconds": 5.0,
            "motion": "official", **OWN_FIGURES, "steps": 40,
        },
    ),
)  # fmt: skip


def shipped(id: str) -> Shipped | None:
    """The shipped preset of this id."""
    return next((one for one in SHIPPED if one.id == id), None)


def kept(mode: str, values: Mapping[str, Any], sentence: bool = False) -> dict[str, Any]:
    """The values that a preset holds of a form's: neither the seed nor which part of a file is used, and the
    prompt only with `sentence`. Raises KeyError for an unknown mode."""
    spec = MODES[mode]
    left = {"seed"} if sentence else {"seed", SENTENCE}
    if spec.trim is not None:
        left |= {spec.trim.start, spec.trim.length}
    return {field.name: values[field.name] for field in spec.fields if field.name in values.keys() - left}
