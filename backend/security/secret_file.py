"""Secrets in the data folder: created once, readable only by this user."""

from __future__ import annotations

import os
from pathlib import Path

from backend.errors import from_os_error


def load(path: Path, new: bytes) -> bytes:
    """The content of the file if it is as long as `new`; else writes `new` there (mode 600) and returns it.

    A file of one repeated byte, which a file system may leave after a crash, is replaced: anyone could guess
    it. Raises StudioError.
    """
    try:
        if path.is_file() and path.stat().st_size == len(new):
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
            found = path.read_bytes()
            if len(set(found)) > 1:
                return found
        part = path.with_name(path.name + ".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        return new
    except OSError as error:
        raise from_os_error(error, "data_folder_unwritable", folder=str(path.parent)) from error
