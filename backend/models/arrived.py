"""How much of a model file an earlier download has left on the disk."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from backend.models import partial
from workflows.catalog import ModelFile

if TYPE_CHECKING:
    from backend.models.hub import Offer


def arrived(offer: Offer, store: Path) -> int:
    """Bytes of the offered file that are on disk already."""
    final = store / offer.file.folder / offer.file.name
    return max((length for length in _lengths(final, offer.tag) if length <= offer.size), default=0)


def arrived_of(file: ModelFile, store: Path) -> int:
    """The same where the hub was not asked: the longest part of any version of the file."""
    return max(_lengths(store / file.folder / file.name), default=0)


def _lengths(final: Path, tag: str = "") -> list[int]:
    found = []
    for part in partial.parts(final, tag):
        with contextlib.suppress(OSError):  # claimed by another process
            if not partial.busy(part):
                found.append(part.stat().st_size)
    return found
