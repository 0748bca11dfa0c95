"""The parts of a joined video: a clip, and what was drawn after it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal, get_args

from backend.jobs.layout import PARTS
from backend.media.facts import Seam

Route = Literal["clip", "last_frame", "svi"]
"""How a part begins: it is the first clip; it goes on from a frame, or from latents of several (SVI Pro)."""
CLIP: Final = "clip"
LAST_FRAME: Final = "last_frame"
SVI: Final = "svi"


@dataclass(frozen=True)
class Part:
    """`job`: id of the job that drew it. `file`: its video in the folder of the joined one, "" until it is
    drawn. `first`: the first frame of the file that is used; those before show the last ones of the part
    before again. `frames`: of the joined video. `stale`: the part that it was drawn after has been replaced.
    `seam`: between the part before and this one.

    What it was asked for: `prompt`, `seed`, `seconds`, `speed`, `method`; `end`: its end picture, as `file`;
    `settings`: the other parameters of its job, None for a clip and for a part of an earlier version.
    """

    job: str
    file: str
    frames: int
    first: int = 0
    route: Route = CLIP
    seed: int = 0
    prompt: str = ""
    stale: bool = False
    seam: Seam | None = None
    seconds: float = 0.0
    speed: str = ""
    method: str = ""
    end: str = ""
    settings: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Part:
        """A stored part; what an earlier version did not store has its default. Raises ValueError."""
        known = {field.name: field for field in fields(cls)}
        values = {name: value for name, value in item.items() if name in known and name != "seam"}
        seam = item.get("seam")
        try:
            part = cls(**values, seam=Seam(**seam) if isinstance(seam, Mapping) else None)
        except TypeError as error:
            raise ValueError(f"not a part: {item!r:.60}") from error
        whole = (part.frames, part.first, part.seed)
        texts = (part.job, part.file, part.prompt, part.speed, part.method, part.end)
        if part.route not in get_args(Route) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"not a part: {item!r:.60}")
        if not all(isinstance(number, int) and number >= 0 for number in whole):
            raise ValueError(f"not a part: {item!r:.60}")
        if not (part.settings is None or isinstance(part.settings, Mapping)):
            raise ValueError(f"not a part: {item!r:.60}")
        return part


END, GRAPH = "-end", "-graph"
"""What follows the name of a part's file in those of its end picture and of the graph that drew it."""


def file_of(number: int) -> str:
    """Where the folder of a joined video has the file of its part `number`, from 1."""
    return f"{PARTS}/{number}"


def end_of(number: int) -> str:
    """Where it has the end picture of the part."""
    return file_of(number) + END


def total(parts: Sequence[Part]) -> int:
    """Frames of all parts together."""
    return sum(part.frames for part in parts)


def starts(parts: Sequence[Part]) -> list[int]:
    """The first frame of each part in the joined video."""
    found, at = [], 0
    for part in parts:
        found.append(at)
        at += part.frames
    return found


def up_to(parts: Sequence[Part], frame: int) -> tuple[Part, ...]:
    """The parts without the frames after `frame` of the joined video; -1: all of them."""
    if frame < 0:
        return tuple(parts)
    kept: list[Part] = []
    left = frame + 1
    for part in parts:
        if left <= 0:
            break
        kept.append(replace(part, frames=min(part.frames, left)))
        left -= part.frames
    return tuple(kept)


def frame_in_file(part: Part, own_rate: float, rate: float, frames: int) -> int:
    """The frame of a part's file that is the last one used of it. `own_rate`: of the file, with `frames`
    frames; `rate`: of the joined video."""
    steps = (part.frames - 1) * own_rate / rate if rate else part.frames - 1
    return min(max(0, frames - 1), part.first + int(steps + 0.5))


def frames_made(in_file: int, first: int, own_rate: float, rate: float) -> int:
    """The frames of the joined video that a file of `in_file` frames gives from its frame `first` on."""
    used = max(0, in_file - first)
    return round(used * rate / own_rate) if own_rate and rate else used
