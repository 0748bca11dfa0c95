"""The values of a set of variations, as far as its children are still there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backend.jobs.job import VARIATIONS, Job


def shown(parent: Job, done: Sequence[Job]) -> dict[str, Any]:
    """The parameters of the parent, with the value of the first child that is there for what is varied. Its
    seed stays that of the first of all children, so that all of them can be made again."""
    own = {name: done[0].params[name] for name in parent.params.get("vary") or () if name in done[0].params}
    return {**parent.params, **own}


def narrowed(parent: Job, children: Sequence[Job]) -> Job:
    """The parent as if only these children had been asked for; unchanged where none was deleted.

    Seeds are counted up, so those between the first and the last one that is left are asked for too."""
    asked = int(parent.params.get("variations") or 0)
    if parent.assembly != VARIATIONS or not children or len(children) >= asked:
        return parent
    params = {name: value for name, value in parent.params.items() if name not in ("variations", "vary")}
    first, last = children[0], children[-1]
    varied = next(iter(parent.params.get("vary") or ()), "")
    if varied:
        values = [child.params.get(varied) for child in children]
        several = {"variations": len(values), "vary": {varied: values}} if len(values) > 1 else {}
        return replace(parent, params={**params, varied: values[0], **several})
    count = _number(last) - _number(first) + 1
    several = {"variations": count} if count > 1 else {}
    return replace(parent, seed=first.seed, params={**params, "seed": first.seed, **several})


def clips(parent: Job, done: Sequence[Job]) -> list[dict[str, Any]]:
    """What each clip of the contact sheet was made with: its seed, and the value of what is varied."""
    varied = next(iter(parent.params.get("vary") or ()), "")
    own = [{varied: child.params.get(varied)} if varied else {} for child in done]
    return [{"seed": child.seed, **value} for child, value in zip(done, own, strict=True)]


def _number(child: Job) -> int:
    return int(child.role) if child.role.isdecimal() else 1
