"""The data that a script sends along with an event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import NotFound
from ui.gradio_fixes.checked_inputs import is_unicode
from ui.i18n.texts import text

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio


def event_text(event: gr.EventData, name: str) -> str:
    """A text of the event's data; anything else counts as empty, so does half of a surrogate pair."""
    value = event_values(event).get(name)
    return value if isinstance(value, str) and is_unicode(value) else ""


def event_values(event: gr.EventData) -> Mapping[str, Any]:
    """The event's data by name; empty when a client sent anything else."""
    data = getattr(event, "_data", None)
    return data if isinstance(data, Mapping) else {}


def event_change(event: gr.EventData) -> dict[str, Any]:
    """The values that the event's button proposes over those of its job; {} for anything malformed."""
    try:
        change = json.loads(event_text(event, "change") or "{}")
    except ValueError:
        return {}
    return change if isinstance(change, dict) else {}


def event_job(studio: Studio, event: gr.EventData) -> JobView | None:
    """The job that the event is about; None, with a message on the page, when it no longer exists."""
    try:
        return studio.job(event_text(event, "id"), event_text(event, "key"))
    except NotFound:
        gr.Info(text("actions.job_gone"))
        return None


def own_job(studio: Studio, owner: str, event: gr.EventData) -> JobView | None:
    """The job that the event is about, for its owner; None, with a message on the page, for all others.

    A private link is for watching, downloading and cancelling: nothing is made from a job or changed by it.
    """
    job = event_job(studio, event)
    if job is not None and not studio.owns(owner, job):
        gr.Warning(text("actions.not_yours"))
        return None
    return job
