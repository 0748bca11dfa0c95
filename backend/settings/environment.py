"""Adds the file `.env` to the environment and finds misspelled names in both."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

from backend.settings import names
from backend.settings.env_file import fill, read_env_file, repeated
from backend.settings.model import VARIABLES
from workflows.notice import Notice, notice


def load_environment(here: Path, environ: MutableMapping[str, str] = os.environ) -> list[Notice]:
    """Adds the variables of `.env` in this folder that the environment does not set, or sets to nothing.

    Returns warnings: names that look like settings and are none. Raises BadSettings.
    """
    file = here / ".env"
    names.check_environment(environ, VARIABLES)
    values = read_env_file(file)
    warnings = [notice("setting_repeated", path=str(file), name=names.shown(name)) for name in repeated(file)]
    warnings += [
        notice("setting_unknown_in_file", path=str(file), name=names.shown(name), nearest=nearest)
        for name, nearest in names.unknown(values, VARIABLES)
    ]
    warnings += [
        notice("setting_unknown", name=names.shown(name), nearest=nearest)
        for name, nearest in names.unknown(sorted(environ), VARIABLES)
    ]
    fill(environ, values)
    return warnings
