"""Replies about the parts of a joined video inside the child process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import accumulate
from typing import Any

from backend.media import excerpt, extension, seam

OPERATIONS = frozenset({"last_frames", "extension", "with_sound"})
_JOINED = 0.85
"""Share of the work of joining; measuring the seams in the written file takes the rest."""


def reply(
    op: str, path: str, name: str, request: dict[str, Any], progress: Callable[[float], None]
) -> dict[str, Any]:
    """The reply to one of OPERATIONS. Raises BadMedia."""
    if op == "extension":
        pieces = [extension.Piece(*piece) for piece in request["pieces"]]
        width, height, counts, fps = extension.join(
            pieces, request["out"], name, lambda share: progress(_JOINED * share)
        )
        begins = list(accumulate(counts))[:-1]
        found = seam.seams(
            request["out"], name, begins, lambda share: progress(_JOINED + (1 - _JOINED) * share)
        )
        clip = {"width": width, "height": height, "frames": sum(counts), "fps": fps}
        return {**clip, "counts": counts, "seams": [asdict(one) for one in found]}
    if op == "last_frames":
        wide, high = request["size"]
        bounds = (request["frame"], request["count"], (wide, high))
        width, height, frames, fps = excerpt.last_frames(path, request["out"], name, *bounds, progress)
    else:
        sound = (request["sound"], request["seconds"])
        width, height, frames, fps = extension.with_sound(path, request["out"], name, *sound, progress)
    return {"width": width, "height": height, "frames": frames, "fps": fps}
