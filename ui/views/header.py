"""The page's header as HTML: name, engine badge, queue, theme. The card's poll updates badge and queue."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ui.i18n.texts import escaped
from ui.views import engine_badge
from ui.views.icons import icon, logo

if TYPE_CHECKING:
    from backend.engines.base import EngineInfo
    from backend.jobs.views import QueueState


def header(engines: Sequence[EngineInfo], state: QueueState | None) -> str:
    """state: None for the page as it is sent to every visitor, before the card's first poll."""
    badge = engine_badge.badge(engines) if state is not None else engine_badge.opening(engines)
    long, short = engine_badge.queue(state, None)
    theme = escaped("header.theme")
    return (
        f'<header class="header"><a class="brand" href="./">{logo()}<span>{escaped("app.name")}</span></a>'
        '<div class="right">'
        f'<span class="badge" data-live="badge" data-state="{badge.state}" data-demo="{int(badge.demo)}"'
        f' title="{escape(badge.tip)}"><span class="tag demo">{escaped("app.demo_tag")}</span>'
        '<i class="dot"></i>'
        f"<strong>{escape(badge.name)}</strong><small>{escape(badge.detail)}</small></span>"
        '<button type="button" class="queue" data-live="queue" aria-haspopup="dialog" aria-expanded="false"'
        f' aria-controls="ws-queue" title="{escaped("header.queue_tip")}">'
        f"{icon('queue')}"
        '<svg class="ring" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">'
        '<circle cx="8" cy="8" r="6"/>'
        '<circle cx="8" cy="8" r="6" pathLength="100" stroke-dasharray="0 100"/></svg>'
        f'<span class="long">{escape(long)}</span><span class="short">{escape(short)}</span>'
        f'<span class="short sr">{escaped("queue.heading")}</span></button>'
        '<button type="button" class="theme" data-theme-toggle'
        f' aria-label="{theme}" title="{theme}">'
        f"{icon('sun')}{icon('moon')}</button></div></header>"
    )


def public_line(warning: str) -> str:
    """The warning on a page that anyone on the internet can open."""
    return f'<p class="public" role="note">{icon("warn", 16)}<span>{escape(warning)}</span></p>'
