"""What the page's poll reads of a job's progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from backend.events import STAGES
from backend.jobs.job import Status
from workflows.graph.label import StageName
from workflows.notice import Notice

__all__ = ["STAGES", "Snapshot"]


@dataclass(frozen=True)
class Snapshot:
    """`version` grows with each visible change.

    `percent` 0 to 100, never decreases. `segments`: six of (stage, weight 0..1, done 0..1), weights sum to 1.
    `elapsed`: seconds of work, without waiting at the engine. `remaining`: seconds; None while nothing is
    known. `ahead`: our jobs before this one; `others`: jobs of other clients on that server.
    `preview_version` 0: there is no preview yet. `chunk` of `chunks`: what is drawn now, from 1; 0 for a job
    of one chunk. `activity`: the present stage where it differs from `stage` (else ""): in a job of several
    chunks it goes back and forth, `stage` does not. `chunk_range`: the first and the last chunk that it
    concerns, 0 where that is all of the job. `preparing`: the media of the next graph are cut. `waits`: what
    a queued job waits for besides its turn, in words in `text`. `part`: id of the child that is drawn now,
    whose preview and steps these are.
    """

    version: int = 0
    status: Status = "queued"
    stage: StageName = "wait"
    text: str = ""
    percent: float = 0.0
    segments: tuple[tuple[str, float, float], ...] = ()
    step: int = 0
    steps: int = 0
    elapsed: float = 0.0
    remaining: float | None = None
    ahead: int = 0
    others: int = 0
    preview_version: int = 0
    error: dict[str, Any] | None = None
    connected: bool = True
    chunk: int = 0
    chunks: int = 0
    preparing: bool = False
    waits: Notice | None = None
    activity: StageName | Literal[""] = ""
    chunk_range: tuple[int, int] = (0, 0)
    part: str = ""

    @property
    def doing(self) -> StageName:
        """The stage of what is done now."""
        return self.stage if not self.activity or self.stage == "done" else self.activity
