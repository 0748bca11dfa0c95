"""Values written as text, as in `app.py compile MODE key=value ...`, into the params of a mode.

Keys are the fields of the mode. The caller takes out media_width=, media_height= and media_seconds= first
(what is known of a media file that is not there to be measured), and hands over the measured Media.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import PurePath
from typing import Any

from workflows.modes.registry import MEDIA, MODES, Media, Params
from workflows.params.values import InvalidParam, shown

MEDIA_FIELDS = tuple(dict.fromkeys(name for fields_of in MEDIA.values() for name in fields_of))
"""Every parameter of any mode that is a file."""
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_INT = re.compile(r"[+-]?\d{1,30}")
_FLOAT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def known_keys(mode: str) -> tuple[str, ...]:
    """The keys of a mode. Raises InvalidParam naming the known modes."""
    if mode not in MODES:
        raise InvalidParam("mode", f"There is no mode {shown(mode)}.", f"Known modes: {', '.join(MODES)}.")
    return tuple(entry.name for entry in fields(MODES[mode]))


def params_from_values(mode: str, values: Mapping[str, Any], media: Mapping[str, Media]) -> Params:
    """The params of a mode from typed values (as an API client sends them) and measured media.

    Raises InvalidParam: unknown mode or key (naming the known ones), missing value, value out of bounds.
    """
    keys = known_keys(mode)
    for key in values:
        if key not in keys:
            raise InvalidParam(key, f"There is no setting {shown(key)}.", f"Known: {', '.join(keys)}.")
    given: dict[str, Any] = {key: value for key, value in values.items() if key not in MEDIA_FIELDS}
    given.update({key: value for key, value in media.items() if key in keys})
    if "seed" not in given:
        raise InvalidParam("seed", "The seed is missing.", "Give a seed.")
    for name, (_, required) in MEDIA[mode].items():
        if required:
            given.setdefault(name, None)  # refused with the sentence for what is missing
    return MODES[mode](**given)


def params_from_text(mode: str, values: Mapping[str, str], media: Media | Mapping[str, Media]) -> Params:
    """The params of a mode from texts: {"image": "photo.png", "seconds": "5"}.

    `media` is what was measured: one Media for every media key, or key -> Media. The graph names a file as
    it was written, or by its last part when that leads out of the engine's input folder.
    Raises InvalidParam as params_from_values does, and for text that is no number or switch. The seed must
    be 0 or more here: the caller replaces -1 by a random one (so it does when none is given).
    """
    keys = known_keys(mode)
    typed: dict[str, Any] = {}
    found: dict[str, Media] = {}
    for key, text in values.items():
        if key not in keys:
            raise InvalidParam(key, f"There is no setting {shown(key)}.", f"Known: {', '.join(keys)}.")
        if key in MEDIA_FIELDS:
            if text:
                known = media if isinstance(media, Media) else media.get(key, Media(text))
                found[key] = replace(known, name=_engine_name(text))
        else:
            typed[key] = _parse(mode, key, text)
    return params_from_values(mode, typed, found)


def _parse(mode: str, key: str, text: str) -> Any:
    """The text as the type that the field has."""
    kind = str(MODES[mode].__dataclass_fields__[key].type)
    clean = text.strip()
    if kind == "int":
        if not _INT.fullmatch(clean):
            raise InvalidParam(key, f"{key} must be a whole number, not {shown(text)}.", f"Write {key}=1.")
        return int(clean)
    if kind == "float":
        if not _FLOAT.fullmatch(clean):
            raise InvalidParam(key, f"{key} must be a number, not {shown(text)}.", f"Write {key}=5.")
        return float(clean)
    if kind == "bool":
        if clean.lower() not in _YES + _NO:
            raise InvalidParam(key, f"{key} must be true or false, not {shown(text)}.", f"Write {key}=true.")
        return clean.lower() in _YES
    return text


def _engine_name(text: str) -> str:
    path = PurePath(text)
    return path.name if path.is_absolute() or ".." in path.parts else path.as_posix()
