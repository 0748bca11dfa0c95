"""The values of a set of variations, as far as its children are still there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backend.jobs.job import VARIATIONS, Job
from backend.jobs.variations import MOST
from workflows.params.limits import SEED_MAX


def shown(parent: Job, done: Sequence[Job]) -> dict[str, Any]:
    """The parameters of the parent, with the value of the first child that is there for what is varied. Its
    seed stays that of the first of all children, so that all of them can be made again."""
    own = {name: done[0].params[name] for name in parent.params.get("vary") or () if name in done[0].params}
    return {**parent.params, **own}


def narrowed(parent: Job, children: Sequence[Job]) -> Job:
    """The parent as if only these children had been asked for; unchanged where they are what it asks for.

    Seeds are counted up, so those between the first and the last one that is left are asked for too."""
    if parent.assembly != VARIATIONS or not children:
        return parent
    asked = int(parent.params.get("variations") or 0)
    params = {name: value for name, value in parent.params.items() if name not in ("variations", "vary")}
    first, last = children[0], children[-1]
    varied = next(iter(parent.params.get("vary") or ()), "")
    if varied and len(children) >= asked:
        return parent
    if varied:
        values = [child.params.get(varied) for child in children]
        several = {"variations": len(values), "vary": {varied: values}} if len(values) > 1 else {}
        return replace(parent, params={**params, varied: values[0], **several})
    count = (last.seed - first.seed) % (SEED_MAX + 1) + 1
    if count > MOST or (len(children) >= asked and count <= asked):
        return parent
    several = {"variations": count} if count > 1 else {}
    return replace(parent, seed=first.seed, params={**params, "seed": first.seed, **several})


def clips(parent: Job, done: Sequence[Job]) -> list[dict[str, Any]]:
    """What each clip of the contact sheet was made with: its seed, and the value of what is varied."""
    varied = next(iter(parent.params.get("vary") or ()), "")
    own = [{varied: child.params.get(varied)} if varied else {} for child in done]
    return [{"seed": child.seed, **value} for child, value in zip(done, own, strict=True)]
