"""The variations that a visitor has picked, and the others of their set."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING

from backend.errors import NotFound
from ui.actions.event_data import event_values, own_job
from ui.gradio_fixes.checked_inputs import is_unicode

if TYPE_CHECKING:
    import gradio as gr

    from backend.jobs.views import JobView
    from backend.studio import Studio

MOST = 9

Pair = tuple[str, str]
"""A job's id and key."""


def unpicked(studio: Studio, owner: str, event: gr.EventData) -> list[JobView]:
    """The other variations of the set that the event is about, for its owner; [] unless at least one of the
    set was picked."""
    whole = own_job(studio, owner, event)
    if whole is None:
        return []
    picked = {job_id for job_id, _ in pairs(event, "picked")}
    if not picked & {child.id for child in whole.children}:
        return []
    return _jobs(studio, [(one.id, one.key) for one in whole.children if one.id not in picked])


def _jobs(studio: Studio, wanted: Collection[Pair]) -> list[JobView]:
    """Those that are still there."""
    found = []
    for job_id, key in wanted:
        try:
            found.append(studio.job(job_id, key))
        except NotFound:
            continue
    return found


def pairs(event: gr.EventData, name: str) -> list[Pair]:
    """(id, key) of the jobs in the event's data, given as a list or its JSON text; malformed ones are left
    out."""
    given = event_values(event).get(name)
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            given = None
    rows = given[:MOST] if isinstance(given, list) else []
    found = [(row[0], row[1]) for row in rows if isinstance(row, list) and len(row) == 2]
    return [
        (job_id, key)
        for job_id, key in dict.fromkeys(pair for pair in found if all(isinstance(one, str) for one in pair))
        if is_unicode(job_id) and is_unicode(key)
    ]
