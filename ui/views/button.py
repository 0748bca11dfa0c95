"""Buttons whose clicks a script sends to the server. What a user wrote is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from ui.views.icons import icon

if TYPE_CHECKING:
    from backend.jobs.views import JobView


def attributes(values: Mapping[str, object]) -> str:
    """`data-` attributes, values escaped."""
    return " ".join(f'data-{name}="{escape(str(value))}"' for name, value in values.items())


def button(
    act: str, label: str, job: JobView, symbol: str = "", kind: str = "", change: Mapping[str, object] = {}
) -> str:
    """A button whose click is sent to the server as event `act`."""
    data: dict[str, object] = {"act": act, "id": job.id, "key": job.key}
    if change:
        data["change"] = json.dumps(dict(change))
    mark = icon(symbol) if symbol else ""
    return (
        f'<button type="button" class="btn {kind}" {attributes(data)}>{mark}'
        f"<span>{escape(label)}</span></button>"
    )
