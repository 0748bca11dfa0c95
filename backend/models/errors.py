"""What can go wrong with model files."""

from __future__ import annotations

import errno

from backend.errors import DiskFull, StudioError


class NoRoom(DiskFull):
    """The files do not fit; nothing was written."""

    code = "no_room"
    default_hint = "Free some space, or set WAN_MODELS_DIR to a folder on a larger disk."


class ModelStoreError(StudioError):
    """The model store, or a file in it, cannot be read or written."""

    code = "model_store"
    default_hint = "Check the folder's permissions, or set WAN_MODELS_DIR to another folder."


class ModelDownloadFailed(StudioError):
    """The download stopped; what has arrived is kept."""

    code = "model_download_failed"
    default_hint = "Run the same command again: it goes on where it stopped."


class ModelNotOffered(StudioError):
    """The server does not have the file, or not for us."""

    code = "model_not_offered"


class ModelMismatch(StudioError):
    """What was fetched, or is offered, is not the published file."""

    code = "model_mismatch"


class MigrateRefused(StudioError):
    """These two folders cannot be merged."""

    code = "migrate_refused"


FULL = (errno.ENOSPC, errno.EDQUOT)
"""A full disk and a used-up quota: network volumes report either."""


def store_error(error: OSError, what: str, kept: str = "") -> StudioError:
    """What a person reads of an OSError at a model file: NoRoom for a full disk, else ModelStoreError.

    `what`: the file or folder as it is to be shown; `kept`: a hint of what remains when the disk is full.
    """
    if error.errno in FULL:
        hint = f"{kept} {NoRoom.default_hint}".strip()
        return NoRoom(f"The disk became full while {what} was written.", hint, detail=str(error))
    return ModelStoreError(f"{what} cannot be used: {error.strerror or error}.", detail=str(error))
