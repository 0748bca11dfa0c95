"""Finals: a clip made again from its creator's files, larger or in more steps, with the same seed.

The final is a separate job whose source is the clip (`Job.source`, role FINAL). It needs no file of the clip,
so that either of them can be deleted. Methods may be called from any thread.
"""

from __future__ import annotations

from dataclasses import replace

from backend.errors import BadInput, StudioError
from backend.jobs.final_views import FinalPlan, Relations
from backend.jobs.job import CANCELLED, DONE, FAILED, FINAL, VARIATIONS, Job, StoredInput
from backend.jobs.job_planner import JobPlanner
from backend.jobs.job_storage import Submission
from backend.jobs.library import Library
from backend.jobs.store import Store
from backend.jobs.submission import Submitter
from backend.jobs.views import JobView, SourceFile
from workflows import finals
from workflows.finals import Clip, Final
from workflows.modes.registry import MODES
from workflows.notice import Notice, notice
from workflows.params.media import Media
from workflows.repetition import for_final

HIDDEN = (FAILED, CANCELLED)
"""States in which a draft does not count a final."""


class Finals:
    """The finals of one data folder."""

    def __init__(self, store: Store, library: Library, submitter: Submitter, planner: JobPlanner) -> None:
        self._store, self._library, self._submitter, self._planner = store, library, submitter, planner

    def finish(
        self, owner: str, job_id: str, key: str, resolution: str, speed: str, unlimited: bool = False
    ) -> Job:
        """Queues the final of a clip. `owner`: the token of its owner; `unlimited`: without the limit per
        visitor.

        Raises NotFound, NotAllowed, BadInput when there is no such final, InputsGone, and what a submission
        raises.
        """
        request = (FINAL, job_id, resolution, speed)
        known = self._submitter.repeated(Submission(owner, "", {}, {}, request=request))
        if known is not None:
            return known
        job = self._library.owned(owner, job_id, key)
        made = self._final(job, resolution, speed)
        sources = self._sources(job, made)
        kept = for_final(job.resolved, made.resized, made.other_speed)
        return self._submitter.submit(
            Submission(
                owner,
                made.mode,
                made.values,
                {name: source.path for name, source in sources.items()},
                unlimited=unlimited,
                titles={name: source.filename for name, source in sources.items() if source.filename},
                kept=kept.to_json() if kept is not None else {},
                source=job.id,
                role=FINAL,
                said=_said(made),
                request=request,
            )
        )

    def plan(self, job_id: str, key: str, resolution: str, speed: str) -> FinalPlan:
        """What the final of a clip would be. Raises NotFound; everything else that prevents it is part of the
        plan."""
        job = self._library.open(job_id, key)
        found = FinalPlan(resolution, speed, job.mode)
        try:
            made = self._final(job, resolution, speed)
            sources = self._sources(job, made)
        except StudioError as error:
            return replace(found, obstacle=error.notice)
        clip = self._clip(job)
        values = {name: value for name, value in made.values.items() if name not in finals.SEVERAL}
        media = {name: _media(job.inputs[name], source) for name, source in sources.items()}
        planned = self._planner.plan(made.mode, values, media)
        size = (planned.width, planned.height)
        count = int(made.values.get("variations") or 1)
        return replace(
            found,
            mode=made.mode,
            before=(clip.width, clip.height),
            size=size if all(size) else (clip.width, clip.height),
            speed_before=clip.speed,
            steps=planned.steps,
            count=count,
            left=made.left,
            estimate=planned.estimate.times(count) if planned.estimate is not None else None,
            notes=planned.warnings,
            obstacle=planned.obstacle,
            reduced=next(((m.width, m.height) for n, m in media.items() if sources[n].reduced), None),
        )

    def relations(self, job: JobView) -> Relations:
        """The source and the finals of a clip, as its owner sees them."""
        origin = self._store.get(job.source) if job.source else None
        if origin is not None and (origin.owner != job.owner or origin.delete_after is not None):
            origin = None
        made = self._store.made_from(job.owner, job.id, FINAL)
        shown = [one for one in made if one.status not in HIDDEN]
        return Relations(
            self._library.view(origin) if origin is not None else None,
            tuple(self._library.view(one) for one in shown),
        )

    def _final(self, job: Job, resolution: str, speed: str) -> Final:
        """Raises BadInput."""
        if resolution not in finals.RESOLUTIONS:
            raise BadInput.of("final_resolution", names=finals.RESOLUTIONS, field="resolution")
        if speed not in finals.SPEEDS:
            raise BadInput.of("final_speed", names=finals.SPEEDS, field="speed")
        if job.assembly not in ("", VARIATIONS):
            raise BadInput.of("final_of_joined")
        clip = self._clip(job)
        made = finals.final(clip, resolution, speed)
        if made == "picture":
            raise BadInput.of("final_of_picture")
        if made == "other_mode":
            raise BadInput.of("final_of_other_mode", mode=job.mode)
        if job.status != DONE:
            raise BadInput.of("final_of_unfinished")
        if isinstance(made, Final):
            return made
        width, height = clip.width, clip.height
        if made == "smaller":
            raise BadInput.of("final_smaller", width=width, height=height, field="resolution")
        raise BadInput.of("final_not_better", width=width, height=height, field="resolution")

    def _sources(self, job: Job, made: Final) -> dict[str, SourceFile]:
        """The files that the final is made from, by parameter. Raises InputsGone."""
        found = {name: self._library.files.source(job, name) for name in MODES[made.mode].files}
        return {name: source for name, source in found.items() if source is not None}

    def _clip(self, job: Job) -> Clip:
        width, height = self._library.view(job).drawn if job.assembly else (job.width, job.height)
        return Clip(job.mode, job.params, width, height)


def _said(made: Final) -> tuple[Notice, ...]:
    return (notice("final_left", names=made.left),) if made.left else ()


def _media(item: StoredInput, source: SourceFile) -> Media:
    """The measures of the file that is used: those of the stored copy where the upload is gone."""
    return item.copy if source.reduced and item.copy is not None else item.media
