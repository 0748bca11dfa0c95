"""Extending a clip in a studio without engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.jobs.views import ExtendPlan, JobView


class FakeExtensions:
    """Part of FakeStudio: a longer clip has the settings of the clip."""

    runs: dict[str, Any]

    def job(self, id: str, key: str, owner: str = "") -> JobView:
        """Same signature as Studio's."""
        raise NotImplementedError

    def add(self, mode: str, values: dict[str, Any], image: Any) -> JobView:
        """A new job."""
        raise NotImplementedError

    def extend(
        self, owner: str, id: str, key: str, *, prompt: str = "", seconds: float = 5.0, frame: int = -1,
        end_image: Path | None = None, method: str = "auto", speed: str = "fast", seed: int = -1,
        user: str = "",
    ) -> JobView:  # fmt: skip
        return self._longer(id, key)

    def reroll(
        self, owner: str, id: str, key: str, part: int, *, prompt: str | None = None, seed: int = -1,
        user: str = "",
    ) -> JobView:  # fmt: skip
        return self._longer(id, key)

    def _longer(self, id: str, key: str) -> JobView:
        job = self.job(id, key)
        return self.add(job.mode, dict(job.params), self.runs[id].image)

    def extend_plan(
        self, owner: str, id: str, key: str, *, frame: int = -1, method: str = "auto", seconds: float = 5.0,
        speed: str = "fast",
    ) -> ExtendPlan:  # fmt: skip
        before = self.job(id, key).seconds
        return ExtendPlan("last_frame", None, (), before, before + seconds)

    def reroll_plan(self, owner: str, id: str, key: str, part: int) -> ExtendPlan:
        return ExtendPlan("last_frame")
