"""The outcome of a parent, made of those of its children: status, error, times, warnings. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backend.errors import NoOutput, StudioError
from backend.jobs import reuse, set_values
from backend.jobs.job import CANCELLED, EXTENSION, FAILED, Job, Status
from backend.jobs.stopwatch import UNTIL
from workflows.notice import Notice, notice
from workflows.resolved import Resolved


def without_result(parent: Job, children: Sequence[Job]) -> tuple[Status, StudioError | None]:
    """(status, error) of a parent none of whose children made a video."""
    failed = next((child for child in children if child.status == FAILED and child.error), None)
    if failed is not None:
        error = StudioError.from_dict(failed.error or {})
        return FAILED, _of_part(failed, error) if parent.assembly == EXTENSION else error
    if children and all(child.status == CANCELLED for child in children):
        return CANCELLED, None
    return FAILED, NoOutput.of("part_gone" if parent.assembly == EXTENSION else "children_gone")


def _of_part(part: Job, error: StudioError) -> StudioError:
    """The error of a joined video one part of which failed."""
    number = int(part.role) if part.role.isdecimal() else 0
    return type(error).of(
        "part_failed", number=number, said=error.message, advice=error.hint, field=error.field,
        cause=error.cause, detail=error.detail,
    )  # fmt: skip


def summed(parent: Job, done: Sequence[Job], children: Sequence[Job], own: float) -> Job:
    """The parent with the facts of its children: engine, warnings, and the seconds of their work together."""
    timings: dict[str, float] = {"own": own}
    for child in done:
        for activity, seconds in child.timings.items():
            if activity != UNTIL:
                timings[activity] = timings.get(activity, 0.0) + seconds
    said: list[Notice] = [warning for child in done for warning in child.warnings]
    if parent.assembly == EXTENSION:
        said = list(dict.fromkeys((*parent.warnings, *said)))
        new = done[0]
        resolved = new.resolved if new.role == "1" else parent.resolved
        return replace(
            parent, timings=timings, engine=new.engine, demo=new.demo, steps=parent.steps or new.steps,
            warnings=tuple(said), resolved=resolved, reused=reuse.together(done),
        )  # fmt: skip
    total = int(parent.params.get("variations") or len(children))
    if len(done) < total:
        said.append(notice("variations_missing", made=len(done), count=total))
    first = done[0]
    return replace(
        parent, timings=timings, engine=first.engine, demo=first.demo, fps=first.fps, steps=first.steps,
        warnings=tuple(dict.fromkeys((*parent.warnings, *said))), resolved=shared(first, children),
        seed=first.seed, params=set_values.shown(parent, done), reused=reuse.together(done),
    )  # fmt: skip


def shared(first: Job, children: Sequence[Job]) -> dict[str, Any]:
    """What the first of them was resolved to, without the parameters that they differ in."""
    found = Resolved.from_json(first.resolved)
    if found is None:
        return {}
    names = {name for child in children for name in child.params}
    differ = [n for n in names if any(child.params.get(n) != first.params.get(n) for child in children)]
    return found.without(differ).to_json()
