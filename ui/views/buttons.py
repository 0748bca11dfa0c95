"""Buttons of a job: those that send an event, and those that copy a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ui.i18n.texts import escaped
from ui.views.icons import icon

if TYPE_CHECKING:
    from backend.jobs.views import JobView


def attributes(values: Mapping[str, object]) -> str:
    """`data-` attributes, values escaped."""
    return " ".join(f'data-{name}="{escape(str(value))}"' for name, value in values.items())


def act_data(
    act: str, job: JobView, change: Mapping[str, object] = {}, mode: str = "", field: str = ""
) -> dict[str, object]:
    """The data of a button whose click is sent to the server as event `act`.

    change: values that override the job's own; mode, field: the form and its file that the event fills.
    """
    data: dict[str, object] = {"act": act, "id": job.id, "key": job.key}
    if change:
        data["change"] = json.dumps(dict(change))
    return data | {name: value for name, value in (("mode", mode), ("field", field)) if value}


def button(
    act: str, label: str, job: JobView, symbol: str = "", kind: str = "", change: Mapping[str, object] = {}
) -> str:
    """A button whose click is sent to the server as event `act`."""
    mark = icon(symbol) if symbol else ""
    return (
        f'<button type="button" class="btn {kind}" {attributes(act_data(act, job, change))}>{mark}'
        f"<span>{escape(label)}</span></button>"
    )


def link_query(job: JobView) -> str:
    """The query of a job's private link, escaped."""
    return escape("?" + urlencode({"job": job.id, "key": job.key}))


def link_button(job: JobView, kind: str = "") -> str:
    """A button that copies the private link of a job; its holder can see and cancel the job."""
    return (
        f'<button type="button" class="btn {kind}" data-link="{link_query(job)}"'
        f' title="{escaped("card.link_tip")}">'
        f"{icon('link')}<span>{escaped('card.copy_link')}</span></button>"
    )


def copy_button(label: str, copied: str, kind: str = "quiet") -> str:
    """A button that copies a text."""
    return (
        f'<button type="button" class="btn {kind}" data-copy="{escape(copied)}">'
        f"{icon('copy')}<span>{escape(label)}</span></button>"
    )
