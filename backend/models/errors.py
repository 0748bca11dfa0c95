"""Errors of model files."""

from __future__ import annotations

import errno

from backend.error_texts.hints import HINTS
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


def store_error(error: OSError, what: str, kept: str = "") -> StudioError:
    """Converts an OSError on a model file: to NoRoom for a full disk, else to ModelStoreError.

    `what`: the file or folder as shown to users; `kept`: what remains when the disk is full, for the hint.
    """
    if error.errno in FULL:
        hint = f"{kept} {HINTS[NoRoom.code]}".strip()
        return NoRoom(f"The disk became full while {what} was written.", hint, detail=str(error))
    return ModelStoreError(f"{what} cannot be used: {error.strerror or error}.", detail=str(error))
