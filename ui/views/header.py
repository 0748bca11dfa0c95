"""The header: name, engine badge, queue, theme. The card's poll keeps the badge and the queue fresh."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ui.views import engine_badge
from ui.views.icons import icon, logo

if TYPE_CHECKING:
    from backend.engines.base import EngineInfo
    from backend.jobs.views import QueueState


def header(engines: Sequence[EngineInfo], state: QueueState | None) -> str:
    badge = engine_badge.badge(engines)
    long, short = engine_badge.queue(state, None)
    return (
        f'<header class="header"><a class="brand" href="./">{logo()}<span>Wan Studio</span></a>'
        '<div class="right">'
        f'<span class="badge" data-live="badge" data-state="{badge.state}" data-demo="{int(badge.demo)}"'
        f' title="{escape(badge.tip)}"><span class="tag demo">DEMO</span><i class="dot"></i>'
        f"<strong>{escape(badge.name)}</strong><small>{escape(badge.detail)}</small></span>"
        f'<span class="queue" data-live="queue" title="Queue of this studio">{icon("queue")}'
        '<svg class="ring" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">'
        '<circle cx="8" cy="8" r="6"/>'
        '<circle cx="8" cy="8" r="6" pathLength="100" stroke-dasharray="0 100"/></svg>'
        f'<span class="long">{escape(long)}</span><span class="short">{escape(short)}</span></span>'
        '<button type="button" class="theme" data-theme-toggle'
        ' aria-label="Switch between light and dark theme" title="Switch between light and dark theme">'
        f"{icon('sun')}{icon('moon')}</button></div></header>"
    )


def public_line(warning: str) -> str:
    """What to know of a page that strangers can use."""
    return f'<p class="public" role="note">{icon("warn", 16)}<span>{escape(warning)}</span></p>'
