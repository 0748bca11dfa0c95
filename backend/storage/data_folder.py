"""The data folder at the start of a studio."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from backend.errors import BadSettings


def prepare(data_dir: Path, jobs_dir: Path) -> None:
    """Creates the folders and checks that files can be written there. Raises BadSettings with the reason."""
    try:
        jobs_dir.mkdir(parents=True, exist_ok=True)
        for folder in (data_dir, jobs_dir):
            if not os.access(folder, os.W_OK | os.X_OK):
                tempfile.TemporaryFile(dir=folder).close()  # its error has the reason
    except OSError as error:
        raise _refusal(error, data_dir) from error


def _refusal(error: OSError, data_dir: Path) -> BadSettings:
    folder, reason = str(data_dir), error.strerror or str(error)
    if error.errno == errno.EROFS:
        return BadSettings.of("data_folder_mounted_read_only", folder=folder, reason=reason)
    existing = next((one for one in (data_dir, *data_dir.parents) if os.path.lexists(one)), None)
    if error.errno in (errno.EACCES, errno.EPERM) and existing is not None:
        return BadSettings.of(
            "data_folder_of_other_user", folder=folder, reason=reason, user=str(os.getuid()),
            place=str(existing), owner=str(existing.lstat().st_uid),
        )  # fmt: skip
    return BadSettings.of("data_folder_read_only", folder=folder, reason=reason)
