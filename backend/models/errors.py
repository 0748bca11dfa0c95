"""Errors of model files."""

from __future__ import annotations

import errno
from pathlib import Path

from backend.errors import DiskFull, StudioError


class NoRoom(DiskFull):
    """The files do not fit; nothing was written."""

    code = "no_room"


class ModelStoreError(StudioError):
    """The model store, or a file in it, cannot be read or written."""

    code = "model_store"


class ModelDownloadFailed(StudioError):
    """The download stopped; the bytes received so far are kept."""

    code = "model_download_failed"


class ModelDownloadCancelled(StudioError):
    """The download was cancelled; the bytes received so far are kept."""

    code = "model_download_cancelled"


class ModelNotOffered(StudioError):
    """The server does not have the file, or denies access to it."""

    code = "model_not_offered"


class ModelMismatch(StudioError):
    """The downloaded or offered file is not the published one."""

    code = "model_mismatch"


class MigrateRefused(StudioError):
    """These two folders cannot be merged."""

    code = "migrate_refused"


FULL = (errno.ENOSPC, errno.EDQUOT)
"""Disk full and quota exceeded: network volumes report either."""


def store_error(error: OSError, path: Path, full: str = "store_full") -> StudioError:
    """Converts an OSError on a model file or folder: for a full disk to NoRoom with the reason `full`, else
    to ModelStoreError."""
    if error.errno in FULL:
        return NoRoom.of(full, path=str(path), detail=str(error))
    return ModelStoreError.of(
        "store_path_unusable", path=str(path), reason=error.strerror or str(error), detail=str(error)
    )
