"""Describes a planned final for the dialog that is shown before it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backend.jobs.job import VARIATIONS
from backend.notices import words
from ui.i18n import mode_texts
from ui.i18n.texts import plural, text
from ui.views import wording
from ui.views.result_details import shown_value
from workflows.finals import FAST, RESOLUTIONS, SAME, SPEEDS, Clip, can_be_final
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.final_views import FinalPlan
    from backend.jobs.views import JobView

Plans = Mapping[tuple[str, str], Sequence["FinalPlan"]]
"""(resolution, speed) -> the plan of each clip."""


def clip_of(job: JobView) -> Clip:
    """A job as the rules of finals take it."""
    return Clip(job.mode, job.params, *job.drawn)


def has_final(job: JobView) -> bool:
    """Whether one can be made; not of a video that is joined from others."""
    return job.assembly in ("", VARIATIONS) and can_be_final(clip_of(job))


def is_draft(job: JobView) -> bool:
    """Whether it is a draft whose final can be made."""
    return has_final(job) and clip_of(job).is_draft


def mark(size: tuple[int, int], speed: str) -> str:
    """A key of size and speed, by which the script finds an existing final."""
    return f"{size[0]}x{size[1]} {speed}"


def answer(jobs: Sequence[JobView], offered: Sequence[str], plans: Plans) -> dict[str, Any]:
    """What the dialog shows for these clips. offered: the resolutions that at least one of them has."""
    return {
        "heading": plural("final.heading", sum(max(1, _count(plans, n)) for n in range(len(jobs)))),
        "resolutions": [[name, _resolution(name)] for name in RESOLUTIONS if name in offered],
        "speeds": [[name, _speed(name)] for name in SPEEDS],
        "plans": {f"{size} {speed}": _plan(jobs, found) for (size, speed), found in plans.items()},
    }


def _count(plans: Plans, number: int) -> int:
    return max((found[number].count for found in plans.values() if found[number].obstacle is None), default=1)


def _resolution(name: str) -> str:
    return text("final.same_size") if name == SAME else name


def _speed(name: str) -> str:
    return text("facts.fast") if name == FAST else text("facts.quality")


def _plan(jobs: Sequence[JobView], plans: Sequence[FinalPlan]) -> dict[str, Any]:
    """One size and speed: rows of (name, before, after), notes, and why it cannot be made. Of several clips
    those that can be made are; the others are named."""
    pairs = [(job, plan) for job, plan in zip(jobs, plans, strict=True) if plan.obstacle is None]
    good = [plan for _, plan in pairs]
    problems = [
        words(plan.obstacle)
        if len(plans) == 1
        else text("final.problem_of", title=wording.title(job), problem=words(plan.obstacle))
        for job, plan in zip(jobs, plans, strict=True)
        if plan.obstacle is not None
    ]
    return {
        "rows": _rows(good),
        "notes": list(dict.fromkeys(note for pair in pairs for note in _notes(*pair))),
        "problems": problems,
        "possible": bool(good),
        "mark": mark(good[0].size, good[0].speed) if len(plans) == 1 and good else "",
    }


def _rows(plans: Sequence[FinalPlan]) -> list[list[str]]:
    """What changes: the size, the speed, and the time that it takes."""
    if not plans:
        return []
    rows = []
    before, after = ({size for plan in plans if all(size := found(plan))} for found in (_before, _after))
    if len(before) == len(after) == 1:
        rows.append([text("final.size"), wording.size(*before.pop()), wording.size(*after.pop())])
    speeds = {(plan.speed_before, plan.speed, plan.steps) for plan in plans}
    if len(speeds) == 1:
        was, now, steps = speeds.pop()
        said = plural("facts.steps", steps, speed=_speed(now)) if steps else _speed(now)
        rows.append([text("final.speed"), _speed(was), said])
    seconds = [plan.estimate.seconds for plan in plans if plan.estimate is not None]
    first = plans[0].estimate
    known = [each for each in seconds if each is not None]
    if first is not None and known and len(known) == len(plans):
        whole = replace(first, seconds=sum(known))
        rows.append([text("final.time"), "", whole.text])
    elif first is not None:
        rows.append([text("final.time"), "", first.text])
    return rows


def _before(plan: FinalPlan) -> tuple[int, int]:
    return plan.before


def _after(plan: FinalPlan) -> tuple[int, int]:
    return plan.size


def _notes(job: JobView, plan: FinalPlan) -> list[str]:
    """The other differences from the clip."""
    if plan.resized:
        pictured = plan.mode in MODES and bool(MODES[plan.mode].media)
        notes = [text("final.other_noise" if pictured else "final.other_scene")]
    else:
        notes = [text("final.same_noise")]
    if plan.left:
        names = wording.listed(_setting(job, name) for name in plan.left)
        notes.append(text("final.left", speed=_speed(plan.speed_before), names=names))
    if plan.reduced is not None:
        notes.append(text("final.reduced", size=wording.size(*plan.reduced)))
    return [*notes, *(words(note) for note in plan.notes)]


def _setting(job: JobView, name: str) -> str:
    """`Steps 6`: a setting of the clip."""
    field = MODES[job.mode].field(name)
    value = shown_value(job.mode, field, job.params[name])
    return text("final.setting", name=mode_texts.label(job.mode, name), value=value)
