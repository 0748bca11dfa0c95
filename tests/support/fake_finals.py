"""The finals of a fake studio: the same rules as the real one's, over its simulated jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.errors import BadInput, InputsGone, NotAllowed, StudioError
from backend.jobs.final_views import FinalPlan, Relations
from backend.jobs.job import FINAL
from backend.jobs.views import JobView
from workflows.finals import Clip, Final, final


class FakeFinals:
    """Mixed into FakeStudio."""

    runs: Any
    foreign: set[str]
    expired: set[str]
    reduced: set[str]
    job: Any
    plan: Any
    sources: Any
    submit: Any
    owns: Any
    _picture: Any

    def finish(
        self,
        owner: str,
        id: str,
        key: str,
        *,
        resolution: str = "480p",
        speed: str = "quality",
        user: str = "",
    ) -> JobView:
        job = self.job(id, key)
        if not self.owns(owner, job):
            raise NotAllowed.of("owner_only")
        made = self._final(job, resolution, speed)
        files = {name: one.path for name, one in self.sources(owner, id, key).items()}
        view: JobView = self.submit(owner, made.mode, dict(made.values), files)
        run = self.runs[view.id]
        run.view = replace(run.view, source=id, role=FINAL)
        return run.view  # type: ignore[no-any-return]

    def final_plan(self, id: str, key: str, resolution: str, speed: str) -> FinalPlan:
        job = self.job(id, key)
        found = FinalPlan(resolution, speed, job.mode)
        try:
            made = self._final(job, resolution, speed)
            if id in self.expired:
                raise InputsGone.of("inputs_dropped")
        except StudioError as error:
            return replace(found, obstacle=error.notice)
        image = self.runs[id].image
        planned = self.plan(made.mode, dict(made.values), {"image": self._picture(image)})
        return replace(
            found, mode=made.mode, before=job.drawn, size=(planned.width, planned.height),
            speed_before=_clip(job).speed, steps=planned.steps, left=made.left, estimate=planned.estimate,
            notes=planned.warnings, obstacle=planned.obstacle,
            count=int(made.values.get("variations") or 1),
            reduced=(640, 360) if id in self.reduced else None,
        )  # fmt: skip

    def relations(self, owner: str, job: JobView) -> Relations:
        if not self.owns(owner, job):
            return Relations()
        views = [run.view for run in self.runs.values()]
        return Relations(
            next((view for view in views if view.id == job.source), None),
            tuple(view for view in reversed(views) if view.source == job.id and view.role == FINAL),
        )

    def _final(self, job: JobView, resolution: str, speed: str) -> Final:
        made = final(_clip(job), resolution, speed)
        if isinstance(made, Final):
            return made
        raise BadInput.of("final_not_better", width=job.width, height=job.height)


def _clip(job: JobView) -> Clip:
    return Clip(job.mode, job.params, *job.drawn)
