"""Distributes the steps of a run over the two experts. Pure arithmetic, no nodes.

WAN 2.2 A14B is two models used one after the other on one noise schedule: the high-noise expert lays out
the motion, the low-noise expert finishes the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

HIGH = "high"
LOW = "low"

MOTION_SHARE = {"subtle": 0.35, "balanced": 0.5, "dynamic": 0.65}
"""motion -> share of the steps that the high-noise expert samples."""
BOUNDARY_I2V = 0.900
BOUNDARY_T2V = 0.875
"""Noise level at which WAN hands over in Image-to-Video and Text-to-Video (`boundary` in WAN's own
wan/configs)."""
OFFICIAL = "official"
"""The motion that takes the hand-over from the noise schedule, as WAN's own code does."""


@dataclass(frozen=True)
class Phase:
    """Steps start..end (end excluded) of the schedule, sampled by one expert."""

    expert: str  # HIGH or LOW
    start: int
    end: int
    cfg: float
    lora: str = ""  # role of the LoRA in the catalog, "" for none
    strength: float = 1.0  # of the LoRA
    model: str = ""  # role of the expert's file, "" for the one that the mode has for it

    @property
    def steps(self) -> int:
        """Sampling steps of this phase."""
        return self.end - self.start

    @property
    def evaluations(self) -> int:
        """Model evaluations: guidance above 1 evaluates the model twice per step."""
        return self.steps * (2 if self.cfg > 1 else 1)


@dataclass(frozen=True)
class Recipe:
    """One run: the length of the schedule, its shift and the expert of each phase. `distillation`: the name
    of the one that makes it fast."""

    steps: int
    shift: float
    phases: tuple[Phase, ...]
    distillation: str = ""

    @property
    def evaluations(self) -> int:
        """Model evaluations of the whole run."""
        return sum(phase.evaluations for phase in self.phases)

    @property
    def figures(self) -> dict[str, float]:
        """The numbers of the run under the names of the parameters that set them; no cfg where the phases
        differ in it, because one number cannot say so."""
        found = {"steps": self.steps, "cfg": self.phases[0].cfg, "shift": self.shift}
        if len({phase.cfg for phase in self.phases}) > 1:
            del found["cfg"]
        return found

    @property
    def guided(self) -> bool:
        """Whether any phase uses the negative prompt."""
        return any(phase.cfg > 1 for phase in self.phases)


def handover(motion: str, steps: int, shift: float, boundary: float = BOUNDARY_I2V) -> int:
    """The first step of the low-noise expert, 1 <= k < steps. Needs at least 2 steps.

    OFFICIAL computes it from the schedule: the first step whose noise level sigma lies below the
    boundary, with sigma = shift * t / (1 + (shift - 1) * t) and t = 1 - i / steps.
    """
    if motion == OFFICIAL:
        k = next(i for i in range(1, steps + 1) if _sigma(i, steps, shift) < boundary)
    else:
        k = round(steps * MOTION_SHARE[motion])
    return max(1, min(steps - 1, k))


def _sigma(step: int, steps: int, shift: float) -> float:
    t = 1 - step / steps
    return shift * t / (1 + (shift - 1) * t)
