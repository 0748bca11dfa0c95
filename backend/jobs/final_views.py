"""Finals as frozen data for the page and the API."""

from __future__ import annotations

from dataclasses import dataclass

from backend.jobs.views import Estimate, JobView
from workflows.notice import Notice


@dataclass(frozen=True)
class FinalPlan:
    """What a final of a clip would be. `before`, `size`: width and height in pixels, of the clip and of the
    final; `count`: how many videos it makes, more than one for a set of variations; `left`: settings of the
    clip's speed that it does not take over; `notes`: further remarks; `obstacle`: why it cannot be made now;
    `reduced`: width and height of the stored copy that it starts from, where the original picture is no
    longer kept; `same_noise`: it starts from the same noise."""

    resolution: str
    speed: str
    mode: str
    before: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)
    speed_before: str = ""
    steps: int = 0
    count: int = 1
    left: tuple[str, ...] = ()
    estimate: Estimate | None = None
    notes: tuple[Notice, ...] = ()
    obstacle: Notice | None = None
    reduced: tuple[int, int] | None = None

    @property
    def resized(self) -> bool:
        """Whether the size differs, and the noise with it."""
        return self.size != self.before


@dataclass(frozen=True)
class Relations:
    """The relations of a clip to others of its owner: the clip that it continues or is the final of, and its
    own finals, finished or not, newest first."""

    origin: JobView | None = None
    finals: tuple[JobView, ...] = ()
