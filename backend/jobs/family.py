"""A parent and its children as they are submitted together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from backend.jobs.job import VARIATIONS, Job
from backend.media.grid import size
from workflows.modes.registry import makes_still

BYTES_PER_PIXEL = 0.1
"""Of a frame of a contact sheet in H.264 at crf 18, an upper figure; a picture takes 3."""


def family(
    parent_id: str, children: Sequence[Job], vary: Mapping[str, Sequence[Any]]
) -> tuple[Job, list[Job]]:
    """The parent of variations, and the children with their place in it.

    The parent has the first child's parameters and files, with the number of variations and what differs,
    so that all of it can be made again."""
    first = children[0]
    width, height = size(len(children), first.width, first.height)
    params = {**first.params, "variations": len(children)}
    if vary:
        params["vary"] = {name: list(values) for name, values in vary.items()}
    parent = replace(
        first, id=parent_id, params=params, assembly=VARIATIONS, width=width, height=height,
        frames=max(child.frames for child in children), warnings=(), segments_done=0,
    )  # fmt: skip
    placed = [replace(child, parent=parent_id, role=str(number)) for number, child in enumerate(children, 1)]
    return parent, placed


def sheet_bytes(children: Sequence[Job]) -> int:
    """An upper estimate of the bytes of the children's contact sheet, twice while its sound is added."""
    first = children[0]
    width, height = size(len(children), first.width, first.height)
    if makes_still(first.mode):
        return 3 * width * height
    return round(2 * BYTES_PER_PIXEL * width * height * max(child.frames for child in children))
