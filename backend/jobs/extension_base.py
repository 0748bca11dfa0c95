"""The request for a new part of a joined video, the parts before it, and the limits of its length and size.
Pure."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backend.errors import BadInput
from backend.jobs.job import Job
from backend.jobs.parts import LAST_FRAME, SVI, Part, total
from workflows.continuing import MODE
from workflows.modes.registry import MODES
from workflows.params.limits import EXTENDED_SECONDS_MAX, RANDOM_SEEDS, SECONDS_MIN
from workflows.params.sizes import FPS, SIZE_MAX, SIZE_MIN, SIZE_STEP, frames_for
from workflows.params.values import InvalidParam
from workflows.spec import RANDOM_SEED

AUTO: Final = "auto"
METHODS = (AUTO, SVI, LAST_FRAME)
SPEEDS = ("fast", "quality")
LENGTH_SLACK: Final = 1 / FPS + 0.01
"""Seconds: a clip has one frame more than its length says (5 s are 81 frames), so that 24 times 5 s fit."""


@dataclass(frozen=True)
class Request:
    """What a new part is asked for. `prompt` "": that of the part before. `method`: one of METHODS; `speed`:
    one of SPEEDS."""

    prompt: str = ""
    seconds: float = 5.0
    frame: int = -1
    end_image: Path | None = None
    method: str = AUTO
    speed: str = "fast"
    seed: int = RANDOM_SEED

    def of(self, job_id: str) -> tuple[Any, ...]:
        """What distinguishes two requests to extend videos. A seed that is drawn is another one each time, so
        the one that was asked for counts."""
        end = str(self.end_image or "")
        rest = (self.method, self.speed, self.seed)
        return ("extend", job_id, self.prompt, self.seconds, self.frame, end, *rest)


@dataclass(frozen=True)
class Base:
    """What a part is drawn after: the parts that stay before it, with their files. `job`: the one that is
    extended, with the facts of the joined video; it has no files while it is not finished."""

    job: Job
    parts: tuple[Part, ...]
    files: tuple[Path, ...]

    @property
    def waits(self) -> bool:
        """Whether it is a clip that is not finished."""
        return bool(self.parts) and not self.files

    @property
    def seconds(self) -> float:
        return total(self.parts) / self.job.fps if self.job.fps else 0.0


def drawn_size(width: int, height: int) -> tuple[int, int]:
    """The size of a part for a clip of this size: multiples of 16 within the limits, in nearly its shape."""
    scale = min(1.0, SIZE_MAX / max(width, height, 1))
    sides = (max(SIZE_MIN, round(side * scale / SIZE_STEP) * SIZE_STEP) for side in (width, height))
    wide, high = (min(SIZE_MAX, side) for side in sides)
    return wide, high


def length_after(base: Base, seconds: Any) -> float:
    """Seconds of the joined video. Raises BadInput with the field for a length that cannot be."""
    try:
        wanted = MODES[MODE].field("seconds").check(seconds)
    except InvalidParam as error:
        raise BadInput.of("param_refused", said=error.message, advice=error.hint, field="seconds") from error
    after = base.seconds + (frames_for(wanted) - 1) / FPS
    check_total(base, after)
    return after


def check_total(base: Base, after: float) -> None:
    """Raises BadInput for a joined video of more seconds than are possible."""
    left = EXTENDED_SECONDS_MAX + LENGTH_SLACK - base.seconds
    if after <= EXTENDED_SECONDS_MAX + LENGTH_SLACK:
        return
    longest = EXTENDED_SECONDS_MAX
    if left < SECONDS_MIN:
        raise BadInput.of("extend_full", length=base.seconds, longest=longest, field="seconds")
    raise BadInput.of(
        "extend_too_long", length=after, longest=longest, left=int(left * 4) / 4, field="seconds"
    )


def seed_for(seed: Any, parts: Sequence[Part]) -> Any:
    """The seed of a new part: a drawn one that no part has yet, or the given one, which is checked later."""
    if seed not in (RANDOM_SEED, None):
        return seed
    taken = {part.seed for part in parts}
    while (drawn := secrets.randbelow(RANDOM_SEEDS)) in taken:
        pass
    return drawn


def whole_number(value: Any) -> int | None:
    """A whole number that may have come as a float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        return None
    return int(value)
