"""The modes of Wan Studio: one line for each, in the order in which lists of modes show them."""

from __future__ import annotations

from collections.abc import Mapping

from workflows.modes import fast_video, image_to_video, sound_to_video, text
from workflows.modes.animate import build as animate
from workflows.params.field import MediaField
from workflows.params.values import InvalidParam, shown
from workflows.spec import ModeSpec

MODES: Mapping[str, ModeSpec] = {
    spec.name: spec
    for spec in (
        image_to_video.SPEC,
        fast_video.SPEC,
        sound_to_video.SPEC,
        animate.SPEC,
        text.VIDEO,
        text.PICTURE,
    )
}
"""name -> mode."""


def mode(name: str) -> ModeSpec:
    """The mode of that name. Raises InvalidParam naming the known modes."""
    if name not in MODES:
        raise InvalidParam("mode", f"There is no mode {shown(name)}.", f"Known modes: {', '.join(MODES)}.")
    return MODES[name]


def title(name: str) -> str:
    """What people call a mode; the name itself for one that is not known here, as in an older database."""
    return MODES[name].title if name in MODES else name


def media_fields(name: str) -> Mapping[str, MediaField]:
    """The files that a job of a mode can have, by parameter; none for a mode that is not known."""
    return MODES[name].files if name in MODES else {}


def makes_still(name: str) -> bool:
    """Whether a mode makes a picture."""
    return name in MODES and MODES[name].still
