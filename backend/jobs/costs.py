"""How long the units of a job take: measured in this job, else in earlier ones, else assumed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from backend.jobs.outline import Outline, Unit

ASSUMED: dict[str, float] = {"load": 2.0, "read": 0.5, "finish": 0.7, "save": 0.3}
"""What a stage takes compared with one evaluation of the model, while nothing is measured; all but loading
for each chunk. The WAN guide's table (backend/cli/bench_table.py) has 15 s for 4 evaluations, 60 s for 8 and
300 s for 40 of one size: on a GPU all but drawing takes a few evaluations, whatever their number."""
GUESS = 1.5  # seconds of an evaluation, for relations alone
LEAST = 0.001  # seconds; no unit takes none
LOADED = 1.5  # a sampler's first step has loaded its model if it took this many times what the others take


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
    _loads: dict[str, float] = field(default_factory=dict)  # model -> seconds of the first step with it

    def measured(self, unit: Unit, seconds: float) -> None:
        """A unit took this long."""
        if not unit.steps:
            self._measured.setdefault(unit.kind, []).append(seconds / unit.size)

    def step_took(self, seconds: float, *, first: bool, model: str = "") -> None:
        """A sampling step took this long. `first`: of its sampler; `model`: the one that draws."""
        (self._first_paces if first else self._paces).append(seconds)
        if first:
            self._loads.setdefault(model, seconds)

    def forget_paces(self) -> None:
        """The steps are drawn again, perhaps on another engine."""
        self._paces.clear()
        self._first_paces.clear()
        self._loads.clear()

    @property
    def loading(self) -> float:
        """Seconds of first steps that went into loading a model."""
        if not self._paces:
            return 0.0
        return sum(took - self.pace for took in self._first_paces if took > LOADED * self.pace)

    @property
    def known(self) -> bool:
        """Whether anything was measured that time left can be based on. A first step alone does not say how
        much of it was loading."""
        firsts = len(self._first_paces)
        return bool(self.expected or self._paces or firsts > 1 or (firsts and self._steps == 1))

    @property
    def pace(self) -> float:
        """Seconds of one sampling step."""
        if self._paces:
            return max(LEAST, median(self._paces))
        if self.expected.get("draw"):
            return max(LEAST, self.expected["draw"] / self._steps)
        if self._first_paces:
            return max(LEAST, min(self._first_paces))
        return GUESS * self.outline.evaluations / self._steps

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
        evaluation = self.pace * self._steps / self.outline.evaluations
        return ASSUMED[stage] * evaluation * (1 if stage == "load" else max(1, self.outline.chunks))

    def loading_of(self, unit: Unit) -> float:
        """Expected seconds of a sampler's first step that go into loading its model, which is assumed to take
        as long as those before it. With times of earlier jobs they are part of the stage `load`."""
        if self.expected or not self._paces or unit.model in self._loads:
            return 0.0
        took = [seconds - self.pace for seconds in self._loads.values() if seconds > LOADED * self.pace]
        return median(took) if took else 0.0

    def unit(self, unit: Unit) -> float:
        """Expected seconds of a unit."""
        if unit.steps:
            return self.pace * unit.steps + self.loading_of(unit)
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
