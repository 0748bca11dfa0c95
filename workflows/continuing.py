"""The settings of a clip that a part drawn after it has too. Pure.

A part is drawn by Image-to-Video. It takes over what that has in common with the clip's mode, by the
specifications of both: a setting of the same name, where it means the same there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from workflows.finals import OF_SPEED, SEVERAL, Clip
from workflows.modes.registry import MODES
from workflows.params.media import Media
from workflows.params.values import InvalidParam
from workflows.repetition import FREE, for_final
from workflows.resolved import Resolved
from workflows.spec import Field, ModeSpec

MODE: Final = "image_to_video"
"""The mode that draws parts."""
OWN = FREE | {"speed", "fit", "loop"}
"""Settings that a part has of its own: it is asked for them, begins with a frame of its own size, and leads
into no first picture."""
VARIANT = "variant"
STAND_INS = {
    "picture": Media("picture", 832, 480),
    "sound": Media("sound", seconds=5.0),
    "video": Media("video", 832, 480, 80, 16.0, 5.0),
}
"""Media with which the figures of a mode are looked up."""


@dataclass(frozen=True)
class Carried:
    """`values`: what the part takes over; `of_speed`: settings that were given for the clip's speed, which is
    not that of the part; `of_mode`: settings that mean something else in the clip's mode."""

    values: Mapping[str, Any]
    of_speed: tuple[str, ...] = ()
    of_mode: tuple[str, ...] = ()


def carried(mode: str, values: Mapping[str, Any], speed: str) -> Carried:
    """What a part at this speed takes over from a clip of a mode with these values. A value that is the
    default is left out."""
    if mode not in MODES:  # of a later version
        return Carried({})
    spec, part = MODES[mode], MODES[MODE]
    of_clip = Clip(mode, values).speed
    given = {name: value for name, value in values.items() if name not in SEVERAL}
    of_mode: list[str] = []
    if spec.always_fast and spec.in_quality is not None:
        target, change = spec.in_quality(given)
        given = {**change, **given} if target == MODE else given
        variant = given.get(VARIANT)
        if variant and change.get("motion") != variant:
            of_mode.append(VARIANT)
    found: dict[str, Any] = {}
    of_speed: list[str] = []
    for field in part.fields:
        value = given.get(field.name)
        if field.name in OWN or not _by_hand(field, value):
            continue
        is_figure = field.name in OF_SPEED
        if is_figure and of_clip != speed:
            of_speed.append(field.name)
        elif _same_figure(field.name, spec, given, speed) if is_figure else _means_the_same(field, spec):
            found[field.name] = value
        else:
            of_mode.append(field.name)
    return Carried(found, tuple(of_speed), tuple(of_mode))


def kept_of(mode: str, values: Mapping[str, Any], stored: Mapping[str, Any], speed: str) -> Resolved | None:
    """The `stored` Resolved of a clip, as far as it holds for a part at this speed, so that the part is drawn
    with the clip's model files; None for a clip of another model, or where nothing is known."""
    if mode not in MODES or _model(MODES[mode]) != _model(MODES[MODE]):
        return None
    own_distillation = VARIANT in carried(mode, values, speed).of_mode
    found = for_final(stored, True, Clip(mode, values).speed != speed or own_distillation)
    if found is None:
        return None
    names = MODES[MODE].by_name
    return replace(found, values={name: value for name, value in found.values.items() if name in names})


def _by_hand(field: Field, value: Any) -> bool:
    """Whether a value was given and is not the default; 0 stands for the mode's own figure."""
    if value is None or value == field.default:
        return False
    return bool(value) if field.zero or field.kind == "loras" else True


def _means_the_same(field: Field, spec: ModeSpec) -> bool:
    """Whether a mode has the same field: LoRAs for the same model, a choice between the same values, any
    other one of the same kind. One that it lacks comes from its `in_quality`, and is that of the part."""
    other = spec.by_name.get(field.name)
    if other is None:
        return True
    if not isinstance(other, Field) or other.kind != field.kind:
        return False
    if field.kind == "loras":
        return _model(spec) == _model(MODES[MODE])
    return set(other.values) == set(field.values) if field.kind == "choice" else True


def _same_figure(name: str, spec: ModeSpec, values: Mapping[str, Any], speed: str) -> bool:
    """Whether the clip's mode and that of the part have the same figure of their own at this speed: only then
    does another one change the picture alike in both."""
    own, part = (_figures(each, values, speed) for each in (spec, MODES[MODE]))
    return name in own and own.get(name) == part.get(name)


def _figures(spec: ModeSpec, values: Mapping[str, Any], speed: str) -> Mapping[str, float]:
    """The steps, cfg and shift of a mode itself with these choices; {} where they cannot be looked up."""
    if spec.name == MODE:
        values = {}
    choices = {name: values[name] for name in spec.choices if name in values}
    media = {name: STAND_INS[field.kind] for name, field in spec.media.items() if field.required}
    try:
        return spec.own(spec.params(**media, **{**choices, "speed": speed, "prompt": "-", "seed": 0}))
    except (InvalidParam, TypeError):
        return {}


def _model(spec: ModeSpec) -> frozenset[str]:
    """The kinds of model that a mode draws with."""
    return frozenset(target.kind for target in spec.lora_targets)
