"""A parent and its children as they are submitted together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.jobs.job import QUEUED, VARIATIONS, Job, PartResult, ResultOf
from backend.media.grid import size
from workflows.modes.registry import makes_still

BYTES_PER_PIXEL = 0.1
"""Of a frame of a contact sheet in H.264 at crf 18, an upper figure; a picture takes 3."""
PARTS_MOST = 100
"""Most children of one family: more than a queue of this length can take."""


@dataclass(frozen=True)
class Part:
    """A child as it is submitted: as Submission. `files` may name results of earlier parts too."""

    mode: str
    values: Mapping[str, Any]
    files: Mapping[str, Path | ResultOf | PartResult | None] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """A parent with children of any modes, which may start from each other's results. `assembly`: what is
    made of the children; `params`: of the parent, beside those of its first child; `unlimited`, `source`: as
    in Submission."""

    owner: str
    assembly: str
    parts: Sequence[Part]
    params: Mapping[str, Any] = field(default_factory=dict)
    unlimited: bool = False
    source: str = ""


def family(
    parent_id: str,
    children: Sequence[Job],
    vary: Mapping[str, Sequence[Any]],
    assembly: str = VARIATIONS,
    params: Mapping[str, Any] = {},
    source: str = "",
) -> tuple[Job, list[Job]]:
    """The parent, and the children with their place in it.

    The parent has the first child's parameters and files, with the number of variations and what differs,
    so that all of it can be made again. `assembly`, `params`, `source`: as in Family."""
    first = children[0]
    if assembly == VARIATIONS:
        width, height = size(len(children), first.width, first.height)
        frames, own = max(child.frames for child in children), {"variations": len(children)}
    else:
        width, height, own = first.width, first.height, {}
        frames = sum(child.frames for child in children)
    more: dict[str, Any] = {"vary": {name: list(values) for name, values in vary.items()}} if vary else {}
    parent = replace(
        first, id=parent_id, params={**first.params, **own, **more, **params}, assembly=assembly, width=width,
        height=height, frames=frames, warnings=(), segments_done=0, source=source or first.source,
        status=QUEUED, finished=None, size=0,
    )  # fmt: skip
    placed = [replace(child, parent=parent_id, role=str(number)) for number, child in enumerate(children, 1)]
    return parent, placed


def assembly_bytes(parent: Job, children: Sequence[Job]) -> int:
    """An upper estimate of the bytes of the parent's result, twice while its sound is added."""
    if makes_still(parent.mode):
        return 3 * parent.width * parent.height
    return round(2 * BYTES_PER_PIXEL * parent.width * parent.height * parent.frames)
