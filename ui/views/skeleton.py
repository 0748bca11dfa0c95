"""The job card before the server has said what this visitor has: the same for all visitors."""

from __future__ import annotations

from ui.i18n.texts import escaped


def skeleton() -> str:
    """An empty stage and the outlines of the rows below it, without any content."""
    return (
        f'<section class="card" data-state="loading" aria-busy="true" aria-label="{escaped("card.label")}">'
        '<div class="stage"></div><div class="skeleton-lines" aria-hidden="true"><i></i><i></i></div>'
        f'<p class="sr" role="status">{escaped("first_paint.loading")}</p></section>'
    )
