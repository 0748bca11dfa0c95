"""The line about the connection and the one about storage, as HTML; ui/assets/connection.js fills both."""

from __future__ import annotations

from ui.views.icons import icon


def connection_lines() -> str:
    """Both lines, empty. The first is there from the start, so that screen readers announce its words."""
    return (
        f'<div class="connection" role="status">{icon("warn", 16)}<span></span>'
        '<button type="button" hidden></button></div>'
        f'<p class="storage" role="note" hidden>{icon("warn", 16)}<span></span></p>'
    )
