"""The plan of several videos that are made together, from the plans of each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from backend.errors import StudioError
from backend.jobs import variations
from backend.jobs.views import Estimate, Plan

VARY = "vary"
"""The field under which a plan reports a problem with one of the varied values."""


def plan_several(
    plan: Callable[[Mapping[str, Any]], Plan], mode: str, values: Mapping[str, Any], count: int, vary: Any
) -> Plan:
    """The first one's plan with the number, the time and the bytes of all. `plan`: of one with these values;
    seeds change nothing in it. Never raises: problems with `count`, `vary` or one of the varied values are
    part of the plan."""
    try:
        wanted, several, rest = variations.wanted(values, count, vary)
        each = variations.each(mode, rest, wanted, several, lambda below: 0)
    except StudioError as error:
        said = {error.field or VARY: f"{error.message} {error.hint}".strip()}
        single = plan({name: value for name, value in values.items() if name not in ("variations", VARY)})
        return replace(single, problems={**single.problems, **said}, obstacle=single.obstacle or error.notice)
    if not several:
        one = plan(each[0])
        time = one.estimate.times(len(each)) if one.estimate is not None else None
        return replace(one, count=len(each), estimate=time, bytes=one.bytes * len(each))
    return _together([plan(one) for one in each], next(iter(several)))


def _together(plans: Sequence[Plan], name: str) -> Plan:
    """`name`: the parameter that they differ in."""
    problems: dict[str, str] = {}
    for plan in plans:
        for field, sentence in plan.problems.items():
            problems.setdefault(VARY if field == name else field, sentence)
    first = next((plan for plan in plans if not plan.problems), plans[0])
    warnings = [warning for plan in plans for warning in plan.warnings]
    return replace(
        first,
        count=len(plans),
        problems=problems,
        obstacle=next((plan.obstacle for plan in plans if plan.obstacle is not None), None),
        warnings=tuple(dict.fromkeys(warnings)),
        estimate=_time([plan.estimate for plan in plans]),
        bytes=sum(plan.bytes for plan in plans),
    )


def _time(each: Sequence[Estimate | None]) -> Estimate | None:
    """The estimate for all of them in sequence; unknown while that of one is unknown."""
    known = [one for one in each if one is not None]
    if len(known) < len(each) or not known:
        return None
    if lacking := next((one for one in known if one.seconds is None), None):
        return lacking
    return replace(known[0], seconds=sum(one.seconds or 0.0 for one in known))
