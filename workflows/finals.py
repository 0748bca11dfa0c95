"""The final of a clip: the same seed and settings in another size, at another speed, or both. Pure.

A setting of one speed is not carried over to another: steps, guidance and shift that were given for 4 steps
would spoil 20 of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workflows.modes.registry import MODES
from workflows.params.sizes import AREAS, fit_size
from workflows.spec import ModeSpec

SAME = "same"
"""The resolution that keeps the clip's own size."""
RESOLUTIONS = ("480p", "720p", SAME)
"""The sizes of a final, the default first."""
QUALITY, FAST = "quality", "fast"
SPEEDS = (QUALITY, FAST)
"""The speeds of a final, the default first."""
OF_SPEED = ("steps", "cfg", "shift")
"""Settings whose values belong to one speed."""
SEVERAL = ("variations", "vary", "extend")
"""The parameters of a set of variations and of a joined video, which no mode has."""
DRAFT_AREA = AREAS["draft"] * 1.25
"""Pixels of a frame up to which a size given by hand counts as a draft."""

Refusal = Literal["other_mode", "picture", "smaller", "not_better"]
"""Why a final is impossible: an unknown mode, a picture, a size below that of the clip, or neither a larger
size nor more steps."""


@dataclass(frozen=True)
class Clip:
    """A clip that a final is made of. `values`: its parameters as they were submitted; `width`, `height`: of
    what was drawn, which of variations is one of them."""

    mode: str
    values: Mapping[str, Any]
    width: int = 0
    height: int = 0

    @property
    def spec(self) -> ModeSpec | None:
        """Its mode; None for an unknown one."""
        return MODES.get(self.mode)

    @property
    def speed(self) -> str:
        """Its speed; "" for a mode without speeds."""
        spec = self.spec
        if spec is None or spec.still:
            return ""
        if spec.always_fast:
            return FAST
        return str(self.values.get("speed") or spec.field("speed").default) if "speed" in spec.by_name else ""

    @property
    def resolution(self) -> str:
        """Its resolution; "" where its size was given by hand."""
        spec = self.spec
        if self.values.get("width") or spec is None or "resolution" not in spec.by_name:
            return ""
        return str(self.values.get("resolution") or spec.field("resolution").default)

    @property
    def is_draft(self) -> bool:
        """Whether it is a draft: small, made to judge the motion."""
        if not self.speed:
            return False
        if self.resolution:
            return self.resolution == "draft"
        return 0 < self.width * self.height <= DRAFT_AREA


@dataclass(frozen=True)
class Final:
    """The settings of a final. `values`: those of its mode, and of its variations; `left`: parameters that
    were given by hand for the earlier speed and are not taken over; `resized`, `other_speed`: whether its
    size and its speed differ from those of the clip."""

    mode: str
    values: Mapping[str, Any]
    left: tuple[str, ...] = ()
    resized: bool = False
    other_speed: bool = False


def final(clip: Clip, resolution: str = RESOLUTIONS[0], speed: str = QUALITY) -> Final | Refusal:
    """The final of a clip in one of RESOLUTIONS, at one of SPEEDS."""
    if clip.spec is None:
        return "other_mode"
    if not clip.speed:
        return "picture"
    change = _size(clip, resolution)
    if change is None:
        return "smaller"
    if not change and not (speed == QUALITY and clip.speed == FAST):
        return "not_better"
    mode, values, left = _at_speed(clip, speed)
    values = {**values, **change}
    return Final(mode, _several(clip, mode, values), left, bool(change), speed != clip.speed)


def sizes(clip: Clip) -> tuple[str, ...]:
    """The resolutions in which a clip has a final at any speed; SAME where none of the others keeps its size,
    and not for a draft."""
    found = [
        name for name in RESOLUTIONS if any(isinstance(final(clip, name, speed), Final) for speed in SPEEDS)
    ]
    others = [name for name in found if name != SAME]
    if clip.is_draft or any(_size(clip, name) == {} for name in others):
        return tuple(others)
    return tuple(found)


def can_be_final(clip: Clip) -> bool:
    """Whether a larger or slower one can be made."""
    return bool(sizes(clip))


def _size(clip: Clip, resolution: str) -> dict[str, Any] | None:
    """The values that set the size; {} where it stays, None where it would become smaller.

    A size given by hand keeps its shape."""
    if resolution == SAME:
        return {}
    if clip.resolution:
        larger = AREAS[resolution] - AREAS.get(clip.resolution, 0)
        found = {"resolution": resolution, "width": 0, "height": 0}
        return None if larger < 0 else found if larger else {}
    width, height = fit_size(clip.width, clip.height, resolution)
    larger = width * height - clip.width * clip.height
    return None if larger < 0 else {"width": width, "height": height} if larger else {}


def _at_speed(clip: Clip, speed: str) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """(mode, values, what is not taken over) at a speed."""
    own = {name: value for name, value in clip.values.items() if name not in SEVERAL}
    if speed == clip.speed:
        return clip.mode, own, ()
    left = tuple(name for name in OF_SPEED if own.get(name))
    spec = MODES[clip.mode]
    if speed == QUALITY and spec.in_quality is not None:
        mode, change = spec.in_quality(own)
        if mode != clip.mode:
            variant = own.get("variant")
            left = (*left, "variant") if variant and change.get("motion") != variant else left
            return mode, dict(change), left
        return mode, {**own, **change}, left
    reset = {name: spec.field(name).default for name in OF_SPEED if name in spec.by_name}
    return clip.mode, {**own, **reset, "speed": speed}, left


def _several(clip: Clip, mode: str, values: dict[str, Any]) -> dict[str, Any]:
    """The values with the variations of the clip; without them where what they differ in is gone."""
    varied = clip.values.get("vary") or {}
    names = (name for name in SEVERAL if name in clip.values)
    several = {name: clip.values[name] for name in names}
    changed = {name for name, value in values.items() if value != clip.values.get(name)}
    if any(name in changed or name not in MODES[mode].by_name for name in varied):
        several = {"variations": 1, "vary": ""}
    return {**values, **several}
