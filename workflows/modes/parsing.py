"""The parameters of a mode from typed values (of an API client) or from texts (of a command line).

Media are measured before: the caller hands over a Media for each file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from workflows.modes.registry import mode
from workflows.params.field import Field
from workflows.params.media import Media
from workflows.params.values import InvalidParam, shown
from workflows.spec import ModeParams


def params_from_values(name: str, values: Mapping[str, Any], media: Mapping[str, Media]) -> ModeParams:
    """The parameters of a mode from typed values and measured media.

    Raises InvalidParam for an unknown mode or parameter, a missing value, and one out of bounds.
    """
    spec = mode(name)
    for key in values:
        _known(name, key)
    given: dict[str, Any] = {key: value for key, value in values.items() if key not in spec.files}
    given.update({key: value for key, value in media.items() if key in spec.files})
    if "seed" not in given:
        raise InvalidParam("seed", "The seed is missing.", "Give a seed.")
    for key, field in spec.files.items():
        if field.required:
            given.setdefault(key, None)  # refused with the sentence for what is missing
    return spec.params(**given)


def params_from_text(name: str, values: Mapping[str, str], media: Media | Mapping[str, Media]) -> ModeParams:
    """The parameters of a mode from texts: {"image": "photo.png", "seconds": "5"}.

    `media` is what was measured: one Media for every file, or parameter -> Media. The graph names a file as
    it was written, or by its last part when that leads out of the engine's input folder.
    Raises InvalidParam as params_from_values does, and for text that is no number or switch. The seed must
    be 0 or more here: the caller draws one for -1, and when none is given.
    """
    typed: dict[str, Any] = {}
    found: dict[str, Media] = {}
    for key, text in values.items():
        spec = _known(name, key)
        if isinstance(spec, Field):
            typed[key] = spec.parse(text)
        elif text:
            known = media if isinstance(media, Media) else media.get(key, Media(text))
            found[key] = replace(known, name=_engine_name(text))
    return params_from_values(name, typed, found)


def _known(name: str, key: str) -> Any:
    """The specification of a parameter. Raises InvalidParam."""
    known = mode(name).by_name
    if key not in known:
        raise InvalidParam(key, f"There is no setting {shown(key)}.", f"Known: {', '.join(known)}.")
    return known[key]


def _engine_name(text: str) -> str:
    path = PurePath(text)
    return path.name if path.is_absolute() or ".." in path.parts else path.as_posix()
