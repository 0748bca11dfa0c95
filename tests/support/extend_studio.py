"""A studio without engines whose clips can be extended."""

from __future__ import annotations

from typing import Any

from backend.jobs.views import ExtendPlan
from tests.support.fake_studio import FakeStudio
from workflows.notice import notice

OWNER = "owner-token-of-a-fake-studio-0001"
VALUES = {"prompt": "A boat", "speed": "fast", "resolution": "draft", "seconds": 0.5, "seed": 7}
PLAN = ExtendPlan("last_frame", notice("said", message="There is no SVI Pro LoRA.", hint=""), (), 5.06, 10.06)


class ExtendStudio(FakeStudio):
    """Records the requested jobs; `refusal` is raised instead, and `plan_refusal` where it is asked for a
    plan."""

    def __init__(self, seconds: float = 1e-9, anyone: bool = False) -> None:
        """anyone: whether every visitor owns its jobs."""
        super().__init__(seconds=seconds, hold=0.62)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refusal: Exception | None = None
        self.plan_refusal: Exception | None = None
        self.answer = self.reroll_answer = PLAN
        self.anyone = anyone

    def extend(self, owner: str, id: str, key: str, **given: Any) -> Any:
        return self._asked("extend", id, key, given)

    def reroll(self, owner: str, id: str, key: str, part: int, **given: Any) -> Any:
        return self._asked("reroll", id, key, {"part": part, **given})

    def _asked(self, act: str, id: str, key: str, given: dict[str, Any]) -> Any:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append((act, given))
        return self.add("image_to_video", VALUES, self.runs[id].image)

    def owns(self, owner: str, job: Any) -> bool:
        return super().owns(owner, job) if self.anyone else owner == OWNER

    def extend_plan(self, owner: str, id: str, key: str, **given: Any) -> ExtendPlan:
        if self.plan_refusal is not None:
            raise self.plan_refusal
        self.asked.append(("plan", given))
        return self.answer

    def reroll_plan(self, owner: str, id: str, key: str, part: int) -> ExtendPlan:
        self.asked.append(("reroll_plan", {"part": part}))
        return self.reroll_answer
