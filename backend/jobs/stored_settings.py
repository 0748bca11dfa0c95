"""Reads settings that a recipe or a preset stores."""

from __future__ import annotations

from collections.abc import Collection

from backend.errors import BadInput
from workflows.modes.settings_json import Settings, UnreadableSettings, read


def stored_settings(data: object, media: Collection[str] = (), field: str = "") -> Settings:
    """The settings in a JSON object that settings_json.to_json wrote. `media`: the parameters for which there
    are files; `field`: the parameter that an error names. Raises BadInput."""
    try:
        return read(data, media)
    except UnreadableSettings as error:
        if error.reason == "later":
            raise BadInput.of("settings_later", field=field) from error
        if error.reason == "mode":
            raise BadInput.of("settings_mode", mode=error.name, field=field) from error
        raise BadInput.of("settings_malformed", field=field) from error
