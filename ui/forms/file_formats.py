"""What the page's script knows of files: their signatures, and the list of a phone's file dialog."""

from __future__ import annotations

from typing import Any

from backend.media.format_names import accept
from backend.media.formats import CONTAINERS


def for_script() -> dict[str, Any]:
    """`signatures`: [{holds, magic}], where magic is alternatives of [offset, text of bytes]; `accept`: kind
    of field -> list of a file dialog."""
    signatures = [
        {
            "holds": container.holds,
            "magic": [
                [[offset, mark.decode("latin-1")] for offset, mark in alternative]
                for alternative in container.magic
            ],
        }
        for container in CONTAINERS
        if container.magic
    ]
    return {
        "signatures": signatures,
        "accept": {kind: accept(kind) for kind in ("picture", "sound", "video")},
    }
