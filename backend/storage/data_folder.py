"""The data folder at the start of a studio."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from backend.errors import BadSettings


def prepare(data_dir: Path, jobs_dir: Path) -> None:
    """Creates the folders and checks that files can be written there. Raises BadSettings with the reason."""
    try:
        jobs_dir.mkdir(parents=True, exist_ok=True)
        if not os.access(data_dir, os.W_OK):
            tempfile.TemporaryFile(dir=data_dir).close()  # its error has the reason
    except OSError as error:
        raise BadSettings.of(
            "data_folder_read_only", folder=str(data_dir), reason=error.strerror or str(error)
        ) from error
