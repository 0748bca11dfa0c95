"""How long the units of a job take: measured in this job, else in earlier ones, else assumed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from backend.jobs.outline import Outline, Unit

DEFAULT_SECONDS: dict[str, float] = {"load": 20.0, "read": 6.0, "draw": 60.0, "finish": 10.0, "save": 4.0}
"""Assumed relations of the stages; their sum says nothing."""
LEAST = 0.001  # seconds; no unit takes none


@dataclass
class Costs:
    """`expected`: seconds per stage of the whole job, of earlier jobs alike; empty means unknown."""

    outline: Outline = field(default_factory=Outline.by_stage)
    expected: Mapping[str, float] = field(default_factory=dict)
    _measured: dict[str, list[float]] = field(default_factory=dict)  # kind -> seconds by size
    _paces: list[float] = field(default_factory=list)  # seconds of a step
    _first_paces: list[float] = field(
        default_factory=list
    )  # of a sampler's first step, which loads its model

    def measured(self, unit: Unit, seconds: float) -> None:
        """A unit took this long."""
        if not unit.steps:
            self._measured.setdefault(unit.kind, []).append(seconds / unit.size)

    def step_took(self, seconds: float, *, first: bool) -> None:
        """A sampling step took this long. `first`: of its sampler."""
        (self._first_paces if first else self._paces).append(seconds)

    def forget_paces(self) -> None:
        """The steps are drawn again, perhaps on another engine."""
        self._paces.clear()
        self._first_paces.clear()

    @property
    def loading(self) -> float:
        """Seconds of first steps that went into loading a model."""
        if not self._paces:
            return 0.0
        return sum(took - self.pace for took in self._first_paces if took > 1.5 * self.pace)

    @property
    def known(self) -> bool:
        """Whether anything was measured that time left can be based on."""
        return bool(self.expected or self._paces or self._first_paces)

    @property
    def pace(self) -> float:
        """Seconds of one sampling step."""
        if self._paces:
            return max(LEAST, median(self._paces))
        if self.expected.get("draw"):
            return max(LEAST, self.expected["draw"] / self._steps)
        if self._first_paces:
            return max(LEAST, min(self._first_paces))
        return DEFAULT_SECONDS["draw"] / self._steps

    @property
    def _steps(self) -> int:
        return max(1, self.outline.steps)

    def stage(self, stage: str) -> float:
        """Expected seconds of a stage in the whole job."""
        if stage == "draw":
            return self.pace * self._steps
        if self.expected.get(stage):
            return float(self.expected[stage])
        if self.expected and "draw" in self.expected and stage in self.expected:
            return LEAST
        return DEFAULT_SECONDS[stage] * self.pace * self._steps / DEFAULT_SECONDS["draw"]

    def unit(self, unit: Unit) -> float:
        """Expected seconds of a unit."""
        if unit.steps:
            return self.pace * unit.steps
        if unit.stage == "draw":
            return self.stage("draw")
        took = self._measured.get(unit.kind)
        if took:
            return max(LEAST, median(took[-3:]) * unit.size)
        return max(LEAST, self.stage(unit.stage) * unit.weight / self._weights()[unit.stage])

    def _weights(self) -> dict[str, float]:
        """Stage -> sum of the weights of its units."""
        found: dict[str, float] = {}
        for unit in self.outline.units:
            found[unit.stage] = found.get(unit.stage, 0.0) + unit.weight
        return found
