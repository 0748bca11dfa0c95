"""Adds the file `.env` to the environment and finds misspelled names in both."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

from backend.settings import names
from backend.settings.env_file import fill, read_env_file, repeated
from backend.settings.model import VARIABLES


def load_environment(here: Path, environ: MutableMapping[str, str] = os.environ) -> list[str]:
    """Adds the variables of `.env` in this folder that the environment does not set, or sets to nothing.

    Returns warnings: names that look like settings and are none. Raises BadSettings.
    """
    file = here / ".env"
    names.check_environment(environ, VARIABLES)
    values = read_env_file(file)
    warnings = [
        f"{file} sets {names.shown(name)} more than once; the last line counts." for name in repeated(file)
    ]
    for where, found in ((str(file), values), ("The environment", sorted(environ))):
        warnings += [
            f"{where} sets {names.shown(name)}, which is not a setting. Did you mean {nearest}?"
            for name, nearest in names.unknown(found, VARIABLES)
        ]
    fill(environ, values)
    return warnings
